import random
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cadence import State, Status, Tier
from models.standing import PartnerFacts, sort_key, stand
from tests.facts import FORTNIGHTLY, LONDON, MONTHLY, NOW, QUIET, WEEKLY, Quiet

UTC_ZONE = ZoneInfo("UTC")
ZONES = (LONDON, ZoneInfo("America/New_York"), ZoneInfo("Australia/Sydney"), UTC_ZONE, ZoneInfo("Asia/Kathmandu"))


# The worked cases of the model


def _local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON)


@pytest.mark.parametrize(
    ("touched", "start", "window", "now", "state", "days_overdue"),
    [
        (_local("2026-11-16 09:00"), None, 7, _local("2026-11-23 09:05"), State.DUE_SOON, 0),
        (_local("2026-11-15 23:30"), None, 7, _local("2026-11-23 00:10"), State.OVERDUE, 1),
        (datetime(2026, 10, 24, 23, 30, tzinfo=UTC), None, 7, _local("2026-11-01 09:00"), State.DUE_SOON, 0),
        (_local("2026-10-13 12:00"), None, 30, _local("2026-11-22 12:00"), State.OVERDUE, 10),
        (None, date(2026, 11, 20), 7, _local("2026-11-22 12:00"), State.NEW, 0),
        (None, date(2026, 11, 1), 7, _local("2026-11-22 12:00"), State.OVERDUE, 14),
        (_local("2026-11-22 10:00"), date(2026, 11, 20), 14, _local("2026-11-22 09:00"), State.NEW, 0),
        (_local("2026-11-22 10:00"), date(2026, 11, 20), 14, _local("2026-11-22 10:00"), State.ON_PACE, 0),
    ],
)
def test_the_worked_cases_of_the_model(
    touched: datetime | None, start: date | None, window: int, now: datetime, state: State, days_overdue: int
) -> None:
    facts = replace(
        QUIET.facts(tier=Tier(1, "Tier 1", window)),
        last_touch_at=touched,
        cadence_start_on=start or date(2026, 1, 1),
        observed_at=now,
    )
    standing = stand(facts, now, LONDON)
    assert (standing.state, standing.days_overdue) == (state, days_overdue)


# Time


def test_a_touch_in_the_future_is_ignored_with_all_that_follows_from_it() -> None:
    standing = QUIET.standing(QUIET.facts(touched=-1, replied=-2, heard=-2, observed=0))
    assert standing.facts.last_touch_at is None
    assert standing.facts.last_touch_by is None
    assert standing.days_since is None
    assert not standing.reply_backed
    assert standing.state is State.OVERDUE


def test_days_overdue_are_counted_from_the_due_day_even_with_a_grace() -> None:
    graced = Tier(1, "Tier 1", 7, grace_days=3)
    assert QUIET.standing(QUIET.facts(touched=10, tier=graced)).days_overdue == 0
    assert QUIET.standing(QUIET.facts(touched=11, tier=graced)).days_overdue == 4


@pytest.mark.parametrize(
    ("zone", "change_on"),
    [
        ("Europe/London", date(2026, 10, 25)),
        ("Europe/London", date(2027, 3, 28)),
        ("America/New_York", date(2026, 11, 1)),
        ("America/New_York", date(2027, 3, 14)),
        ("Australia/Sydney", date(2026, 10, 4)),
        ("Australia/Sydney", date(2027, 4, 4)),
    ],
)
@pytest.mark.parametrize("hour", [0, 3, 9, 23])
def test_a_clock_change_neither_adds_nor_removes_a_day(zone: str, change_on: date, hour: int) -> None:
    here = ZoneInfo(zone)
    for ahead in range(8):
        touched_on = change_on - timedelta(days=ahead)
        touched_at = datetime.combine(touched_on, time(hour, 30), tzinfo=here).astimezone(UTC)
        for later, state in ((7, State.DUE_SOON), (8, State.OVERDUE)):
            now = datetime.combine(touched_on + timedelta(days=later), time(0, 5), tzinfo=here).astimezone(UTC)
            facts = replace(QUIET.facts(), last_touch_at=touched_at, observed_at=now)
            standing = stand(facts, now, here)
            assert (standing.state, standing.days_since) == (state, later)


