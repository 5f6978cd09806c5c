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
    rows = session.execute(
        select(NextStep.partner_id, NextStep.text, NextStep.due_on, NextStep.owner_id, NextStep.set_at, NextStep.id)
        .where(
            NextStep.workspace_id == workspace_id,
            NextStep.set_at <= now,
            or_(NextStep.ended_at.is_(None), NextStep.ended_at > now),
            _only(NextStep.partner_id, partner_ids),
        )
        .order_by(NextStep.id)
    )
    return {
        partner_id: NextStepFacts(text, due_on, by_id.get(owner_id) if owner_id else None, set_at, step_id)
        for partner_id, text, due_on, owner_id, set_at, step_id in rows
    }


def _only(column: Any, partner_ids: Collection[int] | None) -> ColumnElement[bool]:
    """Of a handful of partners when it is a handful: whoever asks for one does not read everybody's promises."""
    return true() if partner_ids is None or len(partner_ids) > A_HANDFUL else column.in_(partner_ids)


def episodes_of(
    session: Session, workspace_id: int, now: datetime, by_id: dict[int, Who], partner_ids: Collection[int] | None
) -> dict[int, EpisodeFacts]:
    rows = session.execute(
        select(
            Episode.id,
            Episode.partner_id,
            Episode.opened_at,
            Claim.person_id,
            Claim.at,
            Claim.due_on,
            Claim.assigned_by_id,
            Claim.accepted_at,
        )
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
    for episode_id, partner_id, opened_at, person_id, at, due_on, assigned_by_id, accepted_at in rows:
        claim = None
        if person_id is not None:
            asked = assigned_by_id is not None and (accepted_at is None or accepted_at > now)
            claim = ClaimFacts(by_id[person_id], at, due_on, asked)
        found[partner_id] = EpisodeFacts(episode_id, opened_at, claim)
    return found
