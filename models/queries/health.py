"""Counts that tell an operator how Cadence is doing. No names, no addresses."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.tables import Episode, Mailbox, OutboxPost, PendingFetch, Touch


@dataclass(frozen=True, slots=True)
class Health:
    touches: int
    open_episodes: int
    mailboxes: dict[tuple[str, str], int]  # (provider, status) → mailboxes
    oldest_sync_at: datetime | None  # of the active mailboxes that are polled
    pending: int
    dead: int
    outbox: dict[str, int]  # status → messages


def health(session: Session) -> Health:
    """Over all programmes of this installation."""
    boxes = session.execute(
        select(Mailbox.provider, Mailbox.status, func.count()).group_by(Mailbox.provider, Mailbox.status)
    )
    posts = session.execute(select(OutboxPost.status, func.count()).group_by(OutboxPost.status))
    queued = select(func.count()).select_from(PendingFetch)
    return Health(
        touches=session.scalar(select(func.count()).select_from(Touch)) or 0,
        open_episodes=session.scalar(select(func.count()).select_from(Episode).where(Episode.closed_at.is_(None))) or 0,
        mailboxes={(provider, status): count for provider, status, count in boxes},
        oldest_sync_at=session.scalar(
            select(func.min(Mailbox.last_ok_at)).where(Mailbox.provider != "mbox", Mailbox.status != "removed")
        ),
        pending=session.scalar(queued.where(PendingFetch.dead_at.is_(None))) or 0,
        dead=session.scalar(queued.where(PendingFetch.dead_at.is_not(None))) or 0,
        outbox={row[0]: row[1] for row in posts},
    )