def test_a_partner_on_pause_or_ended_has_no_due_day() -> None:
    assert QUIET.standing(QUIET.facts(touched=30, status=Status.PAUSED)).due_on is None
    assert QUIET.standing(QUIET.facts(touched=30, status=Status.ENDED)).due_on is None
    assert QUIET.standing(QUIET.facts(touched=30, tier=None)).due_on is None
    assert QUIET.standing(QUIET.facts(touched=30)).due_on == date(2026, 10, 31)


# What is not seen


def test_a_clean_sync_vouches_for_a_day() -> None:
    assert QUIET.standing(QUIET.facts(touched=20, observed=1)).state is State.OVERDUE
    a_little_longer = replace(QUIET.facts(touched=20), observed_at=NOW - timedelta(hours=24, seconds=1))
    assert QUIET.standing(a_little_longer).state is State.BLIND


def test_a_mailbox_unplugged_for_longer_than_the_window_leaves_the_partner_overdue_and_marked() -> None:
    assert QUIET.standing(QUIET.facts(touched=30, observed=8)).state is State.BLIND
    standing = QUIET.standing(QUIET.facts(touched=30, observed=9))
    assert (standing.state, standing.unobserved, standing.days_overdue) == (State.OVERDUE, True, 23)


def test_an_overdue_partner_that_is_seen_carries_no_mark() -> None:
    assert not QUIET.standing(QUIET.facts(touched=30)).unobserved


def test_an_owner_without_any_mailbox_is_blind_from_the_start_of_the_cadence() -> None:
    recent = QUIET.facts(touched=8, started=7, observed=None)
    assert QUIET.standing(recent).state is State.BLIND
    standing = QUIET.standing(QUIET.facts(touched=8, started=8, observed=None))
    assert (standing.state, standing.unobserved) == (State.OVERDUE, True)


def test_a_blind_partner_is_neither_covered_nor_counted_nor_late() -> None:
    standing = QUIET.standing(QUIET.facts(touched=20, observed=3))
    assert (standing.eligible, standing.covered, standing.days_overdue) == (False, False, 0)


# Replies


@pytest.mark.parametrize(
    ("touched", "replied", "heard", "backed"),
    [
        (30.0, 16.0, 16.0, True),  # answered on the 14th day
        (30.0, 15.0, 15.0, False),  # answered on the 15th
        (20.0, None, None, False),
        (20.0, None, 7.0, True),  # wrote to us within the window
        (20.0, None, 8.0, False),
        (3.0, -1.0, None, False),  # an answer that has not come yet
        (None, None, 3.0, True),
        (None, None, None, False),
    ],
)
def test_a_partner_is_reply_backed_by_an_answer_in_14_days_or_own_mail_within_the_window(
    touched: float | None, replied: float | None, heard: float | None, backed: bool
) -> None:
    assert QUIET.standing(QUIET.facts(touched, replied=replied, heard=heard)).reply_backed is backed


def test_a_partner_without_a_tier_is_not_reply_backed() -> None:
    assert not QUIET.standing(QUIET.facts(touched=3, heard=1, replied=1, tier=None)).reply_backed


@pytest.mark.parametrize(
    ("heard", "wrote", "owed"),
    [
        (4.0, None, True),  # Thursday: two business days are Friday and today
        (3.0, None, False),  # Friday
        (2.0, None, False),  # Saturday
        (10.0, 11.0, True),
        (10.0, 10.0, False),
        (10.0, 9.0, False),
        (None, 9.0, False),
    ],
)
def test_a_reply_is_owed_once_the_partner_has_waited_for_two_business_days(
    heard: float | None, wrote: float | None, owed: bool
) -> None:
    assert QUIET.standing(QUIET.facts(heard=heard, wrote=wrote)).reply_owed is owed


def test_our_mail_in_cc_answers_too_although_the_last_touch_is_older() -> None:
    assert not QUIET.standing(QUIET.facts(touched=20, heard=10, wrote=9)).reply_owed


@pytest.mark.parametrize("status", [Status.PAUSED, Status.ENDED])
def test_no_reply_is_owed_to_a_partner_that_is_paused_or_ended(status: Status) -> None:
    assert not QUIET.standing(QUIET.facts(heard=10, status=status)).reply_owed


