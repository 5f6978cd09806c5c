"""Many workspaces: installed from the browser, each with its own sealed token, taken away and given back."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from cryptography.fernet import Fernet
from flask.testing import FlaskClient
from sqlalchemy import select
from structlog.testing import capture_logs
from werkzeug.serving import make_server

from bot.access import NoAccess
from bot.app import EVENTS_PATH, flask_app
from bot.cli.run import pages
from bot.cli.running import Running
from bot.connecting import CONNECT_PATH
from bot.installing import COOKIE, add_installing, check_settings
from bot.views.installing import NEEDED, OPTIONAL
from models.actions import outbox as outbox_actions
from models.actions.people import PersonRow, put_person
from models.actions.programme import the_workspace
from models.settings import SettingsError, load_settings
from models.tables import AuditEntry, Installation, OAuthState, OutboxPost, Person, Workspace
from tests.command_line import CommandLine
from tests.databases import ROOT, Database
from tests.sandbox.slack.server import SlackServer, Team
from tests.sandbox.slack.workspace import User
from tests.sandbox.slack.workspace import Workspace as Stage
from tests.slack_lint import said
from tests.surface import StandingClock, patient

MANIFEST: dict[str, Any] = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
PUBLIC = "http://localhost:9"
Row = TypeVar("Row")


@dataclass
class Town:
    """A Cadence that people install in workspaces of one stand-in Slack."""

    database: Database
    slack: SlackServer
    running: Running
    clock: StandingClock
    web: FlaskClient

    def begin(self, web: FlaskClient | None = None) -> str:
        """The page with the button; answers Slack's address behind it."""
        page = (web or self.web).get("/slack/install")
        assert page.status_code == 200
        assert "script" not in page.text
        return page.text.split('class="button" href="')[1].split('"')[0].replace("&amp;", "&")

    def back(self, location: str, web: FlaskClient | None = None) -> Any:
        return (web or self.web).get("/slack/oauth_redirect?" + urlsplit(location).query)

    def install(self, team: Team, user: User, **more: Any) -> Any:
        return self.back(self.slack.oauth.allow(self.begin(), user, team, **more))

    def speak(self, team_id: str, user_id: str, enterprise_id: str) -> None:
        """Somebody in a workspace of an organisation types a command."""
        typed = {"command": "/cadence", "text": "overdue", "user_id": user_id, "channel_id": "C0ONE"}
        typed["trigger_id"] = str(len(self.slack.delivery.log))  # each command has its own, else it is a repetition
        whose = {"team_id": team_id, "enterprise_id": enterprise_id, "is_enterprise_install": "true"}
        assert self.slack.delivery.send("slash_commands", {**typed, **whose}).ok

    def joined(self, team_id: str) -> int:
        """The programme of a workspace, once there is one."""
        found: list[int] = []

        def there() -> bool:
            found[:] = [one.id for one in self.rows(Workspace) if one.slack_team_id == team_id]
            return bool(found)

        assert self.slack.teams[0].workspace.wait_until(there)
        return found[0]

    def rows(self, table: type[Row]) -> list[Row]:
        with self.database.reading() as session:
            return list(session.scalars(select(table)))

    def workspace(self, team: Team) -> Workspace:
        return next(one for one in self.rows(Workspace) if one.slack_team_id == team.workspace.team_id)


@contextmanager
def town(database: Database, keys: str, **more: str) -> Iterator[Town]:
    acme = Stage("Acme", manifest=MANIFEST, installed=False)
    clock = StandingClock()
    with SlackServer(acme, event_retry_delays=(0.0, 0.0, 0.0), ack_seconds=10) as slack:
        values = {
            "CADENCE_DATABASE_URL": database.url,
            "CADENCE_SECRET_KEYS": keys,
            "CADENCE_PUBLIC_URL": PUBLIC,
            "SLACK_CLIENT_ID": slack.oauth.client_id,
            "SLACK_CLIENT_SECRET": slack.oauth.client_secret,
            "SLACK_SIGNING_SECRET": acme.signing_secret,
            "SLACK_API_URL": slack.api_url,
            "SLACK_AUTHORIZE_URL": f"{slack.page_url}oauth/v2/authorize",
        }
        running = Running(load_settings(**(values | more)), clock)
        web = flask_app(patient(running.app), running.settings)
        parts = running.sessions, running.reading, running.vault, clock
        add_installing(web, running.settings, *parts, running.installed)
        server = make_server("127.0.0.1", 0, web, threaded=True)
        slack.delivery.request_url = f"http://127.0.0.1:{server.server_port}{EVENTS_PATH}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield Town(database, slack, running, clock, web.test_client())
        finally:
            running.app.listener_runner.listener_executor.shutdown(wait=True)
            server.shutdown()
            thread.join()
            server.server_close()
            running.stop()


