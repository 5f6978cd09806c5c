"""Nudges: told once per transition, in one message a day, in the person's own hours, and never when pointless."""

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select, update

from jobs.nudges import may_be_told, notice_transitions, send_nudges
from jobs.recovery import sweep
from models.actions import claims, mailboxes, next_steps
from models.actions.people import set_nudge_wishes
from models.queries.programme import people
from models.tables import Mailbox, Nudge, OutboxPost, Person
from tests.cast import ACME, DANA, GLOBEX, INITECH, MONDAY, PARTNERS, PRIYA, ZONE, Cast, put_cast, put_touch
from tests.databases import Database

DAY = timedelta(days=1)
TUESDAY = MONDAY + DAY


@pytest.fixture
def cast(database: Database) -> Cast:
    """Everybody was written to on Sunday but Acme (Dana's, silent for 23 days) and Globex (Priya's, due soon)."""
    with database.sessions.begin() as session:
        cast = put_cast(session)
        read = MONDAY + 14 * DAY  # without a break
        session.execute(update(Mailbox).values(last_ok_at=read, reconciled_at=read))
        for partner in PARTNERS:
            days = {"Acme": 23, "Globex": 6}.get(partner.name, 1)
            put_touch(session, cast, partner, MONDAY - timedelta(days=days))
    return cast


def messages(database: Database) -> dict[str, list[str]]:
    """What the outbox holds for whom."""
    with database.reading() as session:
        rows = session.scalars(select(OutboxPost).where(OutboxPost.kind == "nudge").order_by(OutboxPost.id))
        found: dict[str, list[str]] = {}
        for row in rows:
            found.setdefault(row.channel, []).append(row.payload["text"])
        return found


def day(database: Database, cast: Cast, now: datetime) -> None:
    sweep(database.sessions, cast.programme, now)
    send_nudges(database.sessions, cast.programme, now)


def test_the_owner_hears_of_a_partner_that_slipped_and_of_one_that_is_due_soon(database: Database, cast: Cast) -> None:
    day(database, cast, TUESDAY)
    told = messages(database)
    assert set(told) == {"U0DANA", "U0PRIYA"}
    assert "Acme is 17 days past its 7-day rhythm" in told["U0DANA"][0]
    assert "Globex is due today" in told["U0PRIYA"][0]


def test_a_transition_is_told_once_however_often_the_jobs_run(database: Database, cast: Cast) -> None:
    for hours in range(4):
        day(database, cast, TUESDAY + timedelta(hours=hours))
    for days in (1, 2):
        day(database, cast, TUESDAY + timedelta(days=days))
    assert len([text for text in messages(database)["U0DANA"] if "Acme" in text]) == 1


def test_a_person_gets_one_message_a_day_and_the_rest_waits(database: Database, cast: Cast) -> None:
    day(database, cast, TUESDAY)
    later = TUESDAY + timedelta(hours=2)
    with database.sessions.begin() as session:
        next_steps.set_next_step(
            session, cast.programme, cast.partner(ACME), "Call Wendy", None, later.date(), None, "test", later
        )
        notice_transitions(session, cast.programme, later)
    send_nudges(database.sessions, cast.programme, later)
    assert len(messages(database)["U0DANA"]) == 1
    send_nudges(database.sessions, cast.programme, TUESDAY + DAY)
    assert len(messages(database)["U0DANA"]) == 2
    assert "Call Wendy" in messages(database)["U0DANA"][1]


def test_nobody_is_told_outside_the_own_working_hours(database: Database, cast: Cast) -> None:
    sweep(database.sessions, cast.programme, MONDAY - timedelta(hours=3))
    send_nudges(database.sessions, cast.programme, MONDAY - timedelta(hours=1, minutes=1))
    # 07:59 in London is early for Dana; in Kolkata Priya's day is on.
    assert set(messages(database)) == {"U0PRIYA"}
    send_nudges(database.sessions, cast.programme, MONDAY)
    assert set(messages(database)) == {"U0PRIYA", "U0DANA"}


def test_a_weekend_is_quiet(database: Database, cast: Cast) -> None:
    saturday = MONDAY + 5 * DAY
    day(database, cast, saturday)
    assert messages(database) == {}


