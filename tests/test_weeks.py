"""Many weeks at once must say of a partner what one instant says, and cadence windows cannot be faked."""

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from models.cadence import Shutdown, State, Status, Tier, due_on, working_day
from models.standing import PartnerFacts, Who, stand
from models.weeks import (
    Frame,
    Past,
    Phase,
    Seeing,
    WeekState,
    WeekWindows,
    cadence_windows,
    monday_of,
    spans_of,
    week_number,
    week_states,
)

LONDON = ZoneInfo("Europe/London")
WEEKLY = Tier(1, "Tier 1", 7)
START = datetime(2026, 1, 1, tzinfo=UTC)
instants = st.integers(0, 400 * 24).map(lambda hours: START + timedelta(hours=hours))
days = st.integers(0, 400).map(lambda count: date(2026, 1, 1) + timedelta(days=count))
tiers = st.builds(Tier, st.integers(1, 3), st.just("Tier"), st.integers(1, 40), st.integers(0, 5))


@st.composite
def shutdowns(draw: st.DrawFn) -> tuple[Shutdown, ...]:
    edges = sorted(draw(st.sets(days, max_size=6)))
    return tuple(Shutdown(first, last) for first, last in zip(edges[::2], edges[1::2], strict=False))


@st.composite
def pasts(draw: st.DrawFn) -> Past:
    at = sorted(draw(st.lists(instants, max_size=8)))
    known = [one + draw(st.just(timedelta(0)) | st.integers(0, 40).map(lambda n: timedelta(days=n))) for one in at]
    phases = [
        Phase(
            start,
            draw(st.none() | st.integers(1, 2)),
            draw(st.none() | st.integers(1, 2)),
            draw(st.sampled_from(Status)),
            draw(st.none() | days),
        )
        for start in sorted(draw(st.lists(instants, min_size=1, max_size=4, unique=True)))
    ]
    return Past(
        partner_id=1,
        cadence_start_on=draw(days),
        phases=tuple(phases),
        counted=tuple(sorted(zip(known, at, strict=True))),
        heard=tuple(sorted(draw(st.lists(instants, max_size=8)))),
    )


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    def spell() -> tuple[datetime, datetime, datetime]:
        first, last = sorted((draw(instants), draw(instants)))
        return first, last, last + timedelta(days=draw(st.integers(0, 30)))

    return Frame(
        zone=draw(st.sampled_from([LONDON, ZoneInfo("UTC"), ZoneInfo("Australia/Sydney")])),
        tiers={
            key: sorted(draw(st.lists(st.tuples(instants, tiers), min_size=1, max_size=3)), key=lambda one: one[0])
            for key in (1, 2)
        },
        seeing={1: Seeing(tuple(spell() for _ in range(draw(st.integers(0, 3)))))},
        shutdowns=draw(shutdowns()),
    )


def facts_at(past: Past, now: datetime, frame: Frame) -> PartnerFacts:
    """The same facts the long way: everything that was known at `now`, looked through from one end to the other."""
    phase = [one for one in past.phases if one.from_at <= now][-1:] or [past.phases[0]]
    touched = max((at for known, at in past.counted if known <= now), default=None)
    heard = [at for at in past.heard if at <= now]
    seeing = frame.seeing.get(phase[0].owner_id) if phase[0].owner_id else None
    return PartnerFacts(
        partner_id=past.partner_id,
        name="Acme",
        tier=frame.tier_at(phase[0].tier_id, now),
        owner=Who(phase[0].owner_id, "Dana", "dana@lantern.example") if phase[0].owner_id else None,
        status=phase[0].status,
        paused_until=phase[0].paused_until,
        cadence_start_on=past.cadence_start_on,
        last_touch_at=touched,
        last_touch_by=None,
        last_heard_at=max(heard, default=None),
        last_reply_at=min((at for at in heard if touched and at > touched), default=None),
        last_outbound_at=None,
        observed_at=seeing.observed_at(now) if seeing else None,
        next_step=None,
        episode=None,
    )


@given(pasts(), frames(), st.lists(instants, min_size=1, max_size=12))
def test_many_weeks_say_what_each_instant_says(past: Past, frame: Frame, asked: list[datetime]) -> None:
    for now, stood in zip(asked, week_states(past, asked, frame), strict=True):
        standing = stand(facts_at(past, now, frame), now, frame.zone, frame.shutdowns)
        if standing.state is State.ENDED or standing.facts.tier is None:
            assert stood is None
        else:
            assert stood == WeekState(standing.facts.tier.rank, standing.state, standing.reply_backed)


SOME = [WeekState(1, State.OVERDUE, False), WeekState(1, State.ON_PACE, True), WeekState(2, State.DUE_SOON, True)]


@given(st.lists(st.none() | st.sampled_from(SOME)))
def test_spans_hold_every_week_once_and_are_as_long_as_they_can_be(states: list[WeekState | None]) -> None:
    spans = spans_of(enumerate(states))
    told = {week: (one.tier_rank, one.kind) for one in spans for week in range(one.from_week, one.until_week + 1)}
    assert told == {week: (one.tier_rank, one.kind) for week, one in enumerate(states) if one is not None}
    assert all(
        earlier.until_week + 1 < later.from_week or (earlier.tier_rank, earlier.kind) != (later.tier_rank, later.kind)
        for earlier, later in itertools.pairwise(spans)
    )


