"""Held reads never change; computed anew they are the same, or it is said which evidence came or went since."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from models.actions import mailboxes, reads
from models.actions.merge import merge_partners
from models.actions.partners import pause_partner, put_partner
from models.actions.programme import set_tier
from models.actions.shutdowns import add_shutdown, end_shutdown
from models.actions.touches import void_touch
from models.cadence import Policy, Shutdown, State, Tier
from models.queries.programme import programme as programme_of
from models.queries.reads import held_read
from models.queries.snapshots import Difference, ReadCheck, held_weeks, read_check
from models.settings import load_settings
from models.tables import Read, ReadLine, Sighting, Touch, Workspace
from tests.cast import ACME, DANA, GLOBEX, HOOLI, INITECH, MONDAY, PRIYA, STARTED, UMBRELLA, Cast, put_cast, put_touch
from tests.command_line import CommandLine
from tests.databases import Database
from tests.test_trend import MORNING, Programme

LATER = MONDAY + timedelta(days=1)
CHRISTMAS = Shutdown(date(2026, 11, 16), date(2026, 11, 20), "Moving house")


@pytest.fixture
def cast(database: Database) -> Cast:
    """Acme is four days late, Globex and Hooli are in time; a read was held."""
    with database.sessions.begin() as session:
        cast = put_cast(session)
        for partner, days in ((ACME, 11), (GLOBEX, 3), (HOOLI, 9), (INITECH, 8)):
            put_touch(session, cast, partner, MONDAY - timedelta(days=days))
        put_touch(session, cast, GLOBEX, MONDAY - timedelta(days=2), by="gil@globex.example")
        reads.hold_read(session, cast.programme, MONDAY)
    return cast


def checked(database: Database, cast: Cast) -> ReadCheck:
    with database.reading() as session:
        programme = replace(programme_of(session, load_settings(), cast.workspace_id), read_at=cast.programme.read_at)
        found = read_check(session, programme, MONDAY.date())
    assert found is not None
    return found


def told(differences: tuple[Difference, ...]) -> dict[str, list[str]]:
    return {one.partner: [why.kind for why in one.because] for one in differences}


def test_a_read_is_the_same_when_nothing_has_come_since(database: Database, cast: Cast) -> None:
    found = checked(database, cast)
    assert (found.partners, found.unproven, found.changed) == (10, (), ())
    said = CommandLine(database.url, LATER)("read", "--compare", "2026-11-25").out
    assert "from what was known then it is the same, partner by partner" in said
    assert "With what is known today it would be the same." in said


def test_a_mail_that_was_imported_later_is_named_with_what_it_changes(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        box = mailboxes.put_mailbox(session, cast.workspace_id, "cast", "old@lantern.example", "mbox", LATER)
        touch = put_touch(session, cast, ACME, MONDAY - timedelta(days=1), captured_at=LATER)
        session.execute(update(Sighting).where(Sighting.touch_id == touch).values(mailbox_id=box))
    found = checked(database, cast)
    assert found.unproven == ()
    assert told(found.changed) == {"Acme": ["captured"]}
    assert found.coverage[1][0].covered + 1 == found.coverage[1][1].covered
    cadence = CommandLine(database.url, LATER)
    said = cadence("read", "--compare", "2026-11-23").out
    assert "Acme: a mail of Sun 22 Nov was captured on Tue 24 Nov (imported): was overdue, would be on pace." in said
    [changed] = cadence("read", "--compare", "2026-11-23", "--json").json["changed"]
    assert (changed["was"]["state"], changed["would_be"]["state"]) == ("overdue", "on_pace")
    assert "last_touch_at" in changed["changes"]


def test_a_mail_that_came_late_and_is_older_than_the_last_touch_changes_nothing(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        put_touch(session, cast, ACME, MONDAY - timedelta(days=20), captured_at=LATER)
    found = checked(database, cast)
    assert (found.unproven, found.changed) == ((), ())


def test_a_touch_that_was_taken_back_since_is_named(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        mine = select(Touch).where(Touch.partner_id == cast.partner(GLOBEX), Touch.direction == "outbound")
        touch = session.scalars(mine).one()
        void_touch(session, cast.workspace_id, touch, "capture", "bounced for hello@globex.example", LATER)
    found = checked(database, cast)
    assert found.unproven == ()
    assert told(found.changed) == {"Globex": ["taken_back"]}
    said = CommandLine(database.url, LATER)("read", "--compare", "2026-11-23").out
    assert "a mail of Fri 20 Nov was taken back on Tue 24 Nov (bounced for hello@globex.example)" in said


def test_a_mail_that_turned_out_to_be_a_mail_merge_is_named_as_judged_again(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        mine = Touch.partner_id == cast.partner(HOOLI)
        session.execute(update(Touch).where(mine).values(verdict="broadcast", rule="mail merge: one subject"))
    found = checked(database, cast)
    assert told(found.unproven) == told(found.changed) == {"Hooli": ["judged_again"]}
    said = CommandLine(database.url, LATER)("read", "--compare", "2026-11-23").out
    assert "9 of 10 lines are the same" in said


def test_what_the_roster_says_since_the_read_changes_nothing_about_it(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        put_partner(session, cast.workspace_id, "cast", replace(ACME, tier=3, owner_email=PRIYA.email), LATER)
        put_partner(session, cast.workspace_id, "cast", replace(GLOBEX, name="Gloex", domains=("new.example",)), LATER)
        pause_partner(session, cast.workspace_id, "cast", cast.partner(HOOLI), "holidays", None, LATER)
        set_tier(session, cast.workspace_id, "cast", Tier(1, "Gold", 30), LATER)
        session.execute(update(Workspace).values(policy="any", timezone="Pacific/Auckland"))
    found = checked(database, cast)
    assert (found.unproven, found.changed) == ((), ())
    assert (found.policy, found.policy_now, found.zone_key) == (Policy.OUTBOUND, Policy.ANY, "Europe/London")
    assert "today's is any" in CommandLine(database.url, LATER)("read", "--compare", "2026-11-23").out


def test_a_shutdown_that_is_entered_later_moves_no_line_and_is_named(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        shut = add_shutdown(session, cast.workspace_id, "cast", CHRISTMAS, LATER)
    found = checked(database, cast)
    assert found.unproven == ()
    assert told(found.changed) == {"Acme": ["shutdown"], "Initech": ["shutdown"], "Hooli": ["shutdown"]}
    with database.reading() as session:
        again = programme_of(session, load_settings(), cast.workspace_id)
        read = held_read(session, again, session.scalars(select(Read.id)).one(), LATER)
        [acme] = [one for one in read.read.overdue if one.facts.name == "Acme"]
        assert (acme.state, acme.due_on) == (State.OVERDUE, date(2026, 11, 19))
    with database.sessions.begin() as session:
        end_shutdown(session, cast.workspace_id, "cast", shut, LATER)
    found = checked(database, cast)
    assert (found.unproven, found.changed) == ((), ())


def test_a_shutdown_that_the_read_knew_and_that_was_taken_back_is_named(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session)
        put_touch(session, cast, ACME, MONDAY - timedelta(days=11))
        shut = add_shutdown(session, cast.workspace_id, "cast", CHRISTMAS, STARTED)
        reads.hold_read(session, programme_of(session, load_settings(), cast.workspace_id), MONDAY)
        end_shutdown(session, cast.workspace_id, "cast", shut, LATER)
    found = checked(database, cast)
    assert found.unproven == ()
    assert told(found.changed) == {"Acme": ["shutdown"]}


def test_a_cadence_that_starts_on_another_day_since_is_named(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        put_partner(session, cast.workspace_id, "cast", replace(UMBRELLA, since=date(2026, 11, 20)), LATER)
    found = checked(database, cast)
    assert found.unproven == ()
    assert told(found.changed) == {"Umbrella": ["start"]}
    with database.sessions.begin() as session:
        put_partner(session, cast.workspace_id, "cast", UMBRELLA, LATER)
    assert checked(database, cast).changed == ()


def test_two_partners_that_were_merged_since_are_named(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        merge_partners(session, cast.programme, "cast", cast.partner(GLOBEX), cast.partner(ACME), LATER)
    found = checked(database, cast)
    assert {name: set(kinds) for name, kinds in told(found.changed).items()} == {
        "Globex": {"merged"},
        "Acme": {"took_in", "stands_again"},
    }
    said = CommandLine(database.url, LATER)("read", "--compare", "2026-11-23").out
    assert "Globex: merged into Acme on Tue 24 Nov: was on pace, would be ended." in said


def test_what_nobody_could_see_then_and_was_read_since_is_named(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session, observed_until=MONDAY - timedelta(days=3))
        put_touch(session, cast, ACME, MONDAY - timedelta(days=11))
        reads.hold_read(session, cast.programme, MONDAY)
        assert session.get_one(ReadLine, (1, cast.partner(ACME))).state == "blind"
        mailboxes.mark_clean(session, cast.mailbox(DANA), MONDAY - timedelta(days=3), LATER)
    found = checked(database, cast)
    assert set(told(found.changed)["Acme"]) == {"seen"}
    said = CommandLine(database.url, LATER)("read", "--compare", "2026-11-23").out
    assert "Acme: the mail of Dana Kim could not be seen then and has been read since" in said


def test_a_partner_that_was_added_since_is_no_evidence_about_the_read(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        new = replace(ACME, name="Newco", domains=("newco.example",), contacts=())
        put_partner(session, cast.workspace_id, "cast", new, LATER)
    found = checked(database, cast)
    assert (found.unproven, found.changed) == ((), ())


def test_the_comparison_of_a_week_without_a_read_says_which_is_the_newest(database: Database, cast: Cast) -> None:
    cadence = CommandLine(database.url, LATER)
    said = cadence("read", "--compare", "2026-11-02", status=1).err
    assert said == "cadence: no read was held in the week of 2026-11-02: the newest one is of the week of 2026-11-23\n"
    assert "stands alone" in cadence("read", "--compare", "2026-11-23", "--post", status=2).err


def test_whatever_happens_later_a_read_follows_from_what_was_known_then(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session, started=STARTED, observed_until=MORNING)
    programme = Programme(database, cast, random.Random(5))
    for _ in range(600):
        programme.happen()
        programme.now += timedelta(minutes=90)
    with database.reading() as session:
        current = replace(programme_of(session, load_settings(), cast.workspace_id), read_at=cast.programme.read_at)
        found = [read_check(session, current, week) for week in held_weeks(session, cast.workspace_id)]
    assert len(found) > 2
    assert [one.unproven for one in found if one] == [()] * len(found)
    assert all(other.because for one in found if one for other in one.changed)


CHANGES: dict[str, Callable[[Session], object]] = {
    "a line": lambda session: session.execute(update(ReadLine).values(state="on_pace")),
    "its due day": lambda session: session.execute(update(ReadLine).values(due_on=None)),
    "the instant": lambda session: session.execute(update(Read).values(at=LATER)),
    "all lines": lambda session: session.execute(delete(ReadLine)),
    "by hand": lambda session: session.execute(text("UPDATE read_line SET days_overdue = 0 WHERE days_overdue > 0")),
}


@pytest.mark.parametrize("what", CHANGES)
def test_the_database_refuses_to_change_a_read_that_was_held(database: Database, cast: Cast, what: str) -> None:
    with (
        pytest.raises(DBAPIError, match="a weekly read that was held is never changed"),
        database.sessions.begin() as session,
    ):
        CHANGES[what](session)


def test_the_line_keeps_its_due_day_and_the_read_its_time_zone(database: Database, cast: Cast) -> None:
    with database.reading() as session:
        assert session.scalars(select(Read.timezone)).one() == ZoneInfo("Europe/London").key
        assert session.get_one(ReadLine, (1, cast.partner(ACME))).due_on == date(2026, 11, 19)
