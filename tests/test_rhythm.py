"""A silence is judged by the partner's own rhythm: the rarer for it, the smaller its chance, in words too."""

import random
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from math import inf, isfinite, log
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.rhythm import (
    AHEAD_DAYS,
    DEFAULT_PRIOR,
    ENOUGH_DAYS,
    UNUSUAL,
    Prior,
    days_of,
    one_in,
    quiet,
    rhythm_of,
    soonest_unusual,
)
from tests.benchmarks._rhythm_fit import _path, _surprise, fit_prior, minimum

TODAY = date(2026, 11, 23)
NOW = TODAY.toordinal()
ordinals = st.integers(1, 3_600_000)
histories = st.lists(st.integers(0, 3000).map(lambda ago: NOW - ago), max_size=60)
known = st.lists(st.integers(0, 3000).map(lambda ago: NOW - ago), min_size=ENOUGH_DAYS, max_size=60, unique=True)
priors = st.builds(
    Prior,
    shape=st.floats(0.01, 100),
    scale=st.floats(0.01, 1000),
    bend=st.floats(0.1, 1),
    lasting=st.floats(0.01, 1000) | st.just(inf),
    memory_days=st.sampled_from([30.0, 180.0, inf]),
)


def every(days: int, count: int, last: int = NOW) -> list[int]:
    return [last - days * back for back in range(count)]


def chance(days: list[int], prior: Prior = DEFAULT_PRIOR, today: date = TODAY) -> float:
    found = quiet(rhythm_of(days, prior), today).chance
    assert found is not None
    return found


@example([NOW, NOW - 1, NOW - 2], Prior(1.0, 1.0, 1.0, inf, 30.0), 0, 1)
@given(known, priors, st.integers(0, 2000), st.integers(0, 2000))
def test_a_longer_silence_is_never_less_unusual_and_never_makes_mail_likelier(
    days: list[int], prior: Prior, silent: int, longer: int
) -> None:
    rhythm = rhythm_of(days, prior)
    last = date.fromordinal(max(days))
    soon = quiet(rhythm, last + timedelta(days=silent))
    late = quiet(rhythm, last + timedelta(days=silent + longer))
    assert soon.chance is not None
    assert late.chance is not None
    assert soon.stays_silent is not None
    assert late.stays_silent is not None
    assert 0 <= late.chance <= soon.chance <= 1
    assert 0 <= soon.stays_silent <= late.stays_silent * (1 + 1e-9)
    assert late.stays_silent <= 1


def test_silence_makes_it_strictly_rarer() -> None:
    rhythm = rhythm_of(every(6, 20))
    said = [quiet(rhythm, TODAY + timedelta(days=silent)).chance for silent in (1, 6, 12, 27, 60, 200)]
    assert said[0] == 1
    assert said == sorted(said, key=lambda one: -(one or 0))
    assert len(set(said)) == len(said)


@given(known, st.integers(-500_000, 500_000), st.integers(0, 400))
def test_the_calendar_does_not_matter_only_the_days_between(days: list[int], shift: int, silent: int) -> None:
    today = max(days) + silent
    here = quiet(rhythm_of(days), date.fromordinal(today))
    there = quiet(rhythm_of([day + shift for day in days]), date.fromordinal(today + shift))
    assert here == there


@given(known, st.data())
def test_many_mails_on_a_day_count_as_one_in_any_order(days: list[int], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(days)))
    assert rhythm_of(data.draw(st.permutations(days + again))) == rhythm_of(days)


@given(st.lists(ordinals, max_size=30), st.dates(), priors)
def test_whatever_is_given_something_is_said(days: list[int], today: date, prior: Prior) -> None:
    said = quiet(rhythm_of(days, prior), today)
    assert said.words
    assert (said.chance is None) == (len(set(days)) < ENOUGH_DAYS) == said.words.startswith("too early to say")
    assert (said.stays_silent is None) == (said.chance is None)
    for share in (said.chance, said.stays_silent):
        assert share is None or 0 <= share <= 1
    assert said.silent_days is None or said.silent_days >= 0
    assert said.unusual in (True, False)


def test_with_little_history_the_reason_is_said_instead_of_a_number() -> None:
    assert quiet(rhythm_of([]), TODAY).words == "too early to say: never heard from"
    assert quiet(rhythm_of([NOW - 9] * 4), TODAY).words == "too early to say: heard from on one day only"
    two = quiet(rhythm_of([NOW - 9, NOW - 19]), TODAY)
    assert two.words == "too early to say: heard from on 2 days only"
    assert (two.chance, two.stays_silent, two.usual_days, two.silent_days) == (None, None, 10, 9)
    assert not two.unusual
    assert quiet(rhythm_of(every(7, 3)), TODAY).words == (
        "usually writes every 7 days, heard today (little history: 3 days with mail)"
    )


