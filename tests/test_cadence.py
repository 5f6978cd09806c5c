from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cadence import (
    State,
    Status,
    Tier,
    add_business_days,
    claim_due_on,
    due_on,
    soon_days,
    state_on,
)

WEEKLY = Tier(1, "Tier 1", 7)
START = date(2026, 8, 31)
TOUCHED = date(2026, 11, 2)
days = st.dates(date(2020, 1, 1), date(2030, 1, 1))


def _state(
    today: date,
    *,
    touched: date | None = TOUCHED,
    start: date = START,
    status: Status = Status.ACTIVE,
    paused_until: date | None = None,
    tier: Tier | None = WEEKLY,
    blind_since: date | None = None,
) -> State:
    return state_on(
        today,
        status=status,
        paused_until=paused_until,
        tier=tier,
        last_touch_on=touched,
        cadence_start_on=start,
        blind_since_on=blind_since,
    )


@pytest.mark.parametrize(("window", "soon"), [(1, 1), (4, 1), (5, 2), (7, 2), (8, 2), (14, 4), (30, 8)])
def test_due_soon_is_a_quarter_of_the_window_rounded_up(window: int, soon: int) -> None:
    assert soon_days(window) == soon


def test_a_partner_never_touched_is_due_from_the_start_of_its_cadence() -> None:
    assert due_on(None, START, 7) == date(2026, 9, 7)
    assert due_on(TOUCHED, START, 7) == date(2026, 11, 9)


@pytest.mark.parametrize(
    ("status", "paused_until", "tier", "touched", "state"),
    [
        (Status.ENDED, None, WEEKLY, TOUCHED, State.ENDED),
        (Status.ENDED, date(2030, 1, 1), None, None, State.ENDED),
        (Status.PAUSED, None, WEEKLY, TOUCHED, State.PAUSED),
        (Status.PAUSED, date(2026, 11, 24), WEEKLY, TOUCHED, State.PAUSED),
        (Status.PAUSED, date(2026, 11, 23), None, TOUCHED, State.PAUSED),
        (Status.PAUSED, date(2026, 11, 22), WEEKLY, TOUCHED, State.OVERDUE),
        (Status.PAUSED, date(2026, 11, 22), None, TOUCHED, State.UNTIERED),
        (Status.ACTIVE, date(2030, 1, 1), WEEKLY, TOUCHED, State.OVERDUE),
        (Status.ACTIVE, None, None, TOUCHED, State.UNTIERED),
        (Status.ACTIVE, None, None, None, State.UNTIERED),
    ],
)
def test_what_a_lead_decided_comes_before_the_clock(
    status: Status, paused_until: date | None, tier: Tier | None, touched: date | None, state: State
) -> None:
    today = date(2026, 11, 23)
    assert _state(today, status=status, paused_until=paused_until, tier=tier, touched=touched) is state


@pytest.mark.parametrize(
    ("day", "state"),
    [
        (0, State.ON_PACE),
        (4, State.ON_PACE),
        (5, State.DUE_SOON),
        (7, State.DUE_SOON),
        (8, State.OVERDUE),
        (400, State.OVERDUE),
    ],
)
def test_the_clock_of_a_touched_partner(day: int, state: State) -> None:
    assert _state(TOUCHED + timedelta(days=day)) is state


def test_the_due_day_itself_is_not_overdue() -> None:
    assert _state(date(2026, 11, 9)) is State.DUE_SOON
    assert _state(date(2026, 11, 9)).covered


def test_a_grace_postpones_overdue_and_nothing_else() -> None:
    graced = Tier(1, "Tier 1", 7, grace_days=2)
    assert [_state(TOUCHED + timedelta(days=day), tier=graced) for day in (4, 5, 9, 10)] == [
        State.ON_PACE,
        State.DUE_SOON,
        State.DUE_SOON,
        State.OVERDUE,
    ]


def test_a_partner_never_touched_is_new_up_to_its_due_day() -> None:
    assert _state(START, touched=None) is State.NEW
    assert _state(START + timedelta(days=7), touched=None) is State.NEW
    assert _state(START + timedelta(days=8), touched=None) is State.OVERDUE


def test_who_is_in_time_is_never_blind() -> None:
    long_ago = date(2026, 1, 1)
    assert _state(TOUCHED + timedelta(days=3), blind_since=long_ago) is State.ON_PACE
    assert _state(TOUCHED + timedelta(days=7), blind_since=long_ago) is State.DUE_SOON
    assert _state(START, touched=None, blind_since=long_ago) is State.NEW


def test_blindness_excuses_for_one_window_and_no_longer() -> None:
    today = TOUCHED + timedelta(days=20)
    assert _state(today, blind_since=today) is State.BLIND
    assert _state(today, blind_since=today - timedelta(days=7)) is State.BLIND
    assert _state(today, blind_since=today - timedelta(days=8)) is State.OVERDUE


@pytest.mark.parametrize(
    ("state", "eligible", "covered"),
    [
        (State.ENDED, False, False),
        (State.PAUSED, False, False),
        (State.UNTIERED, False, False),
        (State.NEW, False, False),
        (State.ON_PACE, True, True),
        (State.DUE_SOON, True, True),
        (State.BLIND, False, False),
        (State.OVERDUE, True, False),
    ],
)
def test_which_states_count_in_coverage(state: State, eligible: bool, covered: bool) -> None:
    assert (state.eligible, state.covered) == (eligible, covered)


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        (date(2026, 11, 23), 2, date(2026, 11, 25)),  # Monday → Wednesday
        (date(2026, 11, 26), 2, date(2026, 11, 30)),  # Thursday → Monday
        (date(2026, 11, 27), 2, date(2026, 12, 1)),  # Friday → Tuesday
        (date(2026, 11, 28), 2, date(2026, 12, 1)),  # Saturday → Tuesday
        (date(2026, 11, 29), 1, date(2026, 11, 30)),  # Sunday → Monday
        (date(2026, 11, 23), 5, date(2026, 11, 30)),
        (date(2026, 11, 28), 0, date(2026, 11, 28)),
    ],
)
def test_business_days_run_from_monday_to_friday(day: date, count: int, expected: date) -> None:
    assert add_business_days(day, count) == expected


@given(days, st.integers(1, 60))
def test_a_business_day_is_never_at_a_weekend_and_none_is_skipped(day: date, count: int) -> None:
    end = add_business_days(day, count)
    between = [day + timedelta(days=n) for n in range(1, (end - day).days + 1)]
    assert end.weekday() < 5
    assert sum(one.weekday() < 5 for one in between) == count


def test_the_first_tier_promises_two_business_days_and_every_other_five() -> None:
    monday = date(2026, 11, 23)
    assert claim_due_on(monday, 1) == date(2026, 11, 25)
    assert claim_due_on(monday, 2) == claim_due_on(monday, 9) == date(2026, 11, 30)
