"""What an operator's tools are told: alive, ready and why not, figures that cost little and name nobody."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import Session

from bot import measures
from bot.measures import Pulse, kind_of
from bot.operation import operation_app
from models.actions import mailboxes, outbox
from models.actions.installations import lose_access
from models.actions.outbox import rest_channel
from models.db import make_sessions
from models.tables import Mailbox, OutboxPost, PendingFetch
from tests.cast import ACME, CHANNEL, DANA, MONDAY, Cast, put_cast, put_touch
from tests.command_line import At
from tests.databases import Database
from tests.surface import surface

NOW = MONDAY + timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def cast(database: Database) -> Cast:
    with database.sessions.begin() as session:
        return put_cast(session)


def asked(database: Database, *, connected: bool = True, pulse: Pulse | None = None) -> FlaskClient:
    return operation_app(database.reading, At(NOW), lambda: connected, pulse).test_client()


def post(session: Session, cast: Cast, number: int = 0, *, at: datetime = NOW, part: int = 0) -> int:
    made = outbox.enqueue(session, cast.workspace_id, CHANNEL, "read", f"{number}", part, {"text": "x"}, at)
    assert made is not None
    return made


def ready(client: FlaskClient) -> tuple[int, dict[str, Any]]:
    answer = client.get("/readyz")
    return answer.status_code, json.loads(answer.text)


def jobs(database: Database) -> tuple[int, dict[str, Any]]:
    status, parts = ready(asked(database))
    return status, parts["jobs"]


# Alive and ready


def test_a_process_that_has_all_it_needs_is_ready(database: Database, cast: Cast) -> None:
    answer = asked(database, pulse=Pulse({"tick": 20})).get("/readyz")
    assert answer.status_code == 200
    assert answer.json == {
        "ready": True,
        "database": {"ok": True, "says": "answers"},
        "slack": {"ok": True, "says": "connected"},
        "clock": {"ok": True, "says": "runs", "late": {}},
        "jobs": {"ok": True, "says": "nothing waits", "oldest_due_seconds": 0, "due_seconds": {"post": 0, "read": 0}},
    }


def test_without_its_database_it_is_alive_and_not_ready(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_text("this is no database, and long enough to be told from one" * 40)
    reading = make_sessions(create_engine(f"sqlite:///{tmp_path / 'broken.db'}"))
    client = operation_app(reading, At(NOW), lambda: True).test_client()
    assert (client.get("/healthz").status_code, client.get("/healthz").text) == (200, "ok\n")
    status, parts = ready(client)
    assert status == 503
    assert parts["database"]["says"].startswith("the database does not answer")
    assert str(tmp_path) not in str(parts)
    figures = families(client)
    assert value(figures, "cadence_database_up") == 0
    assert "cadence_ack_seconds" in figures, "what it knows of itself it tells all the same"


def test_without_a_connection_to_slack_it_is_not_ready(database: Database, cast: Cast) -> None:
    client = asked(database, connected=False)
    status, parts = ready(client)
    assert (status, parts["slack"]["says"]) == (503, "not connected to Slack; it is tried again by itself")
    assert value(families(client), "cadence_slack_connected") == 0
    pulse = Pulse({})
    pulse.resting = 1
    assert "took the access away" in ready(asked(database, pulse=pulse))[1]["slack"]["says"]


def test_a_clock_that_stands_still_is_named(database: Database, cast: Cast) -> None:
    seconds = [0.0]
    pulse = Pulse({"tick": 20, "outbox": 1}, lambda: seconds[0])
    seconds[0] = 310.0
    pulse.beat("outbox")
    assert asked(database, pulse=pulse).get("/readyz").status_code == 200, "a step over a large roster takes its time"
    seconds[0] = 321.0
    status, parts = ready(asked(database, pulse=pulse))
    assert status == 503
    assert parts["clock"] == {
        "ok": False,
        "says": "tick has not come to an end for 321 s: see the log",
        "late": {"tick": 321.0},
    }


def test_a_message_that_nobody_sends_makes_it_unready(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        post(session, cast, at=NOW - 14 * MINUTE)
        post(session, cast, 1, at=NOW - 600 * MINUTE, part=1)  # waits for a first part that a lead decides about
        held = session.get_one(OutboxPost, post(session, cast, 2, at=NOW - 600 * MINUTE))
        held.not_before = NOW + MINUTE  # Slack's own wish
    assert jobs(database)[1]["due_seconds"]["post"] == 840
    assert jobs(database)[0] == 200
    with database.sessions.begin() as session:
        post(session, cast, 3, at=NOW - 16 * MINUTE)
    status, told = jobs(database)
    assert (status, told["says"]) == (503, "the oldest due job waits for 960 s")
    with database.sessions.begin() as session:
        lose_access(session, "token_revoked", NOW, workspace_id=cast.workspace_id)
    assert jobs(database)[0] == 200, "where Slack took the access away nothing is late"


def test_a_read_that_is_late_is_told_and_takes_no_buttons_away(database: Database, cast: Cast) -> None:
    pulse = Pulse({})
    pulse.note_read(cast.workspace_id, NOW - 60 * MINUTE)
    status, parts = ready(asked(database, pulse=pulse))
    assert (status, parts["jobs"]["oldest_due_seconds"]) == (200, 3600)
    assert value(families(asked(database, pulse=pulse)), "cadence_oldest_due_seconds", job="read") == 3600
    pulse.note_read(cast.workspace_id, None)
    assert ready(asked(database, pulse=pulse))[1]["jobs"]["oldest_due_seconds"] == 0


# Figures


def families(client: FlaskClient) -> dict[str, Metric]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {one.name: one for one in text_string_to_metric_families(answer.text)}


def value(found: dict[str, Metric], name: str, **labels: str) -> float:
    [one] = [one.value for one in found[name].samples if one.labels == labels]
    return float(one)


LABELS = {"provider", "status", "job", "kind", "outcome", "step", "le"}


def test_prometheus_can_read_the_figures_and_no_label_is_made_of_data(database: Database, cast: Cast) -> None:
    measures.ACKS.add("command", 0.03)
    measures.ACKS.add("command", 7.0)
    measures.CAPTURED_MESSAGES.add("gmail", 3)
    with database.sessions.begin() as session:
        put_touch(session, cast, ACME, MONDAY)
        post(session, cast, at=NOW - MINUTE)
        rest_channel(session, cast.workspace_id, CHANNEL, "is_archived", NOW)
        box = cast.mailbox(DANA)
        late = PendingFetch(mailbox_id=box, provider_id="a", first_at=MONDAY, next_at=NOW - 2 * MINUTE, reason="x")
        session.add(late)
    found = families(asked(database, pulse=Pulse({"tick": 20})))
    for family in found.values():
        for sample in family.samples:
            assert set(sample.labels) <= LABELS, sample
            assert not any("@" in one or "C0" in one for one in sample.labels.values()), sample
    assert value(found, "cadence_touches") == 1
    assert value(found, "cadence_outbox_posts", status="pending") == 1
    assert value(found, "cadence_outbox_posts", status="unknown") == 0, "nothing is a figure, too"
    assert value(found, "cadence_oldest_due_seconds", job="post") == 60
    assert value(found, "cadence_oldest_due_seconds", job="fetch") == 120
    assert value(found, "cadence_channels_in_trouble") == 1
    assert value(found, "cadence_job_age_seconds", job="tick") >= 0
    buckets = {
        one.labels["le"]: one.value
        for one in found["cadence_ack_seconds"].samples
        if one.name.endswith("_bucket") and one.labels["kind"] == "command"
    }
    assert list(buckets.values()) == sorted(buckets.values())
    assert buckets["+Inf"] - buckets["3.0"] >= 1
    assert (
        next(one.value for one in found["cadence_captured_messages"].samples if one.labels == {"provider": "gmail"})
        >= 3
    )


def test_a_channel_that_nobody_has_tried_yet_is_no_trouble(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        rest_channel(session, cast.workspace_id, CHANNEL, "unchecked", NOW)
    assert value(families(asked(database)), "cadence_channels_in_trouble") == 0


@contextmanager
def statements(database: Database) -> Iterator[list[tuple[str, Any]]]:
    heard: list[tuple[str, Any]] = []

    def hear(_c: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.startswith("SELECT"):
            heard.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(database.engine, "before_cursor_execute", hear)


def test_a_scrape_asks_little_and_reads_no_history(database: Database, cast: Cast) -> None:
    client = asked(database)
    families(client)  # the first one counts what only grows
    with statements(database) as few:
        families(client)
    with database.sessions.begin() as session:
        for number in range(300):
            put_touch(session, cast, ACME, MONDAY - number * MINUTE)
        for number in range(300):
            session.get_one(OutboxPost, post(session, cast, number)).status = "sent"
        for number in range(20):
            mailboxes.put_mailbox(session, cast.workspace_id, "test", f"{number}@lantern.example", "imap", MONDAY)
    if database.backend == "sqlite":
        with database.engine.connect() as connection:
            connection.execute(text("ANALYZE"))
    with statements(database) as many:
        families(client)
    assert len(many) == len(few) <= 12
    for statement, parameters in many:
        assert not any(f"FROM {history}" in statement for history in ("touch", "seen", "sighting", "read_line"))
        if database.backend == "sqlite" and "outbox_post" in statement:
            with database.engine.connect() as connection:
                plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            assert not any(step.startswith("SCAN outbox_post") for step in plan), plan


def test_a_probe_is_one_statement(database: Database, cast: Cast) -> None:
    with statements(database) as heard:
        asked(database).get("/readyz")
        asked(database).get("/healthz")
    assert len(heard) == 1


def test_what_is_pressed_and_drawn_is_counted(database: Database, cast: Cast) -> None:
    def acks(kind: str) -> int:
        return sum(measures.ACKS.found().get(kind, ([0], 0.0))[0])

    before = acks("command"), acks("block_actions"), dict(measures.REDRAWS.counts()), dict(measures.POSTS.counts())
    with surface(database, cast=cast) as at:
        with database.sessions.begin() as session:
            put_touch(session, cast, ACME, MONDAY - timedelta(days=23))
        read = at.hold_read()
        at.ask(DANA, "overdue")
        at.press_and_hear(DANA, read, f"claim:{cast.partner(ACME)}")
        at.pump()
    assert acks("command") == before[0] + 1
    assert acks("block_actions") == before[1] + 1
    assert measures.REDRAWS.counts()["drawn"] > before[2].get("drawn", 0)
    assert measures.POSTS.counts()["sent"] > before[3].get("sent", 0)


def test_every_request_has_a_kind_out_of_a_few() -> None:
    assert kind_of({"command": "/cadence", "type": "x"}) == "command"
    assert kind_of({"type": "view_submission"}) == "view_submission"
    assert kind_of({"type": "dana@lantern.example"}) == kind_of({"type": ["x"]}) == kind_of({}) == "other"


def test_a_mailbox_that_waits_for_its_owner_has_nothing_due(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        box = session.get_one(Mailbox, cast.mailbox(DANA))
        fetch = PendingFetch(mailbox_id=box.id, provider_id="a", first_at=MONDAY, next_at=MONDAY, reason="x")
        session.add(fetch)
        box.status = "needs_auth"
    assert value(families(asked(database)), "cadence_oldest_due_seconds", job="fetch") == 0