@pytest.fixture
def at(database: Database) -> Iterator[Town]:
    with town(database, Fernet.generate_key().decode()) as one:
        yield one


def acme(at: Town) -> Team:
    return at.slack.teams[0]


def globex(at: Town) -> Team:
    return at.slack.add(Stage("Globex", manifest=MANIFEST, series="B", installed=False))


def hank(team: Team) -> User:
    name = team.workspace.name.lower()
    return team.workspace.add_user(f"hank.{name}", "Hank", f"hank@{name}.example")


def test_the_page_asks_for_what_the_manifest_names_and_for_nothing_else() -> None:
    scopes = MANIFEST["oauth_config"]["scopes"]
    assert set(NEEDED) == set(scopes["bot"])
    assert set(OPTIONAL) == set(scopes["bot_optional"])


def test_whoever_installs_gets_a_programme_a_sealed_token_and_the_first_steps(at: Town) -> None:
    person = hank(acme(at))
    page = at.install(acme(at), person)
    assert page.status_code == 200
    assert "Cadence is installed in Acme" in page.text
    row, kept = at.workspace(acme(at)), at.rows(Installation)[0]
    assert row.installed_by == person.id
    assert acme(at).workspace.bot_token not in kept.bot_token
    assert at.running.vault.open(kept.key, kept.bot_token) == acme(at).workspace.bot_token
    assert acme(at).workspace.bot_token not in page.text
    assert acme(at).workspace.bot_token not in str([(one.before, one.after) for one in at.rows(AuditEntry)])
    assert not at.rows(OAuthState)
    at.running._find_people(at.running.programmes()[0])  # what a thread does behind the page, waited for
    at.running.pump()
    room = next(one for one in acme(at).workspace.channels.values() if one.kind == "im" and person.id in one.members)
    assert "Set Cadence up" in said(acme(at).workspace.messages(room.id)[-1].blocks)
    assert [(one.role, one.slack_user_id) for one in at.rows(Person)] == [("lead", person.id)]


def test_a_second_workspace_is_a_programme_of_its_own(at: Town) -> None:
    other = globex(at)
    at.install(acme(at), hank(acme(at)))
    at.install(other, hank(other))
    ids = {at.workspace(one).id for one in (acme(at), other)}
    assert len(ids) == 2
    tokens = {at.running.access.posting(one).token for one in ids}
    assert tokens == {acme(at).workspace.bot_token, other.workspace.bot_token}


def test_installing_again_keeps_the_programme_and_the_newest_token(at: Town) -> None:
    person = hank(acme(at))
    at.install(acme(at), person)
    first = at.workspace(acme(at)).id
    at.install(acme(at), person)
    assert [one.id for one in at.rows(Workspace)] == [first]
    kept = at.rows(Installation)
    assert len(kept) == 1
    assert at.running.vault.open(kept[0].key, kept[0].bot_token) == acme(at).workspace.bot_token


def refused(at: Town, answer: Any, words: str) -> None:
    assert answer.status_code == 400
    assert "Nothing was stored." in answer.text
    assert words in answer.text, answer.text
    assert not at.rows(Installation)
    assert not at.rows(Workspace)


def test_a_state_of_another_browser_installs_nothing_and_is_not_used_up(at: Town) -> None:
    person, mine = hank(acme(at)), at.begin()
    location = at.slack.oauth.allow(mine, person, acme(at))
    refused(at, at.back(location, flask_client(at)), "did not begin in this browser")
    assert len(at.rows(OAuthState)) == 1
    assert at.back(location).status_code == 200


def test_people_install_the_app_where_others_connect_mailboxes_by_consent(database: Database) -> None:
    microsoft = {"MICROSOFT_TENANT_ID": "t", "MICROSOFT_CLIENT_ID": "c", "MICROSOFT_CLIENT_SECRET": "s"}
    google = {"GOOGLE_CLIENT_ID": "c", "GOOGLE_CLIENT_SECRET": "s"}
    with town(database, Fernet.generate_key().decode(), **microsoft, **google) as at:
        web = pages(at.running).test_client()
        assert "Cadence" in web.get("/slack/install").text
        assert "did not begin in this browser" in web.get("/slack/oauth_redirect").text
        assert web.get(CONNECT_PATH).status_code == 400
        assert web.get("/healthz").status_code == 200


