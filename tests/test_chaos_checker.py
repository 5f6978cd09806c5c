"""The checker of `make chaos` is judged here: each kind of violation is planted in a clean database, and named."""

import ast
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from models.actions.clocks import refresh_clocks
from models.actions.next_steps import set_next_step
from models.actions.noted import note_standings
from models.actions.write import actor_of
from models.db import Base, libpq_url
from tests.capture_world import Office, letter, office
from tests.cast import ACME, CHANNEL, DANA, INITECH, MONDAY, PARTNERS, PEOPLE, PRIYA, ROBIN, TEAM, TOMAS
from tests.chaos import checker
from tests.chaos.check_talk import weeks_due
from tests.chaos.checker import check
from tests.chaos.rows import Tables, postgres_tables, sqlite_tables
from tests.chaos.standins import accepted, gmail_copies, private_rooms, shown
from tests.chaos.truth import Agreed, Press, Roster, Truth
from tests.databases import Database, Databases, opened
from tests.surface import Surface, surface

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BOXES = (DANA, PRIYA, TOMAS)
ROSTER = Roster(
    team=TEAM,
    people=frozenset(address for one in PEOPLE for address in (one.email, *one.aliases)),
    domains={domain: one.name for one in PARTNERS for domain in one.domains},
    leads=("U0ROBIN",),
    zone="Europe/London",
    channel=CHANNEL,
    read_weekday=0,
    read_at=time(9),
)


@dataclass(frozen=True, slots=True)
class Clean:
    """A week in which all went well, and what really happened in it. `cast` names ids."""

    database: Database
    truth: Truth
    acme: int
    initech: int


def _mail(work: Office) -> None:
    """Acme and Initech were written to weeks ago, Acme by two of us in one mail; and mail that is no touch."""
    at = MONDAY - 23 * DAY
    both = letter(DANA.email, "wile@acme.example", cc=PRIYA.email, message_id="both")
    work.send(both, at=at)
    work.receive(both, by=PRIYA, at=at)
    work.send(letter(TOMAS.email, "bill@initech.example", message_id="late"), by=TOMAS, at=at)
    work.receive(letter("wile@acme.example", DANA.email, message_id="answer"), at=at + HOUR)
    work.receive(letter("news@acme.example", DANA.email, Precedence="bulk"), at=at + HOUR)
    work.send(letter(DANA.email, ROBIN.email), at=at)
    work.receive(letter("sam@family.example", PRIYA.email), by=PRIYA, at=at)
    work.send(letter(PRIYA.email, "hank@globex.example", message_id="fresh"), by=PRIYA, at=MONDAY - DAY)


def _week(work: Office, at: Surface) -> tuple[list[Press], list[Agreed]]:
    """The read is held, Dana claims Acme, somebody agrees on a next step."""
    acme, database = work.cast.partner(ACME), at.database
    read = at.hold_read()
    at.press_and_hear(DANA, read, f"claim:{acme}")
    at.clock.at += HOUR
    at.pump()
    with database.sessions.begin() as session:
        me = work.cast.person(DANA)
        set_next_step(session, work.cast.programme, acme, "Call them", me, None, me, actor_of(me), at.clock.at)
    at.clock.at += HOUR
    at.pump()
    refresh_clocks(database.sessions, database.reading, work.cast.programme, at.clock.at)
    note_standings(database.sessions, database.reading, work.cast.programme, at.clock.at)
    return [Press(TEAM, "U0DANA", acme)], [Agreed(TEAM, acme, "Call them", True)]


@pytest.fixture(scope="module")
def clean(databases: Databases) -> Iterator[Clean]:
    with opened(databases) as database, office(database, BOXES) as work:
        _mail(work)
        for person in BOXES:
            work.read(person)
        with surface(database, cast=work.cast) as at:
            presses, agreed = _week(work, at)
            truth = Truth(
                rosters=[ROSTER],
                copies=gmail_copies(work.server, TEAM, [one.email for one in BOXES]),
                accepted=accepted(at.slack),
                shown=shown(at.slack.teams[0]),
                presses=presses,
                agreed=agreed,
                began=MONDAY - HOUR,
                ended=at.clock.at,
                dms=private_rooms(at.slack.teams[0]),
            )
        yield Clean(database, truth, work.cast.partner(ACME), work.cast.partner(INITECH))


