"""Failure modes of slack.md: clicks that come twice, at once, late, from old messages, or while everything is slow."""

import copy
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from slack_bolt import App
from sqlalchemy import select

from bot.app import build_app, flask_app
from bot.staff import Staff, let_others_first
from jobs.weekly_read import hold_and_post
from models.actions import outbox as outbox_actions
from models.actions.partners import PartnerRow
from models.db import make_engine, make_sessions
from models.settings import load_settings
from models.tables import AuditEntry, Claim, OutboxPost, Person
from tests.cast import ACME, CHANNEL, DANA, PRIYA, TOMAS, put_cast, put_touch
from tests.databases import ROOT, Database
from tests.sandbox.slack.responses import MOST_USES
from tests.slack_lint import elements, said
from tests.surface import Surface, patient, surface

SLACK_WAITS = 3.0  # seconds for an acknowledgement, then Slack shows a warning: the limit is Slack's, not ours
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with surface(database) as one:
        yield one


@contextmanager
def replica(at: Surface, **changes: str) -> Iterator[FlaskClient]:
    """Another process's view of the same database and workspace."""
    settings = load_settings(
        CADENCE_DATABASE_URL=at.database.url,
        SLACK_BOT_TOKEN=at.workspace.bot_token,
        SLACK_SIGNING_SECRET=at.workspace.signing_secret,
        SLACK_API_URL=at.slack.api_url,
    )
    url = changes.get("url", at.database.url)
    engine = make_engine(url)
    app = build_app(settings, make_sessions(engine), make_sessions(engine, reading=True), at.clock)
    try:
        yield flask_app(patient(app), settings).test_client()
    finally:
        closed(app)
        engine.dispose()


def closed(app: App) -> None:
    app.listener_runner.listener_executor.shutdown(wait=True)


def click(at: Surface, who: str, what: int | dict[str, Any], *, ts: str = "1795428000.000100") -> dict[str, Any]:
    """A press on a button, or on Claim for a partner in the read, as Slack delivers it."""
    message = at.read()
    if isinstance(what, int):
        what = next(one for one in elements(message.blocks) if one["action_id"] == f"claim:{what}")
    action = {name: what[name] for name in ("type", "action_id", "value")} | {"block_id": "b", "action_ts": ts}
    return {
        "type": "block_actions",
        "team": {"id": at.workspace.team_id, "domain": "lantern"},
        "user": {"id": who, "username": "x", "team_id": at.workspace.team_id},
        "channel": {"id": CHANNEL, "name": "partners"},
        "container": {"type": "message", "message_ts": message.ts, "channel_id": CHANNEL},
        "trigger_id": "1.2.3",
        "response_url": at.slack.responses.new_url(who, CHANNEL),
        "actions": [action],
    }


def send(web: FlaskClient, at: Surface, payload: dict[str, Any]) -> int:
    body = urlencode({"payload": json.dumps(payload)}).encode()
    return web.post("/slack/events", data=body, headers=FORM | at.slack.delivery.sign(body)).status_code


def holders(at: Surface) -> list[str]:
    with at.database.reading() as session:
        query = select(Person.name).join(Claim, Claim.person_id == Person.id).where(Claim.ended_at.is_(None))
        return list(session.scalars(query.order_by(Claim.id)))


def audited(at: Surface, action: str = "claim") -> int:
    with at.database.reading() as session:
        return len(list(session.scalars(select(AuditEntry).where(AuditEntry.action == action))))


def at_once(*works: Callable[[], object]) -> None:
    start = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        start.wait()
        work()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_2_one_click_that_two_replicas_get_is_one_claim(at: Surface) -> None:
    at.hold_read()
    payload = click(at, "U0DANA", at.cast.partner(ACME))
    with replica(at) as here, replica(at) as there:
        at_once(lambda: send(here, at, payload | {"n": 1}), lambda: send(there, at, payload | {"n": 2}))
    assert holders(at) == ["Dana Kim"]
    assert audited(at) == 1


def test_3_two_people_claim_at_once_on_two_replicas_and_one_holds_it(at: Surface) -> None:
    at.hold_read()
    people = {"U0DANA": "Dana Kim", "U0PRIYA": "Priya Nair"}
    payloads = {who: click(at, who, at.cast.partner(ACME)) for who in people}
    with replica(at) as here, replica(at) as there:
        at_once(
            lambda: send(here, at, payloads["U0DANA"]),
            lambda: send(there, at, payloads["U0PRIYA"]),
        )
    [holder] = holders(at)
    for who, name in people.items():
        [told] = at.whispers(who)
        assert ("is yours" in told.text) == (name == holder)
        assert (f"{holder} picked up *Acme* a moment ago" in told.text) == (name != holder)
    at.pump()
    assert f"✓ {holder} is on it" in said(at.read().blocks)
    assert audited(at) == 1


