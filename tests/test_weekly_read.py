from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from models.cadence import State, Status, Tier
from models.standing import Standing, Who
from models.weekly_read import Coverage, MailboxTrouble, Recovery, WeeklyRead, coverage_lines, coverage_of, weekly_read
from tests.facts import FORTNIGHTLY, LONDON, MONTHLY, NOW, QUIET, TIERS, WEEKLY, claim_by


def _standings() -> list[Standing]:
    rows = [
        QUIET.facts(touched=1, name="On pace"),
        QUIET.facts(touched=7, name="Due today", heard=1),
        QUIET.facts(touched=6, name="Due tomorrow", heard=5, replied=5),
        QUIET.facts(touched=20, name="Late", heard=10, wrote=20),
        QUIET.facts(touched=30, name="Later", claim=claim_by()),
        QUIET.facts(touched=30, name="Unseen", observed=3),
        QUIET.facts(name="New", started=2, heard=1),
        QUIET.facts(touched=30, name="Paused", status=Status.PAUSED),
        QUIET.facts(touched=9, name="Waiting", tier=FORTNIGHTLY, heard=8, wrote=9),
        QUIET.facts(touched=50, name="Forgotten", tier=FORTNIGHTLY),
        QUIET.facts(touched=3, name="Loose", tier=None),
        QUIET.facts(touched=3, name="Gone", status=Status.ENDED),
        QUIET.facts(touched=3, name="Loose and paused", tier=None, status=Status.PAUSED),
    ]
    return [QUIET.standing(row) for row in rows]


def _read(standings: list[Standing] | None = None) -> WeeklyRead:
    return weekly_read(_standings() if standings is None else standings, TIERS, NOW, LONDON)


def _names(standings: tuple[Standing, ...]) -> list[str]:
    return [one.facts.name for one in standings]


def test_coverage_is_undefined_when_nothing_is_eligible() -> None:
    assert Coverage(0, 0).share is None
    assert Coverage(0, 4).share == 0
    assert Coverage(3, 4).share == 0.75
    assert coverage_of([QUIET.standing(QUIET.facts(tier=None))]) == Coverage(0, 0)


def test_every_tier_has_a_line_also_an_empty_one() -> None:
    weekly, fortnightly, monthly = coverage_lines(_standings(), TIERS, {1: Coverage(4, 5)})
    assert weekly.coverage == Coverage(3, 5)
    assert weekly.previous == Coverage(4, 5)
    assert (weekly.due_soon, weekly.overdue, weekly.new, weekly.blind, weekly.paused) == (2, 2, 1, 1, 1)
    assert (fortnightly.coverage, fortnightly.previous) == (Coverage(1, 2), None)
    assert (monthly.tier, monthly.coverage) == (MONTHLY, Coverage(0, 0))


def test_lines_come_by_rank_whatever_order_the_tiers_are_given_in() -> None:
    assert coverage_lines(_standings(), TIERS) == coverage_lines(list(reversed(_standings())), TIERS[::-1])


def test_a_tier_that_was_not_listed_still_has_its_line() -> None:
    lines = coverage_lines(_standings(), [MONTHLY])
    assert [line.tier for line in lines] == [WEEKLY, FORTNIGHTLY, MONTHLY]


def test_reply_backed_coverage_is_a_share_of_the_same_eligible() -> None:
    weekly, fortnightly, _ = coverage_lines(_standings(), TIERS)
    assert weekly.reply_backed == Coverage(2, 5)
    assert fortnightly.reply_backed == Coverage(1, 2)


def test_the_read_names_the_overdue_in_the_order_of_urgency() -> None:
    read = _read()
    assert _names(read.overdue) == ["Later", "Late", "Forgotten"]
    assert read.overall == Coverage(4, 7)
    assert read.week == date(2026, 11, 23)


def test_what_is_due_first_is_named_first() -> None:
    assert _names(_read().due_soon) == ["Due today", "Due tomorrow"]


def test_a_reply_owed_to_an_overdue_partner_is_not_told_twice() -> None:
    assert _names(_read().reply_owed) == ["Due tomorrow", "Waiting"]


def test_whoever_is_not_counted_is_printed_as_a_count() -> None:
    read = _read()
    assert _names(read.blind) == ["Unseen"]
    assert (read.paused, read.new, read.untiered, read.ended) == (2, 1, 1, 1)


def test_the_read_counts_the_slipped_partners_that_have_a_name_beside_them() -> None:
    read = _read()
    assert (read.assigned, read.unassigned) == (1, 2)


def test_a_claim_changes_neither_state_nor_coverage() -> None:
    bare = QUIET.standing(QUIET.facts(touched=30))
    held = QUIET.standing(QUIET.facts(touched=30, claim=claim_by(Who(2, "Priya Nair", "priya@lantern.example"))))
    assert bare.state is held.state is State.OVERDUE
    assert _read([bare]).overall == _read([held]).overall == Coverage(0, 1)


def test_what_happened_to_last_weeks_recoveries_is_handed_through() -> None:
    recovery = Recovery("Acme", "Tier 1", "recovered", "Dana Kim", 3)
    trouble = MailboxTrouble("dana@lantern.example", "revoked", "sign in again")
    read = weekly_read([], TIERS, NOW, LONDON, recoveries=[recovery], troubles=[trouble])
    assert (read.recoveries, read.troubles) == ((recovery,), (trouble,))
    assert read.overall.share is None


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from([*TIERS, None]), st.booleans()), max_size=30))
def test_every_partner_is_counted_exactly_once(many: list[tuple[int, Tier | None, bool]]) -> None:
    standings = [
        QUIET.standing(QUIET.facts(touched, tier=tier, partner_id=number, observed=0 if seen else 5))
        for number, (touched, tier, seen) in enumerate(many)
    ]
    read = _read(standings)
    assert read.overall.eligible + len(read.blind) + read.paused + read.new + read.untiered + read.ended == len(many)
    assert read.overall.covered + len(read.overdue) == read.overall.eligible
    assert sum(line.coverage.eligible for line in read.tiers) == read.overall.eligible
    assert sum(line.overdue for line in read.tiers) == len(read.overdue)