@contextmanager
def tables(database: Database, *statements: str) -> Iterator[Tables]:
    """The tables as these statements leave them, which nobody else sees and nobody keeps. No trigger bars them."""
    if database.backend == "sqlite":
        path = make_url(database.url).database or ""
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            file.execute("BEGIN")
            for (trigger,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                file.execute(f'DROP TRIGGER "{trigger}"')
            for statement in statements:
                file.execute(statement)
            yield sqlite_tables(file)
        return
    with psycopg.connect(libpq_url(database.url)) as server:
        server.execute("SET session_replication_role = replica")  # no foreign keys, no triggers
        for table, name in server.execute(
            "SELECT relname, conname FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid "
            "WHERE contype = 'u' AND connamespace = 'public'::regnamespace"
        ).fetchall():
            server.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(*map(sql.Identifier, (table, name))))
        for statement in statements:
            server.execute(statement.encode())
        yield postgres_tables(server)
        server.rollback()


def kinds(clean: Clean, *statements: str, truth: Truth | None = None) -> set[str]:
    with tables(clean.database, *statements) as found:
        return {one.kind for one in check(found, truth or clean.truth)}


def copied(table: str, where: str, **changes: str) -> str:
    """A statement that stores a row once more, under the next id."""
    columns = Base.metadata.tables[table].columns.keys()
    values = {"id": f"(SELECT max(id) + 1 FROM {table})"} | changes  # noqa: S608  # our own tables
    chosen = ", ".join(values.get(name, name) for name in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {chosen} FROM {table} WHERE {where} ORDER BY id LIMIT 1"  # noqa: S608


BOTH = "message_id LIKE '%both%'"
PLANTED = {
    "mail lost": ["DELETE FROM sighting", "DELETE FROM touch WHERE message_id LIKE '%both%'"],
    "touch misjudged": ["UPDATE touch SET verdict = 'auto' WHERE message_id LIKE '%both%'"],
    "touch misdated": ["UPDATE touch SET at = captured_at WHERE message_id LIKE '%both%'"],
    "touch voided": ["UPDATE touch SET voided_at = at, void_reason = 'bounced' WHERE message_id LIKE '%both%'"],
    "touch invented": [copied("touch", BOTH, message_id="'nobody wrote this'", dedupe_key="'nobody'")],
    "touch doubled": [copied("touch", BOTH, dedupe_key="'another'")],
    "copy not noted": ["DELETE FROM sighting WHERE mailbox_id = (SELECT id FROM mailbox WHERE address LIKE 'priya%')"],
    "copy invented": [
        "UPDATE sighting SET provider_id = 'x' WHERE touch_id = (SELECT id FROM touch WHERE message_id LIKE '%both%')"
    ],
    "mail never looked at": ["DELETE FROM seen WHERE verdict = 'human'"],
    "mail still waits": [
        "INSERT INTO pending_fetch (mailbox_id, provider_id, attempts, first_at, next_at, reason, missed) "
        "SELECT mailbox_id, provider_id, 1, seen_at, seen_at, 'busy', false FROM seen"
    ],
    "mail given up": [
        "INSERT INTO pending_fetch (mailbox_id, provider_id, attempts, first_at, next_at, reason, missed, dead_at) "
        "SELECT mailbox_id, provider_id, 5, seen_at, seen_at, 'busy', false, seen_at FROM seen"
    ],
    "mailbox gone": ["UPDATE mailbox SET address = 'x@lantern.example' WHERE address LIKE 'dana%'"],
    "mailbox stuck": ["UPDATE mailbox SET status = 'error', error = 'busy'"],
    "read silently missing": ["DELETE FROM read_line", "DELETE FROM read"],
    "read not posted": ["DELETE FROM outbox_post"],
    "read silently uncertain": ["UPDATE outbox_post SET status = 'unknown', ts = NULL WHERE kind = 'read'"],
    "read incomplete": ["DELETE FROM read_line WHERE partner_id = (SELECT max(partner_id) FROM read_line)"],
    "read line too old": ["UPDATE read_line SET last_touch_at = NULL WHERE last_touch_at IS NOT NULL"],
    "read line invented": ["UPDATE read_line SET last_touch_at = (SELECT max(at) FROM read)"],
    "read line wrong": ["UPDATE read_line SET state = 'on_pace' WHERE state = 'overdue'"],
    "message stuck": ["UPDATE outbox_post SET status = 'sending'"],
    "message refused": ["UPDATE outbox_post SET status = 'failed'"],
    "message doubled": ["UPDATE outbox_post SET ts = '1.2'"],
    "sent and not there": ["UPDATE outbox_post SET ts = '1.2'"],
    "two rows, one message": [copied("outbox_post", "kind = 'read'", period="'2020-01-06'")],
    "redraw stuck": ["UPDATE outbox_post SET redraw_wanted = redraw_done + 1"],
    "drawing is old": ["UPDATE outbox_post SET rendered_hash = 'x'"],
    "claim with two holders": [
        "DROP INDEX uq_claim_current",
        copied("claim", "true", person_id="(SELECT id FROM person WHERE email LIKE 'priya%')"),
    ],
    "claim on what is closed": ["UPDATE episode SET closed_at = opened_at, outcome = 'paused'"],
    "claimed over somebody": [copied("audit_entry", "action = 'claim'")],
    "ended what was not held": [
        copied("audit_entry", "action = 'claim'", action="'release'", before='\'{"by": "x"}\'')
    ],
    "holder differs from audit": ["UPDATE claim SET person_id = (SELECT id FROM person WHERE email LIKE 'priya%')"],
    "claim nobody pressed": ["UPDATE claim SET person_id = (SELECT id FROM person WHERE email LIKE 'priya%')"],
    "episode doubled": ["DROP INDEX uq_episode_open", copied("episode", "true")],
    "episode closed by nothing": ["UPDATE episode SET outcome = 'recovered'"],
    "episode runs backwards": ["UPDATE episode SET closed_at = '2020-01-06 00:00:00+00:00', outcome = 'paused'"],
    "claim runs backwards": ["UPDATE claim SET ended_at = '2020-01-06 00:00:00+00:00', end_reason = 'released'"],
    "recovery not noticed": ["UPDATE episode SET opened_at = '2020-01-06 00:00:00+00:00'"],
    "next step lost": ["DELETE FROM next_step"],
    "next step invented": ["UPDATE next_step SET text = 'Nobody said this'"],
    "next step doubled": [copied("next_step", "true", ended_at="set_at", end_reason="'superseded'")],
    "two next steps at once": ["DROP INDEX uq_next_step_current", copied("next_step", "true")],
    "change without its audit": ["DELETE FROM audit_entry WHERE action = 'hold read'"],
    "audit without change": [copied("audit_entry", "action = 'hold read'")],
    "clock not made anew": ["UPDATE partner_clock SET changes = changes + 1"],
    "clock wrong": ["UPDATE partner_clock SET last_touch_at = computed_at"],
    "tally wrong": ["UPDATE week_tally SET number = number + 1"],
    "week judged wrong": ["UPDATE week_span SET kind = 'covered' WHERE kind = 'overdue'"],
    "standing wrong": ["UPDATE partner_standing SET last_heard_at = as_of"],
    "roster and its history differ": ["UPDATE partner_history SET owner_id = NULL"],
}
UNIQUE = {"read doubled": [copied("read", "true", at="at")]}
"""What SQLite's tables, whose rules cannot be lifted, do not even let us plant."""


def test_the_checker_shares_no_code_with_what_it_checks() -> None:
    folder = Path(checker.__file__).parent
    names = [*(path.stem for path in folder.glob("check*.py")), "rows", "truth", "findings"]
    for name in names:
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))):
            imported = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            imported += [one.name for one in node.names] if isinstance(node, ast.Import) else []
            assert not {one.partition(".")[0] for one in imported} & {"bot", "jobs", "models", "migrations"}, name


