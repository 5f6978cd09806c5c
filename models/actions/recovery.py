"""Writes around a slipped partner: episodes open and close, claims are taken and given back, next steps are set."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import Row, and_, func, or_, select, update
from sqlalchemy.orm import Session

from models.actions.outbox import want_redraw
from models.actions.write import CAPTURE, CLOCK, actor_of, audit, inserted
from models.cadence import State, claim_due_on
from models.clock import local_day
from models.queries.programme import Programme
from models.queries.standings import counting, standings
from models.standing import Standing
from models.tables import Claim, Episode, NextStep, Person, Touch


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


def open_episodes(session: Session, programme: Programme, overdue: Sequence[Standing], now: datetime) -> int:
    """Opens an episode for every overdue partner that has none; answers how many are new."""
    opened = 0
    for standing in overdue:
        partner_id = standing.facts.partner_id
        row = {
            "workspace_id": programme.workspace_id,
            "partner_id": partner_id,
            "opened_at": now,
        }
        if standing.state is State.OVERDUE and inserted(session, Episode, row) is not None:
            opened += 1
            audit(
                session,
                programme.workspace_id,
                CLOCK,
                "open episode",
                f"partner:{partner_id}",
                now,
                after={
                    "due_on": str(standing.due_on),
                    "days_overdue": standing.days_overdue,
                },
            )
    return opened


def settle_episodes(
    session: Session,
    programme: Programme,
    now: datetime,
    partner_ids: Collection[int] | None = None,
) -> int:
    """Closes every open episode that the facts have resolved; answers how many.

    A counting touch since it opened closes it as recovered. An older touch that came to light late closes it when
    the partner was not overdue at the opening after all. A pause, an end or another tier closes it as such.
    """
    query = select(Episode).where(Episode.workspace_id == programme.workspace_id, Episode.closed_at.is_(None))
    if partner_ids is not None:
        query = query.where(Episode.partner_id.in_(partner_ids))
    episodes = list(session.scalars(query.order_by(Episode.partner_id)))
    if not episodes:
        return 0
    ids = {episode.partner_id for episode in episodes}
    today = {one.facts.partner_id: one for one in standings(session, programme, now, partner_ids=ids)}
    settled = 0
    for episode in episodes:
        touch = _first_counting(session, programme, episode, now)
        outcome = "recovered" if touch else _resolved_otherwise(session, programme, episode, today[episode.partner_id])
        if outcome and _close(session, programme, episode, outcome, touch.id if touch else None, now):
            settled += 1
    return settled


def reopen_if_voided(session: Session, programme: Programme, now: datetime) -> int:
    """Reopens the episodes whose recovering touch was taken back afterwards, unless a newer one is open already.

    It was voided, or turned out to be one of a mail merge.
    """
    rows = session.execute(
        select(Episode, func.coalesce(Touch.void_reason, Touch.rule).label("reason"))
        .join(Touch, Touch.id == Episode.touch_id)
        .where(
            Episode.workspace_id == programme.workspace_id,
            Episode.outcome == "recovered",
        )
        .where(or_(Touch.voided_at.is_not(None), Touch.verdict != "human"))
    )
    reopened = 0
    for episode, reason in rows.all():
        episode.outcome = "voided"
        session.flush()
        open_now = select(Episode.id).where(Episode.partner_id == episode.partner_id, Episode.closed_at.is_(None))
        if session.scalar(open_now) is None:
            episode.closed_at = episode.outcome = episode.touch_id = None
            session.flush()
            reopened += 1
        audit(
            session,
            programme.workspace_id,
            CAPTURE,
            "reopen episode",
            f"partner:{episode.partner_id}",
            now,
            before={"outcome": "recovered"},
            after={"reason": reason},
        )
        want_redraw(session, programme.workspace_id, episode.opened_at)
    return reopened


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
    if held is None or not _end_claims(session, Claim.id == held.id, "released", now):
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
        if _end_claims(session, Claim.id == row.id, "lapsed", now):
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


def set_next_step(
    session: Session,
    programme: Programme,
    partner_id: int,
    text: str,
    owner_id: int | None,
    due_on: date | None,
    set_by_id: int | None,
    actor: str,
    now: datetime,
) -> None:
    """The new next step; the one before it stays in the history."""
    before = end_next_step(session, partner_id, "superseded", now)
    session.add(
        NextStep(
            workspace_id=programme.workspace_id,
            partner_id=partner_id,
            text=text,
            owner_id=owner_id,
            due_on=due_on,
            set_by_id=set_by_id,
            set_at=now,
        )
    )
    after = {
        "text": text,
        "owner": owner_id,
        "due_on": due_on.isoformat() if due_on else None,
    }
    audit(
        session,
        programme.workspace_id,
        actor,
        "set next step",
        f"partner:{partner_id}",
        now,
        before={"text": before} if before else None,
        after=after,
    )
    want_redraw(session, programme.workspace_id, now - timedelta(days=7))


def end_next_step(session: Session, partner_id: int, reason: str, now: datetime) -> str | None:
    """Ends the current next step, if there is one, and answers its text."""
    return session.scalar(
        update(NextStep)
        .where(NextStep.partner_id == partner_id, NextStep.ended_at.is_(None))
        .values(ended_at=now, end_reason=reason)
        .returning(NextStep.text)
    )


def _first_counting(session: Session, programme: Programme, episode: Episode, now: datetime) -> Touch | None:
    return session.scalars(
        select(Touch)
        .where(Touch.partner_id == episode.partner_id, counting(programme.policy))
        .where(Touch.at >= episode.opened_at, Touch.at <= now)
        .order_by(Touch.at, Touch.id)
        .limit(1)
    ).first()


def _resolved_otherwise(session: Session, programme: Programme, episode: Episode, today: Standing) -> str | None:
    if today.state in (State.PAUSED, State.ENDED):
        return str(today.state)
    then = standings(session, programme, episode.opened_at, partner_ids={episode.partner_id})[0]
    if then.state not in (State.OVERDUE, State.BLIND):
        return "late_evidence"
    return None if today.state in (State.OVERDUE, State.BLIND) else "re_tiered"


def _close(
    session: Session,
    programme: Programme,
    episode: Episode,
    outcome: str,
    touch_id: int | None,
    now: datetime,
) -> bool:
    closed = session.execute(
        update(Episode)
        .where(Episode.id == episode.id, Episode.closed_at.is_(None))
        .values(closed_at=now, outcome=outcome, touch_id=touch_id)
        .returning(Episode.id)
    ).first()
    if closed is None:
        return False
    _end_claims(session, Claim.episode_id == episode.id, "closed", now)
    after = {"outcome": outcome, "touch": touch_id}
    audit(
        session,
        programme.workspace_id,
        CAPTURE,
        "close episode",
        f"partner:{episode.partner_id}",
        now,
        after=after,
    )
    want_redraw(session, programme.workspace_id, episode.opened_at)
    return True


def _end_claims(session: Session, which: object, reason: str, now: datetime) -> bool:
    ended = session.execute(
        update(Claim)
        .where(and_(which, Claim.ended_at.is_(None)))  # type: ignore[arg-type]  # a column expression
        .values(ended_at=now, end_reason=reason)
        .returning(Claim.id)
    ).all()
    return bool(ended)


def _current(session: Session, episode_id: int) -> Row[int, date, str] | None:
    return session.execute(
        select(Claim.person_id, Claim.due_on, Person.name)
        .join(Person, Person.id == Claim.person_id)
        .where(Claim.episode_id == episode_id, Claim.ended_at.is_(None))
    ).first()
