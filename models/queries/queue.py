"""What many machines have to read: the mailboxes that are due, and the places in the queue. PostgreSQL only.

The table of jobs is procrastinate's: it is only looked at here, and written by procrastinate's own functions.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

CLOCKS_DIFFER = timedelta(minutes=1)  # from machine to machine; further ahead, a clock was put right since
ONE_AT_A_TIME = 0x0CADE900  # the advisory lock of those who offer: none takes a place that another just took
READABLE = """
    mailbox.status <> 'removed' AND mailbox.provider <> 'mbox'
    AND (mailbox.paused_until IS NULL OR mailbox.paused_until <= :now)
    AND mailbox.workspace_id = ANY(:workspace_ids)
"""
DUE = text(
    f"""
    SELECT mailbox.id, mailbox.workspace_id, mailbox.provider,
        mailbox.last_ok_at IS NULL OR mailbox.status <> 'active' AS walks
    FROM mailbox
    WHERE {READABLE}
    AND (mailbox.last_ok_at IS NULL OR mailbox.last_ok_at <= :before OR mailbox.last_ok_at > :ahead)
    -- Not EXISTS: after a burst, and before ANALYZE, that would look through all jobs for each mailbox.
    AND 'mailbox:' || mailbox.id NOT IN (
        SELECT lock FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND lock IS NOT NULL
    )
    ORDER BY mailbox.last_ok_at NULLS FIRST, mailbox.id
    LIMIT :at_most
    """  # noqa: S608  # put together from the constant above
)
UNREAD = text(
    f"""
    SELECT EXISTS (SELECT 1 FROM mailbox WHERE {READABLE} AND mailbox.status = 'active'
        AND (mailbox.last_ok_at IS NULL OR mailbox.last_ok_at < :since))
    """  # noqa: S608  # the same
)
WAITING = text("SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock = :lock")
# What waits for its hour keeps no place: nobody has to stand behind it.
PLACES = text(
    """
    SELECT queue_name, CAST(args ->> 'workspace_id' AS integer), min(-priority), max(-priority)
    FROM procrastinate_jobs
    WHERE status = 'todo' AND queue_name = ANY(:queues) AND (scheduled_at IS NULL OR scheduled_at <= now())
    GROUP BY 1, 2
    """
)


@dataclass(frozen=True, slots=True)
class Due:
    """A mailbox that may be read now. `walks`: it was never read to its end, or was in trouble when it was last."""

    mailbox_id: int
    workspace_id: int
    provider: str
    walks: bool


@dataclass(frozen=True, slots=True)
class Places:
    """The places in one queue at which jobs wait: the first of all, and the last one of each workspace."""

    first: int
    last: Mapping[int, int]


def lock_of(mailbox_id: int) -> str:
    """The name of both locks of a mailbox."""
    return f"mailbox:{mailbox_id}"


def hold_places(session: Session) -> None:
    """Whoever gives places away waits for the others who do, until the end of their transaction."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})


def due_mailboxes(
    session: Session, workspace_ids: Collection[int], now: datetime, before: datetime, at_most: int
) -> list[Due]:
    """Those last read at or before `before` for which no job waits or runs, whoever waits longest first."""
    rows = session.execute(
        DUE,
        {
            "workspace_ids": list(workspace_ids),
            "now": now,
            "before": before,
            "ahead": now + CLOCKS_DIFFER,
            "at_most": at_most,
        },
    )
    return [Due(*row) for row in rows]


def is_waiting(session: Session, mailbox_id: int) -> bool:
    return session.scalar(WAITING, {"lock": lock_of(mailbox_id)}) is not None


def in_seconds(session: Session, seconds: float) -> datetime:
    """By the database's clock, which says when a job may start."""
    at: datetime = session.scalars(text("SELECT now() + make_interval(secs => :seconds)"), {"seconds": seconds}).one()
    return at


def is_unread(session: Session, workspace_ids: Collection[int], now: datetime, since: datetime) -> bool:
    """Whether a mailbox without trouble was not read to its end since then."""
    return bool(session.scalar(UNREAD, {"workspace_ids": list(workspace_ids), "now": now, "since": since}))


def places(session: Session, queues: Collection[str]) -> dict[str, Places]:
    """Of each queue in which jobs wait."""
    found: dict[str, dict[int, tuple[int, int]]] = {}
    for queue, workspace_id, first, last in session.execute(PLACES, {"queues": list(queues)}):
        found.setdefault(queue, {})[workspace_id] = first, last
    return {
        queue: Places(min(first for first, _ in waiting.values()), {one: last for one, (_, last) in waiting.items()})
        for queue, waiting in found.items()
    }