def test_a_week_in_which_all_went_well_has_no_violation(clean: Clean) -> None:
    with tables(clean.database) as found:
        assert check(found, clean.truth) == []
        assert len(found["touch"]) == 5
        assert len(found["claim"]) == 1
        assert found["week_tally"]


@pytest.mark.parametrize("kind", PLANTED)
def test_what_is_planted_is_named(clean: Clean, kind: str) -> None:
    assert kind in kinds(clean, *PLANTED[kind])


@pytest.mark.parametrize("kind", UNIQUE)
@pytest.mark.parametrize("databases", ["postgresql"], indirect=True, scope="session")
@pytest.mark.postgres
def test_what_only_a_rule_of_the_database_keeps_out_is_named_too(clean: Clean, kind: str) -> None:
    assert kind in kinds(clean, *UNIQUE[kind])


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True, scope="session")
@pytest.mark.postgres
def test_a_job_whose_worker_is_gone_is_named(clean: Clean) -> None:
    planted = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, worker_id) VALUES ('walks', 'x', 'doing', NULL)"
    )
    assert kinds(clean, planted) == {"job stuck"}


def test_a_mail_that_its_server_numbers_anew_is_the_same_mail_and_must_have_been_looked_at(clean: Clean) -> None:
    seen = [replace(one, provider_id=f"new {one.provider_id}", before=one.names) for one in clean.truth.copies]
    assert kinds(clean, truth=replace(clean.truth, copies=seen)) == set(), "by its old number"
    lost = [replace(one, provider_id="2:1", before=frozenset({"1:9"})) for one in clean.truth.copies]
    found = kinds(clean, truth=replace(clean.truth, copies=lost))
    assert found == {"mail never looked at", "copy not noted", "copy invented"}, "by neither"


