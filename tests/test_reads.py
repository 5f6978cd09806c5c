"""The weekly read in the database: held once a week, kept as it was, followed by the week after."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from bot import wording
from bot.views.read import read_parts
from bot.views.trend import TREND_PART
from jobs.recovery import SWEEP
from jobs.weekly_read import ask_leads, hold_and_post, read_is_due
from models import weekly_read as pure
from models.actions import claims, episodes, reads
from models.actions.partners import put_partner
from models.actions.programme import add_workspace, set_tier
from models.actions.write import first_run
from models.cadence import Policy, Shutdown, State, Tier
from models.queries import reads as queries
from models.queries.coverage import coverage_over_time
from models.queries.programme import Programme
from models.queries.standings import standings
from models.settings import ReadAt
from models.tables import Mailbox, OutboxPost, Read, ReadLine
from models.weekly_read import Coverage, Recovery
from tests.cast import ACME, DANA, GLOBEX, INITECH, MONDAY, PARTNERS, PRIYA, ROBIN, UMBRELLA, Cast, put_cast, put_touch
from tests.databases import Database
from tests.facts import LONDON, TIERS
from tests.slack_lint import elements, lint_message

WEEK, HOUR = timedelta(weeks=1), timedelta(hours=1)


@pytest.fixture
def cast(database: Database) -> Cast:
    """Acme has slipped, Globex is due soon, Initech and Umbrella are in time; everybody else was never touched."""
    with database.sessions.begin() as session:
        cast = put_cast(session)
        for partner, days in ((ACME, 23), (GLOBEX, 7), (INITECH, 2), (UMBRELLA, 3)):
            put_touch(session, cast, partner, MONDAY - timedelta(days=days))
    return cast


def states(database: Database, cast: Cast, at: datetime) -> dict[str, State]:
    with database.reading() as session:
        return {one.facts.name: one.state for one in standings(session, cast.programme, at)}


def test_a_week_has_one_read_whoever_asks_and_however_often(database: Database, cast: Cast) -> None:
    start, held = threading.Barrier(4), []

    def hold() -> None:
        start.wait()
        held.append(hold_and_post(database.sessions, cast.programme, MONDAY))

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hold_and_post(database.sessions, cast.programme, MONDAY + timedelta(days=6)) is None
    assert len([one for one in held if one is not None]) == 1
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Read)) == 1
        parents = select(func.count()).select_from(OutboxPost).where(OutboxPost.part == 0)
        assert session.scalar(parents) == 1


def test_the_next_week_has_a_read_of_its_own(database: Database, cast: Cast) -> None:
    assert hold_and_post(database.sessions, cast.programme, MONDAY) is not None
    assert hold_and_post(database.sessions, cast.programme, MONDAY + WEEK) is not None


def test_the_snapshot_has_one_line_for_every_partner_whatever_its_state(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        reads.hold_read(session, cast.programme, MONDAY)
        lines = {row.partner_id: row for row in session.scalars(select(ReadLine))}
    assert len(lines) == 10
    assert lines[cast.partner(ACME)].state == "overdue"
    assert lines[cast.partner(ACME)].days_overdue == 16
    assert lines[cast.partner(GLOBEX)].state == "due_soon"


def test_what_comes_to_light_later_changes_no_line_of_a_held_read(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        read_id = reads.hold_read(session, cast.programme, MONDAY)
    assert read_id is not None
    with database.reading() as session:
        before = queries.held_read(session, cast.programme, read_id, MONDAY).read
    later = MONDAY + timedelta(days=1)
    with database.sessions.begin() as session:
        put_touch(session, cast, ACME, MONDAY - timedelta(days=1), captured_at=later)
        put_partner(session, cast.workspace_id, "test", replace(GLOBEX, tier=3), later)
        set_tier(session, cast.workspace_id, "test", Tier(1, "Tier 1", 2), later)
    with database.reading() as session:
        after = queries.held_read(session, cast.programme, read_id, later).read
    assert [one.facts.name for one in after.overdue] == [one.facts.name for one in before.overdue]
    assert [line.coverage for line in after.tiers] == [line.coverage for line in before.tiers]
    assert [line.tier for line in after.tiers] == [line.tier for line in before.tiers]


def test_a_held_read_shows_the_same_as_the_read_of_that_instant(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        read_id = reads.hold_read(session, cast.programme, MONDAY)
    assert read_id is not None
    with database.reading() as session:
        held = queries.held_read(session, cast.programme, read_id, MONDAY).read
        computed = queries.weekly_read(session, cast.programme, MONDAY)
    assert held.tiers == computed.tiers
    assert [(one.facts.name, one.state, one.days_overdue, one.days_quiet) for one in held.overdue] == [
        (one.facts.name, one.state, one.days_overdue, one.days_quiet) for one in computed.overdue
    ]
    assert [one.facts.name for one in held.due_soon] == [one.facts.name for one in computed.due_soon]
    assert (held.new, held.paused, held.untiered) == (computed.new, computed.paused, computed.untiered)


def test_a_held_read_shows_who_has_taken_what_since(database: Database, cast: Cast) -> None:
    later = MONDAY + timedelta(hours=2)
    with database.sessions.begin() as session:
        read_id = reads.hold_read(session, cast.programme, MONDAY)
        claims.claim(session, cast.programme, cast.partner(ACME), cast.person(DANA), later)
    assert read_id is not None
    with database.reading() as session:
        line = next(
            one
            for one in queries.held_read(session, cast.programme, read_id, later).read.overdue
            if one.facts.name == "Acme"
        )
    assert line.claim is not None
    assert line.claim.by.name == "Dana Kim"


def test_a_recovery_stands_beside_its_line_and_in_the_next_read(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        read_id = reads.hold_read(session, cast.programme, MONDAY)
        put_touch(session, cast, ACME, MONDAY + timedelta(days=2), by=PRIYA)
        episodes.settle_episodes(session, cast.programme, MONDAY + timedelta(days=2))
    assert read_id is not None
    with database.reading() as session:
        held = queries.held_read(session, cast.programme, read_id, MONDAY + timedelta(days=3))
        following = queries.weekly_read(session, cast.programme, MONDAY + WEEK)
    settled = held.settled[cast.partner(ACME)]
    assert (settled.outcome, settled.by) == ("recovered", "Priya Nair")
    told = [one for one in following.recoveries if one.partner == "Acme"]
    assert [(one.outcome, one.by, one.days) for one in told] == [("recovered", "Priya Nair", 2)]


def test_who_slipped_since_the_last_read_is_told_of_in_the_list_alone_unless_somebody_took_it(
    database: Database, cast: Cast
) -> None:
    friday = MONDAY + timedelta(days=4)
    with database.sessions.begin() as session:
        reads.hold_read(session, cast.programme, MONDAY)

    def told(session: Session) -> dict[str, str]:
        following = queries.weekly_read(session, cast.programme, MONDAY + WEEK)
        return {one.partner: one.outcome for one in following.recoveries}

    with database.sessions.begin() as session:
        late = standings(session, cast.programme, friday)
        slipped = [one for one in late if one.facts.name == "Globex"]
        assert [one.state for one in slipped] == [State.OVERDUE]
        episodes.open_episodes(session, cast.programme, slipped, friday)
        before = told(session)
        assert before["Acme"] == "open"
        assert "Globex" not in before
        claims.claim(session, cast.programme, cast.partner(GLOBEX), cast.person(DANA), friday)
        assert told(session)["Globex"] == "claimed"


def test_many_who_still_wait_are_one_line_below_what_became_of_the_others() -> None:
    fates = [Recovery(f"Partner {number}", "Tier 1", "open", None, None) for number in range(20)]
    fates.insert(7, Recovery("Acme", "Tier 1", "recovered", "Dana Kim", 2))
    read = replace(pure.weekly_read([], TIERS, MONDAY, LONDON), recoveries=tuple(fates))
    [payload] = read_parts(queries.HeldRead(1, read, {}), 1)
    became = "• Acme is back in rhythm after 2 days, touch by Dana Kim"
    assert f"{became}\n• 20 partners of it still wait for a recovery touch" in payload["text"]
    assert "Partner 1" not in payload["text"]


def test_a_question_of_a_lead_is_no_claim_until_it_is_answered_with_yes(database: Database, cast: Cast) -> None:
    """Asked and silent, asked and declined, asked and lapsed: none was claimed. A yes counts in the week it is said."""
    dana, robin, acme = cast.person(DANA), cast.person(ROBIN), cast.partner(ACME)

    def told(at: datetime) -> tuple[int, int, str]:
        """Claimed and lapsed until then, and what a read of that hour says about Acme."""
        with database.reading() as session:
            (line,) = [
                one for one in queries.weekly_read(session, cast.programme, at).recoveries if one.partner == "Acme"
            ]
            found = coverage_over_time(session, cast.programme, at + WEEK, 3).recoveries[1]
        return found.claimed, found.lapsed, wording.recovery(line)

    waits = "Acme still waits for a recovery touch"
    with database.sessions.begin() as session:
        reads.hold_read(session, cast.programme, MONDAY)
        claims.claim(session, cast.programme, acme, dana, MONDAY, assigned_by_id=robin)
    assert told(MONDAY + WEEK) == (0, 0, f"{waits}: Dana Kim was asked, has not answered")
    with database.sessions.begin() as session:
        claims.decline(session, cast.programme, acme, dana, MONDAY + HOUR)
        claims.claim(session, cast.programme, acme, dana, MONDAY + 2 * HOUR, assigned_by_id=robin)
        claims.lapse_claims(session, cast.programme, MONDAY + timedelta(days=3))
    assert told(MONDAY + WEEK) == (0, 0, waits)
    with database.sessions.begin() as session:
        claims.claim(session, cast.programme, acme, dana, MONDAY + timedelta(days=4), assigned_by_id=robin)
        claims.accept(session, cast.programme, acme, dana, MONDAY + timedelta(days=5))
    assert told(MONDAY + WEEK) == (1, 0, "Acme is in good hands with Dana Kim")
    with database.sessions.begin() as session:
        claims.lapse_claims(session, cast.programme, MONDAY + timedelta(days=12))
    assert told(MONDAY + 2 * WEEK)[:2] == (1, 1)


def test_a_read_tells_the_change_since_the_one_before(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        reads.hold_read(session, cast.programme, MONDAY)
        put_touch(session, cast, ACME, MONDAY + timedelta(days=3))
        read = queries.weekly_read(session, cast.programme, MONDAY + WEEK)
    first = read.tiers[0]
    assert (first.previous, first.coverage) == (Coverage(2, 3), Coverage(1, 3))


def test_an_as_of_question_uses_the_tier_that_was_in_force_then(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        set_tier(session, cast.workspace_id, "test", Tier(1, "Tier 1", 30), MONDAY + timedelta(days=1))
    assert states(database, cast, MONDAY)["Acme"] is State.OVERDUE
    assert states(database, cast, MONDAY + timedelta(days=1))["Acme"] is State.DUE_SOON


def test_a_touch_counts_from_its_own_time_on_and_not_before(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        put_touch(session, cast, ACME, MONDAY + timedelta(hours=1))
    assert states(database, cast, MONDAY)["Acme"] is State.OVERDUE
    assert states(database, cast, MONDAY + timedelta(hours=1))["Acme"] is State.ON_PACE


@pytest.mark.parametrize(
    ("policy", "expected"),
    [(Policy.OUTBOUND, State.ON_PACE), (Policy.TWO_WAY, State.OVERDUE), (Policy.ANY, State.ON_PACE)],
)
def test_the_policy_decides_whether_an_unanswered_mail_counts(
    database: Database, cast: Cast, policy: Policy, expected: State
) -> None:
    with database.sessions.begin() as session:
        put_touch(session, cast, ACME, MONDAY - timedelta(days=1))
    programme = replace(cast.programme, policy=policy)
    with database.reading() as session:
        line = standings(session, programme, MONDAY, partner_ids={cast.partner(ACME)})[0]
    assert line.state is expected


def test_without_a_mailbox_the_owner_is_blind_first_and_then_overdue_unobserved(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session, observed_until=MONDAY - timedelta(days=3))
        put_touch(session, cast, ACME, MONDAY - timedelta(days=23))
    with database.reading() as session:
        lines = {
            days: standings(session, cast.programme, MONDAY + timedelta(days=days), partner_ids={cast.partner(ACME)})[0]
            for days in (-3, 0, 5, 6)
        }
    assert [lines[days].state for days in (-3, 0, 5, 6)] == [
        State.OVERDUE,
        State.BLIND,
        State.BLIND,
        State.OVERDUE,
    ]
    assert [lines[days].unobserved for days in (-3, 6)] == [False, True]


def programme(database: Database, zone: str, created_at: datetime, ran_at: datetime | None = None) -> Programme:
    """A programme whose clock first did its work at `ran_at`, else as soon as it was there."""
    with database.sessions.begin() as session:
        workspace_id = add_workspace(session, created_at)
        first_run(session, workspace_id, SWEEP, "the first", ran_at or created_at)
    return Programme(workspace_id, "T0", ZoneInfo(zone), "C0", ReadAt("mon 09:00"), Policy.OUTBOUND, created_at)


@pytest.mark.parametrize("zone", ["Europe/London", "America/New_York", "Australia/Sydney", "Asia/Kolkata"])
def test_16_the_read_is_due_at_nine_local_on_every_monday_of_the_year(database: Database, zone: str) -> None:
    one = programme(database, zone, MONDAY - 60 * WEEK)
    with database.reading() as session:
        for back in range(53):
            monday = (MONDAY - back * WEEK).date()
            nine = datetime(monday.year, monday.month, monday.day, 9, tzinfo=ZoneInfo(zone))
            assert queries.read_instant(one, monday) == nine
            assert not read_is_due(session, one, nine - timedelta(minutes=1))
            assert read_is_due(session, one, nine)


def test_15_an_outage_over_monday_morning_delays_the_read_and_does_not_lose_it(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        first_run(session, cast.workspace_id, SWEEP, "last week", MONDAY - timedelta(days=3))
    with database.reading() as session:
        assert read_is_due(session, cast.programme, MONDAY + timedelta(days=2))
    hold_and_post(database.sessions, cast.programme, MONDAY + timedelta(days=2))
    with database.reading() as session:
        assert not read_is_due(session, cast.programme, MONDAY + timedelta(days=3))


def test_a_programme_that_begins_in_mid_week_starts_with_the_next_monday(database: Database) -> None:
    one = programme(database, "UTC", MONDAY + timedelta(days=2))
    with database.reading() as session:
        assert not read_is_due(session, one, MONDAY + timedelta(days=3))
        assert read_is_due(session, one, MONDAY + WEEK)


def test_a_programme_set_up_before_monday_and_first_run_after_it_surprises_no_channel(database: Database) -> None:
    one = programme(database, "UTC", MONDAY - timedelta(days=3), ran_at=MONDAY + timedelta(days=2))
    with database.reading() as session:
        assert not read_is_due(session, one, MONDAY + timedelta(days=2))
        assert read_is_due(session, one, MONDAY + WEEK)


def test_a_first_run_just_before_the_hour_has_time_to_read_the_mail(database: Database) -> None:
    one = programme(database, "UTC", MONDAY - timedelta(days=3), ran_at=MONDAY + timedelta(minutes=9))
    with database.reading() as session:
        assert read_is_due(session, one, MONDAY + timedelta(minutes=9))


def test_without_a_channel_no_read_is_due(database: Database) -> None:
    one = replace(programme(database, "UTC", MONDAY - WEEK), channel=None)
    with database.reading() as session:
        assert not read_is_due(session, one, MONDAY)


def posted(database: Database) -> list[OutboxPost]:
    with database.reading() as session:
        return list(session.scalars(select(OutboxPost).order_by(OutboxPost.part)))


def test_the_trend_of_13_weeks_stands_in_the_thread_as_a_chart_and_as_text(database: Database, cast: Cast) -> None:
    hold_and_post(database.sessions, cast.programme, MONDAY)
    *_, last = posted(database)
    assert last.part == TREND_PART
    lint_message({"text": last.payload["text"], "blocks": last.payload["blocks"]})
    assert [block["type"] for block in last.payload["blocks"]][:2] == ["section", "data_visualization"]
    assert "Cadence coverage, 13 weekly reads from Mon 31 Aug, in per cent" in last.payload["text"]
    newest = coverage_words(database, cast, 1)
    assert last.payload["text"].splitlines()[1].startswith("Tier 1: ")
    assert last.payload["text"].splitlines()[1].endswith(f", {newest}")
    assert "Tier 1" not in str(posted(database)[0].payload["blocks"][-1])


def coverage_words(database: Database, cast: Cast, rank: int) -> int:
    with database.reading() as session:
        lines = queries.weekly_read(session, cast.programme, MONDAY).tiers
    found = wording.percent(next(one.coverage for one in lines if one.tier.rank == rank))
    assert found is not None
    return found


def all_in_rhythm(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        for partner in PARTNERS:
            if partner.owner_email:
                put_touch(session, cast, partner, MONDAY - timedelta(hours=3))


def test_a_calm_week_is_held_and_said_in_one_line_or_not_at_all(database: Database, cast: Cast) -> None:
    all_in_rhythm(database, cast)
    with database.sessions.begin() as session:
        for box in session.scalars(select(Mailbox)):
            box.last_ok_at = box.reconciled_at = MONDAY
    skip = replace(cast.programme, when_empty="skip")
    assert hold_and_post(database.sessions, skip, MONDAY) is not None
    assert posted(database) == []
    later = MONDAY + timedelta(weeks=1)
    with database.sessions.begin() as session:
        for partner in PARTNERS:
            if partner.owner_email:
                put_touch(session, cast, partner, later - timedelta(hours=3))
        for box in session.scalars(select(Mailbox)):
            box.last_ok_at = box.reconciled_at = later
    assert hold_and_post(database.sessions, cast.programme, later) is not None
    assert [one.part for one in posted(database)] == [0]
    assert "Every partner is in rhythm." in posted(database)[0].payload["text"]


def test_a_week_that_could_not_be_seen_is_never_skipped(database: Database, cast: Cast) -> None:
    all_in_rhythm(database, cast)
    skip = replace(cast.programme, when_empty="skip")
    assert hold_and_post(database.sessions, skip, MONDAY) is not None  # the cast's mailboxes were never polled
    assert "needs attention" in posted(database)[0].payload["text"]


def test_mailboxes_that_needed_attention_stay_as_the_read_saw_them(database: Database, cast: Cast) -> None:
    read_id = hold_and_post(database.sessions, cast.programme, MONDAY)
    assert read_id is not None
    with database.reading() as session:
        then = queries.held_read(session, cast.programme, read_id, MONDAY).read.troubles
    assert then
    with database.sessions.begin() as session:
        for box in session.scalars(select(Mailbox)):
            box.status, box.last_ok_at = "removed", MONDAY
    with database.reading() as session:
        held = queries.held_read(session, cast.programme, read_id, MONDAY + timedelta(days=2))
        assert held.read.troubles == then
        assert queries.weekly_read(session, cast.programme, MONDAY + timedelta(days=2)).troubles == ()


def test_on_a_day_off_no_lead_is_asked(database: Database, cast: Cast) -> None:
    hold_and_post(database.sessions, cast.programme, MONDAY)
    afternoon = MONDAY + timedelta(hours=8)
    shut = replace(cast.programme, shutdowns=(Shutdown(MONDAY.date(), MONDAY.date(), "Moving house"),))
    assert ask_leads(database.sessions, shut, afternoon) == 0
    assert ask_leads(database.sessions, cast.programme, afternoon) == 1
    asked = next(one for one in posted(database) if one.kind == "unassigned")
    lint_message({"text": asked.payload["text"], "blocks": asked.payload["blocks"]})
    offered = [one["action_id"] for one in elements(asked.payload["blocks"])]
    assert offered[0] == f"assign_one:{cast.partner(ACME)}"
    assert offered[-2:] == ["assign", "walk"]


def test_a_held_read_asks_as_much_of_the_database_however_many_partners_there_are(
    database: Database, cast: Cast
) -> None:
    read_id = hold_and_post(database.sessions, cast.programme, MONDAY)
    assert read_id is not None
    said: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    with database.reading() as session:
        queries.held_read(session, cast.programme, read_id, MONDAY)
    assert len(said) <= 35
