"""Access to Microsoft 365: the app's own token, a person's consent, and the command line that connects mailboxes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from jobs.mailbox.base import NeedsAuth, Paused
from jobs.mailbox.microsoft_auth import CredentialsRefused, app_only, consented
from models.actions.credentials import replace_credential
from models.tables import Mailbox
from models.vault import new_key
from tests.capture_world import everything, letter
from tests.cast import DANA, MONDAY, PRIYA, put_cast
from tests.command_line import CommandLine
from tests.databases import Database
from tests.gmail_world import ANA, MovingClock
from tests.graph_world import app_tokens, graph_mailbox, person_tokens
from tests.sandbox.gmail.faults import Fault
from tests.sandbox.graph import GraphServer, dropped, server_error

GRAPH = "https://graph.microsoft.com"


@pytest.fixture
def server() -> Iterator[GraphServer]:
    with GraphServer(now=lambda: MONDAY) as running:
        running.mailbox(ANA)
        yield running


def test_the_app_asks_for_its_own_permissions_once_for_all_mailboxes(server: GraphServer) -> None:
    server.mailbox("ben@acme.example")
    for address in (ANA, "ben@acme.example"):
        assert graph_mailbox(server, MovingClock(), address).check() == address
    [call] = server.calls_of("token")
    assert call.params == {"grant_type": "client_credentials", "scope": f"{GRAPH}/.default"}


def test_a_person_consents_to_the_narrowest_permission_and_the_token_opens_no_other_mailbox(
    server: GraphServer,
) -> None:
    server.mailbox("ben@acme.example")
    tokens = person_tokens(server, ANA)
    assert graph_mailbox(server, MovingClock(), tokens=tokens).check() == ANA
    [call] = server.calls_of("token")
    assert f"{GRAPH}/Mail.ReadBasic" in call.params["scope"].split()
    with pytest.raises(NeedsAuth):
        graph_mailbox(server, MovingClock(), "ben@acme.example", tokens=tokens).check()


def test_withdrawn_consent_needs_a_person_and_is_told_in_one_line(server: GraphServer) -> None:
    tokens = person_tokens(server, ANA)
    server.tokens.revoke(ANA)
    with pytest.raises(NeedsAuth, match=r"invalid_grant: AADSTS700082") as refused:
        graph_mailbox(server, MovingClock(), tokens=tokens).check()
    assert "\n" not in str(refused.value)
    assert "Trace" not in str(refused.value)


def test_a_wrong_secret_needs_a_person(server: GraphServer) -> None:
    with pytest.raises(NeedsAuth, match=r"invalid_client: AADSTS7000215"):
        graph_mailbox(server, MovingClock(), tokens=app_tokens(server, "wrong")).check()


def test_an_unknown_tenant_is_named_with_the_setting_to_look_at(server: GraphServer) -> None:
    tokens = app_only("nobodys-tenant", server.tokens.client_id, "secret", server.url, server.url)
    with pytest.raises(CredentialsRefused, match="MICROSOFT_TENANT_ID"):
        graph_mailbox(server, MovingClock(), tokens=tokens).check()


@pytest.mark.parametrize("method", ["discovery", "token"])
@pytest.mark.parametrize("fault", [server_error(503), dropped()])
def test_a_login_that_does_not_answer_pauses_the_mailbox(server: GraphServer, method: str, fault: Fault) -> None:
    server.fail(method, fault, times=None)
    clock = MovingClock()
    with pytest.raises(Paused, match="login"):
        graph_mailbox(server, clock).check()
    assert len(clock.waits) == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "not JSON"),
        ("[]", "no JSON object"),
        ('{"client_id": "a", "refresh_token": 7}', "lacks refresh_token and tenant_id"),
        ('{"refresh_token": "a", "tenant_id": "b"}', "lacks client_id"),
    ],
)
def test_a_token_file_that_cannot_be_used_says_what_is_wanted(text: str, said: str) -> None:
    with pytest.raises(CredentialsRefused, match=f"{said}.*client_id, refresh_token and tenant_id"):
        consented(text, "https://login.microsoftonline.com", GRAPH)


# --- the command line -----------------------------------------------------------------------------------------------


@pytest.fixture
def run(database: Database, server: GraphServer) -> CommandLine:
    with database.sessions.begin() as session:
        put_cast(session, observed_until=None)
    return CommandLine(
        database.url,
        env={
            "CADENCE_SECRET_KEYS": new_key(),
            "MICROSOFT_TENANT_ID": server.tokens.tenant_id,
            "MICROSOFT_CLIENT_ID": server.tokens.client_id,
            "MICROSOFT_CLIENT_SECRET": server.tokens.client_secret,
            "MICROSOFT_LOGIN_URL": server.url,
            "GRAPH_API_URL": server.url,
        },
    )


def add(run: CommandLine, *more: str, address: str = DANA.email, status: int = 0) -> str:
    said = run("mailbox", "add", "--provider", "graph", "--address", address, *more, status=status)
    return said.out + said.err


def test_mailboxes_are_connected_and_read_by_the_app_and_by_consent(
    run: CommandLine, server: GraphServer, database: Database, tmp_path: Path
) -> None:
    for person in (DANA, PRIYA):
        server.mailbox(person.email).deliver(letter(person.email, "wile@acme.example"), MONDAY, "sentitems")
    token_file = tmp_path / "token.json"
    info: dict[str, Any] = server.tokens.consent(PRIYA.email)
    token_file.write_text(json.dumps(info), encoding="utf-8")
    assert "dana@lantern.example is connected (graph)" in add(run, "--check")
    assert "priya@lantern.example is connected" in add(run, "--token-file", str(token_file), address=PRIYA.email)
    assert run("mailbox", "check").out.count("answers") == 2
    run("capture")
    boxes = json.loads(run("mailbox", "list", "--json").out)
    assert [(box["provider"], box["status"], box["seen"]) for box in boxes] == [("graph", "active", 1)] * 2
    with database.reading() as session:
        stored = everything(session)
    assert info["refresh_token"] not in stored
    assert server.tokens.client_secret not in stored


def test_a_consent_is_kept_alive_by_storing_the_token_that_replaces_it_once_a_week(
    run: CommandLine, server: GraphServer, database: Database, tmp_path: Path
) -> None:
    server.mailbox(DANA.email)
    token_file = tmp_path / "token.json"
    info = server.tokens.consent(DANA.email)
    token_file.write_text(json.dumps(info), encoding="utf-8")
    add(run, "--token-file", str(token_file))

    def sealed_after(days: int) -> str | None:
        replace(run, now=MONDAY + timedelta(days=days))("capture")
        with database.reading() as session:
            return session.scalars(select(Mailbox.credential)).one()

    with database.reading() as session:
        given = session.scalars(select(Mailbox.credential)).one()
    first = sealed_after(0)
    assert given != first
    server.tokens.expire_refresh_token(info["refresh_token"])
    assert sealed_after(6) == first
    assert sealed_after(8) not in (given, first)


def test_a_mailbox_that_is_connected_anew_during_a_pass_keeps_its_new_secret(
    run: CommandLine, server: GraphServer, database: Database, tmp_path: Path
) -> None:
    server.mailbox(DANA.email)
    token_file = tmp_path / "token.json"
    token_file.write_text(json.dumps(server.tokens.consent(DANA.email)), encoding="utf-8")
    add(run, "--token-file", str(token_file))
    with database.sessions.begin() as session:
        replace_credential(session, session.scalars(select(Mailbox.id)).one(), "what it was before", "too late")
    run("mailbox", "check")


def test_a_mailbox_that_cannot_be_read_is_not_connected(run: CommandLine, database: Database) -> None:
    assert "ErrorInvalidUser" in add(run, "--check", status=1)
    with database.reading() as session:
        assert session.scalar(select(Mailbox.id)) is None


def test_missing_settings_are_named(database: Database, run: CommandLine) -> None:
    env = {name: value for name, value in (run.env or {}).items() if name != "MICROSOFT_CLIENT_SECRET"}
    assert "MICROSOFT_CLIENT_SECRET" in add(replace(run, env=env), status=2)