def test_4_thirty_claims_in_ten_seconds_on_two_replicas_need_at_most_eight_updates(database: Database) -> None:
    names = [f"Quiet {number:02}" for number in range(30)]
    crowd = tuple(PartnerRow(one, 1, DANA.email, (f"{one[-2:]}.example",), (), since=ACME.since) for one in names)
    with database.sessions.begin() as session:
        cast = put_cast(session, partners=crowd)
    with surface(database, cast=cast) as at, replica(at) as here, replica(at) as there:
        parts = [at.hold_read(), *at.workspace.channels[CHANNEL].messages[1:]]
        buttons = {one["action_id"]: one for part in parts for one in elements(part.blocks)}
        for number, name in enumerate(names):
            button = buttons[f"claim:{cast.partner_ids[name]}"]
            payload = click(at, "U0DANA", button, ts=f"1795428000.{number:06}")
            assert send((here, there)[number % 2], at, payload) == 200
            at.outbox.pump(cast.workspace_id)
            at.clock.at += timedelta(seconds=1 / 3)
        at.clock.at += timedelta(seconds=10)
        at.pump()
        assert len(holders(at)) == 30
        shown = "\n".join(said(one.blocks) for one in at.workspace.channels[CHANNEL].messages)
        assert shown.count("Dana Kim is on it") == 30
        assert "Every slipped partner has a name beside it" in said(at.read().blocks)
        assert len(at.slack.faults.called("chat.update")) <= 8


def test_14_a_worker_that_dies_between_post_and_commit_does_not_post_again(at: Surface) -> None:
    hold_and_post(at.database.sessions, at.cast.programme, at.clock.at)
    arguments = [at.database.url, at.slack.api_url, at.workspace.bot_token, str(at.cast.workspace_id)]
    died = subprocess.run(
        [sys.executable, "-m", "tests.outbox_child", *arguments, at.clock.at.isoformat()], cwd=ROOT, check=False
    )
    assert died.returncode == -9
    for _ in range(3):
        at.clock.at += timedelta(minutes=4)
        with at.database.sessions.begin() as session:
            outbox_actions.abandon(session, at.clock.at)
        at.pump()
    assert len([one for one in at.workspace.messages(CHANNEL) if one.text.startswith("Weekly read")]) == 1
    with at.database.reading() as session:
        parent = session.scalars(select(OutboxPost).where(OutboxPost.part == 0)).one()
        assert (parent.status, parent.error) == ("unknown", "Cadence stopped while sending it")


def test_18_a_modal_that_came_too_late_changes_nothing_and_can_be_tried_again(at: Surface) -> None:
    told = at.press_and_hear(DANA, at.hold_read(), f"claim:{at.cast.partner(ACME)}")
    before = at.written()
    at.slack.faults.refuse("views.open", "expired_trigger_id")
    late = at.press_and_hear(DANA, told, f"next_step:{at.cast.partner(ACME)}")
    assert "Nothing was changed" in late.text
    assert [one["action_id"] for one in elements(late.blocks)] == [f"next_step:{at.cast.partner(ACME)}"]
    assert at.written() == before


def test_19_after_thirty_minutes_the_answer_comes_as_an_ephemeral_message(at: Surface) -> None:
    at.hold_read()
    payload = click(at, "U0DANA", at.cast.partner(ACME))
    at.clock.at += timedelta(minutes=31)
    assert at.slack.delivery.send("interactive", payload).ok
    assert at.workspace.wait_until(lambda: at.slack.faults.called("chat.postEphemeral"))
    assert at.workspace.wait_until(lambda: at.whispers("U0DANA"))
    assert "is yours" in at.whispers("U0DANA")[-1].text


def test_19_the_sixth_answer_to_one_address_comes_as_an_ephemeral_message(at: Surface) -> None:
    at.hold_read()
    payload = click(at, "U0DANA", at.cast.partner(ACME))
    for number in range(MOST_USES + 1):
        payload["actions"][0]["action_ts"] = f"1795428001.{number:06}"
        assert at.slack.delivery.send("interactive", copy.deepcopy(payload)).ok
        assert at.workspace.wait_until(lambda: len(at.whispers("U0DANA")) == number + 1)  # noqa: B023 - waited for at once
    assert len(at.slack.faults.called("chat.postEphemeral")) == 1


