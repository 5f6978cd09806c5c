"""Connecting the own mailbox from Slack: a button, a page of ours, the provider's consent, and back to a page that says
what is captured. At the wire of both providers, on both databases."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import sync_playwright
from sqlalchemy import select
from werkzeug.serving import make_server

from bot.app import EVENTS_PATH, flask_app
from bot.cli.running import Running
from bot.connecting import BACK_PATH, CONNECT_PATH, COOKIE, add_connecting, connect_link, obstacle
from jobs.mailbox.web_consent import WebConsents
from models.actions.consents import new_ticket
from models.actions.people import PersonRow, put_person
from models.settings import Settings, load_settings
from models.tables import AuditEntry, Mailbox, OAuthState, OutboxPost, Touch
from models.tables import Workspace as WorkspaceRow
from models.vault import Vault, new_key
from tests.capture_world import everything, letter
from tests.cast import DANA, MONDAY, PRIYA, TEAM, VERA, Cast, put_cast
from tests.command_line import CommandLine
from tests.consent_person import Person, gmail_environment, graph_environment
from tests.databases import ROOT, Database, Databases, opened
from tests.sandbox.gmail import Fault, GmailServer, dropped, server_error
from tests.sandbox.graph import GraphServer
from tests.sandbox.slack.server import SlackServer
from tests.sandbox.slack.workspace import Workspace
from tests.slack_lint import elements, lint_message, lint_view, said
from tests.surface import StandingClock, Surface, people_in_slack, user
from tests.test_browser import CHROMIUM, QUIET

PUBLIC = "https://cadence.example"
ALIAS = DANA.aliases[0]
ON_SQLITE = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
"""For what the database has no part in."""

NAMES = {"gmail": "Google", "graph": "Microsoft 365"}


@contextmanager
def provider_server(provider: str, clock: StandingClock, public: str) -> Iterator[tuple[Any, dict[str, str]]]:
    """A stand-in that knows our page as one to send browsers back to, and the settings that lead to it."""
    with GmailServer(now=clock.now) if provider == "gmail" else GraphServer(now=clock.now) as server:
        back = (f"{public}{BACK_PATH}",)
        if isinstance(server, GmailServer):
            server.tokens.redirects = back
            yield server, gmail_environment(server)
        else:
            server.tokens.web_redirects = back
            yield server, graph_environment(server, secret=True)


@dataclass(slots=True)
class Place:
    """Our two pages, one provider, and people with mailboxes there."""

    provider: str
    server: Any
    database: Database
    cast: Cast
    clock: StandingClock
    settings: Settings
    vault: Vault
    reads: list[str]

    def pages(self, vault: Vault | None = None) -> FlaskClient:
        """A browser of its own."""
        web = Flask("connecting")
        made = self.database.sessions, self.database.reading, vault or self.vault, self.clock
        consents = WebConsents(self.settings, self.clock)
        add_connecting(web, self.settings, *made, consents, lambda: self.reads.append("read"))
        return web.test_client()

    def ticket(self, person: PersonRow = DANA) -> str:
        with self.database.sessions.begin() as session:
            home, owner = self.cast.workspace_id, self.cast.person(person)
            return new_ticket(session, home, owner, self.provider, self.clock.now())

    def look(self, ticket: str, web: FlaskClient | None = None) -> Any:
        link = connect_link(self.settings, ticket)
        return (web or self.pages()).get(link.removeprefix(PUBLIC), base_url=PUBLIC)

    def press(self, ticket: str, web: FlaskClient) -> Any:
        """What the button of the page does; answers with whatever we do."""
        return web.post(CONNECT_PATH, data={"ticket": ticket}, base_url=PUBLIC)

    def asked(self, web: FlaskClient, ticket: str | None = None) -> str:
        """The provider's address that the button leads to."""
        answer = self.press(ticket or self.ticket(), web)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["Location"])

    def back(self, where: str, web: FlaskClient) -> Any:
        assert where.startswith(f"{PUBLIC}{BACK_PATH}?")
        return web.get(where.removeprefix(PUBLIC), base_url=PUBLIC)

    def consent(self, person: Person, web: FlaskClient | None = None, ticket: str | None = None) -> Any:
        """All the way; answers the last page."""
        web = web or self.pages()
        return self.back(person.answer(self.asked(web, ticket)), web)

    def boxes(self) -> list[Mailbox]:
        with self.database.reading() as session:
            return list(session.scalars(select(Mailbox)))

    def rows(self, table: Any) -> list[Any]:
        with self.database.reading() as session:
            return list(session.scalars(select(table)))