def flask_client(at: Town) -> FlaskClient:
    return at.web.application.test_client()


def test_a_state_that_somebody_made_up_installs_nothing(at: Town) -> None:
    web = flask_client(at)
    web.set_cookie(COOKIE, "made-up", path="/slack/oauth_redirect")
    refused(at, web.get("/slack/oauth_redirect?state=made-up&code=x"), "used before")
    refused(at, flask_client(at).get("/slack/oauth_redirect"), "did not begin in this browser")
    refused(at, flask_client(at).get("/slack/oauth_redirect?state=é%00&code=x"), "did not begin in this browser")


def test_a_state_is_good_once_and_for_ten_minutes(at: Town) -> None:
    person, web = hank(acme(at)), flask_client(at)
    location = at.slack.oauth.allow(at.begin(web), person, acme(at))
    at.clock.at += timedelta(minutes=11)
    refused(at, at.back(location, web), "older than ten minutes")
    at.begin()
    assert len(at.rows(OAuthState)) == 1, "the old one is swept away"
    location = at.slack.oauth.allow(at.begin(web), person, acme(at))
    cookie = web.get_cookie(COOKIE, path="/slack/oauth_redirect")
    assert at.back(location, web).status_code == 200
    assert cookie is not None
    web.set_cookie(COOKIE, cookie.value, path="/slack/oauth_redirect")
    assert at.back(location, web).status_code == 400
    assert len(at.rows(Installation)) == 1


def test_whoever_says_no_is_told_so_kindly(at: Town) -> None:
    refused(at, at.back(at.slack.oauth.decline(at.begin())), "You did not allow it")


def test_without_a_needed_scope_nothing_is_installed(at: Town) -> None:
    answer = at.install(acme(at), hank(acme(at)), without=("chat:write",))
    refused(at, answer, "Without chat:write Cadence cannot work")


def test_without_the_optional_scopes_it_is_installed_all_the_same(at: Town) -> None:
    assert at.install(acme(at), hank(acme(at)), without=tuple(OPTIONAL)).status_code == 200


def test_a_code_that_slack_does_not_take_installs_nothing(at: Town) -> None:
    location = at.slack.oauth.allow(at.begin(), hank(acme(at)), acme(at))
    at.slack.oauth.expire()
    refused(at, at.back(location), "Slack did not accept it (invalid_code)")


def test_a_wrong_client_secret_is_the_operators_matter(database: Database) -> None:
    with town(database, Fernet.generate_key().decode(), SLACK_CLIENT_SECRET="wrong") as at:
        refused(at, at.install(acme(at), hank(acme(at))), "SLACK_CLIENT_SECRET")


def test_hostile_words_in_the_address_are_shown_literally(at: Town) -> None:
    state = parse_qs(urlsplit(at.begin()).query)["state"][0]
    answer = at.web.get("/slack/oauth_redirect", query_string={"state": state, "error": "<script>alert(1)</script>"})
    assert "<script>" not in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def prepare(at: Town) -> int:
    """A roster that was made on the command line before anybody installed the app."""
    with at.database.sessions.begin() as session:
        workspace_id = the_workspace(session, at.clock.now())
        lead = PersonRow("hank@acme.example", "Hank Acme", "lead")
        put_person(session, workspace_id, "test", lead, at.clock.now())
    return workspace_id


def test_what_was_prepared_belongs_to_the_lead_it_names(at: Town) -> None:
    prepared = prepare(at)
    at.install(acme(at), hank(acme(at)))
    assert at.workspace(acme(at)).id == prepared


def test_what_was_prepared_is_not_for_whoever_installs_first(at: Town) -> None:
    prepared = prepare(at)
    other = globex(at)
    at.install(other, hank(other))
    assert at.workspace(other).id != prepared


def queue(at: Town, team: Team, text: str) -> None:
    room = team.workspace.add_channel(f"room-{text}", members=[team.workspace.bot.id])
    with at.database.sessions.begin() as session:
        payload = {"text": text, "blocks": []}
        outbox_actions.enqueue(session, at.workspace(team).id, room.id, "notice", text, 0, payload, at.clock.now())