def test_20_a_home_tab_that_somebody_else_drew_meanwhile_is_drawn_again_from_the_facts(at: Surface) -> None:
    view = at.home(DANA)
    payload = {
        "type": "block_actions",
        "team": {"id": at.workspace.team_id},
        "user": {"id": "U0DANA", "team_id": at.workspace.team_id},
        "view": at.workspace.views.payload(view),
        "trigger_id": "1.2.3",
        "actions": [
            one | {"action_ts": "1.1"}
            for one in elements(view.content["blocks"])
            if one["action_id"] == f"claim:{at.cast.partner(ACME)}"
        ],
    }
    at.home(DANA)  # a second window: its hash is another one
    before = len(at.slack.faults.called("views.publish"))
    assert at.slack.delivery.send("interactive", payload).ok
    homes = at.workspace.views.homes
    assert at.workspace.wait_until(lambda: "is yours" in said(homes["U0DANA"].content["blocks"]))
    calls = at.slack.faults.called("views.publish")[before:]
    assert [one.error for one in calls] == ["hash_conflict", ""]


def test_21_a_modal_that_was_closed_before_it_was_drawn_again_is_no_error(
    at: Surface, capsys: pytest.CaptureFixture[str]
) -> None:
    at.slack.interactions.message("U0DANA", CHANNEL, "/cadence next Acme")
    view = at.modal(DANA)
    pressed = {
        "type": "block_actions",
        "team": {"id": at.workspace.team_id},
        "user": {"id": "U0DANA", "team_id": at.workspace.team_id},
        "view": at.workspace.views.payload(view) | {"callback_id": "list_modal", "private_metadata": '{"v": 1}'},
        "trigger_id": "1.2.3",
        "actions": [{"type": "button", "action_id": "turn_page:1", "value": '{"v": 1, "g": 0}', "action_ts": "1.1"}],
    }
    at.workspace.views.stacks["U0DANA"].clear()
    before = len(at.slack.faults.calls)

    def drawn() -> list[tuple[str, str]]:
        """Who it was may be asked behind all this, at any time."""
        calls = at.slack.faults.calls[before:]
        return [(one.method, one.error) for one in calls if one.method != "users.info"]

    assert at.slack.delivery.send("interactive", pressed).ok
    assert at.workspace.wait_until(drawn)
    closed(at.app)
    assert drawn() == [("views.update", "not_found")]
    assert "slack.listener_failed" not in capsys.readouterr().out


def test_24_a_button_of_last_months_read_is_answered_kindly(at: Surface) -> None:
    message = at.hold_read()
    at.clock.at += timedelta(days=35)
    with at.database.sessions.begin() as session:
        put_touch(session, at.cast, ACME, at.clock.at - timedelta(days=1))
    told = at.press_and_hear(DANA, message, f"claim:{at.cast.partner(ACME)}")
    assert "nothing to recover for *Acme* at the moment" in told.text
    assert holders(at) == []


def test_24_after_a_schema_bump_a_button_is_answered_and_not_obeyed(at: Surface) -> None:
    message = at.hold_read()
    before = at.written()
    for element in elements(message.blocks):
        if element["action_id"] == f"claim:{at.cast.partner(ACME)}":
            element["value"] = json.dumps(json.loads(element["value"]) | {"v": 2})
    told = at.press_and_hear(DANA, message, f"claim:{at.cast.partner(ACME)}")
    assert "older message" in told.text
    assert "/cadence overdue shows how things stand now" in told.text
    assert at.written() == before


def test_27_when_every_place_is_taken_the_next_click_is_told_so(at: Surface) -> None:
    at.hold_read()
    staff = Staff(unanswered=2, patience=0.05)
    at.app.listener_runner.listener_executor.shutdown(wait=True)
    at.app.listener_runner.listener_executor = staff
    stuck = threading.Event()
    for _ in range(2):
        staff.submit(stuck.wait)
    try:
        payload = click(at, "U0DANA", at.cast.partner(ACME))
        assert at.slack.delivery.send("interactive", payload).ok
        assert at.slack.delivery.log[-1].seconds < SLACK_WAITS
        assert at.workspace.wait_until(lambda: at.whispers("U0DANA"))
        assert "busy right now, and nothing was saved" in at.whispers("U0DANA")[-1].text
        assert "busy right now" in at.ask(DANA, "overdue").text
        form = {"type": "view_submission", "team": {"id": at.workspace.team_id}, "user": {"id": "U0DANA"}}
        view = {"id": "V1", "type": "modal", "callback_id": "next_step_form", "state": {"values": {}}}
        answer = at.slack.delivery.send("interactive", form | {"view": view})
        assert answer.body["response_action"] == "update"
        event = {"type": "event_callback", "team_id": at.workspace.team_id, "event_id": "Ev9"}
        opened = {"type": "app_home_opened", "user": "U0DANA", "tab": "home"}
        assert not at.slack.delivery.send("events_api", event | {"event": opened}).ok, "it is delivered again"
        assert holders(at) == []
    finally:
        stuck.set()
    assert "is yours" in at.press_and_hear(DANA, at.read(), f"claim:{at.cast.partner(ACME)}").text


