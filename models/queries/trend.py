"""Coverage now and over many weeks, counted from indexes into the facts, or from the facts where those are outdated.

Whatever is counted here is what `standings` says of the same instant: no figure has a second definition.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Integer, case, func, literal, select, union_all
from sqlalchemy.orm import Session

from models.cadence import State, Tier
from models.clock import local_day, week_of
from models.queries.clocks import outdated_partners, reaching, scheduled_at, trusted
from models.queries.pasts import frame, pasts
from models.queries.programme import Programme, tiers
from models.queries.recoveries import Recoveries, recoveries
from models.queries.standings import standings
from models.standing import OBSERVED_FOR
from models.tables import PartnerClock, Read, ReadLine, WeekSpan, WeekWindow
from models.weekly_read import Coverage
from models.weeks import ON_TIME_WEEKS, Frame, Past, cadence_windows, monday_of, week_number, week_states

AT_ONCE = 500
Counts = Counter[tuple[int, State, bool]]  # tier rank, state, backed by a reply → partners


@dataclass(frozen=True, slots=True)
class TierCounts:
    """How many partners of a tier stand how. `reply_backed` has the same denominator as `coverage`."""

    tier: Tier
    coverage: Coverage
    reply_backed: Coverage
    due_soon: int
    overdue: int
    new: int
    blind: int
    paused: int


@dataclass(frozen=True, slots=True)
class TrendLine:
    """One tier at one weekly read. `on_time`: cadence windows of the 13 weeks before, closed in time of all that ended.

    `source` is `snapshot` where a read was held, else `reconstructed` from what is known today.
    """

    week: date
    at: datetime
    counts: TierCounts
    on_time: Coverage
    recoveries: Recoveries
    source: str

    @property
    def tier(self) -> Tier:
        return self.counts.tier


def coverage_now(session: Session, programme: Programme, now: datetime) -> tuple[TierCounts, ...]:
    """Every tier at this instant, by rank; the same as the weekly read's lines."""
    in_force = tiers(session, programme.workspace_id, now).values()
    counts = _trusted_counts(session, programme, now, {tier.rank: tier for tier in in_force})
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
    instants = {week: at for week, at in instants.items() if at <= now}
    if not instants:
        return []
    late = outdated_partners(session, programme, now)
    on_time = _on_time(session, programme, now, instants, late)
    counts = _span_counts(session, programme, now, [week for week in instants if week not in held], late)
    _count_by_hand(session, programme, late, {week: at for week, at in instants.items() if week not in held}, counts)
    for week in instants.keys() & held.keys():
        counts[week] = _snapshot_counts(session, held[week].id)
    happened = recoveries(session, programme, now, instants)
    around = frame(session, programme)
    found = []
    for week, at in sorted(instants.items()):
        in_force = [tier for tier_id in around.tiers if (tier := around.tier_at(tier_id, at)) is not None]
        for line in _lines(counts.get(week, Counter()), in_force):
            rank = line.tier.rank
            found.append(
                TrendLine(
                    week=monday_of(week),
                    at=at,
                    counts=line,
                    on_time=on_time.get((week, rank), Coverage(0, 0)),
                    recoveries=happened.get((week, rank), Recoveries()),
                    source="snapshot" if week in held else "reconstructed",
                )
            )
    return found


def _trusted_counts(session: Session, programme: Programme, now: datetime, by_rank: dict[int, Tier]) -> Counts:
    """What the current clocks say, in one pass. Blindness is the owner's, so the overdue are counted per owner."""
    today = local_day(now, programme.zone)
    clock = PartnerClock
    state = case(
        (clock.ended, literal("ended")),
        (clock.paused_until >= today, literal("paused")),
        (~clock.touched & (clock.due_on >= today), literal("new")),
        (clock.soon_on > today, literal("on_pace")),
        (clock.late_on > today, literal("due_soon")),
        else_=literal("overdue"),
    ).label("state")
    late = state == "overdue"
    rows = session.execute(
        select(
            clock.tier_rank,
            state,
            case((clock.backed_until >= today, 1), else_=0).label("backed"),
            case((late, clock.owner_id)).label("owner_id"),
            case((late & (clock.start_seen_on >= today), 1), else_=0).label("starting"),
            func.count().label("partners"),
        )
        .where(trusted(session, programme, now), clock.tier_rank.is_not(None))
        .group_by("tier_rank", "state", "backed", "owner_id", "starting")
    ).all()
    counts: Counts = Counter()
    seeing = frame(session, programme).seeing if any(row.state == "overdue" for row in rows) else {}
    for row in rows:
        stands = State(row.state)
        if stands is State.OVERDUE:
            observed_at = seeing[row.owner_id].observed_at(now) if row.owner_id in seeing else None
            if observed_at is None:
                blind = bool(row.starting)
            else:
                since = observed_at + OBSERVED_FOR
                window = by_rank[row.tier_rank].window_days
                blind = now > since and (today - local_day(since, programme.zone)).days <= window
            stands = State.BLIND if blind else stands
        counts[row.tier_rank, stands, bool(row.backed)] += row.partners
    return counts


