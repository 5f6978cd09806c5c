"""A server that speaks Slack's Web API tersely: POST only, and nothing in its answers that a caller can do without."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Thread

import pytest
from flask import Flask, Response, jsonify, request
from slack_sdk import WebClient
from werkzeug.serving import make_server

from bot.access import Access
from bot.asking import ask
from bot.cli.running import Running, SlackRefused
from bot.listeners.desk import Desk, Refused
from bot.outbox import Outbox, posting_client
from bot.people import link_people
from bot.views.kit import notice
from models.actions import outbox as actions
from models.actions.people import PersonRow, put_person
from models.queries import outbox as queries
from models.queries.programme import people, programmes
from models.settings import load_settings
from models.tables import OutboxPost, Workspace
from models.vault import Vault
from tests.cast import CHANNEL, DANA, MONDAY, TEAM, put_cast
from tests.databases import Database
from tests.surface import StandingClock

NEW = PersonRow("noor@lantern.example", "Noor Haddad", "manager")
TS = "1700000000.000100"


@dataclass
class Terse:
    """What it answers, method by method, and what it was asked."""

    url: str = ""
    answers: dict[str, dict[str, object]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def client(self) -> WebClient:
        return posting_client("xoxb-1", self.url)


@pytest.fixture
def terse() -> Iterator[Terse]:
    said, web = Terse(), Flask("terse")

    @web.post("/deep/api/<name>")
    def answer(name: str) -> Response:
        said.asked.append((name, request.get_json(silent=True) or request.form.to_dict()))
        return jsonify({"ok": True} | said.answers.get(name, {}))

    server = make_server("127.0.0.1", 0, web)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    said.url = f"http://127.0.0.1:{server.server_port}/deep/api"
    yield said
    server.shutdown()
    thread.join()


def test_a_look_up_is_posted_where_get_is_unknown(terse: Terse) -> None:
    terse.answers["users.info"] = {"user": {"id": "U1"}}
    assert ask(WebClient("xoxb-1", f"{terse.url}/"), "users.info", user="U1")["user"] == {"id": "U1"}
    assert terse.asked == [("users.info", {"user": "U1"})]


@pytest.mark.parametrize(
    ("answer", "found"), [({"user": {"id": "U0NOOR"}}, "U0NOOR"), ({"user": {}}, None), ({}, None)]
)
def test_people_are_found_by_address_or_left_alone(
    database: Database, terse: Terse, answer: dict[str, object], found: str | None
) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session)
        put_person(session, cast.workspace_id, "test", NEW, MONDAY)
    terse.answers["users.lookupByEmail"] = answer
    link_people(terse.client(), database.reading, database.sessions, cast.programme, MONDAY)
    with database.reading() as session:
        assert {one.email: one.slack_user_id for one in people(session, cast.workspace_id)}[NEW.email] == found


def test_a_message_is_drawn_anew_where_it_was_posted_though_the_answer_named_no_channel(
    database: Database, terse: Terse
) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session)
        post_id = actions.enqueue(
            session, cast.workspace_id, CHANNEL, "read", "2026-11-23", 0, notice("Before"), MONDAY
        )
    terse.answers["chat.postMessage"] = {"ts": TS}
    outbox = Outbox(database.sessions, database.reading, terse.client(), StandingClock(), lambda *_: notice("After"))
    assert outbox.pump(cast.workspace_id) == 1
    assert post_id is not None
    with database.sessions.begin() as session:
        session.get_one(OutboxPost, post_id).redraw_wanted += 1
    assert outbox.pump(cast.workspace_id) == 1
    method, asked = terse.asked[-1]
    assert (method, asked["channel"], asked["ts"], asked["text"]) == ("chat.update", CHANNEL, TS, "After")
    with database.reading() as session:
        stored = queries.post(session, post_id)
    assert stored is not None
    assert stored.status == "sent"


def test_a_workspace_that_slack_does_not_name_is_learned_from_the_first_request(
    database: Database, terse: Terse
) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session)
        session.get_one(Workspace, cast.workspace_id).slack_team_id = None
    settings = load_settings(
        SLACK_BOT_TOKEN="xoxb-1",
        SLACK_API_URL=terse.url,
        CADENCE_DATABASE_URL=database.url,
    )
    running = Running(settings, StandingClock())
    running.connect()
    running.engine.dispose()
    access = Access(settings, database.sessions, database.reading, Vault(()), StandingClock())
    desk = Desk(settings, database.sessions, database.reading, StandingClock(), access)
    assert desk.visitor(TEAM, DANA.slack_user_id, None).person.email == DANA.email
    with database.reading() as session:
        assert [one.team_id for one in programmes(session, settings)] == [TEAM]
    with pytest.raises(Refused):
        desk.visitor("T0ANOTHER", DANA.slack_user_id, None)


def test_a_server_that_is_no_slack_is_told_from_one_that_refuses(database: Database, terse: Terse) -> None:
    def complaint(url: str) -> str:
        settings = load_settings(SLACK_BOT_TOKEN="xoxb-1", SLACK_API_URL=url, CADENCE_DATABASE_URL=database.url)
        running = Running(settings, StandingClock())
        with pytest.raises(SlackRefused) as refused:
            running.connect()
        running.engine.dispose()
        return str(refused.value)

    assert "SLACK_API_URL" in complaint(terse.url.removesuffix("/api"))
    terse.answers["auth.test"] = {"ok": False, "error": "token_revoked"}
    assert "(token_revoked)" in complaint(terse.url)
