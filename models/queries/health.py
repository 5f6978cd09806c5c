"""Counts that tell an operator how Cadence is doing. No names, no addresses."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from models.mailbox_health import Health as MailboxHealth
from models.mailbox_health import health_of
from models.queries.mail import MailboxFacts, mailboxes
from models.queries.programme import Programme
from models.tables import Episode, Mailbox, OutboxPost, PendingFetch, Touch


@dataclass(frozen=True, slots=True)
class Queues:
    """`gap`: messages that the provider lists and we lack. `oldest_sync_at`: of the mailbox that waits longest."""

    pending: int = 0
    dead: int = 0
    gap: int = 0
    oldest_sync_at: datetime | None = None
    never_synced: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    touches: int
    open_episodes: int
    mailboxes: dict[tuple[str, str], int]  # (provider, status) → mailboxes
    oldest_sync_at: datetime | None  # of the mailboxes that are polled
    queues: dict[str, Queues]  # provider → what its mailboxes still owe; without those that were only imported
    outbox: dict[str, int]  # status → messages


def health(session: Session) -> Health:
    """Over all programmes of this installation."""
    boxes = session.execute(
        select(Mailbox.provider, Mailbox.status, func.count()).group_by(Mailbox.provider, Mailbox.status)
    )
    posts = session.execute(select(OutboxPost.status, func.count()).group_by(OutboxPost.status))
    queues = _queues(session)
    return Health(
        touches=session.scalar(select(func.count()).select_from(Touch)) or 0,
        open_episodes=session.scalar(select(func.count()).select_from(Episode).where(Episode.closed_at.is_(None))) or 0,
        mailboxes={(provider, status): count for provider, status, count in boxes},
        oldest_sync_at=min((one.oldest_sync_at for one in queues.values() if one.oldest_sync_at), default=None),
        queues=queues,
        outbox={row[0]: row[1] for row in posts},
    )


def mailbox_healths(session: Session, programme: Programme, now: datetime) -> list[tuple[MailboxFacts, MailboxHealth]]:
    """Every mailbox of a programme with how it is doing."""
    return [(box, health_of(box, now, programme.zone)) for box in mailboxes(session, programme.workspace_id)]


def _queues(session: Session) -> dict[str, Queues]:
    polled = Mailbox.provider != "mbox", Mailbox.status != "removed"
    counts = {
        row.provider: row
        for row in session.execute(
            select(
                Mailbox.provider,
                func.sum(case((PendingFetch.dead_at.is_(None), 1), else_=0)).label("pending"),
                func.sum(case((PendingFetch.dead_at.is_not(None), 1), else_=0)).label("dead"),
                func.sum(case((PendingFetch.missed.is_(True), 1), else_=0)).label("gap"),
            )
            .join(PendingFetch, PendingFetch.mailbox_id == Mailbox.id)
            .where(*polled)
            .group_by(Mailbox.provider)
        )
    }
    never = func.sum(case((Mailbox.last_ok_at.is_(None), 1), else_=0)).label("never")
    oldest = func.min(Mailbox.last_ok_at).label("oldest")
    found = {}
    for row in session.execute(select(Mailbox.provider, oldest, never).where(*polled).group_by(Mailbox.provider)):
        owed = counts.get(row.provider)
        pending, dead, gap = (int(owed.pending), int(owed.dead), int(owed.gap)) if owed else (0, 0, 0)
        found[row.provider] = Queues(pending, dead, gap, row.oldest, int(row.never))
    return found
