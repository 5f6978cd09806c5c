"""Coverage now and over many weeks, counted from indexes into the facts, or from the facts where those are outdated.

Whatever is counted here is what `standings` says of the same instant: no figure has a second definition.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Date,
    Integer,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import Session

from models.cadence import State, Tier
from models.clock import local_day, week_of
from models.queries.clocks import (
    IN_TIME,
    MISSED,
    TRUSTED,
    WEEKS_KEPT,
    last_week,
    outdated_partners,
    reaching,
    scheduled_at,
    stored_tally,
    trust,
)
from models.queries.pasts import frame, pasts
from models.queries.programme import Programme
from models.queries.recoveries import Recoveries, recoveries
from models.queries.retention import touches_kept_from
from models.queries.standings import standings
from models.standing import OBSERVED_FOR
from models.tables import Partner, PartnerClock, Read, ReadLine, WeekTally
from models.weekly_read import Coverage, TierLine
from models.weeks import ON_TIME_WEEKS, Frame, Past, WeekState, cadence_windows, monday_of, week_number, week_states

AT_ONCE = 500
Counts = Counter[tuple[int, State, bool]]  # tier rank, state, backed by a reply → partners
Tally = Counter[tuple[int, int, str]]  # week, tier rank, kind → partners, or windows


@dataclass(frozen=True, slots=True)
class TrendLine:
    """One tier at one weekly read. `on_time`: cadence windows of the 13 weeks before, closed in time of all that ended.

    `source` is `snapshot` where a read was held, else `reconstructed` from what is known today.
    """

    week: date
    at: datetime
    tier: Tier
    coverage: Coverage
    reply_backed: Coverage
    on_time: Coverage
    overdue: int
    new: int
    blind: int
    paused: int
    recoveries: Recoveries
    source: str


def coverage_now(session: Session, programme: Programme, now: datetime) -> tuple[TierLine, ...]:
    """Every tier at this instant, by rank; the same as the weekly read's lines."""
    around = frame(session, programme)
    in_force = _in_force(around, now)
    counts, partners, everybody = _trusted_counts(session, programme, now, around)
    if everybody is None or partners != everybody:
        late = outdated_partners(session, programme, now, spans=False)
        for start in range(0, len(late), AT_ONCE):
            for one in standings(session, programme, now, partner_ids=late[start : start + AT_ONCE]):
                if one.facts.tier is not None:
                    counts[one.facts.tier.rank, one.state, one.reply_backed] += 1
    return _lines(counts, in_force)


def trend(session: Session, programme: Programme, now: datetime, weeks: int) -> list[TrendLine]:
    """The weekly reads of the last `weeks` weeks until `now`, oldest first, every tier of that time by rank."""
    held = {
        week_number(row.week): row
        for row in session.scalars(select(Read).where(Read.workspace_id == programme.workspace_id, Read.at <= now))
    }
    this_week = week_number(week_of(local_day(now, programme.zone)))
    instants = {
        week: held[week].at if week in held else scheduled_at(programme, week)
        for week in range(this_week - weeks + 1, this_week + 1)
    }
    kept_from = touches_kept_from(session, programme.workspace_id)
    instants = {
        week: at
        for week, at in instants.items()
        if at <= now and (week in held or kept_from is None or at >= kept_from)  # no figure without its touches
    }
    if not instants:
        return []
    tally = _tally(session, programme, now, {week: at for week, at in instants.items() if week not in held})
    said = instants.keys() & held.keys()  # the snapshot stands in place of what is stored of its week
    tally = Counter({key: one for key, one in tally.items() if key[0] not in said or key[2] in (IN_TIME, MISSED)})
    for week in said:
        tally.update(_snapshot_tally(session, week, held[week].id))
    happened = recoveries(session, programme, now, instants)
    around = frame(session, programme)
    first = None if kept_from is None else week_number(week_of(local_day(kept_from, programme.zone))) + 1
    return [
        _trend_line(tally, week, at, tier, happened.get((week, tier.rank), Recoveries()), week in held, first)
        for week, at in sorted(instants.items())
        for tier in sorted(_in_force(around, at), key=lambda tier: tier.rank)
    ]


