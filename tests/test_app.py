"""The door to Slack: who is let in, what is repeated, what happens when something breaks."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from bot.app import build_app, flask_app
from bot.listeners.desk import Directory
from models.db import make_engine, make_sessions
from models.settings import SettingsError, load_settings
from models.tables import AuditEntry, Claim, SlackDelivery, Workspace
from tests.cast import ACME, DANA, MONDAY, TEAM
from tests.databases import Database
from tests.surface import StandingClock, Surface, surface


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with surface(database) as one:
        yield one


def click(at: Surface, action_ts: str = "1795428000.000100") -> dict[str, Any]:
    """Dana's press on Claim for Acme, as Slack delivers it."""
    message = at.hold_read()
    partner_id = at.cast.partner(ACME)
    value = next(
        block["accessory"]["value"] for block in message.blocks if block["block_id"].startswith(f"p:{partner_id}:")
    )
    return {
        "type": "block_actions",
        "team": {"id": TEAM, "domain": "lantern"},
        "user": {"id": "U0DANA", "username": "dana", "team_id": TEAM},
        "channel": {"id": message.channel, "name": "partners"},
        "container": {"type": "message", "message_ts": message.ts, "channel_id": message.channel},
        "trigger_id": "1.2.3",
        "actions": [
            {
                "type": "button",
                "action_id": f"claim:{partner_id}",
                "block_id": "b",
                "value": value,
                "action_ts": action_ts,
            }
        ],
    }


def encoded(payload: dict[str, Any]) -> bytes:
    return urlencode({"payload": json.dumps(payload)}).encode()


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


def post(at: Surface, body: bytes, headers: dict[str, str]) -> int:
    status, answer = at.slack.delivery.post(body, headers)
    answer.read()
    return status


def test_a_click_with_a_good_signature_is_obeyed(at: Surface) -> None:
    body = encoded(click(at))
    assert post(at, body, FORM | at.slack.delivery.sign(body)) == 200
    assert at.count(Claim) == 1


@pytest.mark.parametrize(
    "fault", ["forged", "unsigned", "stale", "from the future", "no time", "another body", "no secret"]
)
def test_26_a_request_that_slack_did_not_sign_now_is_refused_and_writes_nothing(at: Surface, fault: str) -> None:
    body = encoded(click(at))
    headers = at.slack.delivery.sign(body)
    stamp = int(headers["X-Slack-Request-Timestamp"])
    headers = {
        "forged": headers | {"X-Slack-Signature": "v0=" + "0" * 64},
        "unsigned": {},
        "stale": at.slack.delivery.sign(body, stamp - 301),
        "from the future": at.slack.delivery.sign(body, stamp + 301),
        "no time": headers | {"X-Slack-Request-Timestamp": "yesterday"},
        "another body": at.slack.delivery.sign(body + b"&x=1"),
        "no secret": {"X-Slack-Request-Timestamp": str(stamp), "X-Slack-Signature": ""},
    }[fault]
    before = at.written(), at.count(SlackDelivery)
    assert post(at, body, FORM | headers) == 401
    assert (at.written(), at.count(SlackDelivery)) == before


@pytest.mark.parametrize("body", [b"{", b'{"type":', b"payload=%7B", b"\xff\xfe", b"", b"ssl_check=1&token=x"])
def test_26_nonsense_from_strangers_is_refused_before_it_is_read(at: Surface, body: bytes) -> None:
    assert post(at, body, JSON) == 401
    assert post(at, body, FORM) == 401


def test_26_a_request_that_was_overheard_and_sent_again_is_refused(at: Surface) -> None:
    body = encoded(click(at))
    headers = FORM | at.slack.delivery.sign(body)
    assert post(at, body, headers) == 200
    before = at.written()
    assert post(at, body, headers) == 401
    assert post(at, body, headers | JSON) == 401
    assert at.written() == before


def test_2_one_click_that_is_delivered_twice_acts_once(at: Surface) -> None:
    payload = click(at)
    for trigger in ("1.1.1", "2.2.2"):
        assert at.slack.delivery.send("interactive", payload | {"trigger_id": trigger}).ok
    with at.database.reading() as session:
        assert len(list(session.scalars(select(AuditEntry).where(AuditEntry.action == "claim")))) == 1