def test_with_little_history_the_prior_speaks_and_with_much_it_falls_silent() -> None:
    slow = replace(DEFAULT_PRIOR, shape=3.0, scale=60.0)
    fast = replace(DEFAULT_PRIOR, shape=3.0, scale=3.0)
    apart = [
        abs(chance(days, slow, today) - chance(days, fast, today))
        for count in (3, 6, 12, 25, 50, 100)
        for days, today in [(every(7, count), TODAY + timedelta(days=10))]
    ]
    assert apart == sorted(apart, reverse=True)
    assert apart[0] > 0.4
    assert apart[-1] < 0.2
    own = replace(slow, memory_days=inf), replace(fast, memory_days=inf)
    days = every(7, 1000)
    assert (
        abs(chance(days, own[0], TODAY + timedelta(days=10)) - chance(days, own[1], TODAY + timedelta(days=10))) < 0.03
    )


def test_a_strong_prior_says_what_all_partners_do() -> None:
    certain = Prior(shape=1e6, scale=1e6 * 10**0.6, bend=0.6, lasting=13.0)
    assert chance(every(2, 5), certain, TODAY + timedelta(days=11)) == pytest.approx(0.368, abs=0.001)


def test_what_a_partner_did_long_ago_weighs_less_than_what_it_does_now() -> None:
    was_daily = every(30, 24) + every(1, 100, NOW - 30 * 24)
    was_rare = every(30, 24) + every(60, 100, NOW - 30 * 24)
    later = TODAY + timedelta(days=45)
    assert quiet(rhythm_of(was_daily), later).usual_days == 30
    assert chance(was_rare, today=later) > chance(was_daily, today=later)
    ancient = every(30, 50) + [NOW - 30 * 49 - 1 - back for back in range(200)]
    assert chance(ancient, today=later) == pytest.approx(chance(every(30, 50), today=later), abs=0.02)


def test_the_same_silence_is_rare_for_one_partner_and_nothing_for_another() -> None:
    later = TODAY + timedelta(days=27)
    daily, monthly = quiet(rhythm_of(every(2, 50)), later), quiet(rhythm_of(every(30, 50)), later)
    assert daily.chance is not None
    assert monthly.chance is not None
    assert daily.unusual
    assert not monthly.unusual
    assert daily.chance < monthly.chance / 5


def test_a_partner_that_writes_more_is_likelier_to_write_again() -> None:
    said = [quiet(rhythm_of(every(gap, 30)), TODAY + timedelta(days=1)).stays_silent for gap in (1, 5, 20, 60, 150)]
    assert said == sorted(said, key=lambda one: one or 0)


def test_where_none_leaves_the_future_follows_from_the_gaps_alone() -> None:
    rhythm = rhythm_of(every(6, 20), replace(DEFAULT_PRIOR, lasting=inf))
    assert rhythm.ended() == 0
    expected = rhythm.outlasts(27 + AHEAD_DAYS) / rhythm.outlasts(27)
    assert quiet(rhythm, TODAY + timedelta(days=27)).stays_silent == pytest.approx(expected)
    leaves = quiet(rhythm_of(every(6, 20)), TODAY + timedelta(days=27)).stays_silent
    assert leaves is not None
    assert leaves > expected


@given(known, st.integers(0, 400))
def test_the_words_and_the_numbers_agree(days: list[int], silent: int) -> None:
    said = quiet(rhythm_of(days), date.fromordinal(max(days) + silent))
    assert said.chance is not None
    assert said.silent_days == silent
    usual = "every day" if said.usual_days == 1 else f"every {said.usual_days} days"
    assert said.words.startswith(f"usually writes {usual}, {f'silent for {silent}: ' if silent else 'heard today'}")
    if number := re.search(r"about 1 in (\d+)", said.words):
        assert 1 / int(number[1]) == pytest.approx(said.chance, rel=0.35)
    assert ("less than 1 in 1000" in said.words) == (silent > 0 and said.chance < 0.001)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.5, "about 1 in 2"),
        (0.112, "about 1 in 9"),
        (0.0251, "about 1 in 40"),
        (0.0123, "about 1 in 80"),
        (0.0041, "about 1 in 250"),
        (0.001, "about 1 in 1000"),
        (0.0009, "less than 1 in 1000"),
        (0.0, "less than 1 in 1000"),
    ],
)
def test_a_chance_is_said_as_people_say_it(share: float, words: str) -> None:
    assert one_in(share) == words


def test_mail_from_the_future_counts_as_one_of_today() -> None:
    said = quiet(rhythm_of(every(7, 10, NOW + 3)), TODAY)
    assert (said.silent_days, said.chance) == (0, 1)


