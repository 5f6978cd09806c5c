"""A person's consent: the question, and what each answer is worth, at the stand-ins' login pages."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from jobs.mailbox.consent import GOOD_FOR, ConsentRefused, Login, Pending, begin, finish
from jobs.mailbox.google_auth import SCOPE
from jobs.mailbox.providers import LOGINS, PROVIDERS, Account
from models.settings import Settings, SettingsError, load_settings
from tests.cast import MONDAY
from tests.command_line import At
from tests.consent_person import Person, gmail_environment, graph_environment
from tests.gmail_world import ANA
from tests.sandbox.gmail import GmailServer
from tests.sandbox.graph import GraphServer

HERE = {"gmail": "http://127.0.0.1:50000/", "graph": "http://localhost:50000"}
PAGE = "https://cadence.example/consent"


@dataclass(frozen=True)
class Place:
    """A provider's stand-in and the settings that lead to it."""

    provider: str
    server: Any
    settings: Settings

    @property
    def login(self) -> Login:
        return LOGINS[self.provider](self.settings, web=False)

    def begin(self, redirect_uri: str | None = None) -> Pending:
        return begin(self.login, ANA, redirect_uri or HERE[self.provider], MONDAY)

    def answer(self, pending: Pending, decision: str = "allow") -> dict[str, str]:
        """The parameters with which the browser comes back."""
        where = Person(decision=decision).answer(pending.url)
        assert where.startswith(pending.redirect_uri)
        return dict(parse_qsl(urlsplit(where).query))

    def finish(self, pending: Pending, answer: dict[str, str], **change: Any) -> str:
        return finish(pending, answer, replace(self.login, **change), MONDAY).secret


@pytest.fixture
def google() -> Iterator[Place]:
    with GmailServer() as server:
        server.mailbox(ANA)
        yield Place("gmail", server, load_settings(**gmail_environment(server)))


@pytest.fixture
def microsoft() -> Iterator[Place]:
    with GraphServer() as server:
        server.mailbox(ANA)
        yield Place("graph", server, load_settings(**graph_environment(server, secret=True)))


