"""Offers mailboxes to whoever reads them, on one machine or on many: a job each, in procrastinate's tables.

1. Both locks of a job are its mailbox: it never waits twice, and never runs twice at once.
2. What is polled and what is walked through stand in different queues, and each provider has a queue of polls of its
   own: neither a backfill nor a provider that does not answer takes the places of the other polls.
3. Workspaces take turns. A job's place is behind the last one of its own workspace, or with the first of all if that
   is further back: so a workspace with three mailboxes never waits for five thousand of another.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from procrastinate import App, SyncPsycopgConnector
from procrastinate.jobs import Job
from sqlalchemy.orm import Session, sessionmaker

from models.queries.queue import Due, hold_places, in_seconds, is_waiting, lock_of, places

TURN = "cadence.turn"  # the task: arguments are the mailbox and its workspace
POLLED = ("gmail", "graph", "imap")
WALKS = "walks"
QUEUES = (*(f"polls-{provider}" for provider in POLLED), WALKS)

# Jobs are stored by the connection of the caller's transaction: this one is never opened.
_store = App(connector=SyncPsycopgConnector()).job_manager


def queue_of(due: Due) -> str:
    return WALKS if due.walks or due.provider not in POLLED else f"polls-{due.provider}"


def offer(session: Session, dues: Sequence[Due], scheduled_at: datetime | None = None) -> None:
    """Queues a turn at each when the caller's transaction ends. `hold_places` comes first; none may wait already."""
    known = places(session, {queue_of(due) for due in dues})
    later: Counter[tuple[str, int]] = Counter()
    jobs = []
    for due in dues:
        queue = queue_of(due)
        waiting = known.get(queue)
        first = max(waiting.first, waiting.last.get(due.workspace_id, -1) + 1) if waiting else 0
        place = first + later[queue, due.workspace_id]
        later[queue, due.workspace_id] += 1
        jobs.append(
            Job(
                queue=queue,
                priority=-place,
                lock=lock_of(due.mailbox_id),
                queueing_lock=lock_of(due.mailbox_id),
                task_name=TURN,
                task_kwargs={"mailbox_id": due.mailbox_id, "workspace_id": due.workspace_id},
                scheduled_at=scheduled_at,
            )
        )
    if jobs:
        _store.batch_defer_jobs(jobs, connection=session.connection().connection.driver_connection)


def offer_again(sessions: sessionmaker[Session], due: Due, seconds: float) -> None:
    """Another turn at a mailbox, so many seconds from now, unless one waits already."""
    with sessions.begin() as session:
        hold_places(session)
        if not is_waiting(session, due.mailbox_id):
            offer(session, [due], in_seconds(session, seconds) if seconds > 0 else None)
