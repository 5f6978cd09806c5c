"""What is to be said in Slack, what was said, and what nobody knows the fate of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, or_, select
from sqlalchemy.orm import Session

from models.tables import Nudge, OutboxPost


@dataclass(frozen=True, slots=True)
class Post:
    """A message of the outbox."""

    id: int
    workspace_id: int
    channel: str
    kind: str
    period: str
    part: int
    payload: dict[str, Any]
    status: str
    slack_channel: str | None
    ts: str | None
    not_before: datetime | None
    attempts: int
    redraw_wanted: int
    redraw_done: int
    redrawn_at: datetime | None
    rendered_hash: str | None
    error: str | None
    created_at: datetime


def due_posts(session: Session, workspace_id: int, now: datetime, limit: int = 50) -> list[Post]:
    """What waits to be sent, in order."""
    return _posts(
        session,
        and_(
            OutboxPost.workspace_id == workspace_id,
            OutboxPost.status == "pending",
            or_(OutboxPost.not_before.is_(None), OutboxPost.not_before <= now),
        ),
        limit,
    )


def due_redraws(session: Session, workspace_id: int, limit: int = 50) -> list[Post]:
    """Messages that no longer show the truth."""
    wanted = and_(OutboxPost.status == "sent", OutboxPost.redraw_wanted > OutboxPost.redraw_done)
    return _posts(session, and_(OutboxPost.workspace_id == workspace_id, wanted), limit)


def uncertain_posts(session: Session, workspace_id: int) -> list[Post]:
    """Posts that nobody knows the fate of, or that Slack refused: a lead decides. Reads first, then the newest.

    Refused private messages pile up, one a day for a person whom Slack does not let us write to; no read may
    disappear behind them.
    """
    rows = session.scalars(
        select(OutboxPost)
        .where(OutboxPost.workspace_id == workspace_id, OutboxPost.status.in_(("unknown", "failed")))
        .order_by(case((OutboxPost.kind == "read", 0), else_=1), OutboxPost.id.desc())
        .limit(50)
    )
    return [_post(row) for row in rows]


def post(session: Session, post_id: int) -> Post | None:
    return next(iter(_posts(session, OutboxPost.id == post_id, 1)), None)


def is_queued(session: Session, workspace_id: int, kind: str, period: str) -> bool:
    """Whether the outbox has this message for any channel, whatever became of it."""
    found = select(OutboxPost.id).where(
        OutboxPost.workspace_id == workspace_id, OutboxPost.kind == kind, OutboxPost.period == period
    )
    return session.scalar(found.limit(1)) is not None


def parent(session: Session, post: Post) -> tuple[str | None, str | None]:
    """Status and ts of the message under which the later parts of a read stand."""
    row = session.execute(
        select(OutboxPost.status, OutboxPost.ts).where(
            OutboxPost.workspace_id == post.workspace_id,
            OutboxPost.channel == post.channel,
            OutboxPost.kind == post.kind,
            OutboxPost.period == post.period,
            OutboxPost.part == 0,
        )
    ).first()
    return (row.status, row.ts) if row else (None, None)


def _posts(session: Session, which: ColumnElement[bool], limit: int) -> list[Post]:
    rows = session.scalars(select(OutboxPost).where(which).order_by(OutboxPost.id).limit(limit))
    return [_post(row) for row in rows]


def _post(row: OutboxPost) -> Post:
    return Post(**{name: getattr(row, name) for name in Post.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class WaitingNudge:
    id: int
    person_id: int
    kind: str
    subject: str
    transition: str
    noticed_at: datetime


def waiting_nudges(session: Session, workspace_id: int) -> list[WaitingNudge]:
    """Nudges that were noticed and neither told nor dropped."""
    rows: Sequence[Nudge] = session.scalars(
        select(Nudge)
        .where(
            Nudge.workspace_id == workspace_id,
            Nudge.outbox_post_id.is_(None),
            Nudge.dropped.is_(None),
        )
        .order_by(Nudge.person_id, Nudge.id)
    ).all()
    return [WaitingNudge(row.id, row.person_id, row.kind, row.subject, row.transition, row.noticed_at) for row in rows]