def test_what_the_facts_have_overtaken_is_dropped_with_the_reason(database: Database, cast: Cast) -> None:
    sweep(database.sessions, cast.programme, TUESDAY - timedelta(hours=3))
    with database.sessions.begin() as session:
        put_touch(session, cast, ACME, TUESDAY - timedelta(hours=1))
    send_nudges(database.sessions, cast.programme, TUESDAY)
    assert "U0DANA" not in messages(database)
    with database.reading() as session:
        dropped = session.scalars(select(Nudge.dropped).where(Nudge.person_id == cast.person(DANA))).all()
    assert dropped == ["overtaken by the facts"]


def test_who_switched_nudges_off_gets_none(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        set_nudge_wishes(session, cast.workspace_id, cast.person(DANA), MONDAY, nudges=False, snoozed_until=None)
    day(database, cast, TUESDAY)
    assert "U0DANA" not in messages(database)


def test_a_snooze_holds_the_message_back_until_its_day_is_over(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        until = TUESDAY.date()
        set_nudge_wishes(session, cast.workspace_id, cast.person(DANA), MONDAY, nudges=True, snoozed_until=until)
    day(database, cast, TUESDAY)
    assert "U0DANA" not in messages(database)
    day(database, cast, TUESDAY + DAY)
    assert len(messages(database)["U0DANA"]) == 1


def test_who_is_away_is_left_in_peace(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        session.get_one(Person, cast.person(DANA)).away_until = date(2026, 12, 24)
    day(database, cast, TUESDAY)
    assert "U0DANA" not in messages(database)


def test_the_holder_hears_of_the_claim_on_its_day_and_once_when_it_lapsed(database: Database, cast: Cast) -> None:
    sweep(database.sessions, cast.programme, MONDAY)
    with database.sessions.begin() as session:
        claims.claim(session, cast.programme, cast.partner(ACME), cast.person(PRIYA), MONDAY)
    for days in range(1, 5):
        day(database, cast, MONDAY + timedelta(days=days))
    told = [text for text in messages(database)["U0PRIYA"] if "Acme" in text]
    assert len(told) == 2
    assert "Your recovery touch to Acme is planned today" in told[0]
    assert "Your claim on Acme has run out" in told[1]


def test_the_owner_of_a_mailbox_that_needs_consent_is_told_once(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        box = cast.mailbox(DANA)
        mailboxes.mark_clean(session, box, MONDAY - DAY, MONDAY)
        mailboxes.mark_trouble(session, cast.workspace_id, box, "needs_auth", "consent was withdrawn", MONDAY)
    for days in (1, 2, 3):
        day(database, cast, MONDAY + timedelta(days=days))
    told = [text for text in messages(database)["U0DANA"] if "mailbox" in text]
    assert len(told) == 1
    assert "dana@lantern.example" in told[0]
    assert "consent was withdrawn" in told[0]


def test_nothing_to_say_means_no_message(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        for partner in (ACME, GLOBEX, INITECH):
            put_touch(session, cast, partner, MONDAY)
    day(database, cast, TUESDAY)
    assert messages(database) == {}


@pytest.mark.parametrize(("hour", "told"), [("08:59", False), ("09:00", True), ("16:59", True), ("17:00", False)])
def test_working_hours_are_nine_to_five(database: Database, cast: Cast, hour: str, told: bool) -> None:
    with database.reading() as session:
        dana = next(one for one in people(session, cast.workspace_id) if one.name == "Dana Kim")
    at = datetime.fromisoformat(f"2026-11-24T{hour}").replace(tzinfo=ZONE)
    assert may_be_told(dana, at, ZONE) is told


def test_the_sweep_of_a_day_runs_once_and_not_before_five(database: Database, cast: Cast) -> None:
    early = MONDAY.replace(hour=4, minute=59)
    assert not sweep(database.sessions, cast.programme, early)
    assert sweep(database.sessions, cast.programme, early + timedelta(minutes=1))
    assert not sweep(database.sessions, cast.programme, MONDAY)
    assert sweep(database.sessions, cast.programme, TUESDAY)