def test_what_is_counted_tells_covered_from_overdue_and_who_answered() -> None:
    assert [one.kind for one in SOME] == ["overdue", "covered answered", "covered answered"]
    assert WeekState(1, State.BLIND, True).kind == "blind"


@given(days)
def test_a_week_number_names_its_monday(day: date) -> None:
    monday = day - timedelta(days=day.weekday())
    assert monday_of(week_number(monday)) == monday
    assert week_number(monday + timedelta(days=7)) == week_number(monday) + 1


def test_a_shutdown_stops_the_window_and_is_over_afterwards() -> None:
    christmas = [Shutdown(date(2026, 12, 24), date(2027, 1, 1), "Christmas")]
    assert due_on(date(2026, 12, 21), date(2026, 1, 1), 7, christmas) == date(2027, 1, 6)
    assert due_on(date(2026, 12, 28), date(2026, 1, 1), 7, christmas) == date(2027, 1, 8)  # a mail on a day off
    assert due_on(date(2026, 12, 1), date(2026, 1, 1), 7, christmas) == date(2026, 12, 8)
    assert due_on(date(2027, 1, 1), date(2026, 1, 1), 7, christmas) == date(2027, 1, 8)


@given(days, st.integers(0, 60), shutdowns())
def test_a_shutdown_never_makes_a_day_come_earlier_and_its_days_are_not_counted(
    start: date, count: int, shut: tuple[Shutdown, ...]
) -> None:
    end = working_day(start, count, shut)
    passed = [start + timedelta(days=number) for number in range(1, (end - start).days + 1)]
    assert sum(not any(one.from_on <= day <= one.until_on for one in shut) for day in passed) == count


def past_of(*touched: str, start: str = "2026-09-01", phases: tuple[Phase, ...] = ()) -> Past:
    at = tuple(datetime.fromisoformat(f"{day}T10:00:00+00:00") for day in touched)
    return Past(
        1,
        date.fromisoformat(start),
        phases or (Phase(START, 1, 1, Status.ACTIVE, None),),
        tuple(zip(at, at, strict=True)),
        (),
    )


SEEN = Seeing(((START, datetime(2027, 1, 1, tzinfo=UTC), START),))
FRAME = Frame(LONDON, {1: [(START, WEEKLY)]}, {1: SEEN})
NOON = datetime(2026, 10, 12, 9, tzinfo=UTC)


def counts(windows: list[WeekWindows]) -> tuple[int, int]:
    return sum(one.in_time for one in windows), sum(one.missed for one in windows)


def test_a_burst_closes_one_window_however_many_mails_it_has() -> None:
    steady = past_of("2026-09-01", "2026-09-08", "2026-09-15", "2026-09-22")
    assert counts(cadence_windows(steady, datetime(2026, 9, 25, tzinfo=UTC), FRAME)) == (3, 0)
    burst = past_of("2026-09-01", *(f"2026-09-{day:02}" for day in range(2, 9)))
    assert counts(cadence_windows(burst, datetime(2026, 9, 9, tzinfo=UTC), FRAME)) == (1, 0)


def test_a_long_silence_misses_a_window_again_and_again() -> None:
    silent = past_of("2026-09-01")
    windows = cadence_windows(silent, NOON, FRAME)
    assert counts(windows) == (0, 5)  # 41 days of silence
    assert [monday_of(one.week) for one in windows][:2] == [date(2026, 9, 7), date(2026, 9, 14)]
    late = past_of("2026-09-01", "2026-09-11", "2026-09-16")
    assert counts(cadence_windows(late, datetime(2026, 9, 17, tzinfo=UTC), FRAME)) == (1, 1)


def test_nothing_is_missed_while_the_partner_is_paused_ended_or_out_of_sight() -> None:
    paused = past_of(
        "2026-09-01",
        phases=(
            Phase(START, 1, 1, Status.ACTIVE, None),
            Phase(datetime(2026, 9, 3, tzinfo=UTC), 1, 1, Status.PAUSED, date(2026, 10, 9)),
        ),
    )
    assert counts(cadence_windows(paused, NOON, FRAME)) == (0, 0)
    ended = past_of("2026-09-01", phases=(Phase(START, 1, 1, Status.ENDED, None),))
    assert cadence_windows(ended, NOON, FRAME) == []
    unseen = Frame(LONDON, {1: [(START, WEEKLY)]}, {})
    one_week = past_of("2026-09-01", start="2026-09-02")
    assert counts(cadence_windows(one_week, datetime(2026, 9, 10, tzinfo=UTC), unseen)) == (0, 0)


@given(pasts(), frames(), instants)
def test_windows_come_to_an_end_and_a_touch_more_never_adds_a_miss(past: Past, frame: Frame, until: datetime) -> None:
    windows = cadence_windows(past, until, frame)
    assert all(one.in_time >= 0 and one.missed >= 0 and one.in_time + one.missed > 0 for one in windows)
    assert sum(one.in_time for one in windows) <= len(past.counted)
    assert all(one.week <= week_number(until.date()) for one in windows)