# The order of a list


def test_the_list_sorts_by_tier_then_by_windows_passed_then_by_name() -> None:
    rows = [
        QUIET.facts(touched=80, name="Wayne", tier=MONTHLY, partner_id=1),
        QUIET.facts(touched=20, name="hooli", tier=FORTNIGHTLY, partner_id=2),
        QUIET.facts(touched=40, name="Acme", tier=WEEKLY, partner_id=3),
        QUIET.facts(touched=41, name="Globex", tier=WEEKLY, partner_id=4),
        QUIET.facts(touched=20, name="Gekko", tier=FORTNIGHTLY, partner_id=5),
        QUIET.facts(name="Never", tier=WEEKLY, started=60, partner_id=6),
        QUIET.facts(touched=90, name="Anyone", tier=None, partner_id=7),
    ]
    ordered = sorted((QUIET.standing(row) for row in rows), key=sort_key)
    assert [one.facts.name for one in ordered] == ["Never", "Globex", "Acme", "Gekko", "hooli", "Wayne", "Anyone"]


# Properties

tiers = st.builds(Tier, st.integers(1, 4), st.just("Tier"), st.integers(1, 90), st.integers(0, 10))
instants = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001 - st.datetimes takes its bounds naive


@st.composite
def partner_facts(draw: st.DrawFn, *, plain: bool = False) -> PartnerFacts:
    """Any facts; `plain` ones have a tier, no pause and no end."""
    maybe = st.none() | instants
    blank = QUIET.facts()
    facts = replace(
        blank,
        partner_id=draw(st.integers(1, 9)),
        name=draw(st.sampled_from(["Acme", "acme", "Globex", "Ünal"])),
        tier=draw(tiers if plain else st.none() | tiers),
        status=Status.ACTIVE if plain else draw(st.sampled_from(Status)),
        paused_until=draw(st.none() | st.dates(date(2026, 1, 1), date(2027, 1, 1))),
        cadence_start_on=draw(st.dates(date(2026, 1, 1), date(2026, 12, 31))),
        last_touch_at=draw(maybe),
        last_heard_at=draw(maybe),
        last_reply_at=draw(maybe),
        last_outbound_at=draw(maybe),
        observed_at=draw(maybe),
    )
    return facts


HOW_BAD = {
    State.ON_PACE: 0,
    State.NEW: 1,
    State.DUE_SOON: 1,
    State.BLIND: 2,  # may be overdue, and cannot be told from it
    State.OVERDUE: 2,
}


@given(partner_facts(), instants, st.sampled_from(ZONES))
def test_every_partner_has_exactly_one_state_and_says_nothing_contradictory(
    facts: PartnerFacts, now: datetime, zone: ZoneInfo
) -> None:
    standing = stand(facts, now, zone)
    assert standing.state in State
    assert standing.eligible or not standing.covered
    assert (standing.days_overdue > 0) is (standing.state is State.OVERDUE)
    assert standing.state is State.OVERDUE or not standing.unobserved
    assert standing == stand(facts, now, zone)
    assert standing == stand(standing.facts, now, zone)


@given(partner_facts(plain=True), instants, st.integers(0, 120), st.sampled_from(ZONES))
def test_a_state_never_improves_as_days_pass(facts: PartnerFacts, now: datetime, days: int, zone: ZoneInfo) -> None:
    earlier = stand(facts, now, zone)
    later = stand(earlier.facts, now + timedelta(days=days), zone)
    assert HOW_BAD[later.state] >= HOW_BAD[earlier.state]
    if earlier.unobserved:
        assert later.unobserved


@given(partner_facts(plain=True), instants, st.integers(0, 120))
def test_an_overdue_partner_that_stays_in_sight_stays_overdue(facts: PartnerFacts, now: datetime, days: int) -> None:
    then = now + timedelta(days=days)
    earlier = stand(replace(facts, last_touch_at=None, observed_at=now), now, LONDON)
    later = stand(replace(earlier.facts, observed_at=then), then, LONDON)
    if earlier.state is State.OVERDUE:
        assert later.state is State.OVERDUE
        assert later.days_overdue >= earlier.days_overdue


