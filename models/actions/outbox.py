"""Writes to the outbox: a Slack message is a row first, is sent at most once, and is redrawn from the facts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, and_, bindparam, or_, select, update
from sqlalchemy.orm import Session

from models.actions.write import inserted
from models.clock import week_of
from models.tables import OutboxPost, Person, Workspace

READ, UNASSIGNED = "read", "unassigned"  # the kinds of the read itself and of what leads get in the afternoon
LETTER = "assigned"  # the kind of a private message that asks somebody to take recovery touches
ABANDONED = timedelta(minutes=5)
TOLD_AGAIN, TELLS = timedelta(minutes=2), 8  # the rest before a notice is repeated, and how often it is sent at most
REDRAW_GAP = timedelta(seconds=2)
BURST, BURST_GAP = 5, timedelta(seconds=5)  # so that thirty claims in ten seconds are a handful of updates


def enqueue(
    session: Session,
    workspace_id: int,
    channel: str,
    kind: str,
    period: str,
    part: int,
    payload: Mapping[str, Any],
    now: datetime,
) -> int | None:
    """Puts a message in the outbox and answers its id; None when this part of this period is there already."""
    row = {
        "workspace_id": workspace_id,
        "channel": channel,
        "kind": kind,
        "period": period,
        "part": part,
        "payload": dict(payload),
        "status": "pending",
        "created_at": now,
        "attempts": 0,
        "redraw_wanted": 0,
        "redraw_done": 0,
    }
    post_id: int | None = inserted(session, OutboxPost, row)
    return post_id


def take(session: Session, post_id: int, now: datetime) -> bool:
    """Marks a pending post as being sent. One taker wins; committed before the call, so a crash never sends twice."""
    return _move(
        session,
        post_id,
        "pending",
        status="sending",
        attempts=OutboxPost.attempts + 1,
        taken_at=now,
    )


def sent(
    session: Session, post_id: int, slack_channel: str, ts: str, rendered_hash: str, remark: str | None = None
) -> bool:
    return _move(
        session,
        post_id,
        "sending",
        status="sent",
        slack_channel=slack_channel,
        ts=ts,
        rendered_hash=rendered_hash,
        error=remark,
    )


def put_back(session: Session, post_id: int, not_before: datetime, reason: str) -> bool:
    """Slack refused before taking it (a rate limit): it may be tried again from then on."""
    return _move(
        session,
        post_id,
        "sending",
        status="pending",
        not_before=not_before,
        error=reason,
    )


def unknown(session: Session, post_id: int, reason: str) -> bool:
    """Nobody knows whether Slack took it. It is never sent again by itself; a lead is asked."""
    return _move(session, post_id, "sending", status="unknown", error=reason)


def failed(session: Session, post_id: int, reason: str) -> bool:
    """Slack said no; trying again would not help before somebody changes something."""
    return _move(session, post_id, "sending", status="failed", error=reason)


def send_again(session: Session, post_id: int) -> bool:
    """A lead has looked and it is not there: send it after all."""
    return any(_move(session, post_id, was, status="pending", error=None) for was in ("unknown", "failed"))


def tell_leads(session: Session, workspace_id: int, subject: str, payload: Mapping[str, Any], now: datetime) -> None:
    """A private notice to every lead; once per subject."""
    leads = select(Person.slack_user_id).where(
        Person.workspace_id == workspace_id, Person.role == "lead", Person.slack_user_id.is_not(None)
    )
    for slack_user_id in session.scalars(leads.where(Person.left_at.is_(None))).all():
        enqueue(session, workspace_id, slack_user_id or "", "notice", subject, 0, payload, now)


def tell_again(session: Session, workspace_id: int, now: datetime) -> int:
    """Notices of which nobody knows whether they arrived are sent again; answers how many.

    Nobody is asked about a notice, so one that was lost would leave what it tells of unsaid: better twice than never.
    """
    lost = update(OutboxPost).where(OutboxPost.workspace_id == workspace_id, OutboxPost.kind == "notice")
    again = lost.where(
        OutboxPost.status == "unknown", OutboxPost.attempts < TELLS, OutboxPost.taken_at <= now - TOLD_AGAIN
    ).values(status="pending")
    return len(session.execute(again.returning(OutboxPost.id)).all())


def rest_channel(session: Session, workspace_id: int, channel: str, trouble: str, now: datetime) -> bool:
    """The read's channel takes no message: its schedule rests. Answers whether that is news."""
    noted = session.execute(
        update(Workspace)
        .where(Workspace.id == workspace_id, or_(Workspace.channel_id.is_(None), Workspace.channel_id == channel))
        .where(or_(Workspace.channel_trouble.is_(None), Workspace.channel_trouble != trouble))
        .values(channel_trouble=trouble, channel_trouble_at=now)
        .returning(Workspace.id)
    ).first()
    return noted is not None


def channel_works(session: Session, workspace_id: int, channel: str) -> None:
    """The read's channel took a message: whatever was wrong with it is over."""
    session.execute(
        update(Workspace)
        .where(Workspace.id == workspace_id, Workspace.channel_trouble.is_not(None))
        .where(or_(Workspace.channel_id.is_(None), Workspace.channel_id == channel))
        .values(channel_trouble=None, channel_trouble_at=None)
    )


