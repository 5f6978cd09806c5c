"""Writes of claims: one holder per episode; accepted, declined, given back, passed on, or lapsed after its day."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.orm import Session

from models.actions.episodes import end_claims, open_episode, open_episodes, settle, settle_episodes, take_turns
from models.actions.outbox import want_letters_redrawn, want_redraw
from models.actions.write import CLOCK, actor_of, audit, inserted
from models.cadence import claim_due_on
from models.clock import local_day
from models.queries.programme import Programme
from models.queries.standings import bare_standing
from models.standing import Standing
from models.tables import Claim, Episode, Person

MOMENT = timedelta(minutes=5)


class Taken(StrEnum):
    """What became of a press on Claim."""

    CLAIMED = "claimed"
    YOURS = "yours"  # pressed again: no error
    TAKEN = "taken"  # somebody was faster
    NOTHING = "nothing"  # there is nothing to recover any more


@dataclass(frozen=True, slots=True)
class ClaimResult:
    taken: Taken
    holder_id: int | None = None
    holder: str | None = None
    due_on: date | None = None
    asked: bool = False  # the holder was asked by a lead and has not answered
    claim_id: int | None = None
    partner: str | None = None  # None: this programme has no such partner
    fresh: bool = False  # the holder took it a moment ago


@dataclass(frozen=True, slots=True)
class Held:
    """A current claim."""

    id: int
    person_id: int
    name: str
    due_on: date
    assigned_by_id: int | None
    asked: bool
    partner_id: int
    opened_at: datetime  # of its episode
    at: datetime


def claim(
    session: Session,
    programme: Programme,
    partner_id: int,
    person_id: int,
    now: datetime,
    *,
    assigned_by_id: int | None = None,
) -> ClaimResult:
    """One holder per episode. The unique index decides between two people who press in the same instant.

    What the presser saw may be old, so the facts are read again; a partner that slipped since opens its episode here.
    Whoever claims what a lead has asked them to take accepts it.
    """
    take_turns(session, programme.workspace_id)
    standing = bare_standing(session, programme, now, partner_id)
    if standing is None:
        return ClaimResult(Taken.NOTHING)
    facts = standing.facts
    known = open_episode(session, programme.workspace_id, partner_id)
    if known is not None and settle(session, programme, known, standing, now):
        known = None
    episode = (known.id, known.opened_at) if known else _opened(session, programme, standing, now)
    if episode is None or facts.tier is None:
        return ClaimResult(Taken.NOTHING, partner=facts.name)
    episode_id, opened_at = episode
    due_on = claim_due_on(local_day(now, programme.zone), facts.tier.rank)
    row = {
        "workspace_id": programme.workspace_id,
        "episode_id": episode_id,
        "person_id": person_id,
        "at": now,
        "due_on": due_on,
        "assigned_by_id": assigned_by_id if assigned_by_id != person_id else None,
    }
    claim_id = inserted(session, Claim, row)
    if claim_id is None:
        held = current_claim(session, programme, partner_id)
        if held is None:  # released in between: the next press finds it free
            return ClaimResult(Taken.NOTHING, partner=facts.name)
        if held.person_id != person_id:
            return ClaimResult(
                Taken.TAKEN,
                held.person_id,
                held.name,
                held.due_on,
                held.asked,
                held.id,
                facts.name,
                now - held.at <= MOMENT,
            )
        if assigned_by_id is None:
            accept(session, programme, partner_id, person_id, now)
        return ClaimResult(Taken.YOURS, person_id, held.name, held.due_on, claim_id=held.id, partner=facts.name)
    audit(
        session,
        programme.workspace_id,
        actor_of(assigned_by_id or person_id),
        "claim",
        f"partner:{facts.partner_id}",
        now,
        after={"by": actor_of(person_id), "due_on": due_on.isoformat()},
    )
    want_redraw(session, programme.workspace_id, opened_at)
    name = session.scalars(_NAME, {"person_id": person_id}).one()
    asked = row["assigned_by_id"] is not None
    if asked:  # an older letter may ask for the same
        want_letters_redrawn(session, programme.workspace_id, person_id, opened_at)
    return ClaimResult(Taken.CLAIMED, person_id, name, due_on, asked, claim_id, facts.name)


_NAME = select(Person.name).where(Person.id == bindparam("person_id"))


def _opened(session: Session, programme: Programme, standing: Standing, now: datetime) -> tuple[int, datetime] | None:
    """The episode of a partner that has slipped since, which opens now."""
    partner_id = standing.facts.partner_id
    if opened := open_episodes(session, programme, [standing], now):
        return opened[partner_id], now
    theirs = Episode.partner_id == partner_id
    # Opened by another machine, whose clock is ahead of ours.
    row = session.execute(select(Episode.id, Episode.opened_at).where(theirs, Episode.closed_at.is_(None))).first()
    return (row.id, row.opened_at) if row else None


def release(session: Session, programme: Programme, partner_id: int, person_id: int, now: datetime) -> bool:
    """Gives a claim back; only its holder can. Answers whether there was one to give back."""
    return _give_back(session, programme, partner_id, person_id, "released", "release", now) is not None


def accept(session: Session, programme: Programme, partner_id: int, person_id: int, now: datetime) -> bool:
    """The assignee says yes. Answers whether the claim is theirs; saying it twice is no error."""
    take_turns(session, programme.workspace_id)
    held = current_claim(session, programme, partner_id)
    if held is None or held.person_id != person_id:
        return False
    if held.asked:
        session.execute(update(Claim).where(Claim.id == held.id).values(accepted_at=now))
        _note(session, programme, partner_id, person_id, "accept claim", now, after={"by": actor_of(person_id)})
        want_redraw(session, programme.workspace_id, held.opened_at)
        want_letters_redrawn(session, programme.workspace_id, person_id, held.opened_at)
    return True


def decline(session: Session, programme: Programme, partner_id: int, person_id: int, now: datetime) -> Held | None:
    """The assignee says no, before or after a yes: the episode is open again. Answers the claim that ended."""
    return _give_back(session, programme, partner_id, person_id, "declined", "decline claim", now)


@dataclass(frozen=True, slots=True)
class Assigned:
    """What became of an assignment; `before` is the claim of somebody else that it ended."""

    result: ClaimResult
    before: Held | None = None


def assign(
    session: Session, programme: Programme, partner_id: int, person_id: int, lead_id: int, now: datetime
) -> Assigned:
    """A lead gives the recovery touch to somebody, whoever holds it. Somebody who holds it already keeps the claim."""
    settle_episodes(session, programme, now, {partner_id})
    held = current_claim(session, programme, partner_id)
    before = held if held is not None and held.person_id != person_id else None
    if before is not None:
        end_claims(session, Claim.id == before.id, "reassigned", now)
        was = {"by": actor_of(before.person_id)}
        _note(session, programme, partner_id, lead_id, "reassign claim", now, before=was)
    return Assigned(claim(session, programme, partner_id, person_id, now, assigned_by_id=lead_id), before)


def return_claims(session: Session, workspace_id: int, person_id: int, actor: str, now: datetime) -> list[Held]:
    """Opens to everybody again what somebody held who has left. Answers the claims that ended."""
    take_turns(session, workspace_id)
    values = {"workspace_id": workspace_id, "person_id": person_id}
    theirs = [_held(row) for row in session.execute(_CURRENT_OF_PERSON, values).all()]
    for held in theirs:
        end_claims(session, Claim.id == held.id, "left", now)
        subject, before = f"partner:{held.partner_id}", {"by": actor_of(person_id)}
        audit(session, workspace_id, actor, "return claim", subject, now, before=before)
        want_redraw(session, workspace_id, held.opened_at)
    return theirs


@dataclass(frozen=True, slots=True)
class Lapsed:
    claim_id: int
    person_id: int
    partner_id: int


def lapse_claims(session: Session, programme: Programme, now: datetime) -> list[Lapsed]:
    """Ends the claims whose due day is over; the episodes are open to everybody again."""
    rows = session.execute(
        select(
            Claim.id,
            Claim.person_id,
            Claim.due_on,
            Episode.partner_id,
            Episode.opened_at,
        )
        .join(Episode, Episode.id == Claim.episode_id)
        .where(Claim.workspace_id == programme.workspace_id, Claim.ended_at.is_(None))
        .where(Claim.due_on < local_day(now, programme.zone))
        .order_by(Claim.id)
    ).all()
    lapsed = []
    for row in rows:
        if end_claims(session, Claim.id == row.id, "lapsed", now):
            lapsed.append(Lapsed(row.id, row.person_id, row.partner_id))
            subject = f"partner:{row.partner_id}"
            before = {"by": actor_of(row.person_id), "due_on": row.due_on.isoformat()}
            audit(
                session,
                programme.workspace_id,
                CLOCK,
                "lapse claim",
                subject,
                now,
                before=before,
            )
            want_redraw(session, programme.workspace_id, row.opened_at)
    return lapsed


def current_claim(session: Session, programme: Programme, partner_id: int) -> Held | None:
    """The claim on the open episode of a partner."""
    values = {"workspace_id": programme.workspace_id, "partner_id": partner_id}
    row = session.execute(_CURRENT_OF_PARTNER, values).first()
    return None if row is None else _held(row)


_CURRENT = (
    select(
        Claim.id,
        Claim.person_id,
        Person.name,
        Claim.due_on,
        Claim.assigned_by_id,
        Claim.accepted_at,
        Claim.at,
        Episode.partner_id,
        Episode.opened_at,
    )
    .join(Episode, Episode.id == Claim.episode_id)
    .join(Person, Person.id == Claim.person_id)
    .where(Episode.workspace_id == bindparam("workspace_id"))
    .where(Episode.closed_at.is_(None), Claim.ended_at.is_(None))
    .order_by(Claim.id)
)
_CURRENT_OF_PARTNER = _CURRENT.where(Episode.partner_id == bindparam("partner_id"))
_CURRENT_OF_PERSON = _CURRENT.where(Claim.person_id == bindparam("person_id"))


def _held(row: Row[*tuple[Any, ...]]) -> Held:
    asked = row.assigned_by_id is not None and row.accepted_at is None
    return Held(
        row.id, row.person_id, row.name, row.due_on, row.assigned_by_id, asked, row.partner_id, row.opened_at, row.at
    )


def _give_back(
    session: Session, programme: Programme, partner_id: int, person_id: int, reason: str, action: str, now: datetime
) -> Held | None:
    take_turns(session, programme.workspace_id)
    held = current_claim(session, programme, partner_id)
    if held is None or held.person_id != person_id or not end_claims(session, Claim.id == held.id, reason, now):
        return None
    _note(session, programme, partner_id, person_id, action, now, before={"by": actor_of(person_id)})
    want_redraw(session, programme.workspace_id, held.opened_at)
    return held


def _note(
    session: Session,
    programme: Programme,
    partner_id: int,
    actor_id: int,
    action: str,
    now: datetime,
    *,
    before: dict[str, str] | None = None,
    after: dict[str, str] | None = None,
) -> None:
    subject = f"partner:{partner_id}"
    audit(session, programme.workspace_id, actor_of(actor_id), action, subject, now, before=before, after=after)