def _span_counts(
    session: Session, programme: Programme, now: datetime, weeks: Sequence[int], late: Sequence[int]
) -> dict[int, Counts]:
    """The spans of the current clocks, counted by what begins and what ends in each week."""
    found: dict[int, Counts] = {week: Counter() for week in weeks}
    if not weeks:
        return found
    first, last = min(weeks), max(weeks)
    within = [
        WeekSpan.workspace_id == programme.workspace_id,
        WeekSpan.from_week <= last,
        WeekSpan.until_week >= first,
    ]
    if late:
        fresh = select(PartnerClock.partner_id).where(reaching(session, programme, now))
        within.append(WeekSpan.partner_id.in_(fresh))
    kind = (WeekSpan.tier_rank, WeekSpan.state, WeekSpan.reply_backed)
    begins = case((WeekSpan.from_week < first, first), else_=WeekSpan.from_week)
    events = union_all(
        select(begins.label("week"), *kind, literal(1, Integer).label("step")).where(*within),
        select((WeekSpan.until_week + 1).label("week"), *kind, literal(-1, Integer).label("step")).where(*within),
    ).subquery()
    steps: dict[int, Counts] = {}
    for row in session.execute(
        select(
            events.c.week, events.c.tier_rank, events.c.state, events.c.reply_backed, func.sum(events.c.step)
        ).group_by(events.c.week, events.c.tier_rank, events.c.state, events.c.reply_backed)
    ):
        steps.setdefault(row[0], Counter())[row[1], State(row[2]), bool(row[3])] = row[4]
    running: Counts = Counter()
    for week in range(first, last + 1):
        running.update(steps.get(week, {}))
        if week in found:
            found[week] = +running
    return found


def _count_by_hand(
    session: Session,
    programme: Programme,
    partner_ids: Sequence[int],
    instants: dict[int, datetime],
    counts: dict[int, Counts],
) -> None:
    """Partners whose clocks are not current, judged from their facts."""
    if not instants or not partner_ids:
        return
    around, weeks = frame(session, programme), sorted(instants)
    for past in _in_turn(session, programme, partner_ids):
        for week, stood in zip(weeks, week_states(past, (instants[week] for week in weeks), around), strict=True):
            if stood is not None:
                counts[week][stood.tier_rank, stood.state, stood.reply_backed] += 1


def _snapshot_counts(session: Session, read_id: int) -> Counts:
    rows = session.execute(
        select(ReadLine.tier_rank, ReadLine.state, ReadLine.reply_backed, func.count())
        .where(ReadLine.read_id == read_id, ReadLine.tier_rank.is_not(None))
        .group_by(ReadLine.tier_rank, ReadLine.state, ReadLine.reply_backed)
    )
    return Counter({(rank, State(state), backed): number for rank, state, backed, number in rows if rank is not None})


def _on_time(
    session: Session, programme: Programme, now: datetime, instants: dict[int, datetime], late: Sequence[int]
) -> dict[tuple[int, int], Coverage]:
    """Of the cadence windows that ended in the 13 weeks before each week, those that a touch closed in time."""
    first, last = min(instants) - ON_TIME_WEEKS, max(instants) - 1
    ended: Counter[tuple[int, int]] = Counter()
    in_time: Counter[tuple[int, int]] = Counter()
    query = (
        select(WeekWindow.week, WeekWindow.tier_rank, func.sum(WeekWindow.in_time), func.sum(WeekWindow.missed))
        .where(WeekWindow.workspace_id == programme.workspace_id, WeekWindow.week.between(first, last))
        .group_by(WeekWindow.week, WeekWindow.tier_rank)
    )
    if late:
        fresh = select(PartnerClock.partner_id).where(reaching(session, programme, now))
        query = query.where(WeekWindow.partner_id.in_(fresh))
    for week, rank, closed, missed in session.execute(query):
        in_time[week, rank] += closed
        ended[week, rank] += closed + missed
    if late:
        around: Frame = frame(session, programme)
        for past in _in_turn(session, programme, late):
            for one in cadence_windows(past, now, around):
                if first <= one.week <= last:
                    in_time[one.week, one.tier_rank] += one.in_time
                    ended[one.week, one.tier_rank] += one.in_time + one.missed
    ranks = {rank for _, rank in ended}
    return {
        (week, rank): Coverage(
            sum(in_time[one, rank] for one in range(week - ON_TIME_WEEKS, week)),
            sum(ended[one, rank] for one in range(week - ON_TIME_WEEKS, week)),
        )
        for week in instants
        for rank in ranks
    }


def _in_turn(session: Session, programme: Programme, partner_ids: Sequence[int]) -> Iterator[Past]:
    for start in range(0, len(partner_ids), AT_ONCE):
        yield from pasts(session, programme, partner_ids[start : start + AT_ONCE])


def _lines(counts: Counts, in_force: Iterable[Tier]) -> tuple[TierCounts, ...]:
    """A line for every tier, also for an empty one."""
    named = {tier.rank: tier for tier in in_force}
    return tuple(_line(tier, counts) for _, tier in sorted(named.items()))


def _line(tier: Tier, counts: Counts) -> TierCounts:
    def those(*states: State, backed: bool | None = None) -> int:
        return sum(
            number
            for (rank, state, replied), number in counts.items()
            if rank == tier.rank and state in states and backed in (None, replied)
        )

    eligible = [state for state in State if state.eligible]
    return TierCounts(
        tier=tier,
        coverage=Coverage(those(*(state for state in State if state.covered)), those(*eligible)),
        reply_backed=Coverage(those(*eligible, backed=True), those(*eligible)),
        due_soon=those(State.DUE_SOON),
        overdue=those(State.OVERDUE),
        new=those(State.NEW),
        blind=those(State.BLIND),
        paused=those(State.PAUSED),
    )
