"""What stands beside the mail at an instant: next steps, open episodes with their claims, whose mailbox is seen."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, true
from sqlalchemy.orm import Session

from models.standing import ClaimFacts, EpisodeFacts, NextStepFacts, Who
from models.tables import Claim, Episode, Mailbox, NextStep, Observation

A_HANDFUL = 500  # partners whose promises are asked for by id


def last_observed(
    session: Session, workspace_id: int, now: datetime, known_at: datetime | None = None
) -> dict[int, datetime]:
    """For each owner the newest instant, not after `now`, at which one of the own mailboxes was known to be synced."""
    newest: dict[int, datetime] = {}
    rows = session.execute(
        select(
            Mailbox.owner_id,
            Observation.from_at,
            Observation.until_at,
            Observation.recorded_at,
        )
        .join(Mailbox, Mailbox.id == Observation.mailbox_id)
        .where(Mailbox.workspace_id == workspace_id, Mailbox.owner_id.is_not(None))
        # Of a poll it was known as far as it had come; a file tells of its time only when it was read to its end.
        .where(true() if known_at is None else or_(Observation.source == "poll", Observation.recorded_at <= known_at))
    )
    for owner_id, from_at, until_at, recorded_at in rows:
        for known_at in (
            min(until_at, now) if from_at <= now else None,
            recorded_at if recorded_at <= now else None,
        ):
            if (
                owner_id is not None
                and known_at is not None
                and (owner_id not in newest or known_at > newest[owner_id])
            ):
                newest[owner_id] = known_at
    return newest


def next_steps_of(
    session: Session, workspace_id: int, now: datetime, by_id: dict[int, Who], partner_ids: Collection[int] | None
) -> dict[int, NextStepFacts]:
    rows = session.scalars(
        select(NextStep)
        .where(
            NextStep.workspace_id == workspace_id,
            NextStep.set_at <= now,
            or_(NextStep.ended_at.is_(None), NextStep.ended_at > now),
            _only(NextStep.partner_id, partner_ids),
        )
        .order_by(NextStep.id)
    )
    return {
        row.partner_id: NextStepFacts(
            row.text, row.due_on, by_id.get(row.owner_id) if row.owner_id else None, row.set_at, row.id
        )
        for row in rows
    }


def _only(column: Any, partner_ids: Collection[int] | None) -> ColumnElement[bool]:
    """Of a handful of partners when it is a handful: whoever asks for one does not read everybody's promises."""
    return true() if partner_ids is None or len(partner_ids) > A_HANDFUL else column.in_(partner_ids)


def episodes_of(
    session: Session, workspace_id: int, now: datetime, by_id: dict[int, Who], partner_ids: Collection[int] | None
) -> dict[int, EpisodeFacts]:
    rows = session.execute(
        select(Episode, Claim)
        .outerjoin(
            Claim,
            and_(
                Claim.episode_id == Episode.id,
                Claim.at <= now,
                or_(Claim.ended_at.is_(None), Claim.ended_at > now),
            ),
        )
        .where(
            Episode.workspace_id == workspace_id,
            Episode.opened_at <= now,
            or_(Episode.closed_at.is_(None), Episode.closed_at > now),
            _only(Episode.partner_id, partner_ids),
        )
        .order_by(Episode.id, Claim.id)
    )
    found: dict[int, EpisodeFacts] = {}
    for episode, claim in rows:
        found[episode.partner_id] = EpisodeFacts(episode.id, episode.opened_at, _held(claim, by_id, now))
    return found


def _held(claim: Claim | None, by_id: dict[int, Who], now: datetime) -> ClaimFacts | None:
    if claim is None:
        return None
    asked = claim.assigned_by_id is not None and (claim.accepted_at is None or claim.accepted_at > now)
    return ClaimFacts(by_id[claim.person_id], claim.at, claim.due_on, asked)