def test_27_a_slow_slack_keeps_nobody_from_being_acknowledged(at: Surface) -> None:
    """Twice as many clicks as places, and a Slack that does not answer: each is acknowledged before Slack is asked."""
    at.hold_read()
    at.app.listener_runner.listener_executor.shutdown(wait=True)
    at.app.listener_runner.listener_executor = Staff(unanswered=2, patience=5)
    hanging = threading.Event()
    take = at.slack.responses.take

    def slowly(key: str, reply: Any) -> None:
        hanging.wait(20)
        take(key, reply)

    at.slack.responses.take = slowly  # type: ignore[method-assign]  # the slowest Slack
    payloads = [click(at, "U0TOMAS", at.cast.partner(ACME), ts=f"1.{number}") for number in range(6)]
    try:
        for payload in payloads:
            assert at.slack.delivery.send("interactive", payload).ok
            assert at.slack.delivery.log[-1].seconds < SLACK_WAITS
    finally:
        hanging.set()
    assert holders(at) == [TOMAS.name]


def test_27_whoever_is_acknowledged_lets_those_first_who_still_wait() -> None:
    staff = Staff()
    heard: list[str] = []
    answered = threading.Event()

    def talk() -> None:
        answered.set()
        let_others_first()
        heard.append("the answer of the first")

    with staff.awaited():
        talking = staff.submit(talk)
        assert answered.wait(5)
        heard.append("the acknowledgement of the second")
    talking.result(5)
    assert heard == ["the acknowledgement of the second", "the answer of the first"]
    with staff.awaited():  # whoever waits for ever keeps nobody from talking
        assert staff.submit(let_others_first).result(5) is None


def test_28_while_the_database_is_locked_a_click_is_told_that_nothing_was_saved(at: Surface) -> None:
    at.hold_read()
    payload = click(at, "U0DANA", at.cast.partner(ACME))
    with at.database.sessions.begin() as session:
        session.connection()  # on SQLite the writer's lock is taken at the beginning
        if at.database.backend == "postgresql":
            session.connection().exec_driver_sql("LOCK TABLE claim, slack_delivery IN ACCESS EXCLUSIVE MODE")
        assert at.slack.delivery.send("interactive", payload).ok
        assert at.slack.delivery.log[-1].seconds < SLACK_WAITS
        assert at.workspace.wait_until(lambda: at.whispers("U0DANA"))
        assert "nothing was saved" in at.whispers("U0DANA")[-1].text
    assert holders(at) == []


def test_28_a_database_server_that_is_down_is_told_too(at: Surface) -> None:
    at.hold_read()
    payload = click(at, "U0PRIYA", at.cast.partner(ACME))
    with replica(at, url="postgresql://nobody@127.0.0.1:1/nothing") as web:
        assert send(web, at, payload) == 200
        assert at.workspace.wait_until(lambda: at.whispers(str(PRIYA.slack_user_id)))
    assert "nothing was saved" in at.whispers(str(PRIYA.slack_user_id))[-1].text
    assert holders(at) == []


def test_30_somebody_of_another_company_in_a_shared_channel_is_refused_kindly(at: Surface) -> None:
    """Slack Connect: the payload's team is ours, the user's is not, and users.info may not know the user at all."""
    at.hold_read()
    before = at.written()
    payload = click(at, "U0DANA", at.cast.partner(ACME))
    payload["user"] = {"id": "U0CONNECT", "username": "guest", "team_id": "T0PARTNER"}
    payload["is_enterprise_install"] = False
    assert at.slack.delivery.send("interactive", payload).ok
    assert at.workspace.wait_until(lambda: at.whispers("U0DANA"))
    assert "belongs to another Slack workspace" in at.whispers("U0DANA")[-1].text
    assert at.written() == before