@contextmanager
def place_at(provider: str, database: Database, public: str = PUBLIC) -> Iterator[Place]:
    clock = StandingClock()
    with database.sessions.begin() as session:
        cast = put_cast(session, observed_until=None)
    with provider_server(provider, clock, public) as (server, more):
        for person in (DANA, PRIYA):
            server.mailbox(person.email)
        keys = new_key()
        settings = load_settings(CADENCE_SECRET_KEYS=keys, CADENCE_PUBLIC_URL=public, SLACK_SIGNING_SECRET="s", **more)
        yield Place(provider, server, database, cast, clock, settings, Vault((keys,)), [])


@pytest.fixture(params=["gmail", "graph"])
def place(request: pytest.FixtureRequest, database: Database) -> Iterator[Place]:
    with place_at(request.param, database) as one:
        yield one


@pytest.fixture
def google(database: Database) -> Iterator[Place]:
    with place_at("gmail", database) as one:
        yield one


def text_of(page: Any) -> str:
    return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page.text, flags=re.DOTALL)).split())


def refused(at: Place, page: Any, words: str) -> str:
    """One plain page with a sentence, and nothing is stored."""
    assert page.status_code == 400
    told = text_of(page)
    assert words in told, told
    assert "Nothing was stored." in told
    assert "Connect a mailbox" in told, "it says how to begin again"
    assert page.headers["Cache-Control"] == "no-store"
    assert not at.boxes()
    assert not at.rows(OutboxPost)
    assert not [one for one in at.rows(AuditEntry) if one.action == "connect mailbox"]
    assert not at.reads
    return told


# --- the whole way ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Town:
    """A running Cadence over HTTP, in a stand-in Slack, with its pages."""

    at: Surface
    running: Running
    server: Any
    web: FlaskClient

    def until(self, seen: Callable[[], bool]) -> None:
        for _ in range(3000):
            if seen():
                return
            threading.Event().wait(0.01)
        pytest.fail("it never came to it")

    def window(self) -> dict[str, Any]:
        """What Dana sees after the button on her Home."""
        stacks, me = self.at.workspace.views.stacks, user(DANA)
        before = [view.id for view in stacks.get(me, ())]
        self.at.press(DANA, self.at.home(DANA), "connect_mailbox")
        assert self.at.workspace.wait_until(lambda: [view.id for view in stacks.get(me, ())] != before)
        view: dict[str, Any] = self.at.modal(DANA).content
        lint_view(view)
        return view


@contextmanager
def town(provider: str, database: Database, **change: str) -> Iterator[Town]:
    clock = StandingClock()
    with database.sessions.begin() as session:
        cast = put_cast(session, observed_until=None)
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    workspace = Workspace("Lantern", manifest=manifest, clock=clock.now)
    workspace.team_id = workspace.bot.team_id = TEAM
    people_in_slack(workspace)
    with (
        provider_server(provider, clock, PUBLIC) as (server, more),
        SlackServer(workspace, event_retry_delays=(0.0, 0.0, 0.0), ack_seconds=10) as slack,
    ):
        server.mailbox(DANA.email)
        values = {
            "CADENCE_DATABASE_URL": database.url,
            "CADENCE_SECRET_KEYS": new_key(),
            "CADENCE_PUBLIC_URL": PUBLIC,
            "SLACK_BOT_TOKEN": workspace.bot_token,
            "SLACK_SIGNING_SECRET": workspace.signing_secret,
            "SLACK_API_URL": slack.api_url,
        }
        settings = load_settings(**{name: value for name, value in (values | more | change).items() if value})
        running = Running(settings, clock)
        running.connect()
        web = flask_app(running.app, settings) if settings.slack_signing_secret else Flask("none")
        if running.connects:
            parts = running.sessions, running.reading, running.vault, clock
            add_connecting(web, settings, *parts, running.consents, running.capture)
        listening = make_server("127.0.0.1", 0, web, threaded=True)
        slack.delivery.request_url = f"http://127.0.0.1:{listening.server_port}{EVENTS_PATH}"
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            at = Surface(database, cast, slack, settings, clock, running.app)
            yield Town(at, running, server, web.test_client())
        finally:
            running.app.listener_runner.listener_executor.shutdown(wait=True)
            listening.shutdown()
            thread.join()
            listening.server_close()
            running.stop()