@pytest.mark.parametrize("word", ["token_revoked", "account_inactive", "invalid_auth"])
def test_slack_11_a_token_that_is_refused_in_any_call_is_erased_and_never_used_again(at: Town, word: str) -> None:
    other = globex(at)
    for team in (acme(at), other):
        at.install(team, hank(team))
        queue(at, team, "hello")
    gone = at.workspace(acme(at)).id
    at.slack.faults.refuse("chat.postMessage", word, team=acme(at).workspace.team_id)
    at.running.pump()
    assert at.workspace(acme(at)).access_lost_why == word
    assert [one.team_id for one in at.rows(Installation)] == [other.workspace.team_id]
    assert [one.workspace_id for one in at.running.programmes()] == [at.workspace(other).id]
    assert [one.status for one in at.rows(OutboxPost) if one.workspace_id != gone and one.kind == "notice"] == ["sent"]
    with pytest.raises(NoAccess):
        at.running.access.posting(gone)
    assert at.running.access.authorize(None, acme(at).workspace.team_id, "U1") is None
    lost = [one for one in at.rows(AuditEntry) if one.action == "lose access"]
    assert [(one.workspace_id, one.after) for one in lost] == [(gone, {"reason": word})]
    calls = calls_for(at, acme(at))
    queue(at, acme(at), "anybody there?")
    for _ in range(3):
        at.running.pump()
        at.running.tick()
        at.clock.at += timedelta(minutes=10)
    assert calls_for(at, acme(at)) == calls, "not one call more"
    assert calls_for(at, other) > 0


def calls_for(at: Town, team: Team) -> int:
    return sum(one.team == team.workspace.team_id for one in at.slack.faults.calls)


@pytest.mark.parametrize("how", ["uninstall", "revoke_token"])
def test_slack_11_a_workspace_that_takes_the_app_away_rests_until_it_is_installed_again(at: Town, how: str) -> None:
    person = hank(acme(at))
    at.install(acme(at), person)
    workspace_id = at.workspace(acme(at)).id
    at.clock.at += timedelta(hours=1)
    getattr(acme(at), how)()
    assert acme(at).workspace.wait_until(lambda: not at.rows(Installation))
    assert acme(at).workspace.wait_until(lambda: at.workspace(acme(at)).access_lost_at is not None)
    assert at.running.programmes() == []
    at.install(acme(at), person)
    assert at.workspace(acme(at)).id == workspace_id
    assert at.workspace(acme(at)).access_lost_at is None
    assert [one.workspace_id for one in at.running.programmes()] == [workspace_id]


def test_slack_11_late_news_of_an_old_removal_does_not_end_a_new_installation(at: Town) -> None:
    at.install(acme(at), hank(acme(at)))
    before = at.clock.now() - timedelta(minutes=5)
    assert at.running.access.removed(acme(at).workspace.team_id, None, "app_uninstalled", before) == ()
    assert len(at.rows(Installation)) == 1


def test_slack_11_another_replica_sees_at_once_that_a_token_is_gone(at: Town) -> None:
    at.install(acme(at), hank(acme(at)))
    second = Running(at.running.settings, at.clock)
    team_id = acme(at).workspace.team_id
    try:
        assert second.access.authorize(None, team_id, "U1") is not None
        at.running.access.removed(team_id, None, "app_uninstalled", at.clock.now())
        assert second.access.authorize(None, team_id, "U1") is None
        assert second.programmes() == []
    finally:
        second.stop()