def _in_force(around: Frame, at: datetime) -> list[Tier]:
    return [tier for tier_id in around.tiers if (tier := around.tier_at(tier_id, at)) is not None]


def _trend_line(
    tally: Tally, week: int, at: datetime, tier: Tier, happened: Recoveries, held: bool, first: int | None
) -> TrendLine:
    """`first`: the first week of which every cadence window is known, where old touches were erased."""

    def count(*kinds: str) -> int:
        return sum(tally[week, tier.rank, kind] for kind in kinds)

    eligible = count("covered", "covered answered", "overdue", "overdue answered")
    before = range(week - ON_TIME_WEEKS, week)
    if first is not None and week - ON_TIME_WEEKS < first:
        before = range(0)  # a rate of fewer weeks would be another figure
    in_time, missed = (sum(tally[one, tier.rank, kind] for one in before) for kind in (IN_TIME, MISSED))
    return TrendLine(
        week=monday_of(week),
        at=at,
        tier=tier,
        coverage=Coverage(count("covered", "covered answered"), eligible),
        reply_backed=Coverage(count("covered answered", "overdue answered"), eligible),
        on_time=Coverage(in_time, in_time + missed),
        overdue=count("overdue", "overdue answered"),
        new=count("new"),
        blind=count("blind"),
        paused=count("paused"),
        recoveries=happened,
        source="snapshot" if held else "reconstructed",
    )


def _trusted_counts(
    session: Session, programme: Programme, now: datetime, around: Frame
) -> tuple[Counts, int, int | None]:
    """What the clocks that can be trusted say, in one pass; how many partners that are, and how many there are.

    None where no clock can be trusted.
    """
    today = local_day(now, programme.zone)
    seen = {owner_id: one.observed_at(now) for owner_id, one in around.seeing.items()}
    lost = {
        owner_id: (today - local_day(at + OBSERVED_FOR, programme.zone)).days
        for owner_id, at in seen.items()
        if at is not None and now > at + OBSERVED_FOR
    }
    values = {
        "today": today,
        "seen": [owner_id for owner_id, at in seen.items() if at is not None],
        "lost": [
            (tier.rank, one)
            for one, days in lost.items()
            for tier in _in_force(around, now)
            if days <= tier.window_days
        ],
        **trust(programme, now),
    }
    counts: Counts = Counter()
    partners, everybody = 0, None
    for key, number, all_of_them in session.execute(_NOW, values):
        partners, everybody = partners + number, all_of_them
        if key is not None:
            rank, kind = divmod(key, len(_KINDS))
            counts[rank, *_KINDS[kind]] += number
    return counts, partners, everybody


_KINDS = [(state, backed) for state in State for backed in (False, True)]


def _kind() -> ColumnElement[int]:
    """`state_on` in SQL: which of _KINDS a clock is today. One number, because grouping by more takes twice as long."""
    clock, today = PartnerClock, bindparam("today", type_=Date)
    seen: BindParameter[list[int]] = bindparam("seen", expanding=True)
    lost: BindParameter[list[tuple[int, int]]] = bindparam("lost", expanding=True)
    never_seen = or_(clock.owner_id.is_(None), clock.owner_id.not_in(seen))
    backed = case((clock.backed_until >= today, 1), else_=0)
    number = {state: _KINDS.index((state, False)) for state in State}
    return case(
        (clock.ended, number[State.ENDED]),
        (clock.paused_until >= today, number[State.PAUSED]),
        (and_(~clock.touched, clock.due_on >= today), number[State.NEW]),
        (clock.soon_on > today, number[State.ON_PACE] + backed),
        (clock.late_on > today, number[State.DUE_SOON] + backed),
        (and_(clock.start_seen_on >= today, never_seen), number[State.BLIND]),
        (tuple_(clock.tier_rank, clock.owner_id).in_(lost), number[State.BLIND]),
        else_=number[State.OVERDUE] + backed,
    )


_KEY = (PartnerClock.tier_rank * len(_KINDS) + _kind()).label("standing")
_EVERYBODY = select(func.count(Partner.id)).where(Partner.workspace_id == bindparam("programme", type_=Integer))
# Grouped by its name: else every clock would be judged twice.
_NOW = select(_KEY, func.count(), _EVERYBODY.scalar_subquery()).where(TRUSTED).group_by("standing")