@pytest.mark.parametrize("provider", ["gmail", "graph"])
def test_from_the_button_on_home_to_a_mailbox_that_is_read(provider: str, database: Database) -> None:
    with town(provider, database) as one:
        headers = letter("wendy@acme-mail.example", DANA.email, "Terms")
        one.server.mailbox(DANA.email).deliver(headers, MONDAY, ["INBOX"] if provider == "gmail" else "inbox")
        view = one.window()
        [link] = [element for element in elements(view["blocks"]) if element.get("url")]
        assert link["text"]["text"] == f"Connect {NAMES[provider]}"
        one.at.press(DANA, one.at.modal(DANA), link["action_id"])  # Slack tells us, besides opening it
        assert one.at.modal(DANA).content == view
        page = one.web.get(link["url"].removeprefix(PUBLIC), base_url=PUBLIC)
        shown = text_of(page)
        assert f"Connect your {NAMES[provider]} mailbox" in shown
        for words in ("Dana Kim", DANA.email, "from, to, cc, date, message id", "the text of a mail, and attachments"):
            assert words in shown
        [ticket] = re.findall(r'name="ticket" value="([^"]+)"', page.text)
        asked = one.web.post(CONNECT_PATH, data={"ticket": ticket}, base_url=PUBLIC)
        person = Person()
        where = person.answer(asked.headers["Location"])
        assert person.asked["login_hint"] == DANA.email
        done = one.web.get(where.removeprefix(PUBLIC), base_url=PUBLIC)
        assert done.status_code == 200
        told = text_of(done)
        for words in (
            f"{DANA.email} is connected",
            "the mail since Tue 25 Aug",
            "it is not stored",
            "the text of a mail, and attachments",
            "/cadence mailbox",
            "Disconnect",
        ):
            assert words in told, told
        one.until(lambda: one.at.count(Touch) == 1)  # a round reads it at once
        with database.reading() as session:
            [box] = session.scalars(select(Mailbox))
            [entry] = session.scalars(select(AuditEntry).where(AuditEntry.action == "connect mailbox"))
            stored = everything(session)
        assert (box.address, box.owner_id) == (DANA.email, one.at.cast.person(DANA))
        assert entry.actor == f"person:{one.at.cast.person(DANA)}"
        secret = one.running.vault.open(DANA.email, box.credential or "")
        assert any(token in secret for token in one.server.tokens._consents)
        one.at.pump()
        room = next(c for c in one.at.workspace.channels.values() if c.kind == "im" and user(DANA) in c.members)
        note = one.at.workspace.messages(room.id)[-1]
        lint_message({"text": note.text, "blocks": note.blocks})
        assert f"{DANA.email} is connected" in note.text
        for token in (*one.server.tokens._consents, *one.server.tokens._access, one.server.tokens.client_secret):
            for place in (stored, page.text, done.text, str(view), str(note.blocks)):
                assert token not in place
        assert not one.at.count(OAuthState), "ticket and state are used up"


def test_each_window_has_links_of_its_own_and_home_has_none(database: Database) -> None:
    with town("gmail", database) as one:
        home = one.at.home(DANA).content
        assert "ticket" not in str(home)
        assert not one.at.count(OAuthState)
        links = [next(e["url"] for e in elements(one.window()["blocks"]) if e.get("url")) for _ in range(2)]
        assert links[0] != links[1]
        with database.reading() as session:
            rows = list(session.scalars(select(OAuthState)))
        assert {(row.purpose, row.provider, row.person_id) for row in rows} == {
            ("ticket", "gmail", one.at.cast.person(DANA))
        }
        for link in links:
            assert parse_qs(urlsplit(link).query)["ticket"][0] not in str([row.digest for row in rows])
        words = said(one.window()["blocks"])
        assert "--provider gmail" not in words
        assert f"cadence mailbox add --provider graph --address {DANA.email} --consent" in words


