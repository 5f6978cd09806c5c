"""A partner's states at the instants of many weekly reads, from its facts. Pure: it fetches nothing and stores nothing.

One partner and one instant are judged by `models.standing`; this says the same for years of Mondays at once.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from models.cadence import REPLY_DAYS, Shutdown, State, Status, Tier, due_on, state_on, working_day
from models.clock import local_day, week_of
from models.standing import OBSERVED_FOR

ON_TIME_WEEKS = 13
"""Over how many weeks the on-time rate looks back."""


@dataclass(frozen=True, slots=True)
class Phase:
    """What was decided about a partner from an instant on."""

    from_at: datetime
    tier_id: int | None
    owner_id: int | None
    status: Status
    paused_until: date | None


@dataclass(frozen=True, slots=True)
class Past:
    """The facts of one partner. `counted` are (when it was known to count, its time); for most policies the same.

    `heard` are the times of human inbound touches, ascending. `phases` are ascending and never empty.
    """

    partner_id: int
    cadence_start_on: date
    phases: tuple[Phase, ...]
    counted: tuple[tuple[datetime, datetime], ...]
    heard: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Seeing:
    """When an owner's mail was seen: (from, until, recorded at) of every observation of the own mailboxes."""

    spells: tuple[tuple[datetime, datetime, datetime], ...] = ()

    def observed_at(self, now: datetime) -> datetime | None:
        """The newest instant, not after `now`, at which a mailbox was known to be synced."""
        known = [min(until, now) for start, until, _ in self.spells if start <= now]
        known += [recorded for _, _, recorded in self.spells if recorded <= now]
        return max(known, default=None)


@dataclass(frozen=True, slots=True)
class Frame:
    """What holds for every partner of a programme. `tiers` are (from when, tier), ascending, by tier id."""

    zone: ZoneInfo
    tiers: Mapping[int, Sequence[tuple[datetime, Tier]]]
    seeing: Mapping[int, Seeing]  # by person
    shutdowns: Sequence[Shutdown] = ()

    def tier_at(self, tier_id: int | None, now: datetime) -> Tier | None:
        """The tier as it was; before its first entry, the first one."""
        entries = self.tiers.get(tier_id) if tier_id is not None else None
        if not entries:
            return None
        return entries[max(bisect_right(entries, now, key=lambda entry: entry[0]) - 1, 0)][1]


@dataclass(frozen=True, slots=True)
class WeekState:
    """How a partner stood at one read: its tier's rank, its state, and whether its touch was backed by a reply."""

    tier_rank: int
    state: State
    reply_backed: bool

    @property
    def kind(self) -> str:
        """What is counted of it: covered, overdue or the state; of the first two also whether it was answered."""
        word = "covered" if self.state.covered else str(self.state)
        return f"{word} answered" if self.state.eligible and self.reply_backed else word


@dataclass(frozen=True, slots=True)
class WeekSpan:
    """Reads in a row, from and until week number (both included), at which a partner counted the same."""

    from_week: int
    until_week: int
    tier_rank: int
    kind: str


@dataclass(frozen=True, slots=True)
class WeekWindows:
    """The cadence windows that ended in one week: closed by a touch in time, or missed."""

    week: int
    tier_rank: int
    in_time: int
    missed: int


def week_number(monday: date) -> int:
    """Weeks counted through, so that they can be added and compared."""
    return monday.toordinal() // 7


def monday_of(number: int) -> date:
    return date.fromordinal(number * 7 + 1)


def week_states(past: Past, instants: Iterable[datetime], frame: Frame) -> list[WeekState | None]:
    """The partner at each instant; None where it had no tier or its partnership had ended."""
    known_at = [known for known, _ in past.counted]
    touched_at = list(accumulate((at for _, at in past.counted), max))
    return [_at(past, known_at, touched_at, now, frame) for now in instants]


def spans_of(states: Iterable[tuple[int, WeekState | None]]) -> list[WeekSpan]:
    """Weeks in their order, joined where nothing that is counted changed."""
    found: list[WeekSpan] = []
    for week, stood in states:
        if stood is None:
            continue
        last = found[-1] if found else None
        if last and last.until_week == week - 1 and (last.tier_rank, last.kind) == (stood.tier_rank, stood.kind):
            found[-1] = WeekSpan(last.from_week, week, last.tier_rank, last.kind)
        else:
            found.append(WeekSpan(week, week, stood.tier_rank, stood.kind))
    return found


def cadence_windows(past: Past, until: datetime, frame: Frame) -> list[WeekWindows]:
    """How the partner's cadence windows ended before `until`, by the week in which they did.

    A window runs from a touch to its due day, grace included. The last touch inside closes it in time and starts the
    next, so that many mails at once close one window and no more. Where none comes it is missed, and missed again for
    every further window of silence. Time in which no clock runs, or nobody could see, counts for nothing.
    """
    today = local_day(until, frame.zone)
    days = sorted({local_day(at, frame.zone) for _, at in past.counted if at <= until})
    start = min(days[0], past.cadence_start_on) if days else past.cadence_start_on
    ended: dict[tuple[int, int], list[int]] = {}
    while start < today:
        tier = _running(past, start, frame)
        if tier is None:
            resumed = _resumed(past, start, frame)
            if resumed is None:
                break
            start = resumed
            continue
        due, last_day = due_days(tier, start, start, frame.shutdowns)
        following = bisect_right(days, start)
        inside = bisect_right(days, last_day)
        if inside > following:
            start = days[inside - 1]
            ended.setdefault((week_number(week_of(start)), tier.rank), [0, 0])[0] += 1
            continue
        if last_day >= today:
            break
        missed_on = last_day + timedelta(days=1)
        if _is_a_miss(past, missed_on, frame):
            ended.setdefault((week_number(week_of(missed_on)), tier.rank), [0, 0])[1] += 1
        _, further = due_days(tier, due, due, frame.shutdowns)
        late = days[following] if following < len(days) else None
        start = late if late is not None and late <= further else max(due, start + timedelta(days=1))
    return [WeekWindows(week, rank, *counts) for (week, rank), counts in sorted(ended.items())]


