"""Counts that tell an operator how Cadence is doing. No names, no addresses."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from models.db import UtcDateTime
from models.mailbox_health import Health as MailboxHealth
from models.mailbox_health import health_of
from models.queries.mail import MailboxFacts, mailboxes
from models.queries.programme import Programme
from models.tables import Episode, Mailbox, OutboxPost, PendingFetch, Touch, Workspace


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
    open_episodes: int
    mailboxes: dict[tuple[str, str], int]  # (provider, status) → mailboxes
    oldest_sync_at: datetime | None  # of the mailboxes that are polled
    queues: dict[str, Queues]  # provider → what its mailboxes still owe; without those that were only imported
    outbox: dict[str, int]  # status → messages, of all that is not settled
    redraws: int  # messages that do not show the newest facts yet
    channels_in_trouble: int
    due: dict[str, datetime]  # job → since when the one that waits longest has been due


@dataclass(frozen=True, slots=True)
class Totals:
    """What only grows. Counting it reads whole indexes: not for every scrape."""

    touches: int
    sent: int
    gone: int


UNTRIED = "unchecked"  # models.actions.setup: of a channel that nobody has tried yet
UNSETTLED = ("pending", "sending", "unknown", "failed")


def totals(session: Session) -> Totals:
    def posts(status: str) -> int:
        return session.scalar(select(func.count()).where(OutboxPost.status == status)) or 0

    return Totals(session.scalar(select(func.count()).select_from(Touch)) or 0, posts("sent"), posts("gone"))


def oldest_post_due(session: Session, now: datetime) -> datetime | None:
    """Since when the message that waits longest could have been sent.

    Later parts of a read wait for the first, which may wait for a lead; where Slack took the access away, all rests.
    """
    since = func.min(func.coalesce(OutboxPost.not_before, OutboxPost.created_at), type_=UtcDateTime())
    return session.scalar(
        select(since)
        .join(Workspace, Workspace.id == OutboxPost.workspace_id)
        .where(OutboxPost.status == "pending", OutboxPost.part == 0, Workspace.access_lost_at.is_(None))
        .where(or_(OutboxPost.not_before.is_(None), OutboxPost.not_before <= now))
    )


def health(session: Session, now: datetime) -> Health:
    """Over all programmes of this installation. Each statement keeps to mailboxes, or to what is still open."""
    boxes = session.execute(
        select(Mailbox.provider, Mailbox.status, func.count()).group_by(Mailbox.provider, Mailbox.status)
    )
    posts = session.execute(
        select(OutboxPost.status, func.count()).where(OutboxPost.status.in_(UNSETTLED)).group_by(OutboxPost.status)
    )
    queues = _queues(session)
    due = {"post": oldest_post_due(session, now), "fetch": _oldest_fetch_due(session, now)}
    return Health(
        open_episodes=session.scalar(select(func.count()).select_from(Episode).where(Episode.closed_at.is_(None))) or 0,
        mailboxes={(provider, status): count for provider, status, count in boxes},
        oldest_sync_at=min((one.oldest_sync_at for one in queues.values() if one.oldest_sync_at), default=None),
        queues=queues,
        outbox=dict.fromkeys(UNSETTLED, 0) | {row[0]: row[1] for row in posts},
        redraws=session.scalar(
            select(func.count())
            .select_from(OutboxPost)
            .where(OutboxPost.status == "sent", OutboxPost.redraw_wanted > OutboxPost.redraw_done)
        )
        or 0,
        channels_in_trouble=session.scalar(
            select(func.count()).select_from(Workspace).where(Workspace.channel_trouble != UNTRIED)
        )
        or 0,
        due={job: since for job, since in due.items() if since is not None},
    )


def _oldest_fetch_due(session: Session, now: datetime) -> datetime | None:
    """Of messages whose next attempt is due, in mailboxes that may be read."""
    return session.scalar(
        select(func.min(PendingFetch.next_at, type_=UtcDateTime()))
        .join(Mailbox, Mailbox.id == PendingFetch.mailbox_id)
        .where(PendingFetch.dead_at.is_(None), PendingFetch.next_at <= now, Mailbox.status == "active")
        .where(or_(Mailbox.paused_until.is_(None), Mailbox.paused_until <= now))
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