@ON_SQLITE
def test_without_a_public_address_the_window_shows_the_commands_and_says_why(database: Database) -> None:
    with town("gmail", database, CADENCE_PUBLIC_URL="") as one:
        view = one.window()
        assert not [element for element in elements(view["blocks"]) if element.get("url")]
        words = said(view["blocks"])
        for provider in ("gmail", "graph", "imap"):
            assert f"cadence mailbox add --provider {provider} --address {DANA.email}" in words
        assert "because CADENCE_PUBLIC_URL is not set" in words
        assert not one.at.count(OAuthState)
        assert one.web.get(CONNECT_PATH).status_code == 404


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"SLACK_APP_TOKEN": "xapp-1"}, "Socket Mode"),
        ({"CADENCE_PUBLIC_URL": ""}, "CADENCE_PUBLIC_URL is not set"),
        ({"CADENCE_SECRET_KEYS": ""}, "CADENCE_SECRET_KEYS is not set"),
        ({"GOOGLE_CLIENT_SECRET": ""}, "neither GOOGLE_CLIENT_ID nor MICROSOFT_CLIENT_ID"),
    ],
)
def test_what_is_in_the_way_of_a_button_is_said_in_one_sentence(change: dict[str, str], why: str) -> None:
    values = {
        "CADENCE_PUBLIC_URL": PUBLIC,
        "CADENCE_SECRET_KEYS": "k",
        "SLACK_SIGNING_SECRET": "s",
        "GOOGLE_CLIENT_ID": "1",
        "GOOGLE_CLIENT_SECRET": "2",
    }
    whole = load_settings(**values)
    assert obstacle(whole, WebConsents(whole, StandingClock()).providers()) is None
    settings = load_settings(**{name: value for name, value in (values | change).items() if value})
    assert why in str(obstacle(settings, WebConsents(settings, StandingClock()).providers()))


@ON_SQLITE
def test_doctor_names_the_address_that_the_providers_have_to_know(google: Place) -> None:
    login = {"GOOGLE_CLIENT_ID": "1", "GOOGLE_CLIENT_SECRET": "2", "SLACK_SIGNING_SECRET": "s"}
    pages = {"CADENCE_PUBLIC_URL": PUBLIC, "CADENCE_SECRET_KEYS": new_key()}
    told = CommandLine(google.database.url, env=login | pages)("doctor", status=1).out
    assert "✓ own mailboxes: connected from Slack at Google; " in told
    assert f"register there the redirect URI {PUBLIC}{BACK_PATH}\n" in told
    told = CommandLine(google.database.url, env=pages | {"SLACK_SIGNING_SECRET": "s"})("doctor", status=1).out
    assert "– own mailboxes: nobody connects one from Slack, because neither GOOGLE_CLIENT_ID" in told
    assert "own mailboxes" not in CommandLine(google.database.url, env=login)("doctor", status=1).out


# --- the ticket ---------------------------------------------------------------------------------------------------


def test_a_preview_of_the_link_uses_nothing_up(place: Place) -> None:
    ticket, web = place.ticket(), place.pages()
    for _ in range(2):
        page = place.look(ticket)
        assert page.status_code == 200
        assert not page.headers.getlist("Set-Cookie")
    assert place.pages().head(f"{CONNECT_PATH}?{urlencode({'ticket': ticket})}").status_code == 200
    assert place.consent(Person(), web, ticket).status_code == 200


@ON_SQLITE
def test_the_page_loads_nothing_and_its_form_may_go_to_us_and_the_provider_alone(google: Place) -> None:
    page = google.look(google.ticket())
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(google.server.auth_url))
    assert f"form-action 'self' {origin}" in policy
    assert "script" not in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"


def test_a_ticket_is_good_once(google: Place) -> None:
    ticket, web = google.ticket(), google.pages()
    google.asked(web, ticket)
    refused(google, google.press(ticket, web), "This link was used before")
    refused(google, google.look(ticket), "This link was used before")


def test_of_two_who_press_at_once_one_goes_on(google: Place) -> None:
    ticket, ready, answers = google.ticket(), threading.Barrier(4), list[int]()

    def press() -> None:
        web = google.pages()
        ready.wait()
        answers.append(google.press(ticket, web).status_code)

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [303, 400, 400, 400]