def test_2_a_click_that_comes_again_after_its_claim_was_released_claims_nothing(at: Surface) -> None:
    payload = click(at)
    assert at.slack.delivery.send("interactive", payload).ok
    assert at.workspace.wait_until(lambda: at.whispers("U0DANA"))
    assert "open to everybody again" in at.ask(DANA, "release Acme").text
    assert at.slack.delivery.send("interactive", payload | {"trigger_id": "2.2.2"}).ok
    at.app.listener_runner.listener_executor.shutdown(wait=True)
    with at.database.reading() as session:
        assert not list(session.scalars(select(Claim).where(Claim.ended_at.is_(None))))


def test_1_an_event_that_is_delivered_three_times_acts_once(at: Surface) -> None:
    event = {"type": "channel_id_changed", "old_channel_id": "C0PARTNERS", "new_channel_id": "C0NEW"}
    payload = {"type": "event_callback", "team_id": TEAM, "api_app_id": "A1", "event_id": "Ev1", "event": event}
    for retry in range(3):
        assert at.slack.delivery.send("events_api", payload, retry).ok
    at.app.listener_runner.listener_executor.shutdown(wait=True)
    with at.database.reading() as session:
        assert len(list(session.scalars(select(AuditEntry).where(AuditEntry.action == "move channel")))) == 1


def test_1_an_event_that_comes_again_after_a_lead_chose_the_old_channel_moves_nothing(at: Surface) -> None:
    event = {"type": "channel_id_changed", "old_channel_id": "C0PARTNERS", "new_channel_id": "C0NEW"}
    payload = {"type": "event_callback", "team_id": TEAM, "api_app_id": "A1", "event_id": "Ev1", "event": event}
    assert at.slack.delivery.send("events_api", payload, 0).ok
    assert at.workspace.wait_until(lambda: channel_of(at) == "C0NEW")
    with at.database.sessions.begin() as session:
        session.get_one(Workspace, at.cast.workspace_id).channel_id = "C0PARTNERS"
    for retry in (1, 2):
        assert at.slack.delivery.send("events_api", payload, retry).ok
    at.app.listener_runner.listener_executor.shutdown(wait=True)
    assert channel_of(at) == "C0PARTNERS"


def channel_of(at: Surface) -> str | None:
    with at.database.reading() as session:
        return session.get_one(Workspace, at.cast.workspace_id).channel_id


def test_slack_can_verify_the_address(at: Surface) -> None:
    assert at.slack.delivery.verify_request_url()


def test_no_request_asks_slack_who_we_are(at: Surface) -> None:
    at.ask(DANA, "overdue")
    at.ask(DANA, "help")
    assert not [call for call in at.slack.faults.calls if call.method == "auth.test"]
    assert len([call for call in at.slack.faults.calls if call.method == "users.info"]) == 1


def test_a_workspace_that_was_never_linked_is_linked_when_slack_vouches_for_it(at: Surface) -> None:
    with at.database.sessions.begin() as session:
        session.get_one(Workspace, at.cast.workspace_id).slack_team_id = None
    assert "Acme" in at.ask(DANA, "overdue").text
    with at.database.reading() as session:
        assert session.get_one(Workspace, at.cast.workspace_id).slack_team_id == TEAM


def test_while_the_database_is_away_who_somebody_is_stays_unknown_and_no_thread_dies() -> None:
    directory, asked = Directory(), threading.Event()

    def client() -> WebClient:
        asked.set()
        raise OperationalError("SELECT", {}, Exception("away"))

    before = set(threading.enumerate())
    assert directory.profile(client, "U0DANA", waits=False) is None
    assert asked.wait(5)
    while set(threading.enumerate()) - before:  # a test fails when a thread dies of an exception
        time.sleep(0.01)
    asked.clear()
    assert directory.profile(client, "U0DANA", waits=False) is None
    assert asked.wait(5), "it is asked again at the next press"