def _tally(session: Session, programme: Programme, now: datetime, instants: Mapping[int, datetime]) -> Tally:
    """The stored tally, with those partners judged from their facts whose clocks are not current."""
    late = outdated_partners(session, programme, now)
    stored = select(WeekTally.week, WeekTally.tier_rank, WeekTally.kind, WeekTally.number)
    rows = session.execute(stored.where(WeekTally.workspace_id == programme.workspace_id))
    tally: Tally = Counter({(week, rank, kind): number for week, rank, kind, number in rows})
    if late:
        stale = case((reaching(programme, now), 0), else_=1) == 1  # also where nothing is known of a clock
        tally.subtract(stored_tally(session, and_(PartnerClock.workspace_id == programme.workspace_id, stale)))
    kept = last_week(programme, now) - WEEKS_KEPT
    old = {week: at for week, at in instants.items() if week <= kept}
    for week in old:  # beyond what is kept of anybody
        for key in [key for key in tally if key[0] == week and key[2] not in (IN_TIME, MISSED)]:
            del tally[key]
    everybody = select(Partner.id).where(Partner.workspace_id == programme.workspace_id).order_by(Partner.id)
    _judge(session, programme, late, instants, tally)
    if old:
        _judge(session, programme, [one for one in session.scalars(everybody) if one not in set(late)], old, tally)
    return _with_windows(session, programme, now, late, tally)


def _judge(
    session: Session, programme: Programme, partner_ids: Sequence[int], instants: Mapping[int, datetime], tally: Tally
) -> None:
    """Partners at each instant, from their facts."""
    around, weeks = frame(session, programme), sorted(instants)
    for past in _in_turn(session, programme, partner_ids) if weeks else ():
        for week, stood in zip(weeks, week_states(past, (instants[week] for week in weeks), around), strict=True):
            if stood is not None:
                tally[week, stood.tier_rank, stood.kind] += 1


def _with_windows(session: Session, programme: Programme, now: datetime, late: Sequence[int], tally: Tally) -> Tally:
    around = frame(session, programme)
    for past in _in_turn(session, programme, late):
        for one in cadence_windows(past, now, around):
            tally[one.week, one.tier_rank, IN_TIME] += one.in_time
            tally[one.week, one.tier_rank, MISSED] += one.missed
    return tally


def _snapshot_tally(session: Session, week: int, read_id: int) -> Tally:
    rows = session.execute(
        select(ReadLine.tier_rank, ReadLine.state, ReadLine.reply_backed, func.count())
        .where(ReadLine.read_id == read_id, ReadLine.tier_rank.is_not(None))
        .group_by(ReadLine.tier_rank, ReadLine.state, ReadLine.reply_backed)
    )
    found: Tally = Counter()
    for rank, state, backed, number in rows:
        if rank is not None and state != State.ENDED:
            found[week, rank, WeekState(rank, State(state), backed).kind] += number
    return found


def _in_turn(session: Session, programme: Programme, partner_ids: Sequence[int]) -> Iterator[Past]:
    for start in range(0, len(partner_ids), AT_ONCE):
        yield from pasts(session, programme, partner_ids[start : start + AT_ONCE])


def _lines(counts: Counts, in_force: Iterable[Tier]) -> tuple[TierLine, ...]:
    """A line for every tier, also for an empty one."""
    named = {tier.rank: tier for tier in in_force}
    return tuple(_line(tier, counts) for _, tier in sorted(named.items()))


def _line(tier: Tier, counts: Counts) -> TierLine:
    def those(*states: State, backed: bool | None = None) -> int:
        return sum(
            number
            for (rank, state, replied), number in counts.items()
            if rank == tier.rank and state in states and backed in (None, replied)
        )

    eligible = [state for state in State if state.eligible]
    return TierLine(
        tier=tier,
        previous=None,
        coverage=Coverage(those(*(state for state in State if state.covered)), those(*eligible)),
        reply_backed=Coverage(those(*eligible, backed=True), those(*eligible)),
        due_soon=those(State.DUE_SOON),
        overdue=those(State.OVERDUE),
        new=those(State.NEW),
        blind=those(State.BLIND),
        paused=those(State.PAUSED),
    )