def gone(session: Session, post_id: int, reason: str) -> bool:
    """The message was deleted or cannot be changed any more: no more redraws, and no new post."""
    return _move(session, post_id, "sent", status="gone", error=reason)


def cancel_posts(session: Session, workspace_id: int, channel: str, reason: str) -> int:
    """What waits for a channel, or a person, that nobody reads any more is not sent."""
    waiting = and_(OutboxPost.workspace_id == workspace_id, OutboxPost.channel == channel)
    cancelled = update(OutboxPost).where(waiting, OutboxPost.status == "pending").values(status="gone", error=reason)
    return len(session.execute(cancelled.returning(OutboxPost.id)).all())


def abandon(session: Session, now: datetime) -> int:
    """Posts that a stopped process left half-sent become `unknown`."""
    left = session.execute(
        update(OutboxPost)
        .where(OutboxPost.status == "sending", OutboxPost.taken_at < now - ABANDONED)
        .values(status="unknown", error="Cadence stopped while sending it")
        .returning(OutboxPost.id)
    ).all()
    return len(left)


def want_redraw(session: Session, workspace_id: int, since: datetime) -> None:
    """Asks for a redraw of the reads of that week and later, and of what leads were told of them in the afternoon.

    Many wishes before a redraw are one redraw.
    """
    values = {"home": workspace_id, "week": week_of(since.date()).isoformat()}
    session.connection().execute(_WISH, values)


def want_letters_redrawn(session: Session, workspace_id: int, person_id: int, since: datetime) -> None:
    """The same for what somebody was asked to take since then."""
    theirs = select(Person.slack_user_id).where(Person.id == person_id).scalar_subquery()
    session.execute(
        update(OutboxPost)
        .where(OutboxPost.workspace_id == workspace_id, OutboxPost.kind == LETTER)
        .where(OutboxPost.channel == theirs, OutboxPost.created_at >= since)
        .values(redraw_wanted=OutboxPost.redraw_wanted + 1)
        .execution_options(synchronize_session=False)
    )


_WISH = (
    update(cast(Table, OutboxPost.__table__))
    .where(OutboxPost.workspace_id == bindparam("home"), OutboxPost.kind.in_((READ, UNASSIGNED)))
    .where(OutboxPost.period >= bindparam("week"))  # the period of both is the day their week begins
    .values({OutboxPost.redraw_wanted: OutboxPost.redraw_wanted + 1})
)
"""Said to the table: objects would be looked through for what it changes."""


@dataclass(frozen=True, slots=True)
class Redraw:
    """A redraw that was taken: which wish it will fulfil, and what stands in Slack. None: nobody knows what does."""

    wanted: int
    stands: str | None


def take_redraw(session: Session, post_id: int, now: datetime) -> Redraw | None:
    """Takes the redraw of one message unless somebody drew it a moment ago."""
    taken = session.execute(
        update(OutboxPost)
        .where(OutboxPost.id == post_id, OutboxPost.status == "sent")
        .where(OutboxPost.redraw_wanted > OutboxPost.redraw_done)
        .where(
            or_(
                OutboxPost.redrawn_at.is_(None),
                OutboxPost.redrawn_at <= now - BURST_GAP,
                and_(
                    OutboxPost.redrawn_at <= now - REDRAW_GAP,
                    OutboxPost.redraw_wanted - OutboxPost.redraw_done < BURST,
                ),
            )
        )
        .values(redrawn_at=now)
        .returning(OutboxPost.redraw_wanted, OutboxPost.rendered_hash)
    ).first()
    return None if taken is None else Redraw(taken.redraw_wanted, taken.rendered_hash)


def redrawing(session: Session, post_id: int) -> None:
    """Slack is about to be asked. Until its answer is noted nobody knows what stands there: it may take the update and
    the answer be lost, or this process end."""
    session.execute(update(OutboxPost).where(OutboxPost.id == post_id).values(rendered_hash=None))


def redrawn(session: Session, post_id: int, wanted: int, rendered_hash: str | None) -> None:
    """This wish and all before it are shown now.

    When somebody has shown a later one meanwhile, our older drawing may lie on top of it: then it is drawn once more,
    whatever the facts are by then.
    """
    shown = session.execute(
        update(OutboxPost)
        .where(OutboxPost.id == post_id, OutboxPost.redraw_done < wanted)
        .values(redraw_done=wanted, rendered_hash=rendered_hash)
        .returning(OutboxPost.id)
    ).first()
    if shown is None:
        session.execute(
            update(OutboxPost)
            .where(OutboxPost.id == post_id)
            .values(redraw_wanted=OutboxPost.redraw_wanted + 1, rendered_hash=None)
        )


def _move(session: Session, post_id: int, was: str, **values: Any) -> bool:
    moved = session.execute(
        update(OutboxPost)
        .where(OutboxPost.id == post_id, OutboxPost.status == was)
        .values(**values)
        .returning(OutboxPost.id)
    ).first()
    return moved is not None