def test_another_workspace_has_no_programme_here(at: Surface) -> None:
    payload = click(at)
    payload |= {"team": {"id": "T0OTHER"}, "user": {"id": "U0DANA", "team_id": "T0OTHER"}}
    before = at.written()
    assert at.slack.delivery.send("interactive", payload).ok
    assert at.written() == before
    assert at.workspace.wait_until(lambda: at.whispers("U0DANA"))
    assert "no partner programme" in at.whispers("U0DANA")[-1].text


def test_19_an_answer_falls_back_when_the_address_of_the_request_is_used_up(at: Surface) -> None:
    dead = {"response_url": f"{at.slack.page_url}responses/used-up"}
    assert at.slack.delivery.send("interactive", click(at) | dead).ok
    assert at.workspace.wait_until(lambda: at.whispers("U0DANA"))
    assert "is yours" in at.whispers("U0DANA")[-1].text


def test_slack_being_silent_about_people_does_not_stop_those_of_the_roster(at: Surface) -> None:
    at.slack.faults.server_error("users.info", times=5)
    assert "Acme" in at.ask(DANA, "overdue").text


def test_28_when_the_database_is_gone_the_click_is_acknowledged_and_nothing_is_said_to_be_saved(
    at: Surface, tmp_path: Path
) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    app = build_app(at.settings, make_sessions(engine), make_sessions(engine, reading=True), StandingClock())
    web = flask_app(app, at.settings).test_client()
    body = encoded(click(at))
    answer = web.post("/slack/events", data=body, headers=FORM | at.slack.delivery.sign(body))
    assert answer.status_code == 200
    assert at.workspace.wait_until(lambda: at.whispers("U0DANA"))
    assert "nothing was saved" in at.whispers("U0DANA")[-1].text
    view = {"id": "V1", "type": "modal", "callback_id": "next_step_form", "state": {"values": {}}}
    submitted = {
        "type": "view_submission",
        "team": {"id": TEAM},
        "user": {"id": "U0DANA", "team_id": TEAM},
        "view": view,
    }
    body = encoded(submitted)
    answer = web.post("/slack/events", data=body, headers=FORM | at.slack.delivery.sign(body))
    assert answer.get_json()["response_action"] == "update"
    assert "nothing was saved" in answer.text
    app.listener_runner.listener_executor.shutdown(wait=True)
    engine.dispose()


def test_the_environment_changes_nothing(at: Surface, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"):
        monkeypatch.setenv(name, "from the environment")
    app = build_app(at.settings, at.database.sessions, at.database.reading, StandingClock(MONDAY + timedelta(hours=1)))
    web = flask_app(app, at.settings).test_client()
    body = encoded(click(at))
    assert web.post("/slack/events", data=body, headers=FORM | at.slack.delivery.sign(body)).status_code == 200
    assert at.count(Claim) == 1
    app.listener_runner.listener_executor.shutdown(wait=True)


def test_the_same_app_works_by_socket_mode(at: Surface) -> None:
    message = at.hold_read()
    at.slack.delivery.request_url = None
    socket = SocketModeHandler(at.app, at.workspace.app_token)
    socket.connect()  # type: ignore[no-untyped-call]  # Bolt leaves it untyped
    try:
        assert at.workspace.wait_until(lambda: at.slack.delivery.connected)
        assert "is yours" in at.press_and_hear(DANA, message, f"claim:{at.cast.partner(ACME)}").text
        assert "Initech" in at.ask(DANA, "overdue").text
    finally:
        socket.close()  # type: ignore[no-untyped-call]  # Bolt leaves it untyped


def test_a_missing_setting_is_named() -> None:
    clock = StandingClock()
    engine = make_engine("sqlite://")
    sessions = make_sessions(engine)
    with pytest.raises(SettingsError, match="SLACK_BOT_TOKEN"):
        build_app(load_settings(), sessions, sessions, clock)
    socket_only = load_settings(SLACK_BOT_TOKEN="xoxb-1")
    app = build_app(socket_only, sessions, sessions, clock)
    with pytest.raises(SettingsError, match="SLACK_SIGNING_SECRET"):
        flask_app(app, socket_only)
    app.listener_runner.listener_executor.shutdown(wait=True)
    engine.dispose()