def test_slack_31_a_whole_organisation_installs_once_and_each_workspace_has_its_own_programme(at: Town) -> None:
    other = globex(at)
    for team in (acme(at), other):
        team.workspace.enterprise_id = "E0GRID"
        team.workspace.is_enterprise_install = True
    page = at.install(acme(at), hank(acme(at)))
    assert page.status_code == 200
    assert [(one.key, one.workspace_id) for one in at.rows(Installation)] == [("enterprise:E0GRID", None)]
    assert not at.rows(Workspace)
    granted = at.running.access.authorize("E0GRID", "T0ONE", "U1")
    assert granted is not None
    assert granted.bot_token == acme(at).workspace.bot_token
    assert at.running.access.authorize("E0OTHER", "T0ONE", "U1") is None
    assert at.running.access.authorize(None, "T0ONE", "U1") is None
    told = {}
    for number, team_id in enumerate(("T0ONE", "T0TWO")):
        at.speak(team_id, f"U{number}", "E0GRID")
        told[team_id] = at.joined(team_id)
    assert [(one.slack_team_id, one.slack_enterprise_id) for one in at.rows(Workspace)] == [
        ("T0ONE", "E0GRID"),
        ("T0TWO", "E0GRID"),
    ]
    at.speak("T0ONE", "U0", "E0GRID")
    at.speak("T0THREE", "U9", "E0OTHER")
    at.running.app.listener_runner.listener_executor.shutdown(wait=True)
    assert len(at.rows(Workspace)) == 2, "known once, and no programme for who installed nothing"
    installed = [one.workspace_id for one in at.rows(AuditEntry) if one.action == "install app"]
    assert sorted(installed) == sorted(told.values())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"CADENCE_PUBLIC_URL": ""}, "CADENCE_PUBLIC_URL"),
        ({"CADENCE_SECRET_KEYS": ""}, "CADENCE_SECRET_KEYS"),
        ({"SLACK_SIGNING_SECRET": ""}, "SLACK_SIGNING_SECRET"),
    ],
)
def test_what_installing_needs_is_said_in_one_line(change: dict[str, str], named: str) -> None:
    values = {
        "CADENCE_PUBLIC_URL": PUBLIC,
        "CADENCE_SECRET_KEYS": "x",
        "SLACK_SIGNING_SECRET": "s",
        "SLACK_CLIENT_ID": "1",
        "SLACK_CLIENT_SECRET": "2",
    } | change
    with pytest.raises(SettingsError, match=named):
        check_settings(load_settings(**{name: value for name, value in values.items() if value}))


@pytest.mark.parametrize(
    "url", ["cadence.example", "http://cadence.example", "https://a.example/path", "ftp://x", "https://"]
)
def test_an_address_that_browsers_cannot_use_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="CADENCE_PUBLIC_URL: give the address"):
        load_settings(CADENCE_PUBLIC_URL=url)


def test_the_command_line_asks_which_workspace_is_meant_where_there_are_several(at: Town) -> None:
    other = globex(at)
    for team in (acme(at), other):
        at.install(team, hank(team))
    cadence = CommandLine(at.database.url)
    asked = cadence("tiers", status=1).err
    assert acme(at).workspace.team_id in asked
    assert other.workspace.team_id in asked
    cadence("--workspace", other.workspace.team_id, "tiers")
    assert "no Slack workspace T0NOBODY" in cadence("--workspace", "T0NOBODY", "tiers", status=1).err


def test_a_step_whose_token_has_just_gone_is_one_line_and_the_others_go_on(at: Town) -> None:
    at.install(acme(at), hank(acme(at)))
    at.running.have_greeted()
    programme = at.running.programmes()[0]
    at.running.access.removed(acme(at).workspace.team_id, None, "app_uninstalled", at.clock.now() + timedelta(days=1))
    with capture_logs() as told:
        at.running._step("people", at.running._find_people, programme)
    assert [(one["event"], one["log_level"]) for one in told] == [("step.no_access", "warning")]


def test_tokens_come_under_the_new_key_and_doctor_says_which_are_taken(at: Town) -> None:
    at.install(acme(at), hank(acme(at)))
    at.running.have_greeted()  # with the old key
    old, new = at.running.settings.secret_keys[0], Fernet.generate_key().decode()
    values = {
        "CADENCE_PUBLIC_URL": PUBLIC,
        "SLACK_CLIENT_ID": "1",
        "SLACK_CLIENT_SECRET": "secret",
        "SLACK_SIGNING_SECRET": "signing",
        "SLACK_API_URL": at.slack.api_url,
    }

    def with_keys(keys: str) -> CommandLine:
        return CommandLine(at.database.url, env=values | {"CADENCE_SECRET_KEYS": keys})

    assert "sealed with the first key: 1" in with_keys(f"{new},{old}")("secrets", "rotate").out
    found = with_keys(new)("doctor", status=None).out
    assert "1 workspace installed the app" in found
    assert "refuses its token" not in found
    team = acme(at).workspace.team_id
    assert f"✓ Slack team:{team}: scopes: chat:write, commands, users:read" in found
    assert "channel: none yet: a lead chooses it with `/cadence setup`" in found
    with at.database.sessions.begin() as session:
        session.scalars(select(Workspace).where(Workspace.slack_team_id == team)).one().channel_id = "C0NOWHERE"
    assert "C0NOWHERE" in with_keys(new)("doctor", status=None).out
    assert f"Slack team:{acme(at).workspace.team_id}: " in with_keys(old)("doctor", status=None).out
    acme(at).workspace.revoke()
    assert "refuses its token" in with_keys(new)("doctor", status=None).out
