"""Writes of claims: one holder per episode; accepted, declined, given back, passed on, or lapsed after its day."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.orm import Session

from models.actions.episodes import (
    end_claims,
    open_episodes,
    open_episodes_of,
    settle,
    settle_episodes,
    take_turns,
)
from models.actions.outbox import want_letters_redrawn, want_redraw
from models.actions.write import CLOCK, actor_of, audit, inserted_of
from models.cadence import State, claim_due_on
from models.clock import local_day
from models.queries.programme import Programme
from models.queries.standings import bare_standings
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


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody wants the recovery touch of a partner, or a lead wants it of them."""

    partner_id: int
    person_id: int
    assigned_by_id: int | None = None


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
    (result,) = claim_all(session, programme, [Ask(partner_id, person_id, assigned_by_id)], now)
    return result


def claim_all(session: Session, programme: Programme, asks: Sequence[Ask], now: datetime) -> list[ClaimResult]:
    """The same for many, in the order in which they came and in hardly more statements than for one."""
    take_turns(session, programme.workspace_id)
    stands = bare_standings(session, programme, now, {ask.partner_id for ask in asks})
    episodes = _episodes(session, programme, stands, now)
    first: dict[int, Ask] = {}
    for ask in asks:
        if ask.partner_id in episodes:
            first.setdefault(ask.partner_id, ask)
    new = _inserted(session, programme, list(first.values()), stands, episodes, now)
    held = {}
    if any(ask.partner_id in episodes and new.get(ask.partner_id) is not ask for ask in asks):
        held = _current_claims(session, programme, set(episodes))
    names = _names(session, {ask.person_id for ask in new.values()})
    results = []
    for ask in asks:
        standing = stands.get(ask.partner_id)
        name = standing.facts.name if standing else None
        if new.get(ask.partner_id) is ask and standing is not None:
            claimed = episodes[ask.partner_id].claim_id
            asked = ask.assigned_by_id not in (None, ask.person_id)
            day, holder = _due_on(programme, standing, now), names[ask.person_id]
            results.append(ClaimResult(Taken.CLAIMED, ask.person_id, holder, day, asked, claimed, name))
        elif ask.partner_id in held:
            theirs = held[ask.partner_id]
            results.append(_second(session, programme, ask, theirs, name, now))
            if results[-1].taken is Taken.YOURS:  # which says yes, to whoever comes next
                held[ask.partner_id] = replace(theirs, asked=theirs.asked and ask.assigned_by_id is not None)
        else:  # nothing to recover; or released in between, and the next press finds it free
            results.append(ClaimResult(Taken.NOTHING, partner=name))
    return results


@dataclass(slots=True)
class _Open:
    """An open episode, and the claim that was laid on it here."""

    id: int
    opened_at: datetime
    claim_id: int | None = None


def _episodes(
    session: Session, programme: Programme, stands: Mapping[int, Standing], now: datetime
) -> dict[int, _Open]:
    """The episodes that can be claimed: open ones that the facts have not resolved, and those that open now."""
    known = open_episodes_of(session, programme.workspace_id, stands)
    for partner_id in settle(session, programme, known.values(), stands, now):
        del known[partner_id]
    found = {partner_id: _Open(one.id, one.opened_at) for partner_id, one in known.items()}
    slipped = [one for partner_id, one in stands.items() if partner_id not in found and one.state is State.OVERDUE]
    if slipped:
        opened = open_episodes(session, programme, slipped, now)
        found |= {partner_id: _Open(one, now) for partner_id, one in opened.items()}
        missing = {one.facts.partner_id for one in slipped} - set(opened)
        if missing:  # opened by another machine, whose clock is ahead of ours
            theirs = open_episodes_of(session, programme.workspace_id, missing)
            found |= {partner_id: _Open(one.id, one.opened_at) for partner_id, one in theirs.items()}
    return {partner_id: one for partner_id, one in found.items() if stands[partner_id].facts.tier is not None}


def _inserted(
    session: Session,
    programme: Programme,
    asks: Sequence[Ask],
    stands: Mapping[int, Standing],
    episodes: Mapping[int, _Open],
    now: datetime,
) -> dict[int, Ask]:
    """Lays a claim on the episode of each; answers those that were first, by partner."""
    if not asks:
        return {}
    home = {"workspace_id": programme.workspace_id, "at": now}
    by_episode = {episodes[ask.partner_id].id: ask for ask in asks}
    rows = []
    for episode_id, ask in by_episode.items():
        due_on = _due_on(programme, stands[ask.partner_id], now)
        lead = ask.assigned_by_id if ask.assigned_by_id != ask.person_id else None
        rows.append(
            home | {"episode_id": episode_id, "person_id": ask.person_id, "due_on": due_on, "assigned_by_id": lead}
        )
    new: dict[int, Ask] = {}
    asked: dict[int, datetime] = {}  # whom a lead has asked → since when the first of these episodes is open
    for row in inserted_of(session, Claim, rows, "episode_id", "id"):
        ask = by_episode[row.episode_id]
        new[ask.partner_id], episode = ask, episodes[ask.partner_id]
        episode.claim_id = row.id
        after = {"by": actor_of(ask.person_id), "due_on": _due_on(programme, stands[ask.partner_id], now).isoformat()}
        actor, subject = actor_of(ask.assigned_by_id or ask.person_id), f"partner:{ask.partner_id}"
        audit(session, programme.workspace_id, actor, "claim", subject, now, after=after)
        if ask.assigned_by_id not in (None, ask.person_id):
            asked[ask.person_id] = min(episode.opened_at, asked.get(ask.person_id, episode.opened_at))
    for person_id, since in asked.items():  # an older letter may ask for the same
        want_letters_redrawn(session, programme.workspace_id, person_id, since)
    if new:
        want_redraw(session, programme.workspace_id, min(episodes[partner_id].opened_at for partner_id in new))
    return new