def test_a_ticket_is_good_for_ten_minutes_and_what_is_old_is_swept_away(google: Place) -> None:
    ticket, web = google.ticket(), google.pages()
    google.clock.at += timedelta(minutes=10)
    refused(google, google.look(ticket), "older than ten minutes")
    refused(google, google.press(ticket, web), "older than ten minutes")
    google.ticket()
    assert len(google.rows(OAuthState)) == 1


@ON_SQLITE
@pytest.mark.parametrize("ticket", ["", "made-up", "é\x00", "x" * 5000])
def test_a_ticket_that_somebody_made_up_opens_nothing(google: Place, ticket: str) -> None:
    refused(google, google.look(ticket), "used before")
    refused(google, google.press(ticket, google.pages()), "used before")


@ON_SQLITE
def test_a_state_is_no_ticket_and_a_ticket_no_state(google: Place) -> None:
    web = google.pages()
    state = parse_qs(urlsplit(google.asked(web)).query)["state"][0]
    refused(google, google.look(state), "used before")
    ticket = google.ticket()
    web.set_cookie(COOKIE, ticket, path=BACK_PATH, domain="cadence.example")
    refused(google, google.back(f"{PUBLIC}{BACK_PATH}?state={ticket}&code=x", web), "used before")


@ON_SQLITE
def test_a_name_from_the_roster_is_shown_literally(google: Place) -> None:
    with google.database.sessions.begin() as session:
        named = replace(DANA, name='<script>alert(1)</script>"')
        put_person(session, google.cast.workspace_id, "test", named, google.clock.now())
    page = google.look(google.ticket())
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text


# --- the way there and back ---------------------------------------------------------------------------------------


def test_the_provider_is_asked_for_headers_with_a_challenge_and_the_verifier_stays_sealed(place: Place) -> None:
    web = place.pages()
    answer = place.press(place.ticket(), web)
    asked = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
    assert asked["redirect_uri"] == f"{PUBLIC}{BACK_PATH}"
    assert asked["code_challenge_method"] == "S256"
    cookie = answer.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Secure", f"Path={BACK_PATH}", "Max-Age=600"):
        assert part in cookie
    [row] = place.rows(OAuthState)
    assert asked["state"] not in str((row.digest, row.verifier))
    kept = place.vault.open(row.digest, row.verifier)
    assert asked["state"] in kept
    assert '"verifier"' in kept


def test_another_browser_cannot_bring_the_answer_and_spoils_nothing(place: Place) -> None:
    web = place.pages()
    where = Person().answer(place.asked(web))
    refused(place, place.back(where, place.pages()), "did not begin in this browser")
    assert not place.server.calls_of("token")
    assert place.back(where, web).status_code == 200


def test_an_answer_is_good_once(google: Place) -> None:
    web = google.pages()
    where = Person().answer(google.asked(web))
    cookie = web.get_cookie(COOKIE, path=BACK_PATH, domain="cadence.example")
    assert cookie is not None
    assert google.back(where, web).status_code == 200
    assert web.get_cookie(COOKIE, path=BACK_PATH, domain="cadence.example") is None
    web.set_cookie(COOKIE, cookie.value, path=BACK_PATH, domain="cadence.example")
    assert google.back(where, web).status_code == 400
    assert len(google.server.calls_of("token")) == 2  # the code, and the look at whose mailbox it is


def test_an_answer_that_comes_late_stores_nothing(google: Place) -> None:
    web = google.pages()
    where = Person().answer(google.asked(web))
    google.clock.at += timedelta(minutes=10)
    refused(google, google.back(where, web), "older than ten minutes")
    assert not google.server.calls_of("token")


@ON_SQLITE
def test_a_state_that_somebody_made_up_stores_nothing(google: Place) -> None:
    for state in ("", "made-up", "é\x00"):
        web = google.pages()
        refused(google, google.back(f"{PUBLIC}{BACK_PATH}?{urlencode({'state': state, 'code': 'x'})}", web), "browser")
    web = google.pages()
    web.set_cookie(COOKIE, "made-up", path=BACK_PATH, domain="cadence.example")
    refused(google, google.back(f"{PUBLIC}{BACK_PATH}?state=made-up&code=x", web), "used before")


def test_whoever_says_no_is_told_so_kindly(place: Place) -> None:
    refused(place, place.consent(Person(decision="decline")), "The consent was declined")