def test_a_message_that_stands_twice_in_slack_is_named(clean: Clean) -> None:
    again = partial(replace, clean.truth.accepted[0])
    assert kinds(clean, truth=replace(clean.truth, accepted=[*clean.truth.accepted, again(ts="9.9")])) == {
        "message doubled"
    }
    unknown = "UPDATE outbox_post SET status = 'unknown', ts = NULL WHERE kind = 'read'"
    assert "message doubled" not in kinds(clean, unknown), "nobody knows whether it arrived: it did, once"
    twice = replace(clean.truth, accepted=[*clean.truth.accepted, again(ts="9.9")])
    assert "message doubled" in kinds(clean, unknown, truth=twice)


def test_a_notice_to_a_lead_may_stand_there_as_often_as_it_was_tried_and_no_read_may(clean: Clean) -> None:
    one = clean.truth.accepted[0]
    twice = replace(clean.truth, accepted=[*clean.truth.accepted, replace(one, ts="9.9")])
    tried = "UPDATE outbox_post SET attempts = 2"
    assert "message doubled" in kinds(clean, tried, truth=twice)
    assert "message doubled" not in kinds(clean, tried, "UPDATE outbox_post SET kind = 'notice'", truth=twice)
    thrice = replace(twice, accepted=[*twice.accepted, replace(one, ts="9.8")])
    assert "message doubled" in kinds(clean, tried, "UPDATE outbox_post SET kind = 'notice'", truth=thrice)


def test_a_message_that_is_gone_from_slack_is_named(clean: Clean) -> None:
    assert "message gone" in kinds(clean, truth=replace(clean.truth, shown=[]))


def test_a_read_in_a_week_that_was_not_asked_about_is_named(clean: Clean) -> None:
    later = replace(clean.truth, began=clean.truth.ended - timedelta(minutes=1))
    assert "read out of turn" in kinds(clean, truth=later)


def test_the_hour_of_a_read_follows_the_clocks_of_its_zone() -> None:
    summer, winter = datetime(2026, 10, 19, 8, tzinfo=UTC), datetime(2026, 10, 26, 9, tzinfo=UTC)
    second = timedelta(seconds=1)
    assert weeks_due(ROSTER, summer, winter) == [date(2026, 10, 19), date(2026, 10, 26)]
    assert weeks_due(ROSTER, summer + second, winter - second) == []


def test_a_week_without_a_read_is_none_where_a_lead_was_told(clean: Clean) -> None:
    gone: Any = ["DELETE FROM read_line", "DELETE FROM read", "DELETE FROM outbox_post"]
    said = "There was no weekly read in the week of Mon 23 Nov. Cadence was not running."
    room = {(TEAM, "U0ROBIN"): "D1"}
    told = replace(clean.truth.accepted[0], channel="D1", text=said)
    truth = replace(clean.truth, accepted=[told], dms=room)
    assert "read silently missing" not in kinds(clean, *gone, truth=truth)
    elsewhere = replace(clean.truth, accepted=[told], dms={})
    assert "read silently missing" in kinds(clean, *gone, truth=elsewhere)
