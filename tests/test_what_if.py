"""Coverage under other windows, against counting by hand; and what people type for it."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest

from models.actions.programme import set_tier
from models.cadence import Shutdown, State, Status, Tier
from models.queries.standings import standings
from models.queries.trend import coverage_now
from models.queries.what_if import what_if as stored_what_if
from models.standing import PartnerFacts, Who, stand
from models.weekly_read import Coverage
from models.what_if import OtherTarget, Outlook, other_targets, what_if
from tests.cast import ACME, GLOBEX, INITECH, MONDAY, UMBRELLA, ZONE, put_cast, put_touch
from tests.databases import Database

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
SHUT = (Shutdown(date(2026, 11, 2), date(2026, 11, 8)),)


def facts(number: int, dice: random.Random, tiers: Sequence[Tier]) -> PartnerFacts:
    owner = dice.choice([None, *(Who(one, f"P{one}", f"p{one}@lantern.example") for one in range(4))])
    touched = dice.choice([None, NOW - timedelta(days=dice.randrange(-2, 60), hours=dice.randrange(24))])
    return PartnerFacts(
        partner_id=number,
        name=f"Partner {number}",
        tier=dice.choice([None, *tiers]),
        owner=owner,
        status=dice.choice([Status.ACTIVE] * 6 + [Status.PAUSED, Status.ENDED]),
        paused_until=dice.choice([None, date(2026, 11, 20), date(2026, 12, 1)]),
        cadence_start_on=date(2026, 11, 23) - timedelta(days=dice.randrange(60)),
        last_touch_at=touched,
        last_touch_by=None,
        last_heard_at=dice.choice([None, NOW - timedelta(days=dice.randrange(60))]),
        last_reply_at=None,
        last_outbound_at=touched,
        observed_at=dice.choice([None, NOW - timedelta(hours=3), NOW - timedelta(days=dice.randrange(40))]),
        next_step=None,
        episode=None,
    )


@pytest.mark.parametrize("seed", range(60))
def test_it_is_what_every_partner_would_stand_at_under_the_other_window(seed: int) -> None:
    dice = random.Random(seed)
    tiers = [Tier(rank, f"Tier {rank}", dice.randrange(3, 40), dice.choice((0, 2))) for rank in (1, 2, 5)]
    everybody = [facts(number, dice, tiers) for number in range(120)]
    shut = dice.choice(((), SHUT))
    targets = [
        OtherTarget(rank, dice.randrange(1, 50), dice.choice((None, 0, 3))) for rank in dice.sample((1, 2, 5), 2)
    ]
    before = [stand(one, NOW, ZONE, shut) for one in everybody]
    found = what_if(before, tiers, targets, NOW, ZONE, shut)
    assert [one.now.tier for one in found.tiers] == tiers
    owners = set()
    for one in found.tiers:
        target = next((target for target in targets if target.rank == one.now.tier.rank), None)
        other = one.now.tier
        if target is not None:
            grace = other.grace_days if target.grace_days is None else target.grace_days
            other = Tier(other.rank, other.name, target.window_days, grace)
        assert one.then.tier == other
        for under, tier in ((one.now, one.now.tier), (one.then, other)):
            stood = [
                stand(replace(fact, tier=tier), NOW, ZONE, shut)
                for fact in everybody
                if fact.tier is not None and fact.tier.rank == tier.rank
            ]
            covered = sum(here.state in (State.ON_PACE, State.DUE_SOON) for here in stood)
            overdue = sum(here.state is State.OVERDUE for here in stood)
            assert under.coverage == Coverage(covered, covered + overdue)
            clocked = [here for here in stood if here.state not in (State.PAUSED, State.ENDED)]
            assert under.clocked == len(clocked) == covered + overdue + under.new + under.blind
            assert under.touches == sum((Fraction(7, tier.window_days) for _ in clocked), Fraction())
            owners |= {here.facts.owner.id for here in clocked if here.facts.owner}
    assert found.owners == len(owners)
    assert found.touches_then == sum(one.then.touches for one in found.tiers)


def test_a_longer_window_never_lowers_the_number_of_the_covered() -> None:
    tier, dice = Tier(1, "Tier 1", 7), random.Random(5)
    stood = [stand(replace(facts(number, dice, [tier]), tier=tier), NOW, ZONE) for number in range(300)]
    covered = [
        what_if(stood, [tier], [OtherTarget(1, days)], NOW, ZONE).tiers[0].then.coverage.covered
        for days in range(1, 70)
    ]
    assert covered == sorted(covered)
    assert covered[0] < covered[-1]


def test_the_windows_as_they_are_change_nothing(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session)
        for partner, days in ((ACME, 9), (GLOBEX, 3), (INITECH, 12), (UMBRELLA, 16)):
            put_touch(session, cast, partner, MONDAY - timedelta(days=days))
    with database.reading() as session:
        now = coverage_now(session, cast.programme, MONDAY)
        same = stored_what_if(session, cast.programme, MONDAY, [OtherTarget(1, 7)])
        other = stored_what_if(session, cast.programme, MONDAY, [OtherTarget(1, 10)])
        assert len(standings(session, cast.programme, MONDAY)) == 10
    assert [one.now.coverage for one in same.tiers] == [one.coverage for one in now]
    assert not any(one.changed for one in same.tiers)
    assert other.tiers[0].now.coverage == Coverage(1, 3)
    assert other.tiers[0].then.coverage == Coverage(2, 3)
    # 3 partners of 7 days, 3 of 14 and 3 of 30 make 3 + 1.5 + 0.7 touches a week, for three managers.
    assert other.touches_now == 3 + Fraction(3, 2) + Fraction(7, 10)
    assert other.touches_then == Fraction(21, 10) + Fraction(3, 2) + Fraction(7, 10)
    assert (other.owners, other.each(other.touches_now)) == (3, Fraction(52, 30))


def test_what_it_says_comes_true_when_the_tier_is_changed(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session)
        for partner, days in ((ACME, 9), (GLOBEX, 3), (INITECH, 12), (UMBRELLA, 16)):
            put_touch(session, cast, partner, MONDAY - timedelta(days=days))
    targets = [OtherTarget(1, 10), OtherTarget(2, 12, 4)]
    with database.reading() as session:
        said = stored_what_if(session, cast.programme, MONDAY, targets)
    with database.sessions.begin() as session:
        for one in said.tiers:
            set_tier(session, cast.workspace_id, "test", one.then.tier, MONDAY)
    with database.reading() as session:
        now = coverage_now(session, cast.programme, MONDAY)
    assert [one.then.coverage for one in said.tiers] == [one.coverage for one in now]
    assert [(one.then.new, one.then.blind) for one in said.tiers] == [(one.new, one.blind) for one in now]


def test_nobody_owns_anything() -> None:
    assert Outlook((), 0).each(Fraction(3)) is None


@pytest.mark.parametrize(
    ("typed", "targets"),
    [
        ("1=10", [OtherTarget(1, 10)]),
        ("1=10,2=21", [OtherTarget(1, 10), OtherTarget(2, 21)]),
        (" 1 = 10 ; 2=21+3 ", [OtherTarget(1, 10), OtherTarget(2, 21, 3)]),
        ("tier 1 at 10 days", [OtherTarget(1, 10)]),
        ("Tier 1 at 10 days and tier 2 at 21", [OtherTarget(1, 10), OtherTarget(2, 21)]),
        ("tier 3 at 30 days plus 2 days of grace", [OtherTarget(3, 30, 2)]),
        ("tier1 to 10-day", [OtherTarget(1, 10)]),
        ("2=14+0", [OtherTarget(2, 14, 0)]),
    ],
)
def test_other_windows_as_people_type_them(typed: str, targets: list[OtherTarget]) -> None:
    assert list(other_targets(typed)) == targets


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "'' is not a tier and its days"),
        ("1", "'1' is not a tier and its days"),
        ("1=0", "a window of 0 days"),
        ("1=99999", "a window of 99999 days"),
        ("1=10+999", "999 days of grace"),
        ("1=10,1=12", "tier 1 is there twice"),
        ("1=-3", "is not a tier and its days"),
        ("1=10,", "'' is not a tier and its days"),
        ("gold=7", "'gold=7' is not a tier"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_sentence(typed: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"days|twice") as caught:
        other_targets(typed)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