def _due_on(programme: Programme, standing: Standing, now: datetime) -> date:
    tier = standing.facts.tier
    if tier is None:
        raise ValueError("a partner without a tier has no episode")
    return claim_due_on(local_day(now, programme.zone), tier.rank)


def _second(
    session: Session, programme: Programme, ask: Ask, held: Held, name: str | None, now: datetime
) -> ClaimResult:
    """What is said to whoever comes second, be it the holder's own second press."""
    if held.person_id != ask.person_id:
        fresh = now - held.at <= MOMENT
        return ClaimResult(Taken.TAKEN, held.person_id, held.name, held.due_on, held.asked, held.id, name, fresh)
    if ask.assigned_by_id is None:
        accept(session, programme, ask.partner_id, ask.person_id, now)
    asked = held.asked and ask.assigned_by_id is not None
    return ClaimResult(Taken.YOURS, held.person_id, held.name, held.due_on, asked, held.id, name)


def _names(session: Session, person_ids: set[int]) -> dict[int, str]:
    if not person_ids:
        return {}
    return {row.id: row.name for row in session.execute(_NAMES, {"person_ids": list(person_ids)})}


_NAMES = select(Person.id, Person.name).where(Person.id.in_(bindparam("person_ids", expanding=True)))


def release(session: Session, programme: Programme, partner_id: int, person_id: int, now: datetime) -> bool:
    """Gives a claim back; only its holder can. Answers whether there was one to give back."""
    return release_all(session, programme, [Ask(partner_id, person_id)], now)[0].given


@dataclass(frozen=True, slots=True)
class Released:
    """What became of a release; `held` is the claim that ended, or the one that somebody else has."""

    given: bool
    held: Held | None


def release_all(session: Session, programme: Programme, asks: Sequence[Ask], now: datetime) -> list[Released]:
    """The same for many, in hardly more statements than for one."""
    return _give_back(session, programme, asks, "released", "release", now)


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
    (ended,) = _give_back(session, programme, [Ask(partner_id, person_id)], "declined", "decline claim", now)
    return ended.held if ended.given else None


def take_back(session: Session, programme: Programme, partner_id: int, lead_id: int, now: datetime) -> Held | None:
    """A lead no longer asks: what somebody else was asked to take is open again. Answers the question that ended.

    None: nobody is asked, or the answer was a yes, and then the claim is its holder's.
    """
    take_turns(session, programme.workspace_id)
    held = current_claim(session, programme, partner_id)
    if held is None or not held.asked or held.person_id == lead_id:
        return None
    end_claims(session, Claim.id == held.id, "released", now)
    _note(session, programme, partner_id, lead_id, "release", now, before={"by": actor_of(held.person_id)})
    want_redraw(session, programme.workspace_id, held.opened_at)
    return held


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
    return _current_claims(session, programme, {partner_id}).get(partner_id)


def _current_claims(session: Session, programme: Programme, partner_ids: Collection[int]) -> dict[int, Held]:
    values = {"workspace_id": programme.workspace_id, "partner_ids": list(partner_ids)}
    return {row.partner_id: _held(row) for row in session.execute(_CURRENT_OF_PARTNERS, values)}


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
_CURRENT_OF_PARTNERS = _CURRENT.where(Episode.partner_id.in_(bindparam("partner_ids", expanding=True)))
_CURRENT_OF_PERSON = _CURRENT.where(Claim.person_id == bindparam("person_id"))


def _held(row: Row[*tuple[Any, ...]]) -> Held:
    asked = row.assigned_by_id is not None and row.accepted_at is None
    return Held(
        row.id, row.person_id, row.name, row.due_on, row.assigned_by_id, asked, row.partner_id, row.opened_at, row.at
    )


def _give_back(
    session: Session, programme: Programme, asks: Sequence[Ask], reason: str, action: str, now: datetime
) -> list[Released]:
    take_turns(session, programme.workspace_id)
    current = _current_claims(session, programme, {ask.partner_id for ask in asks})
    ended: dict[int, Held] = {}
    results = []
    for ask in asks:
        held = current.get(ask.partner_id)
        mine = held is not None and held.person_id == ask.person_id and held.id not in ended
        if held is not None and mine:
            ended[held.id] = held
            before = {"by": actor_of(ask.person_id)}
            _note(session, programme, ask.partner_id, ask.person_id, action, now, before=before)
        results.append(Released(mine, None if held is not None and held.id in ended and not mine else held))
    if ended:
        end_claims(session, Claim.id.in_(list(ended)), reason, now)
        want_redraw(session, programme.workspace_id, min(held.opened_at for held in ended.values()))
    return results


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
