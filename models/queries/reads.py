"""The weekly read as it stands now or as it was held, and the weeks before it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from models import weekly_read as pure
from models.cadence import State
from models.clock import instant, local_day, week_of
from models.mailbox_health import health_of
from models.queries.book import waits_again
from models.queries.mail import mailboxes
from models.queries.programme import Programme, people, tiers
from models.queries.quiet import newly_quiet
from models.queries.read_lines import snapshot_standings, were_quiet
from models.queries.standings import partner_facts, standings
from models.standing import Standing
from models.tables import Claim, Episode, Person, Read, ReadLine, Touch
from models.weekly_read import Coverage, MailboxTrouble, Recovery, WeeklyRead


@dataclass(frozen=True, slots=True)
class Settled:
    """How the episode of a listed partner ended after the read was held."""

    outcome: str
    by: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class HeldRead:
    """A read that was held: its picture from the snapshot, with today's claims, next steps and recoveries on it."""

    id: int
    read: WeeklyRead
    settled: Mapping[int, Settled]


def weekly_read(session: Session, programme: Programme, now: datetime) -> WeeklyRead:
    """The read at this instant, from facts."""
    lines = standings(session, programme, now)
    in_force = list(tiers(session, programme.workspace_id, now).values())
    return pure.weekly_read(
        lines,
        in_force,
        now,
        programme.zone,
        previous=_previous_coverage(session, programme, now),
        recoveries=_recoveries(session, programme, now, lines),
        troubles=troubles(session, programme, now),
        quiet=newly_quiet(session, programme, now, lines),
        shutdowns=programme.shutdowns,
    )


def held_read(session: Session, programme: Programme, read_id: int, now: datetime) -> HeldRead:
    """A held read for (re)drawing. The lines never change; who has taken what since then does."""
    row = session.get_one(Read, read_id)
    lines = snapshot_standings(session, programme, row, now)
    read = pure.weekly_read(
        lines,
        list(tiers(session, programme.workspace_id, row.at).values()),
        row.at,
        programme.zone,
        previous=_previous_coverage(session, programme, row.at),
        recoveries=_recoveries(session, programme, row.at, lines),
        troubles=_troubles_then(session, programme, row),
        quiet=were_quiet(session, read_id, lines),
        shutdowns=programme.shutdowns,
    )
    return HeldRead(read_id, read, _settled(session, programme, row.at, now))


def read_of_week(session: Session, workspace_id: int, week: date) -> int | None:
    return session.scalar(select(Read.id).where(Read.workspace_id == workspace_id, Read.week == week))


def weeks_held(session: Session, workspace_id: int) -> set[date]:
    """The Mondays of all weeks that have a read."""
    return set(session.scalars(select(Read.week).where(Read.workspace_id == workspace_id)))


def latest_read(session: Session, workspace_id: int) -> int | None:
    return session.scalar(select(Read.id).where(Read.workspace_id == workspace_id).order_by(Read.week.desc()).limit(1))


def read_instant(programme: Programme, week: date) -> datetime:
    """When the read of a week is due."""
    return instant(
        week + timedelta(days=programme.read_at.weekday),
        programme.read_at.at,
        programme.zone,
    )


def next_read_at(programme: Programme, now: datetime) -> datetime:
    """When the next read is due, by the schedule alone."""
    week = week_of(local_day(now, programme.zone))
    due = read_instant(programme, week)
    return due if due > now else read_instant(programme, week + timedelta(weeks=1))


def _previous_coverage(session: Session, programme: Programme, now: datetime) -> dict[int, Coverage]:
    """Coverage per tier rank at the read before this week's."""
    this_week = week_of(local_day(now, programme.zone))
    last_id = session.scalar(
        select(Read.id)
        .where(
            Read.workspace_id == programme.workspace_id,
            Read.week < this_week,
            Read.at <= now,
        )
        .order_by(Read.week.desc())
        .limit(1)
    )
    if last_id is None:
        return {}
    covered, eligible = Counter[int](), Counter[int]()
    for rank, state, number in session.execute(
        select(ReadLine.tier_rank, ReadLine.state, func.count())
        .where(ReadLine.read_id == last_id, ReadLine.tier_rank.is_not(None))
        .group_by(ReadLine.tier_rank, ReadLine.state)
    ):
        if rank is not None and State(state).eligible:
            eligible[rank] += number
            covered[rank] += number if State(state).covered else 0
    return {rank: Coverage(covered[rank], eligible[rank]) for rank in eligible}


