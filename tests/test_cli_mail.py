"""Mailboxes and capture from the command line, against the stand-in Gmail and real files."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from models.actions.reconciliation import reconciled
from models.queries.reconciliation import Unsettled
from models.tables import AuditEntry, Mailbox, Touch
from models.vault import new_key
from tests.capture_world import everything, letter, mailbox_row
from tests.cast import DANA, MONDAY, PRIYA, Cast, put_cast
from tests.command_line import CommandLine
from tests.databases import Database
from tests.sandbox.gmail import GmailServer
from tests.sandbox.imap import ImapStandIn

KEY = new_key()


@pytest.fixture
def cast(database: Database) -> Cast:
    with database.sessions.begin() as session:
        return put_cast(session, observed_until=None)


@pytest.fixture
def gmail() -> Iterator[GmailServer]:
    with GmailServer(now=lambda: MONDAY) as server:
        yield server


@pytest.fixture
def run(database: Database, cast: Cast, gmail: GmailServer) -> CommandLine:
    return CommandLine(database.url, env={"CADENCE_SECRET_KEYS": KEY, "GMAIL_API_URL": gmail.api_url})


@pytest.fixture
def token_file(gmail: GmailServer, tmp_path: Path) -> Path:
    gmail.mailbox(DANA.email)
    path = tmp_path / "token.json"
    path.write_text(json.dumps(gmail.authorized_user(DANA.email)), encoding="utf-8")
    return path


def add(run: CommandLine, *more: str, address: str = DANA.email, status: int = 0) -> str:
    said = run("mailbox", "add", "--provider", "gmail", "--address", address, *more, status=status)
    return said.out + said.err


def no_mailbox(database: Database) -> bool:
    with database.reading() as session:
        return session.scalar(select(Mailbox.id)) is None


def mbox(path: Path, *mails: dict[str, str | None]) -> Path:
    parts = []
    for number, headers in enumerate(mails):
        at = MONDAY - timedelta(days=number, hours=1)
        lines = [f"{name}: {value}" for name, value in {**headers, "Date": f"{at:%a, %d %b %Y %H:%M:%S +0000}"}.items()]
        parts.append("\n".join(["From x@y.example Mon Nov 23 08:00:00 2026", *lines, "", "body", "", ""]))
    path.write_text("".join(parts), encoding="utf-8")
    return path


def test_a_mailbox_is_connected_listed_checked_and_removed(
    run: CommandLine, database: Database, token_file: Path
) -> None:
    assert "it belongs to dana@lantern.example" in add(
        run, "--token-file", str(token_file), address="Dana@Lantern.example"
    )
    [found] = run("mailbox", "list", "--json").json
    assert found == {
        "address": "dana@lantern.example",
        "provider": "gmail",
        "owner_email": "dana@lantern.example",
        "status": "active",
        "last_ok_at": None,
        "seen": 0,
        "pending": 0,
        "dead": 0,
        "error": None,
        "gap": None,
        "reconciled_at": None,
        "state": "backfilling",
        "says": "read for the first time, 0 messages so far",
        "action": "nothing to do, it goes on by itself",
    }
    assert run("mailbox", "check").out == "✓ dana@lantern.example: answers\n"
    assert "is connected already" in add(run, "--token-file", str(token_file), status=1)
    secret = json.loads(token_file.read_text(encoding="utf-8"))["refresh_token"]
    with database.reading() as session:
        assert secret not in everything(session)
    assert "disconnected" in run("mailbox", "remove", "DANA@lantern.example", "--purge").out
    assert run("mailbox", "list", "--json").json == []
    assert "connected: none" in run("mailbox", "remove", DANA.email, status=1).err
    with database.reading() as session:
        actions = session.scalars(select(AuditEntry.action).where(AuditEntry.actor == "command line")).all()
    assert list(actions) == ["connect mailbox", "remove mailbox"]


@pytest.mark.parametrize("text", ["", "[]", "no json", "{}", '{"type": "service_account"}', '{"installed": {}}'])
def test_a_token_file_that_cannot_work_is_refused_before_anything_is_stored(
    run: CommandLine, database: Database, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "token.json"
    path.write_text(text, encoding="utf-8")
    said = add(run, "--token-file", str(path), status=1)
    assert "authorized_user" in said
    assert said.count("\n") == 1
    assert no_mailbox(database)


def test_a_secret_without_keys_is_a_wrong_setting(database: Database, cast: Cast, token_file: Path) -> None:
    said = add(CommandLine(database.url), "--token-file", str(token_file), status=2)
    assert "CADENCE_SECRET_KEYS" in said
    assert "secrets new-key" in said
    assert no_mailbox(database)


def test_without_a_token_the_service_account_acts_for_the_address(
    run: CommandLine, database: Database, gmail: GmailServer, tmp_path: Path
) -> None:
    assert "GOOGLE_SERVICE_ACCOUNT_FILE" in add(run, status=2)
    assert no_mailbox(database)
    gmail.mailbox(DANA.email)
    path = tmp_path / "account.json"
    path.write_text(json.dumps(gmail.service_account()), encoding="utf-8")
    delegated = CommandLine(run.url, env={**(run.env or {}), "GOOGLE_SERVICE_ACCOUNT_FILE": str(path)})
    assert "is connected" in add(delegated, "--check")
    assert delegated("mailbox", "check", DANA.email).out == "✓ dana@lantern.example: answers\n"


def test_a_token_of_somebody_else_is_refused_by_a_check(run: CommandLine, database: Database, token_file: Path) -> None:
    said = add(run, "--token-file", str(token_file), "--check", address=PRIYA.email, status=1)
    assert "opens dana@lantern.example and not priya@lantern.example" in said
    assert no_mailbox(database)


def test_withdrawn_consent_is_told_by_check_and_by_capture(
    run: CommandLine, gmail: GmailServer, token_file: Path
) -> None:
    add(run, "--token-file", str(token_file))
    gmail.tokens.revoke(DANA.email)
    checked = run("mailbox", "check", status=1)
    assert checked.out.startswith("✗ dana@lantern.example: ")
    captured = run("capture", status=1)
    assert "needs_auth" in captured.out
    assert run("mailbox", "list", "--json").json[0]["status"] == "needs_auth"


def test_a_gap_is_told_by_the_list_by_check_and_by_doctor(
    run: CommandLine, database: Database, cast: Cast, token_file: Path
) -> None:
    add(run, "--token-file", str(token_file))
    run("capture")
    [listed] = run("mailbox", "list", "--json").json
    assert (listed["state"], listed["gap"], listed["action"]) == ("ok", 0, None)
    assert listed["says"] == "nothing is missing, as of 09:00"
    with database.sessions.begin() as session:
        box = mailbox_row(session, DANA.email)
        reconciled(session, cast.workspace_id, box.id, Unsettled(missing=("overlooked",)), MONDAY)
    [listed] = run("mailbox", "list", "--json").json
    assert (listed["status"], listed["state"], listed["gap"]) == ("active", "gap", 1)
    assert "cadence capture --mailbox dana@lantern.example" in listed["action"]
    for command in (("mailbox", "list"), ("mailbox", "check"), ("doctor",)):
        assert "the provider lists 1 message that is not captured yet" in run(*command, status=None).out
    assert any(one["status"] == "gap" for one in run("read", "--json").json["troubles"])


def test_capture_reads_every_mailbox_and_its_numbers_add_up(
    run: CommandLine, gmail: GmailServer, token_file: Path
) -> None:
    add(run, "--token-file", str(token_file))
    box = gmail.mailbox(DANA.email)
    for sender, to, label in (
        (DANA.email, "hello@acme.example", "SENT"),
        ("wendy@acme-mail.example", DANA.email, "INBOX"),
        ("shop@elsewhere.example", DANA.email, "INBOX"),
        (PRIYA.email, DANA.email, "INBOX"),
    ):
        box.deliver(letter(sender, to), MONDAY - timedelta(days=1), [label])
    [report] = run("capture", "--json").json
    assert (report["messages"], report["touches"]) == (4, 2)
    assert sum(report["reasons"].values()) == 4
    assert {one["partner"] for one in run("touches", "--json").json} == {"Acme"}
    shown = CommandLine(run.url, env=run.env, terminal=True)("capture", "--mailbox", DANA.email).out
    assert "0 messages" in shown
    assert "not a connected mailbox" in run("capture", "--mailbox", PRIYA.email, status=1).err


def test_a_file_is_imported_once_and_needs_no_slack_and_no_google(
    database: Database, cast: Cast, tmp_path: Path
) -> None:
    run = CommandLine(database.url)
    path = mbox(
        tmp_path / "my mail.mbox",
        letter(DANA.email, "hello@acme.example"),
        letter("boss@globex.example", DANA.email),
        letter("shop@elsewhere.example", DANA.email),
        letter("mailer-daemon@acme.example", DANA.email, Auto_Submitted="auto-replied"),
    )
    said = run("capture", "--mbox", str(path), "--mailbox", DANA.email).out
    assert said.splitlines()[0] == "dana@lantern.example: 4 messages, 3 new touches"
    [total] = [line for line in said.splitlines() if line.endswith("together")]
    assert total.split() == ["4", "together"]
    counts = [int(line.split()[0]) for line in said.splitlines()[2:-1]]
    assert sum(counts) == 4
    again = run("capture", "--mbox", str(path), "--mailbox", DANA.email, "--json").json
    assert again[0]["touches"] == 0
    [box] = run("mailbox", "list", "--json").json
    assert (box["provider"], box["owner_email"], box["seen"]) == ("mbox", DANA.email, 4)
    assert run("partner", "Acme", "--json").json["last_touch_by"] == "Dana Kim"
    assert run("mailbox", "check").out.startswith("– dana@lantern.example")
    with database.reading() as session:
        assert len(session.scalars(select(Touch.id)).all()) == 3


def test_mail_of_nobody_we_know_is_imported_with_a_word(database: Database, cast: Cast, tmp_path: Path) -> None:
    path = mbox(tmp_path / "a.mbox", letter("a@elsewhere.example", "b@elsewhere.example"))
    said = CommandLine(database.url)("capture", "--mbox", str(path), "--mailbox", "b@elsewhere.example")
    assert "nobody on the roster has the address" in said.err


@pytest.mark.parametrize("content", [None, b"", b"\x00\x01\x02", b"name,tier\nAcme,1\n"])
def test_a_file_that_is_no_mail_is_one_line(
    database: Database, cast: Cast, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "a.mbox"
    if content is not None:
        path.write_bytes(content)
    said = CommandLine(database.url)("capture", "--mbox", str(path), "--mailbox", DANA.email, status=None)
    assert said.err.count("\n") <= 1
    if content != b"":
        assert said.status == 1
        assert "a.mbox" in said.err


def test_capture_without_mailboxes_says_what_to_do(database: Database, cast: Cast) -> None:
    assert "mailbox add" in CommandLine(database.url)("capture", status=1).err


# --- IMAP -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def imap() -> Iterator[ImapStandIn]:
    with ImapStandIn() as server:
        yield server


def add_imap(run: CommandLine, *more: str, stdin: bytes = b"secret\n", status: int = 0) -> str:
    command = ("mailbox", "add", "--provider", "imap", "--address", DANA.email, *more)
    said = run(*command, stdin=stdin, status=status)
    return said.out + said.err


def at(imap: ImapStandIn) -> tuple[str, ...]:
    return ("--host", "127.0.0.1", "--port", str(imap.port), "--no-tls")


def test_an_imap_mailbox_is_connected_with_a_password_from_standard_input(
    run: CommandLine, database: Database, imap: ImapStandIn
) -> None:
    assert "is connected (imap)" in add_imap(run, *at(imap), "--check")
    imap.deliver(letter("wendy@acme-mail.example", DANA.email), MONDAY - timedelta(days=1))
    imap.deliver(letter(DANA.email, "hello@acme.example"), MONDAY - timedelta(days=2), "Sent")
    assert run("mailbox", "check").out == "✓ dana@lantern.example: answers\n"
    [report] = run("capture", "--json").json
    assert (report["messages"], report["touches"]) == (2, 2)
    with database.reading() as session:
        stored = session.scalars(select(Mailbox)).one()
        assert stored.options == {"host": "127.0.0.1", "port": imap.port, "tls": False}
        assert "secret" not in everything(session)


def test_an_imap_mailbox_that_was_refused_is_connected_again_with_the_new_password_alone(
    run: CommandLine, imap: ImapStandIn
) -> None:
    add_imap(run, *at(imap))
    imap.passwords = {"changed"}
    assert "refuses the login" in run("mailbox", "check", status=1).out
    assert "needs_auth" in run("capture", status=1).out
    add_imap(run, stdin=b"changed\r\n")
    assert run("capture", "--json").json[0]["outcome"] == "done"


def test_a_mailbox_without_a_sent_folder_says_so_wherever_its_health_is_asked_for(
    run: CommandLine, imap: ImapStandIn
) -> None:
    del imap.folders["Sent"]
    add_imap(run, *at(imap))
    assert "answers, but no Sent folder was found" in run("mailbox", "check").out
    assert run("capture", "--json").json[0]["outcome"] == "done"
    assert run("mailbox", "list", "--json").json[0]["state"] == "partly seen"
    assert "no Sent folder was found" in run("read").out
    assert "no Sent folder was found" in run("doctor", status=1).out


def test_a_connected_mailbox_is_connected_again_only_where_it_is_refused_or_lacks_something(
    run: CommandLine, imap: ImapStandIn
) -> None:
    imap.folders["Post"] = imap.folders.pop("Sent")
    imap.folders["Post"].flags = ""
    assert "no Sent folder was found" in add_imap(run, *at(imap), "--check")
    assert "no Sent folder was found" in run("mailbox", "check").out
    add_imap(run, "--sent-folder", "Post")
    assert run("mailbox", "check").out == "✓ dana@lantern.example: answers\n"
    assert "is connected already" in add_imap(run, stdin=b"other\n", status=1)
    imap.passwords = {"changed"}
    assert (
        "mailbox add --provider imap --address dana@lantern.example` connects" in run("mailbox", "check", status=1).out
    )
    add_imap(run, stdin=b"changed\n")
    assert run("capture", "--json").json[0]["outcome"] == "done"


@pytest.mark.parametrize(
    ("more", "stdin", "status", "said"),
    [
        ((), b"secret\n", 2, "needs --host"),
        (("--host", "imap.gmail.com"), b"secret\n", 1, "use --provider gmail"),
        (("--host", "no host"), b"secret\n", 1, "no host name"),
        (("--host", "mail.example", "--port", "0"), b"secret\n", 2, "--port"),
        (("--host", "mail.example"), b"", 1, "no password was given"),
        (("--host", "mail.example"), b"\n", 1, "no password was given"),
    ],
)
def test_an_imap_account_that_cannot_work_is_refused_before_anything_is_stored(
    run: CommandLine, database: Database, more: tuple[str, ...], stdin: bytes, status: int, said: str
) -> None:
    assert said in add_imap(run, *more, stdin=stdin, status=status)
    assert no_mailbox(database)


def test_options_of_imap_are_refused_for_other_providers(run: CommandLine, database: Database) -> None:
    assert "for --provider imap" in add(run, "--host", "mail.example", status=2)
    assert no_mailbox(database)
