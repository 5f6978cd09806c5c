"""Writes of claims: one holder per episode, given back, or lapsed when the day is over."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from models.actions.episodes import end_claims, open_episodes, settle_episodes, take_turns
from models.actions.outbox import want_redraw
from models.actions.write import CLOCK, actor_of, audit, inserted
from models.cadence import claim_due_on
from models.clock import local_day
from models.queries.programme import Programme
from models.queries.standings import standings
from models.tables import Claim, Episode, Person


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
    """
    settle_episodes(session, programme, now, {partner_id})
    lines = standings(session, programme, now, partner_ids={partner_id})
    if not lines:
        return ClaimResult(Taken.NOTHING)
    facts = lines[0].facts
    open_episodes(session, programme, lines, now)
    episode = session.scalar(select(Episode).where(Episode.partner_id == partner_id, Episode.closed_at.is_(None)))
    if episode is None or facts.tier is None:
        return ClaimResult(Taken.NOTHING)
    due_on = claim_due_on(local_day(now, programme.zone), facts.tier.rank)
    row = {
        "workspace_id": programme.workspace_id,
        "episode_id": episode.id,
        "person_id": person_id,
        "at": now,
        "due_on": due_on,
        "assigned_by_id": assigned_by_id,
    }
    if inserted(session, Claim, row) is None:
        holder = _current(session, episode.id)
        if holder is None:  # released in between: the next press finds it free
            return ClaimResult(Taken.NOTHING)
        taken = Taken.YOURS if holder.person_id == person_id else Taken.TAKEN
        return ClaimResult(taken, holder.person_id, holder.name, holder.due_on)
    audit(
        session,
        programme.workspace_id,
        actor_of(assigned_by_id or person_id),
        "claim",
        f"partner:{facts.partner_id}",
        now,
        after={"by": actor_of(person_id), "due_on": due_on.isoformat()},
    )
    want_redraw(session, programme.workspace_id, episode.opened_at)
    return ClaimResult(Taken.CLAIMED, person_id, session.get_one(Person, person_id).name, due_on)


def release(
    session: Session,
    programme: Programme,
    partner_id: int,
    person_id: int,
    now: datetime,
) -> bool:
    """Gives a claim back; only its holder can. Answers whether there was one to give back."""
    take_turns(session, programme.workspace_id)
    held = session.execute(
        select(Claim.id, Episode.opened_at)
        .join(Episode, Episode.id == Claim.episode_id)
        .where(
            Episode.workspace_id == programme.workspace_id,
            Episode.partner_id == partner_id,
        )
        .where(
            Episode.closed_at.is_(None),
            Claim.ended_at.is_(None),
            Claim.person_id == person_id,
        )
    ).first()
    if held is None or not end_claims(session, Claim.id == held.id, "released", now):
        return False
    audit(
        session,
        programme.workspace_id,
        actor_of(person_id),
        "release",
        f"partner:{partner_id}",
        now,
        before={"by": actor_of(person_id)},
    )
    want_redraw(session, programme.workspace_id, held.opened_at)
    return True


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


def _current(session: Session, episode_id: int) -> Row[int, date, str] | None:
    return session.execute(
        select(Claim.person_id, Claim.due_on, Person.name)
        .join(Person, Person.id == Claim.person_id)
        .where(Claim.episode_id == episode_id, Claim.ended_at.is_(None))
    ).first()
