"""After the faults: the system is given time to settle, and the clock goes on past one more read."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from tests.chaos.faults import next_reads
from tests.chaos.town import Town

BOUND = 90.0  # seconds for each of its stages, at most: a busy machine is no fault
HOUR = timedelta(hours=1)
UNREAD = "SELECT count(*) FROM mailbox WHERE last_ok_at IS NULL OR last_ok_at < :at OR status <> 'active'"
PENDING = "SELECT count(*) FROM pending_fetch"
UNSAID = """
    SELECT count(*) FROM outbox_post
    WHERE status IN ('pending', 'sending') OR (status = 'sent' AND redraw_wanted > redraw_done)
    OR (kind = 'read' AND status = 'unknown') OR (kind = 'notice' AND status = 'unknown' AND attempts < 8)
"""
STALE = "SELECT count(*) FROM partner_clock WHERE changes <> judged OR computed_at IS NULL"
UNHELD = """
    SELECT count(*) FROM workspace
    WHERE NOT EXISTS (SELECT 1 FROM read WHERE read.workspace_id = workspace.id AND read.at >= :at)
"""


FIRST = """
    SELECT count(*) FROM workspace
    WHERE NOT EXISTS (SELECT 1 FROM job_run WHERE job_run.workspace_id = workspace.id AND job = 'sweep')
"""


def begun(town: Town) -> bool:
    """Waits until each programme has had its first day's work: from then on its reads are promised."""
    return not _wait(town, (FIRST, STALE), town.clock.now())


def settle(town: Town, say: Callable[[str], None]) -> list[str]:
    """Waits for what has to come to rest; answers what did not within its bound."""
    late: list[str] = []

    def stage(name: str, *questions: str, at: datetime) -> None:
        began = time.monotonic()
        left = _wait(town, questions, at)
        say(f"  {name}, {town.clock.now():%d %b %H:%M}: {time.monotonic() - began:.1f} s")
        if left:
            _look(town, name)
            late.append(f"{name}: still {left} after {BOUND:.0f} s")

    def hop(to: datetime) -> datetime:
        town.move_to(to)
        return to

    at = hop(town.clock.now() + HOUR)
    stage("every mailbox is read", UNREAD, at=at)
    for hours in (2, 13, 49):  # the times at which messages that did not come are asked for again
        at = hop(max(town.clock.now(), at + hours * HOUR) if hours < 49 else at + 49 * HOUR)
        stage(f"every mailbox is read after {hours} h", UNREAD, at=at)
        if not _left(town, (PENDING,), at):
            break
    due = next_reads(town.clock.now())
    hop(due - 4 * HOUR)
    stage("every mailbox is read before the last read", UNREAD, at=due - 4 * HOUR)
    hop(due - timedelta(seconds=2))
    stage("the last read is held", UNHELD, at=due)
    hop(due + HOUR)
    stage("every mailbox is read after it", UNREAD, PENDING, at=due + HOUR)
    stage("everything is said and counted", UNSAID, STALE, at=due + HOUR)
    return late


LOOKS = (
    "SELECT id, address, status, error, last_ok_at, paused_until, cursor_version FROM mailbox ORDER BY id",
    "SELECT id, queue_name, task_name, status, lock, attempts, scheduled_at, worker_id, abort_requested "
    "FROM procrastinate_jobs ORDER BY id",
    "SELECT id, last_heartbeat, now() FROM procrastinate_workers ORDER BY id",
    "SELECT id, kind, period, part, status, attempts, error, taken_at, not_before, redraw_wanted, redraw_done, "
    "redrawn_at FROM outbox_post WHERE status <> 'sent' OR redraw_wanted > redraw_done ORDER BY id",
    "SELECT * FROM pending_fetch",
    "SELECT pid, state, wait_event_type, wait_event, now() - xact_start, now() - state_change, "
    "pg_blocking_pids(pid), left(query, 200) FROM pg_stat_activity WHERE backend_type = 'client backend'",
)


def _look(town: Town, name: str) -> None:
    """What does not come to rest, kept for whoever looks for the cause."""
    with (town.folder / "stuck").open("a") as file:
        file.write(f"=== {name}, {town.clock.now()}\n")
        for question in LOOKS:
            file.write(f"--- {question}\n")
            with suppress(sqlite3.OperationalError):  # there is no queue on SQLite
                file.writelines(f"{row}\n" for row in town.ask(question))


def _wait(town: Town, questions: tuple[str, ...], at: datetime) -> dict[str, int]:
    give_up_at = time.monotonic() + BOUND
    while left := _left(town, questions, at):
        if time.monotonic() > give_up_at:
            return left
        time.sleep(0.2)
    return {}


def _left(town: Town, questions: tuple[str, ...], at: datetime) -> dict[str, int]:
    found: dict[str, int] = {}
    for question in questions:
        [(number,)] = town.ask(question, at=at) if ":at" in question else town.ask(question)
        if number:
            found[" ".join(question.split())] = number
    return found