@pytest.fixture(params=["google", "microsoft"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


def refused(place: Place, pending: Pending, answer: dict[str, str], **change: Any) -> str:
    with pytest.raises(ConsentRefused) as error:
        place.finish(pending, answer, **change)
    said = str(error.value)
    assert "\n" not in said
    assert pending.verifier not in said
    return said


def test_a_consent_is_worth_a_secret_that_opens_the_mailbox(place: Place) -> None:
    pending = place.begin()
    secret = place.finish(pending, place.answer(pending))
    mailbox = PROVIDERS[place.provider](Account(ANA, secret), place.settings, At(MONDAY))
    assert mailbox.check() == ANA


def test_the_secret_has_the_shape_of_a_token_file(google: Place, microsoft: Place) -> None:
    pending = google.begin()
    assert (
        json.loads(google.finish(pending, google.answer(pending))).keys() == google.server.authorized_user(ANA).keys()
    )
    pending = microsoft.begin()
    kept = json.loads(microsoft.finish(pending, microsoft.answer(pending)))
    assert kept.keys() == microsoft.server.tokens.consent(ANA).keys()


def test_11_google_is_asked_for_headers_and_nothing_else(google: Place) -> None:
    asked = dict(parse_qsl(urlsplit(google.begin().url).query))
    assert asked["scope"] == SCOPE
    assert (asked["access_type"], asked["prompt"], asked["login_hint"]) == ("offline", "consent", ANA)
    assert "include_granted_scopes" not in asked


def test_microsoft_is_asked_for_headers_and_to_be_remembered(microsoft: Place) -> None:
    asked = dict(parse_qsl(urlsplit(microsoft.begin().url).query))
    assert set(asked["scope"].split()) == {"https://graph.microsoft.com/Mail.ReadBasic", "offline_access"}
    assert asked["login_hint"] == ANA


def test_each_question_has_its_own_state_and_a_verifier_that_stays_here(place: Place) -> None:
    one, other = place.begin(), place.begin()
    assert one.state != other.state
    assert one.verifier != other.verifier
    asked = dict(parse_qsl(urlsplit(one.url).query))
    digest = hashlib.sha256(one.verifier.encode()).digest()
    assert asked["code_challenge"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert asked["code_challenge_method"] == "S256"
    for secret in (one.verifier, place.login.client_secret):
        assert secret is None or secret not in one.url
    assert one.verifier not in repr(one)
    assert one.state not in repr(one)


def test_a_pending_question_can_be_put_away_and_taken_up_again(place: Place) -> None:
    pending = place.begin()
    answer = place.answer(pending)
    taken_up = Pending.load(pending.dump())
    assert taken_up == pending
    place.finish(taken_up, answer)


def test_the_answer_may_come_to_a_page_on_the_web(google: Place, microsoft: Place) -> None:
    google.server.tokens.redirects = (PAGE,)
    microsoft.server.tokens.web_redirects = (PAGE,)
    for place in (google, microsoft):
        login = LOGINS[place.provider](place.settings, web=True)
        pending = begin(login, ANA, PAGE, MONDAY)
        secret = finish(pending, place.answer(pending), login, MONDAY).secret
        assert json.loads(secret)["client_secret"] == login.client_secret


def test_an_answer_to_another_question_is_refused_and_redeems_nothing(place: Place) -> None:
    pending, other = place.begin(), place.begin()
    answer = place.answer(other)
    assert "another question" in refused(place, pending, answer)
    for state in ("", "x", "ä", "\udc80"):
        assert "another question" in refused(place, pending, answer | {"state": state})
    assert "another question" in refused(place, pending, {"code": answer["code"]})
    assert not place.server.calls_of("token")
    place.finish(other, answer)


def test_an_answer_is_good_for_ten_minutes(place: Place) -> None:
    pending = place.begin()
    answer = place.answer(pending)
    with pytest.raises(ConsentRefused, match="later than 10 minutes"):
        finish(pending, answer, place.login, MONDAY + GOOD_FOR + timedelta(seconds=1))
    assert not place.server.calls_of("token")
    finish(pending, answer, place.login, MONDAY + GOOD_FOR)


def test_a_declined_consent_says_so(place: Place) -> None:
    pending = place.begin()
    said = refused(place, pending, place.answer(pending, decision="decline"))
    assert "declined" in said
    assert "start again" in said
    assert "Trace" not in said


def test_a_login_that_cannot_ask_says_why(microsoft: Place) -> None:
    pending = microsoft.begin()
    answer = {
        "state": pending.state,
        "error": "consent_required",
        "error_description": "AADSTS90094:\x1b[31m admin\r\nTrace ID: 1",
    }
    said = refused(microsoft, pending, answer)
    assert "consent_required: AADSTS90094: [31m admin" in said
    assert "administrator" in said
    answer["error_description"] = "AADSTS65005: no. Trace ID: 1 Correlation ID: 2"
    assert "(consent_required: AADSTS65005: no)" in refused(microsoft, pending, answer)


def test_an_answer_without_a_code_or_a_reason_is_refused(place: Place) -> None:
    pending = place.begin()
    assert "neither" in refused(place, pending, {"state": pending.state})


def test_a_code_is_good_once_and_not_after_its_time(place: Place) -> None:
    pending = place.begin()
    answer = place.answer(pending)
    place.finish(pending, answer)
    assert "does not take the code" in refused(place, pending, answer)
    pending = place.begin()
    answer = place.answer(pending)
    place.server.tokens.codes.expire()
    assert "start again" in refused(place, pending, answer)


def test_a_stolen_code_is_worth_nothing_without_the_verifier(place: Place) -> None:
    pending, thief = place.begin(), place.begin()
    answer = place.answer(pending)
    assert "does not take the code" in refused(place, thief, answer | {"state": thief.state})


def test_an_app_that_the_login_does_not_know_names_the_settings(google: Place, microsoft: Place) -> None:
    pending = google.begin()
    said = refused(google, pending, google.answer(pending), client_secret="wrong")
    assert "invalid_client" in said
    assert "GOOGLE_CLIENT_SECRET" in said
    pending = microsoft.begin()
    said = refused(microsoft, pending, microsoft.answer(pending), client_secret="of a web app")
    assert "AADSTS700025" in said
    assert "Authentication" in said


@pytest.mark.parametrize(
    ("granted", "said"),
    [
        ((), "did not grant gmail.metadata"),
        (("https://www.googleapis.com/auth/gmail.readonly",), "did not grant gmail.metadata"),
        ((SCOPE, "https://www.googleapis.com/auth/gmail.readonly"), "more than headers (gmail.readonly)"),
        ((SCOPE, "https://mail.google.com/"), "more than headers (mail.google.com)"),
        ((SCOPE, "openid"), "more than headers (openid)"),
    ],
)
def test_11_google_scopes_other_than_the_one_asked_for_are_refused(
    google: Place, granted: tuple[str, ...], said: str
) -> None:
    google.server.tokens.grants = frozenset(granted)
    pending = google.begin()
    assert said in refused(google, pending, google.answer(pending))


def test_permissions_of_a_microsoft_app_that_open_mail_are_refused_and_harmless_ones_are_not(microsoft: Place) -> None:
    graph = "https://graph.microsoft.com/"
    for surplus in (f"{graph}Mail.Read", "Mail.ReadWrite", "Files.Read"):
        microsoft.server.tokens.also_granted = (f"{graph}User.Read", surplus)
        pending = microsoft.begin()
        said = refused(microsoft, pending, microsoft.answer(pending))
        assert f"more than headers ({surplus.removeprefix(graph)})" in said
    microsoft.server.tokens.also_granted = (f"{graph}User.Read", "openid", "profile", "email")
    pending = microsoft.begin()
    microsoft.finish(pending, microsoft.answer(pending))


def test_a_consent_for_an_hour_is_refused(google: Place) -> None:
    google.server.tokens.gives_refresh_tokens = False
    pending = google.begin()
    assert "no refresh token" in refused(google, pending, google.answer(pending))


def test_a_consent_that_ends_by_itself_says_when(google: Place) -> None:
    google.server.tokens.in_testing = True
    pending = google.begin()
    ends_at = finish(pending, google.answer(pending), google.login, MONDAY).ends_at
    assert ends_at is not None
    assert (ends_at - MONDAY).days == 6


@pytest.mark.parametrize("token_url", ["http://127.0.0.1:1/token", "{server}/nowhere"])
def test_a_login_that_cannot_be_reached_is_one_line(place: Place, token_url: str) -> None:
    pending = place.begin()
    answer = place.answer(pending)
    server = getattr(place.server, "url", "") or place.server.api_url
    assert refused(place, pending, answer, token_url=token_url.format(server=server))


def test_missing_settings_are_named(google: Place, microsoft: Place) -> None:
    with pytest.raises(SettingsError, match="GOOGLE_CLIENT_ID"):
        LOGINS["gmail"](microsoft.settings, web=False)
    with pytest.raises(SettingsError, match="MICROSOFT_CLIENT_ID"):
        LOGINS["graph"](google.settings, web=False)
