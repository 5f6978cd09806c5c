"""What stands beside the mail at an instant: next steps, open episodes with their claims, whose mailbox is seen."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, or_, select, true
from sqlalchemy.orm import Session

from models.standing import ClaimFacts, EpisodeFacts, NextStepFacts, Who
from models.tables import Claim, Episode, Mailbox, NextStep, Observation, Person

A_HANDFUL = 500  # partners or owners who are asked for by id


def last_observed(
    session: Session,
    workspace_id: int,
    now: datetime,
    known_at: datetime | None = None,
    owners: Collection[int | None] | None = None,
) -> dict[int, datetime]:
    """For each owner the newest instant, not after `now`, at which one of the own mailboxes was known to be synced."""
    newest: dict[int, datetime] = {}
    some, values = _values(workspace_id, owners)
    known = {} if known_at is None else {"known_at": known_at}
    rows = session.execute(_observed_query(some, bool(known)), values | known)
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
    some, values = _values(workspace_id, partner_ids)
    rows = session.execute(_steps_query(some), values | {"now": now})
    return {
        partner_id: NextStepFacts(text, due_on, by_id.get(owner_id) if owner_id else None, set_at, step_id)
        for partner_id, text, due_on, owner_id, set_at, step_id in rows
    }


def episodes_of(
    session: Session, workspace_id: int, now: datetime, by_id: dict[int, Who], partner_ids: Collection[int] | None
) -> dict[int, EpisodeFacts]:
    some, values = _values(workspace_id, partner_ids)
    rows = session.execute(_episodes_query(some), values | {"now": now})
    found: dict[int, EpisodeFacts] = {}
    for episode_id, partner_id, opened_at, person_id, at, due_on, assigned_by_id, accepted_at in rows:
        claim = None
        if person_id is not None:
            asked = assigned_by_id is not None and (accepted_at is None or accepted_at > now)
            claim = ClaimFacts(by_id[person_id], at, due_on, asked)
        found[partner_id] = EpisodeFacts(episode_id, opened_at, claim)
    return found


@dataclass(frozen=True, slots=True)
class AssignedTogether:
    """What one lead asked somebody to take in one go, in that order."""

    lead: str
    partner_ids: tuple[int, ...]


def assigned_at(session: Session, workspace_id: int, person_id: int, at: datetime) -> AssignedTogether | None:
    """Whatever became of it since. None: a partner that is no more took it along."""
    found = session.execute(
        select(Person.name, Episode.partner_id)
        .join(Claim, Claim.assigned_by_id == Person.id)
        .join(Episode, Episode.id == Claim.episode_id)
        .where(Claim.workspace_id == workspace_id, Claim.person_id == person_id, Claim.at == at)
        .order_by(Claim.id)
    ).all()
    return AssignedTogether(found[0].name, tuple(row.partner_id for row in found)) if found else None


# What is asked is put together once: that takes longer than an answer for one partner.
_NOW: Any = bindparam("now", type_=Episode.opened_at.type)


def _values(workspace_id: int, ids: Collection[int | None] | None) -> tuple[bool, dict[str, Any]]:
    """Of a handful when it is a handful: whoever asks for one partner does not read everybody's promises."""
    values: dict[str, Any] = {"workspace_id": workspace_id}
    if ids is None or len(ids) > A_HANDFUL:
        return False, values
    return True, values | {"ids": [one for one in ids if one is not None]}


def _only(column: Any, some: bool) -> ColumnElement[bool]:
    return column.in_(bindparam("ids", expanding=True)) if some else true()


@lru_cache
def _observed_query(some: bool, known: bool) -> Select[*tuple[Any, ...]]:
    known_at: Any = bindparam("known_at", type_=Observation.recorded_at.type)
    return (
        select(Mailbox.owner_id, Observation.from_at, Observation.until_at, Observation.recorded_at)
        .join(Mailbox, Mailbox.id == Observation.mailbox_id)
        .where(Mailbox.workspace_id == bindparam("workspace_id"), Mailbox.owner_id.is_not(None))
        .where(_only(Mailbox.owner_id, some))
        # Of a poll it was known as far as it had come; a file tells of its time only when it was read to its end.
        .where(or_(Observation.source == "poll", Observation.recorded_at <= known_at) if known else true())
    )


@lru_cache
def _steps_query(some: bool) -> Select[*tuple[Any, ...]]:
    return (
        select(NextStep.partner_id, NextStep.text, NextStep.due_on, NextStep.owner_id, NextStep.set_at, NextStep.id)
        .where(NextStep.workspace_id == bindparam("workspace_id"), _only(NextStep.partner_id, some))
        .where(NextStep.set_at <= _NOW, or_(NextStep.ended_at.is_(None), NextStep.ended_at > _NOW))
        .order_by(NextStep.id)
    )


@lru_cache
def _episodes_query(some: bool) -> Select[*tuple[Any, ...]]:
    """A row for each episode that was open, with the claim of then."""
    held = and_(Claim.episode_id == Episode.id, Claim.at <= _NOW, or_(Claim.ended_at.is_(None), Claim.ended_at > _NOW))
    return (
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
        .outerjoin(Claim, held)
        .where(Episode.workspace_id == bindparam("workspace_id"), _only(Episode.partner_id, some))
        .where(Episode.opened_at <= _NOW, or_(Episode.closed_at.is_(None), Episode.closed_at > _NOW))
        .order_by(Episode.id, Claim.id)
    )


def declined_by(session: Session, partner_id: int) -> set[int]:
    """The people who have said no to the recovery touch that the partner waits for now."""
    query = (
        select(Claim.person_id)
        .join(Episode, Claim.episode_id == Episode.id)
        .where(Episode.partner_id == partner_id, Episode.closed_at.is_(None), Claim.end_reason == "declined")
    )
    return set(session.scalars(query))
