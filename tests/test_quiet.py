"""Going quiet: the same of a partner on every surface, named in the read while it is news; no state is changed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from models.actions import reads
from models.actions.partners import PartnerRow
from models.queries.quiet import NEWS_DAYS, gone_quiet, newly_quiet, rhythms, silence_of
from models.queries.reads import held_read, weekly_read
from models.queries.standings import standings
from models.rhythm import UNUSUAL, days_of, quiet, rhythm_of
from models.standing import Standing
from models.tables import Observation, Touch
from models.weekly_read import WeeklyRead
from tests.cast import ACME, GLOBEX, HOOLI, INITECH, MONDAY, UMBRELLA, Cast, put_cast, put_touch
from tests.command_line import CommandLine
from tests.databases import Database

DAY = timedelta(days=1)
THEM = "hello@partner.example"
ZONES = ("Europe/London", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana", "Pacific/Kiritimati", "UTC")


def wrote(database: Database, cast: Cast, partner: PartnerRow, days: Sequence[float]) -> None:
    with database.sessions.begin() as session:
        for ago in days:
            put_touch(session, cast, partner, MONDAY - ago * DAY, by=THEM)


def every_six_days(silent: int, count: int = 12) -> list[int]:
    return [silent + 6 * number for number in range(count)]


@pytest.fixture
def cast(database: Database) -> Cast:
    """We write to everybody in time. Acme writes every six days and is silent for 27, Globex is as always."""
    with database.sessions.begin() as session:
        cast = put_cast(session)
        for partner in (ACME, GLOBEX, INITECH, UMBRELLA, HOOLI):
            put_touch(session, cast, partner, MONDAY - DAY)
    wrote(database, cast, ACME, every_six_days(27))
    wrote(database, cast, GLOBEX, every_six_days(4))
    return cast


def lines_of(database: Database, cast: Cast, now: datetime = MONDAY) -> list[Standing]:
    with database.reading() as session:
        return standings(session, cast.programme, now)


def listed(database: Database, cast: Cast, now: datetime = MONDAY) -> list[str]:
    with database.reading() as session:
        lines = standings(session, cast.programme, now)
        return [one.facts.name for one, _ in gone_quiet(session, cast.programme, now, lines)]


def named(database: Database, cast: Cast, now: datetime = MONDAY) -> list[str]:
    with database.reading() as session:
        lines = standings(session, cast.programme, now)
        return [one.standing.facts.name for one in newly_quiet(session, cast.programme, now, lines)]


def test_a_silence_out_of_character_is_listed_and_named_with_its_reason(database: Database, cast: Cast) -> None:
    assert listed(database, cast) == named(database, cast) == ["Acme"]
    with database.reading() as session:
        [one] = newly_quiet(session, cast.programme, MONDAY, standings(session, cast.programme, MONDAY))
    assert one.words.startswith("usually writes every 6 days, silent for 27: about 1 in ")
    assert one.chance <= UNUSUAL


def test_the_most_unusual_silence_comes_first_whatever_the_tier(database: Database, cast: Cast) -> None:
    wrote(database, cast, HOOLI, [45 + number for number in range(20)])
    assert listed(database, cast) == ["Hooli", "Acme"]


def test_the_read_names_it_for_four_weeks_and_the_list_for_as_long_as_it_lasts(database: Database, cast: Cast) -> None:
    later = [MONDAY + week * timedelta(weeks=1) for week in range(10)]
    with database.sessions.begin() as session:
        for at in later:
            put_touch(session, cast, ACME, at - DAY)
    told = ["Acme" in named(database, cast, at) for at in later]
    assert told == [True] * 4 + [False] * 6
    assert NEWS_DAYS == 4 * 7
    assert all("Acme" in listed(database, cast, at) for at in later)


def test_a_mail_of_theirs_ends_it_at_once(database: Database, cast: Cast) -> None:
    wrote(database, cast, ACME, [0.1])
    assert listed(database, cast) == []
    assert listed(database, cast, MONDAY - DAY / 5) == ["Acme"]  # as it was known then


def test_who_is_overdue_is_on_the_list_and_not_named_twice_in_the_read(database: Database, cast: Cast) -> None:
    later = MONDAY + 8 * DAY
    assert "Acme" in listed(database, cast, later)
    assert "Acme" not in named(database, cast, later)


def test_who_cannot_be_seen_may_have_written_and_is_on_no_list(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        session.execute(delete(Observation).where(Observation.mailbox_id == cast.mailbox_ids[str(ACME.owner_email)]))
    assert listed(database, cast) == named(database, cast) == []
    with database.reading() as session:
        [line] = standings(session, cast.programme, MONDAY, partner_ids=[cast.partner(ACME)])
        assert silence_of(session, cast.programme, MONDAY, line) is None


def test_machines_voided_mail_and_our_own_make_no_rhythm(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        for ago in every_six_days(27):
            put_touch(session, cast, INITECH, MONDAY - ago * DAY, by=THEM, verdict="bulk")
            put_touch(session, cast, UMBRELLA, MONDAY - ago * DAY)
            voided = put_touch(session, cast, HOOLI, MONDAY - ago * DAY, by=THEM)
            session.get_one(Touch, voided).voided_at = MONDAY
    with database.reading() as session:
        assert rhythms(session, cast.programme, MONDAY).keys() == {cast.partner(ACME), cast.partner(GLOBEX)}


def test_it_changes_no_state_and_no_figure(database: Database, cast: Cast) -> None:
    def judged() -> list[tuple[str, object, object]]:
        return [(one.facts.name, one.state, one.due_on) for one in lines_of(database, cast)]

    before = judged()
    with database.sessions.begin() as session:
        session.execute(delete(Touch).where(Touch.direction == "inbound"))
    assert judged() == before


def test_a_held_read_keeps_whom_it_named_in_its_own_words(database: Database, cast: Cast) -> None:
    def kept(read: WeeklyRead) -> list[tuple[str, float, str]]:
        return [(one.standing.facts.name, one.chance, one.words) for one in read.quiet]

    wrote(database, cast, HOOLI, [20 + number for number in range(20)])
    with database.sessions.begin() as session:
        before = kept(weekly_read(session, cast.programme, MONDAY))
        read_id = reads.hold_read(session, cast.programme, MONDAY)
    assert [name for name, _, _ in before] == ["Hooli", "Acme"]
    wrote(database, cast, ACME, [-1])
    with database.reading() as session:
        assert read_id is not None
        assert kept(held_read(session, cast.programme, read_id, MONDAY + 2 * DAY).read) == before


def test_the_list_the_record_and_the_read_say_the_same_of_one_partner(database: Database, cast: Cast) -> None:
    run = CommandLine(database.url)
    [row] = run("quiet", "--json").json
    record = run("partner", "Acme", "--json").json["silence"]
    [told] = run("read", "--json").json["quiet"]
    assert row["partner"] == told["partner"] == "Acme"
    assert row["words"] == record["words"] == told["words"]
    assert row["chance"] == record["chance"] == told["chance"]
    assert row["words"] in run("quiet").out
    assert row["words"] in run("partner", "acme").out
    assert row["words"] in run("read").out


MOMENTS = st.lists(st.integers(0, 1000 * 24 * 60).map(lambda minutes: MONDAY - timedelta(minutes=minutes)), min_size=1)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moments=MOMENTS, zone=st.sampled_from(ZONES))
def test_the_days_counted_in_sql_are_the_local_days_of_the_instants(
    database: Database, moments: list[datetime], zone: str
) -> None:
    home = ZoneInfo(zone)
    with database.sessions() as session:  # never committed: every example starts from nothing
        cast = put_cast(session, partners=(ACME,))
        for at in moments:
            put_touch(session, cast, ACME, at, by=THEM)
        programme = replace(cast.programme, zone=home)
        found = rhythms(session, programme, MONDAY, [cast.partner(ACME)])
        line = standings(session, programme, MONDAY)[0]
        silence = silence_of(session, programme, MONDAY, line)
        session.rollback()
    assert found == {cast.partner(ACME): rhythm_of(days_of(moments, home))}
    assert silence == quiet(found[cast.partner(ACME)], MONDAY.astimezone(home).date())


def test_days_are_told_apart_at_local_midnight_also_where_it_falls_on_a_quarter(database: Database) -> None:
    kathmandu = ZoneInfo("Asia/Kathmandu")  # 5:45 ahead
    with database.sessions.begin() as session:
        cast = put_cast(session, partners=(ACME,))
        for minute in (14, 15):
            put_touch(session, cast, ACME, datetime(2026, 11, 10, 18, minute, tzinfo=UTC), by=THEM)
        programme = replace(cast.programme, zone=kathmandu)
        [rhythm] = rhythms(session, programme, MONDAY).values()
    assert (rhythm.heard_days, rhythm.last_day) == (2, date(2026, 11, 11).toordinal())


@pytest.mark.parametrize("zone", ["Europe/London", "Africa/Casablanca", "Australia/Lord_Howe", "America/Santiago"])
def test_days_are_told_apart_to_the_second_around_each_change_of_the_clocks(database: Database, zone: str) -> None:
    home = ZoneInfo(zone)
    midnights = [datetime.combine(MONDAY.date() - timedelta(days=back), time(), home) for back in range(1, 1094)]
    changed = [
        at for at in midnights if at.utcoffset() != (at + timedelta(days=2)).utcoffset()
    ]  # those before and on the day on which the clocks change
    moments = [at.astimezone(UTC) + timedelta(seconds=step) for at in changed for step in (-1, 0, 7200, 86399)]
    assert len(changed) >= 10
    with database.sessions.begin() as session:
        cast = put_cast(session, partners=(ACME,))
        for at in moments:
            put_touch(session, cast, ACME, at, by=THEM)
        found = rhythms(session, replace(cast.programme, zone=home), MONDAY)
    assert found == {cast.partner(ACME): rhythm_of(days_of(moments, home))}