def _recoveries(
    session: Session, programme: Programme, now: datetime, lines: Sequence[Standing]
) -> tuple[Recovery, ...]:
    """What became of the partners of the last read, and of recovery touches since, as far as known at `now`.

    Who slipped since and was never taken stands in the list of today, and nowhere else.
    """
    this_week = week_of(local_day(now, programme.zone))
    since = session.scalar(
        select(Read.at)
        .where(
            Read.workspace_id == programme.workspace_id,
            Read.week < this_week,
            Read.at <= now,
        )
        .order_by(Read.week.desc())
        .limit(1)
    )
    if since is None:
        return ()
    who = {person.id: person.name for person in people(session, programme.workspace_id)}
    rows = session.execute(
        select(
            Episode.id,
            Episode.partner_id,
            Episode.opened_at,
            Episode.closed_at,
            Episode.outcome,
            Claim.person_id,
            Claim.ended_at,
            Claim.end_reason,
            case((Claim.assigned_by_id.is_(None), Claim.at), else_=Claim.accepted_at).label("taken_at"),
            Touch.person_id.label("toucher"),
        )
        .outerjoin(Claim, and_(Claim.episode_id == Episode.id, Claim.at <= now))
        .outerjoin(Touch, Touch.id == Episode.touch_id)
        .where(Episode.workspace_id == programme.workspace_id, Episode.opened_at < now)
        .where(or_(Episode.closed_at.is_(None), Episode.closed_at > since))
        .where(or_(Episode.closed_at.is_(None), Episode.closed_at > now, _over(now)))
        .order_by(Episode.id, Claim.id)
    ).all()
    partners = {one.facts.partner_id: one.facts for one in lines}
    others = {row.partner_id for row in rows} - partners.keys()  # merged into another one since
    partners |= {one.partner_id: one for one in partner_facts(session, programme, now, others)} if others else {}
    found: dict[int, Recovery] = {}
    for row in rows:
        outcome, by_id, days = _came_to(row, programme, now)
        if outcome == "open" and row.opened_at > since:
            found.pop(row.id, None)
            continue
        facts = partners[row.partner_id]
        tier = facts.tier.name if facts.tier else ""
        found[row.id] = Recovery(facts.name, tier, outcome, None if by_id is None else who.get(by_id), days)
    return tuple(found.values())


def _over(now: datetime) -> ColumnElement[bool]:
    """Of a closed episode: a recovery stays one; any other end is none for a partner that waits again."""
    return or_(Episode.outcome == "recovered", ~waits_again(now))


def _came_to(row: Any, programme: Programme, now: datetime) -> tuple[str, int | None, int | None]:
    """What an episode has come to by `now`: outcome, by whom, and the days from its opening to its end."""
    if row.closed_at is not None and row.closed_at <= now:
        ended_on, opened_on = local_day(row.closed_at, programme.zone), local_day(row.opened_at, programme.zone)
        return row.outcome or "closed", row.toucher, (ended_on - opened_on).days
    if row.person_id is None:
        return "open", None, None
    taken = row.taken_at is not None and row.taken_at <= now
    if row.ended_at is None or row.ended_at > now:
        return ("claimed" if taken else "asked"), row.person_id, None
    return ("lapsed" if taken and row.end_reason == "lapsed" else "open"), row.person_id, None


def troubles(session: Session, programme: Programme, now: datetime) -> tuple[MailboxTrouble, ...]:
    """Mailboxes that somebody has to look at. Only ever imported is fine; unread or incomplete is not."""
    boxes = mailboxes(session, programme.workspace_id, ledger=False)
    found = ((box, health_of(box, now, programme.zone)) for box in boxes)
    return tuple(
        MailboxTrouble(box.address, str(health.state), health.detail, health.spell)
        for box, health in found
        if health.attention
    )


def _troubles_then(session: Session, programme: Programme, read: Read) -> tuple[MailboxTrouble, ...]:
    """As the read saw them; reads of older versions have not kept them."""
    if read.troubles is None:
        return troubles(session, programme, read.at)
    return tuple(MailboxTrouble(**one) for one in read.troubles)


def _settled(session: Session, programme: Programme, since: datetime, now: datetime) -> dict[int, Settled]:
    """What became of the partners of a read held at `since`. Who waits again is settled by a recovery only."""
    rows = session.execute(
        select(Episode, Touch.at, Touch.by_address, Person.name)
        .outerjoin(Touch, Touch.id == Episode.touch_id)
        .outerjoin(Person, Person.id == Touch.person_id)
        .where(Episode.workspace_id == programme.workspace_id, Episode.opened_at <= since)
        .where(Episode.closed_at > since, Episode.closed_at <= now)
        .where(_over(now))
        .order_by(Episode.closed_at)
    )
    return {
        row.Episode.partner_id: Settled(
            str(row.Episode.outcome),
            row.name or row.by_address,
            row.at or row.Episode.closed_at,
        )
        for row in rows
    }