def test_days_are_the_programmes_own() -> None:
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    assert days_of([late, late + timedelta(hours=2)], ZoneInfo("UTC")) == [NOW - 1, NOW]
    assert days_of([late + timedelta(hours=2), late], ZoneInfo("Europe/Berlin")) == [NOW]


def partners(prior: Prior, count: int, seed: int) -> list[list[int]]:
    """Histories drawn from the model itself, over 1,000 days."""
    dice = random.Random(seed)
    made = []
    for _ in range(count):
        rate = dice.gammavariate(prior.shape, 1 / prior.scale)
        leaving = 1 - (1 - dice.random()) ** (1 / prior.lasting) if isfinite(prior.lasting) else 0.0
        day, days = NOW - 1000 + dice.randrange(200), []
        while day < NOW:
            days.append(day)
            if dice.random() < leaving:
                break
            day += 1 + int((dice.expovariate(1) / rate) ** (1 / prior.bend))
        made.append(days)
    return made


def test_a_prior_is_learned_from_partners_that_follow_it() -> None:
    truth = Prior(shape=2.0, scale=12.0, bend=0.8, lasting=30.0, memory_days=inf)
    learned = fit_prior(partners(truth, 600, 1), NOW, replace(DEFAULT_PRIOR, memory_days=inf))
    assert learned.bend == pytest.approx(truth.bend, abs=0.12)
    assert learned.scale / learned.shape == pytest.approx(truth.scale / truth.shape, rel=0.35)
    assert 12 < learned.lasting < 75
    # What it says of chances holds for partners that it has not seen.
    came = expected = 0.0
    for days in partners(truth, 300, 2):
        before = [day for day in days if day < NOW - 100]
        if len(before) >= ENOUGH_DAYS:
            said = quiet(rhythm_of(before, learned), date.fromordinal(NOW - 100)).stays_silent
            assert said is not None
            expected += said
            came += not any(NOW - 100 <= day < NOW - 100 + AHEAD_DAYS for day in days)
    assert came == pytest.approx(expected, rel=0.12)


def test_a_handful_of_partners_hardly_moves_the_prior() -> None:
    learned = fit_prior([every(40, 6), every(45, 5)], NOW)
    assert learned.bend == pytest.approx(DEFAULT_PRIOR.bend, rel=0.5)
    nothing = fit_prior([[], [NOW - 3]], NOW)
    assert (nothing.shape, nothing.lasting) == pytest.approx((DEFAULT_PRIOR.shape, DEFAULT_PRIOR.lasting), rel=0.15)


def test_a_prior_is_learned_only_from_what_lies_before_the_day() -> None:
    past = [every(3, 30, NOW - 1), every(20, 9, NOW - 5)]
    assert fit_prior(past, NOW) == fit_prior([[*days, NOW, NOW + 50] for days in past], NOW)


@given(known, priors, st.integers(0, 40))
@example(every(1, 700), DEFAULT_PRIOR, 3)
def test_nobodys_silence_is_unusual_sooner_than_said(days: list[int], prior: Prior, silent: int) -> None:
    rhythm = rhythm_of(days, prior)
    if rhythm.outlasts(silent) <= UNUSUAL:
        assert silent >= soonest_unusual(prior)


def test_somebody_who_wrote_every_day_is_the_first_to_be_missed() -> None:
    soonest = soonest_unusual()
    assert soonest > 2
    daily = rhythm_of(range(NOW - 4000, NOW + 1))
    assert daily.outlasts(soonest) <= UNUSUAL < daily.outlasts(soonest - 1)


def test_what_was_switched_off_stays_off() -> None:
    learned = fit_prior([every(3, 30)], NOW, replace(DEFAULT_PRIOR, bend=1.0, lasting=inf, memory_days=90.0))
    assert (learned.bend, learned.lasting, learned.memory_days) == (1.0, inf, 90.0)


def test_the_simplex_finds_the_bottom_of_a_bent_valley() -> None:
    found = minimum(lambda at: 100 * (at[1] - at[0] ** 2) ** 2 + (1 - at[0]) ** 2, [-1.0, 1.0], rounds=500)
    assert found == pytest.approx([1.0, 1.0], abs=0.2)


def test_a_prior_is_judged_by_the_very_chances_that_partners_are_told() -> None:
    days = [NOW - ago for ago in (400, 310, 290, 289, 200, 120, 90, 44)]
    expected = 0.0
    for place in range(5, len(days) + 1):
        rhythm = rhythm_of(days[:place])
        stays = 1 - rhythm.ended()
        if place < len(days):
            gap = days[place] - days[place - 1]
            expected -= log(stays * (rhythm.outlasts(gap) - rhythm.outlasts(gap + 1)))
        else:
            expected -= log(rhythm.ended() + stays * rhythm.outlasts(44))
    assert _surprise([_path(days, NOW, DEFAULT_PRIOR)], DEFAULT_PRIOR) == pytest.approx(expected)