def test_somebody_elses_account_is_refused_by_name(place: Place) -> None:
    told = refused(place, place.consent(Person(signed_in=PRIYA.email)), DANA.email)
    assert "start again" in told
    if place.provider == "gmail":  # Microsoft shows with no permission of ours whose account it is
        assert f"account that consented is {PRIYA.email}, and not {DANA.email}" in told


def test_another_address_of_the_same_person_is_theirs_too(place: Place) -> None:
    place.server.mailbox(ALIAS)
    assert f"{ALIAS} is connected" in text_of(place.consent(Person(signed_in=ALIAS)))
    [box] = place.boxes()
    assert (box.address, box.owner_id) == (ALIAS, place.cast.person(DANA))


@ON_SQLITE
def test_an_address_that_microsoft_does_not_know_hides_no_other_of_the_person(databases: Databases) -> None:
    with opened(databases) as database, place_at("graph", database) as at:
        at.server.mailbox(ALIAS)
        at.server.fail("messages.list", Fault(404, "ErrorInvalidUser"), mailbox=DANA.email, times=None)
        assert f"{ALIAS} is connected" in text_of(at.consent(Person(signed_in=ALIAS)))


def test_less_than_headers_is_refused_and_so_is_more(place: Place) -> None:
    if place.provider == "gmail":
        place.server.tokens.grants = frozenset({"openid"})
        refused(place, place.consent(Person()), "Google did not grant gmail.metadata")
    else:
        place.server.tokens.also_granted = ("https://graph.microsoft.com/Mail.Read",)
        refused(place, place.consent(Person()), "Microsoft granted more than headers (Mail.Read)")


@ON_SQLITE
def test_a_consent_for_one_hour_is_refused(google: Place) -> None:
    google.server.tokens.gives_refresh_tokens = False
    refused(google, google.consent(Person()), "no refresh token")


def test_a_provider_that_is_down_stores_nothing_and_a_new_link_works_later(place: Place) -> None:
    web = place.pages()
    for fault in (server_error(503), dropped()):
        where = Person().answer(place.asked(web))
        place.server.fail("token", fault, times=None)
        refused(place, place.back(where, web), "start again")
        place.server.heal()
    assert place.consent(Person()).status_code == 200


@ON_SQLITE
def test_a_client_secret_that_the_provider_does_not_take_is_the_operators_matter(google: Place) -> None:
    google.settings = google.settings.model_copy(update={"google_client_secret": None})
    ticket = google.ticket()
    refused(google, google.press(ticket, google.pages()), "GOOGLE_CLIENT_SECRET")
    assert len(google.rows(OAuthState)) == 1, "the ticket is as good as before"


@ON_SQLITE
def test_with_another_key_the_question_cannot_be_taken_up_and_nothing_is_stored(google: Place) -> None:
    web, other = google.pages(), google.pages(Vault((new_key(),)))
    where = Person().answer(google.asked(web))
    cookie = web.get_cookie(COOKIE, path=BACK_PATH, domain="cadence.example")
    assert cookie is not None
    other.set_cookie(COOKIE, cookie.value, path=BACK_PATH, domain="cadence.example")
    told = refused(google, google.back(where, other), "Cadence cannot store or open secrets")
    assert "CADENCE_SECRET_KEYS" not in told
    assert not google.server.calls_of("token")


def test_who_left_the_roster_meanwhile_or_may_only_read_connects_nothing(google: Place) -> None:
    web = google.pages()
    where = Person().answer(google.asked(web))
    with google.database.sessions.begin() as session:
        reader = replace(DANA, role="viewer")
        put_person(session, google.cast.workspace_id, "test", reader, google.clock.now())
    refused(google, google.back(where, web), "You are not on the roster of this partner programme any more")
    refused(google, google.look(google.ticket(VERA)), "can only read there")
    with google.database.sessions.begin() as session:
        session.get_one(WorkspaceRow, google.cast.workspace_id).access_lost_at = google.clock.now()
    refused(google, google.look(google.ticket(PRIYA)), "Cadence was taken off this Slack workspace")


