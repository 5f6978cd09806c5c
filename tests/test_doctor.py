"""What an administrator can get wrong: each is named with what to do, and no secret is ever shown."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from bot.cli import checks
from bot.cli.checks import clock_finding, database_findings
from models.actions.outbox import enqueue, rest_channel, sent, take
from models.actions.programme import add_workspace
from models.actions.write import first_run
from models.db import make_engine
from models.schema import shown_url
from models.tables import Partner, PartnerContact, PartnerDomain, Person
from models.vault import new_key
from tests.cast import ACME, CHANNEL, DANA, GLOBEX, MONDAY, ROBIN, Cast, put_cast
from tests.command_line import CommandLine
from tests.databases import Database
from tests.sandbox.slack.server import SlackServer
from tests.sandbox.slack.workspace import Workspace

HOUR = timedelta(hours=1)


@pytest.fixture
def cast(database: Database) -> Cast:
    with database.sessions.begin() as session:
        return put_cast(session)


def told(database: Database | None, **env: str) -> list[str]:
    """Every line with its mark. Without a database there is none yet."""
    url = database.url if database else "sqlite:///.cache/nowhere/cadence.db"
    return CommandLine(url, env=env)("doctor", status=1).out.splitlines()


def the(lines: list[str], words: str) -> str:
    found = [line for line in lines if words in line]
    assert len(found) == 1, lines
    return found[0]


@contextmanager
def slack_of(date: datetime) -> Iterator[str]:
    """A Slack that takes every token and lives at another time."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = json.dumps({"ok": True, "user": "cadence", "team": "Lantern", "url": "wss://127.0.0.1"}).encode()
            self.send_response_only(200)
            self.send_header("Date", format_datetime(date, usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def slack() -> Iterator[str]:
    with slack_of(datetime.now(UTC)) as url:
        yield url


# Settings

KEY = new_key()
SECRETS = {
    "SLACK_BOT_TOKEN": "xoxb-11-22-botbotbot",
    "SLACK_APP_TOKEN": "xapp-1-A1-2-appappapp",
    "SLACK_SIGNING_SECRET": "5ign1ngsecretsigningsecret",
    "SLACK_CLIENT_SECRET": "client-secret-of-slack",
    "GOOGLE_CLIENT_SECRET": "GOCSPX-secretofgoogle",
    "MICROSOFT_CLIENT_SECRET": "secret~of~microsoft",
    "CADENCE_SECRET_KEYS": f"{KEY},{new_key()}",
}


@pytest.mark.parametrize(
    ("env", "mark", "words"),
    [
        ({"SLACK_CLIENT_ID": "1.2"}, "✗", "SLACK_CLIENT_SECRET is missing beside SLACK_CLIENT_ID: set both or none"),
        ({"GOOGLE_CLIENT_SECRET": "x1234"}, "✗", "GOOGLE_CLIENT_ID is missing beside GOOGLE_CLIENT_SECRET"),
        ({"MICROSOFT_CLIENT_ID": "x"}, "✗", "MICROSOFT_TENANT_ID is missing beside MICROSOFT_CLIENT_ID"),
        ({"MICROSOFT_CLIENT_SECRET": "x1234"}, "✗", "MICROSOFT_CLIENT_SECRET needs MICROSOFT_CLIENT_ID"),
        (
            {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "x1234", "SLACK_APP_TOKEN": "xapp-1"},
            "✗",
            "leave SLACK_APP_TOKEN out",
        ),
        ({"SLACK_BOT_TOKEN": "xapp-1-swapped"}, "✗", "SLACK_BOT_TOKEN does not begin with xoxb-"),
        ({"SLACK_APP_TOKEN": "xoxb-1-swapped"}, "✗", "SLACK_APP_TOKEN does not begin with xapp-"),
        ({"SLACK_BOT_TOKEN": "xoxe.xoxb-1-x"}, "✗", "SLACK_BOT_TOKEN expires: turn token rotation off"),
        ({"SLACK_BOT_TOKEN": "xoxb-1-“x”"}, "✗", "SLACK_BOT_TOKEN has a character that no token has"),
        ({"GRAPH_API_URL": "http://graph.example"}, "✗", "GRAPH_API_URL begins with http://"),
        ({"CADENCE_LEADS": "robin"}, "✗", "CADENCE_LEADS: "),
        ({"CADENCE_SECRET_KEYS": "not-a-key"}, "✗", "CADENCE_SECRET_KEYS holds a value that is no Fernet key"),
        ({"GOOGLE_SERVICE_ACCOUNT_FILE": "/nowhere/key.json"}, "✗", "/nowhere/key.json: No such file"),
    ],
)
def test_settings_that_cannot_work_are_named_with_what_to_do(
    slack: str, env: dict[str, str], mark: str, words: str
) -> None:
    lines = told(None, SLACK_API_URL=slack, **env)
    assert any(line.startswith(f"{mark} settings: ") and words in line for line in lines), lines
    assert not any(line.startswith("✓ settings") for line in lines)


def test_a_key_file_is_looked_at_and_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    for content in ("no JSON", '["x"]', json.dumps({"type": "authorized_user", "refresh_token": "opaque-secret"})):
        path.write_text(content)
        line = the(told(None, GOOGLE_SERVICE_ACCOUNT_FILE=str(path)), "GOOGLE_SERVICE_ACCOUNT_FILE")
        assert "no service account's key" in line
        assert "opaque-secret" not in line
    path.write_text(json.dumps({"type": "service_account"}))
    path.chmod(0o644)
    assert "chmod 600" in the(told(None, GOOGLE_SERVICE_ACCOUNT_FILE=str(path)), "key.json")
    path.chmod(0o600)
    assert not [line for line in told(None, GOOGLE_SERVICE_ACCOUNT_FILE=str(path)) if "key.json" in line]


def test_no_secret_of_the_settings_is_in_what_the_doctor_says(database: Database, cast: Cast, slack: str) -> None:
    for env in (
        SECRETS,
        {**SECRETS, "SLACK_CLIENT_ID": "1.2", "GOOGLE_CLIENT_ID": "3", "CADENCE_PUBLIC_URL": "http://localhost:1"},
        {**SECRETS, "CADENCE_SECRET_KEYS": "wrong-key-wrong-key"},
        {**SECRETS, "CADENCE_TIMEZONE": "Mars", "CADENCE_PUBLIC_URL": "nowhere"},
        {**SECRETS, "CADENCE_DATABASE_URL": "postgresql://cadence:hunter2hunter2@127.0.0.1:1/x?connect_timeout=1"},
        {**SECRETS, "CADENCE_DATABASE_URL": "postgresql://127.0.0.1:1/x?password=hunter2hunter2&connect_timeout=1"},
    ):
        url = env.get("CADENCE_DATABASE_URL", database.url)
        said = CommandLine(url, env={"SLACK_API_URL": slack, **env})("doctor", status=1)
        for secret in {*SECRETS.values(), *SECRETS["CADENCE_SECRET_KEYS"].split(","), "hunter2", "wrong-key"}:
            assert secret not in said.out + said.err
    assert shown_url("postgresql://h/x?password=hunter2") == "postgresql://h/x?password=hidden"


# Machine and database


@pytest.mark.parametrize(
    ("off", "mark", "words"),
    [
        (timedelta(seconds=5), True, "clock: right"),
        (timedelta(seconds=-45), None, "45 s behind Slack's"),
        (timedelta(minutes=6), False, "360 s ahead of Slack's, so requests count as forged: set it (NTP)"),
    ],
)
def test_this_machines_clock_is_held_beside_slacks(off: timedelta, mark: bool | None, words: str) -> None:
    headers = {"Date": [format_datetime(MONDAY.astimezone(UTC), usegmt=True)]}
    found = clock_finding(headers, MONDAY + off)
    assert found is not None
    assert found[0] is mark
    assert words in found[1]


def test_an_answer_without_a_date_says_nothing_of_the_clock() -> None:
    assert clock_finding({}, MONDAY) is None
    assert clock_finding({"date": "soon"}, MONDAY) is None


def test_a_clock_that_is_hours_off_is_found_by_asking_slack(database: Database) -> None:
    with slack_of(datetime.now(UTC) - 2 * HOUR) as url:
        line = the(told(database, SLACK_BOT_TOKEN="xoxb-1", SLACK_API_URL=url), "clock: this machine")
    assert line.startswith("✗")
    assert "ahead of Slack's" in line


def test_a_file_without_room_or_without_rights_is_told(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'one.db'}")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE one (id INTEGER)")
        connection.commit()
    assert list(database_findings(engine)) == []
    engine.dispose()
    plain = f"sqlite:///{tmp_path / 'two.db'}"
    (tmp_path / "two.db").write_bytes((tmp_path / "one.db").read_bytes())
    assert list(database_findings(make_engine(plain))) == []


def test_little_room_is_told_in_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "one.db"
    engine = make_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE one (id INTEGER)")
        connection.commit()
    with engine.connect():
        os.truncate(f"{path}-wal", checks.LONG_LOG + 1)
        [(mark, line)] = list(database_findings(engine))
    assert mark is None
    assert "write-ahead log has grown to 200 MB" in line
    engine.dispose()


# The programme


def changed(database: Database, change: Callable[[Session], object]) -> None:
    with database.sessions.begin() as session:
        change(session)


def test_partners_that_can_never_be_judged_are_counted(database: Database, cast: Cast) -> None:
    def change(session: Session) -> None:
        acme, globex = cast.partner(ACME), cast.partner(GLOBEX)
        session.get_one(Partner, acme).owner_id = None
        session.get_one(Partner, acme).tier_id = None
        for table in (PartnerDomain, PartnerContact):
            for row in session.query(table).filter(table.partner_id.in_((acme, globex))):
                session.delete(row)

    before = told(database)
    changed(database, change)
    lines = told(database)
    assert "2 partners have nobody who owns it: `owner_email` in partners.csv" in the(lines, "owns it")
    assert "`domains` or `contacts` in partners.csv" in the(lines, "neither a domain nor a contact")
    assert "2 partners have neither" in the(lines, "neither a domain nor a contact")
    assert not any("neither a domain" in line for line in before)


def test_people_nobody_can_reach_are_told(database: Database, cast: Cast) -> None:
    def change(session: Session) -> None:
        session.get_one(Person, cast.person(ROBIN)).slack_user_id = None
        session.get_one(Person, cast.person(DANA)).timezone = "Mars/Base"

    changed(database, change)
    lines = told(database)
    assert the(lines, "no lead is known in Slack yet").startswith("–")
    assert "correct it in people.csv" in the(lines, f"people: {DANA.email}: ")


def test_a_channel_in_trouble_has_a_line_with_what_to_do(database: Database, cast: Cast) -> None:
    assert not any("the weekly read rests" in line for line in told(database))
    changed(database, lambda session: rest_channel(session, cast.workspace_id, CHANNEL, "not_in_channel", MONDAY))
    line = the(told(database, CADENCE_CHANNEL=CHANNEL), "the weekly read rests")
    assert line.startswith("✗ channel: the weekly read rests since 2026-11-23 09:00 UTC (not_in_channel)")
    assert "/invite @Cadence" in line


def test_messages_that_went_out_as_text_are_told(database: Database, cast: Cast) -> None:
    def change(session: Session) -> None:
        for kind, blocks in (("read", [{"type": "section"}]), ("chart", [{"type": "data_visualization"}])):
            payload = {"text": "x", "blocks": blocks}
            made = enqueue(session, cast.workspace_id, CHANNEL, kind, "2026-11-23", 0, payload, MONDAY)
            assert made is not None
            take(session, made, MONDAY)
            sent(session, made, CHANNEL, "1.0", "x", "shown as text: Slack refused its layout")

    changed(database, change)
    line = the(told(database), "refused the layout")
    assert "read 2026-11-23" in line
    assert "chart" not in line, "not every Slack draws charts"


def test_a_cadence_that_stands_still_is_told(database: Database, cast: Cast) -> None:
    def change(session: Session) -> None:
        first_run(session, cast.workspace_id, "sweep", "2026-11-20", MONDAY - 72 * HOUR)
        enqueue(session, cast.workspace_id, CHANNEL, "notice", "x", 0, {"text": "x"}, MONDAY - HOUR)

    channel = {"CADENCE_CHANNEL": CHANNEL}
    assert the(told(database, **channel), "has not done a day's work yet").startswith("–")
    changed(database, change)
    lines = told(database, **channel)
    assert the(lines, "nothing was done since").startswith("✗ clock: nothing was done since 2026-11-20 09:00 UTC")
    assert "1 message waits since 2026-11-23 08:00 UTC" in the(lines, "message waits")
    changed(database, lambda session: first_run(session, cast.workspace_id, "sweep", "2026-11-23", MONDAY - HOUR))
    assert not any("nothing was done since" in line for line in told(database, **channel))


def test_with_several_programmes_each_is_looked_at(database: Database, cast: Cast) -> None:
    changed(database, lambda session: add_workspace(session, MONDAY, "T0OTHER"))
    lines = told(database)
    assert "2, one after the other" in the(lines, "programmes: ")
    after = lines[lines.index("– programme of T0OTHER:") :]
    assert the(after, "the roster is empty").startswith("✗")
    one = CommandLine(database.url)("--workspace", "T0OTHER", "doctor", status=1).out
    assert DANA.email not in one


def test_the_app_token_is_tried_too(cast: Cast, database: Database) -> None:
    with SlackServer(Workspace("Lantern")) as server:
        tokens = {"SLACK_BOT_TOKEN": server.workspace.bot_token, "SLACK_API_URL": server.api_url}
        assert not any(
            "SLACK_APP_TOKEN" in line for line in told(database, SLACK_APP_TOKEN=server.workspace.app_token, **tokens)
        )
        line = the(told(database, SLACK_APP_TOKEN="xapp-1-wrong", **tokens), "SLACK_APP_TOKEN")
    assert line.startswith("✗ Slack: refuses SLACK_APP_TOKEN (invalid_auth): make one with connections:write")