def _at(
    past: Past, known_at: Sequence[datetime], touched_at: Sequence[datetime], now: datetime, frame: Frame
) -> WeekState | None:
    phase, tier = _phase(past, now, frame)
    if tier is None:
        return None
    today = local_day(now, frame.zone)
    known = bisect_right(known_at, now)
    last_touch_at = touched_at[known - 1] if known else None
    touched_on = local_day(last_touch_at, frame.zone) if last_touch_at else None
    state = _state(past, phase, tier, today, touched_on, None, frame)
    if state is State.ENDED:
        return None
    if state is State.OVERDUE:
        blind_since = _blind_since_on(past, phase.owner_id, now, frame)
        if blind_since is not None:
            state = _state(past, phase, tier, today, touched_on, blind_since, frame)
    return WeekState(tier.rank, state, _reply_backed(past, tier, today, touched_on, last_touch_at, now, frame.zone))


def _state(
    past: Past, phase: Phase, tier: Tier, today: date, touched_on: date | None, blind: date | None, frame: Frame
) -> State:
    return state_on(
        today,
        status=phase.status,
        paused_until=phase.paused_until,
        tier=tier,
        last_touch_on=touched_on,
        cadence_start_on=past.cadence_start_on,
        blind_since_on=blind,
        shutdowns=frame.shutdowns,
    )


def _phase(past: Past, now: datetime, frame: Frame) -> tuple[Phase, Tier | None]:
    position = bisect_right(past.phases, now, key=lambda phase: phase.from_at)
    phase = past.phases[max(position - 1, 0)]
    return phase, frame.tier_at(phase.tier_id, now)


def _blind_since_on(past: Past, owner_id: int | None, now: datetime, frame: Frame) -> date | None:
    seeing = frame.seeing.get(owner_id) if owner_id is not None else None
    observed_at = seeing.observed_at(now) if seeing else None
    if observed_at is None:
        return past.cadence_start_on
    blind_since = observed_at + OBSERVED_FOR
    return None if now <= blind_since else local_day(blind_since, frame.zone)


def _reply_backed(
    past: Past,
    tier: Tier,
    today: date,
    touched_on: date | None,
    last_touch_at: datetime | None,
    now: datetime,
    zone: ZoneInfo,
) -> bool:
    heard = bisect_right(past.heard, now)
    if heard and (today - local_day(past.heard[heard - 1], zone)).days <= tier.window_days:
        return True
    if touched_on is None or last_touch_at is None:
        return False
    reply = bisect_right(past.heard, last_touch_at)
    return reply < heard and (local_day(past.heard[reply], zone) - touched_on).days <= REPLY_DAYS


def _running(past: Past, day: date, frame: Frame) -> Tier | None:
    """The tier whose clock runs on a day; None while there is none, or it is paused or ended."""
    phase, tier = _phase(past, _noon(day, frame.zone), frame)
    paused = phase.status is Status.PAUSED and (phase.paused_until is None or day <= phase.paused_until)
    return None if paused or phase.status is Status.ENDED else tier


def _is_a_miss(past: Past, day: date, frame: Frame) -> bool:
    """Whether the partner was overdue on that day for all to see: while nobody could see, nothing was missed."""
    tier = _running(past, day, frame)
    if tier is None:
        return False
    noon = _noon(day, frame.zone)
    blind_since = _blind_since_on(past, _phase(past, noon, frame)[0].owner_id, noon, frame)
    return blind_since is None or (day - blind_since).days > tier.window_days


def _resumed(past: Past, after: date, frame: Frame) -> date | None:
    """The first later day on which something changes for a partner whose clock does not run; None: nothing does."""
    noon = _noon(after, frame.zone)
    phase, _ = _phase(past, noon, frame)
    changes = [local_day(one.from_at, frame.zone) for one in past.phases if one.from_at > noon]
    if phase.status is Status.PAUSED and phase.paused_until is not None and phase.paused_until >= after:
        changes.append(phase.paused_until + timedelta(days=1))
    return max(min(changes), after + timedelta(days=1)) if changes else None


def _noon(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=zone)


def due_days(
    tier: Tier, touched_on: date | None, cadence_start_on: date, shutdowns: Sequence[Shutdown] = ()
) -> tuple[date, date]:
    """The due day, and the last day of its grace."""
    due = due_on(touched_on, cadence_start_on, tier.window_days, shutdowns)
    return due, working_day(due, tier.grace_days, shutdowns)