def test_an_address_that_is_taken_off_while_the_provider_is_asked_is_nobodys(google: Place) -> None:
    google.server.mailbox(ALIAS)
    web = google.pages()
    where = Person(signed_in=ALIAS).answer(google.asked(web))

    class TakesItsTime(WebConsents):
        def finish(self, *arguments: Any, **options: Any) -> Any:
            consent = super().finish(*arguments, **options)
            with google.database.sessions.begin() as session:
                bare = replace(DANA, aliases=())
                put_person(session, google.cast.workspace_id, "test", bare, google.clock.now())
            return consent

    slow = Flask("slow")
    made = google.database.sessions, google.database.reading, google.vault, google.clock
    add_connecting(slow, google.settings, *made, TakesItsTime(google.settings, google.clock), lambda: None)
    other, cookie = slow.test_client(), web.get_cookie(COOKIE, path=BACK_PATH, domain="cadence.example")
    assert cookie is not None
    other.set_cookie(COOKIE, cookie.value, path=BACK_PATH, domain="cadence.example")
    refused(google, google.back(where, other), f"The roster does not have {ALIAS} as an address of Dana Kim")


def test_connecting_again_renews_the_secret_and_goes_on_where_it_stopped(place: Place) -> None:
    place.consent(Person())
    [before] = place.boxes()
    with place.database.sessions.begin() as session:
        box = session.get_one(Mailbox, before.id)
        box.cursor, box.status, box.error = '{"kept": 1}', "needs_auth", "withdrawn"
    told = text_of(place.consent(Person()))
    assert "goes on reading where it stopped" in told
    [after] = place.boxes()
    assert (after.id, after.status, after.error, after.cursor) == (before.id, "active", None, '{"kept": 1}')
    assert after.credential != before.credential
    assert place.consent(Person()).status_code == 200, "nor does it matter that it is read well"
    assert [one.action for one in place.rows(AuditEntry)].count("connect mailbox") == 3
    assert place.reads == ["read"] * 3


@ON_SQLITE
def test_a_consent_that_ends_by_itself_says_when(google: Place) -> None:
    google.server.tokens.in_testing = True
    assert "Google ends this consent on 2026-11-30" in text_of(google.consent(Person()))


@ON_SQLITE
def test_a_round_that_cannot_begin_is_no_news_for_the_browser(google: Place) -> None:
    web = Flask("tired")

    def tired() -> None:
        raise RuntimeError("not now")

    made = google.database.sessions, google.database.reading, google.vault, google.clock
    add_connecting(web, google.settings, *made, WebConsents(google.settings, google.clock), tired)
    assert google.consent(Person(), web.test_client()).status_code == 200
    assert len(google.boxes()) == 1


@ON_SQLITE
def test_whatever_goes_wrong_on_our_side_is_one_plain_page(google: Place) -> None:
    class Broken(WebConsents):
        def finish(self, *arguments: Any, **options: Any) -> Any:
            raise RuntimeError("<code of somebody>")

    web = Flask("broken")
    made = google.database.sessions, google.database.reading, google.vault, google.clock
    add_connecting(web, google.settings, *made, Broken(google.settings, google.clock), lambda: None)
    page = google.consent(Person(), web.test_client())
    assert page.status_code == 500
    assert "Something went wrong on Cadence's side" in text_of(page)
    assert "somebody" not in page.text
    assert not google.boxes()


# --- in a real browser --------------------------------------------------------------------------------------------


@ON_SQLITE
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: install Debian's package `chromium`")
def test_a_browser_goes_all_the_way_under_the_policies_of_our_pages(databases: Databases) -> None:
    """Form, redirect to another origin, cookie and back: what a browser could refuse and a test client does not."""
    web: list[Callable[..., Any]] = []
    listening = make_server("127.0.0.1", 0, lambda environ, start: web[0](environ, start), threaded=True)
    public = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        with opened(databases) as database, place_at("gmail", database, public) as at, sync_playwright() as playwright:
            web.append(at.pages().application)
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            page = browser.new_page()
            page.goto(connect_link(at.settings, at.ticket()))
            page.get_by_role("button", name="Continue to Google").click()
            page.get_by_role("button", name="Allow").click()
            page.get_by_role("heading", name=f"{DANA.email} is connected").wait_for()
            assert not browser.contexts[0].cookies()
            assert [box.address for box in at.boxes()] == [DANA.email]
            browser.close()
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