@given(partner_facts(plain=True), instants, st.sampled_from(ZONES))
def test_a_touch_today_is_never_overdue(facts: PartnerFacts, now: datetime, zone: ZoneInfo) -> None:
    assert stand(replace(facts, last_touch_at=now), now, zone).state in (State.ON_PACE, State.DUE_SOON)


@given(partner_facts(plain=True), instants, instants, st.sampled_from(ZONES))
def test_adding_a_touch_never_worsens_a_standing(
    facts: PartnerFacts, added_at: datetime, now: datetime, zone: ZoneInfo
) -> None:
    before = stand(facts, now, zone)
    known_at = before.facts.last_touch_at
    start_at = datetime.combine(facts.cadence_start_on, time(), tzinfo=zone).astimezone(UTC)
    # An older touch moves nothing, a future one is not known yet, and before the start there was no cadence.
    added_at = max(known_at or start_at, min(added_at, now))
    after = stand(replace(before.facts, last_touch_at=added_at), now, zone)
    assert HOW_BAD[after.state] <= HOW_BAD[before.state]
    assert after.days_overdue <= before.days_overdue
    assert before.due_on is None or after.due_on is None or after.due_on >= before.due_on


@given(partner_facts(), instants, st.integers(-700, 700))
def test_shifting_all_dates_changes_nothing(facts: PartnerFacts, now: datetime, days: int) -> None:
    by = timedelta(days=days)

    def moved(at: datetime | None) -> datetime | None:
        return at + by if at else None

    # Replies owed are counted in business days: a shift by whole weeks keeps those too.
    whole_weeks = days % 7 == 0
    shifted = replace(
        facts,
        paused_until=facts.paused_until + by if facts.paused_until else None,
        cadence_start_on=facts.cadence_start_on + by,
        last_touch_at=moved(facts.last_touch_at),
        last_heard_at=moved(facts.last_heard_at),
        last_reply_at=moved(facts.last_reply_at),
        last_outbound_at=moved(facts.last_outbound_at),
        observed_at=moved(facts.observed_at),
    )
    here, there = stand(facts, now, UTC_ZONE), stand(shifted, now + by, UTC_ZONE)
    assert there.due_on == (here.due_on + by if here.due_on else None)
    same = replace(there, facts=here.facts, due_on=here.due_on)
    assert (same if whole_weeks else replace(same, reply_owed=here.reply_owed)) == here


@given(st.lists(partner_facts(), max_size=12), instants, st.randoms(use_true_random=False))
def test_the_order_is_total_and_does_not_depend_on_where_it_starts(
    many: list[PartnerFacts], now: datetime, chance: random.Random
) -> None:
    rows = [stand(replace(facts, partner_id=number), now, LONDON) for number, facts in enumerate(many)]
    shuffled = rows[:]
    chance.shuffle(shuffled)
    assert sorted(shuffled, key=sort_key) == sorted(rows, key=sort_key)
    assert len({sort_key(row) for row in rows}) == len(rows)


@given(partner_facts(plain=True), instants, st.integers(2, 60), st.sampled_from(ZONES))
def test_unplugging_a_mailbox_for_longer_than_the_window_changes_no_count(
    facts: PartnerFacts, now: datetime, days: int, zone: ZoneInfo
) -> None:
    assert facts.tier is not None
    seen = stand(replace(facts, observed_at=now), now, zone)
    gone = replace(facts, observed_at=now - timedelta(days=facts.tier.window_days + days))
    unplugged = stand(gone, now, zone)
    assert unplugged.state is seen.state
    assert unplugged.days_overdue == seen.days_overdue


def test_the_same_facts_judged_in_another_zone_follow_its_calendar() -> None:
    touched_at = datetime(2026, 11, 15, 20, 0, tzinfo=UTC)  # Sunday in London, Monday in Sydney
    now = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
    facts = replace(Quiet(now).facts(), last_touch_at=touched_at)
    due = [stand(facts, now, ZoneInfo(zone)).due_on for zone in ("Europe/London", "Australia/Sydney")]
    assert due == [date(2026, 11, 22), date(2026, 11, 23)]
