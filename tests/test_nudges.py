"""Nudges: told once per transition, in one message a day, in the person's own hours, and never when pointless."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from threading import Thread
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from jobs.nudges import may_be_told, notice_transitions, send_nudges
from jobs.recovery import sweep
from models.actions import claims, mailboxes, next_steps, outbox, wishes
from models.actions.people import leave_person, set_away, set_nudge_wishes
from models.cadence import Shutdown
from models.public_holidays import is_holiday
from models.queries.programme import people
from models.queries.reads import weekly_read
from models.queries.standings import standings
from models.standing import Standing
from models.tables import Mailbox, Nudge, OutboxPost, Person, StandIn
from models.weekly_read import TierLine
from tests.cast import (
    ACME,
    DANA,
    GLOBEX,
    INITECH,
    MONDAY,
    PARTNERS,
    PRIYA,
    TOMAS,
    ZONE,
    Cast,
    put_cast,
    put_touch,
)
from tests.databases import Database
from tests.slack_lint import elements

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
    day(database, cast, MONDAY)
    told = messages(database)
    assert set(told) == {"U0DANA", "U0PRIYA"}
    assert "Acme is 16 days past its 7-day rhythm" in told["U0DANA"][0]
    assert "Globex is due by tomorrow" in told["U0PRIYA"][0]


def test_each_button_of_a_nudge_says_aloud_what_it_does_and_for_whom(database: Database, cast: Cast) -> None:
    day(database, cast, MONDAY)
    with database.reading() as session:
        payloads = [row.payload for row in session.scalars(select(OutboxPost).where(OutboxPost.kind == "nudge"))]
    spoken = {one.get("accessibility_label") for payload in payloads for one in elements(payload["blocks"])}
    assert {"Claim recovery touch for Acme", "Set next step for Globex"} <= spoken


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


def test_what_waits_for_somebody_away_goes_to_the_stand_in_in_the_one_message_of_the_day(
    database: Database, cast: Cast
) -> None:
    with database.sessions.begin() as session:
        dana, priya = cast.person(DANA), cast.person(PRIYA)
        assert set_away(session, cast.workspace_id, "test", dana, date(2026, 12, 24), priya, MONDAY)
        assert not set_away(session, cast.workspace_id, "test", dana, date(2026, 12, 24), priya, MONDAY)
    day(database, cast, MONDAY)
    told = messages(database)
    assert set(told) == {"U0PRIYA"}
    assert len(told["U0PRIYA"]) == 1
    assert "For Dana Kim, who is away: Acme is 16 days past its 7-day rhythm" in told["U0PRIYA"][0]
    assert "Globex is due by tomorrow" in told["U0PRIYA"][0]


def test_a_claim_of_somebody_away_is_told_to_the_stand_in_in_words_that_fit(database: Database, cast: Cast) -> None:
    sweep(database.sessions, cast.programme, MONDAY)
    with database.sessions.begin() as session:
        claims.claim(session, cast.programme, cast.partner(ACME), cast.person(DANA), MONDAY)
        until = date(2026, 12, 24)
        set_away(session, cast.workspace_id, "test", cast.person(DANA), until, cast.person(TOMAS), MONDAY)
    for days in range(1, 5):
        day(database, cast, MONDAY + timedelta(days=days))
    told = [text for text in messages(database)["U0TOMAS"] if "Acme" in text]
    assert "For Dana Kim, who is away: The recovery touch to Acme is planned today." in told[1]
    passed = "The day for a recovery touch to Acme has passed, so it is open to everybody again."
    assert f"For Dana Kim, who is away: {passed}" in told[2]
    assert "Take it whenever you like" not in told[2]


@pytest.mark.parametrize("hindrance", ["away too", "nudges off", "a mailbox"])
def test_without_a_stand_in_who_can_hear_it_a_nudge_waits_for_its_person(
    database: Database, cast: Cast, hindrance: str
) -> None:
    dana, tomas, back = cast.person(DANA), cast.person(TOMAS), TUESDAY.date()
    with database.sessions.begin() as session:
        set_away(session, cast.workspace_id, "test", dana, back, tomas, MONDAY)
        if hindrance == "away too":
            set_away(session, cast.workspace_id, "test", tomas, back, None, MONDAY)
        elif hindrance == "nudges off":
            set_nudge_wishes(session, cast.workspace_id, tomas, MONDAY, nudges=False, snoozed_until=None)
        else:
            put_touch(session, cast, ACME, MONDAY)
            mailboxes.mark_clean(session, cast.mailbox(DANA), MONDAY - DAY, MONDAY)
            mailboxes.mark_trouble(session, cast.workspace_id, cast.mailbox(DANA), "needs_auth", "no consent", MONDAY)
    day(database, cast, TUESDAY)
    assert messages(database) == {}
    day(database, cast, TUESDAY + DAY)
    assert len(messages(database)["U0DANA"]) == 1


def test_whoever_is_back_hears_it_again_and_the_stand_in_does_not(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        dana = cast.person(DANA)
        set_away(session, cast.workspace_id, "test", dana, date(2026, 12, 24), cast.person(TOMAS), MONDAY)
        set_away(session, cast.workspace_id, "test", dana, None, cast.person(TOMAS), MONDAY)
        assert session.scalars(select(StandIn)).all() == []
    day(database, cast, TUESDAY)
    assert set(messages(database)) == {"U0DANA"}


def test_an_owner_who_is_away_changes_no_partners_standing(database: Database, cast: Cast) -> None:
    def judged() -> tuple[list[Standing], tuple[TierLine, ...]]:
        with database.reading() as session:
            return standings(session, cast.programme, TUESDAY), weekly_read(session, cast.programme, TUESDAY).tiers

    before = judged()
    with database.sessions.begin() as session:
        until = date(2026, 12, 24)
        set_away(session, cast.workspace_id, "test", cast.person(DANA), until, cast.person(TOMAS), MONDAY)
    assert judged() == before


def test_a_public_holiday_where_the_person_lives_is_quiet_and_the_message_comes_the_day_after(
    database: Database, cast: Cast
) -> None:
    assert is_holiday(TUESDAY.date(), ZoneInfo("Asia/Kolkata"))  # Guru Nanak's birthday
    day(database, cast, TUESDAY)
    assert set(messages(database)) == {"U0DANA"}
    day(database, cast, TUESDAY + DAY)
    assert "Globex is 1 day past its 7-day rhythm" in messages(database)["U0PRIYA"][0]


def test_while_the_programme_is_shut_nobody_is_told_and_afterwards_everybody_is(database: Database, cast: Cast) -> None:
    shut = Shutdown(TUESDAY.date(), TUESDAY.date() + DAY, "Moving house")
    programme = replace(cast.programme, shutdowns=(shut,))
    for days in (0, 1):
        sweep(database.sessions, programme, TUESDAY + days * DAY)
        send_nudges(database.sessions, programme, TUESDAY + days * DAY)
        assert messages(database) == {}
    send_nudges(database.sessions, programme, TUESDAY + 2 * DAY)
    assert "Acme is 19 days past its 7-day rhythm" in messages(database)["U0DANA"][0]


def test_the_holder_hears_of_the_claim_on_its_day_and_once_when_it_lapsed(database: Database, cast: Cast) -> None:
    sweep(database.sessions, cast.programme, MONDAY)
    with database.sessions.begin() as session:
        claims.claim(session, cast.programme, cast.partner(ACME), cast.person(PRIYA), MONDAY)
    for days in range(1, 5):
        day(database, cast, MONDAY + timedelta(days=days))
    told = [text for text in messages(database)["U0PRIYA"] if "Acme" in text]
    assert len(told) == 2
    assert "Your recovery touch to Acme is planned today" in told[0]
    assert "The day for a recovery touch to Acme has passed" in told[1]


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
    assert may_be_told(dana, at, cast.programme) is told


def test_the_sweep_of_a_day_runs_once_and_not_before_five(database: Database, cast: Cast) -> None:
    early = MONDAY.replace(hour=4, minute=59)
    assert not sweep(database.sessions, cast.programme, early)
    assert sweep(database.sessions, cast.programme, early + timedelta(minutes=1))
    assert not sweep(database.sessions, cast.programme, MONDAY)
    assert sweep(database.sessions, cast.programme, TUESDAY)


def test_who_has_left_is_told_nothing_and_stands_in_for_nobody(database: Database, cast: Cast) -> None:
    sweep(database.sessions, cast.programme, MONDAY)
    with database.sessions.begin() as session:
        set_away(session, cast.workspace_id, "test", cast.person(PRIYA), date(2026, 12, 24), cast.person(DANA), MONDAY)
        assert leave_person(session, cast.workspace_id, cast.person(DANA), "slack", MONDAY)
    day(database, cast, TUESDAY)
    day(database, cast, TUESDAY + DAY)
    assert messages(database) == {}
    with database.reading() as session:
        assert "the person has left" in session.scalars(select(Nudge.dropped)).all()


def test_a_step_of_somebody_who_left_is_told_to_the_owner(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        put_touch(session, cast, ACME, MONDAY)
        tomas, due = cast.person(TOMAS), TUESDAY.date()
        next_steps.set_next_step(session, cast.programme, cast.partner(ACME), "Call", tomas, due, None, "test", MONDAY)
        leave_person(session, cast.workspace_id, tomas, "slack", MONDAY)
    day(database, cast, TUESDAY)
    assert "Acme: next step: Call, today (Tomás Silva)" in messages(database)["U0DANA"][0]


def test_an_assignment_that_waits_for_an_answer_is_told_as_one_on_its_day(database: Database, cast: Cast) -> None:
    sweep(database.sessions, cast.programme, MONDAY)
    with database.sessions.begin() as session:
        claims.assign(session, cast.programme, cast.partner(ACME), cast.person(TOMAS), cast.person(DANA), MONDAY)
    for days in range(1, 8):
        day(database, cast, MONDAY + timedelta(days=days))
    told = [text for text in messages(database)["U0TOMAS"] if "Acme" in text]
    assert len(told) == 2  # one on its day, one when it has run out: two nudges a claim, and no third
    assert "A lead asked for a recovery touch to Acme, today: accept it, or decline and it is free again." in told[0]
    assert "The day for a recovery touch to Acme has passed, so it is open to everybody again." in told[1]


def test_a_letter_about_an_assignment_is_no_nudge_and_takes_no_days_message(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        told = {"text": "Robin asks", "blocks": []}
        outbox.enqueue(session, cast.workspace_id, "U0DANA", "assigned", "claim:1", 0, told, MONDAY)
    day(database, cast, MONDAY)
    assert len(messages(database)["U0DANA"]) == 1


def test_a_muted_partner_is_left_out_until_it_is_wanted_again(database: Database, cast: Cast) -> None:
    dana, acme = cast.person(DANA), cast.partner(ACME)
    with database.sessions.begin() as session:
        assert wishes.mute(session, cast.workspace_id, dana, acme, MONDAY)
        assert not wishes.mute(session, cast.workspace_id, dana, acme, MONDAY)
    day(database, cast, TUESDAY)
    assert "U0DANA" not in messages(database)
    with database.sessions.begin() as session:
        assert wishes.unmute(session, cast.workspace_id, dana, acme, TUESDAY)
        assert not wishes.unmute(session, cast.workspace_id, dana, acme, TUESDAY)
        due = (TUESDAY + DAY).date()
        next_steps.set_next_step(session, cast.programme, acme, "Call Wendy", dana, due, None, "test", TUESDAY)
    day(database, cast, TUESDAY + DAY)
    assert "Call Wendy" in messages(database)["U0DANA"][0]


def test_two_workers_at_once_write_one_letter(database: Database, cast: Cast) -> None:
    sweep(database.sessions, cast.programme, MONDAY)
    workers = [Thread(target=send_nudges, args=(database.sessions, cast.programme, MONDAY)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert {who: len(texts) for who, texts in messages(database).items()} == {"U0DANA": 1, "U0PRIYA": 1}


@pytest.mark.parametrize(
    ("hour", "told"), [("06:59", False), ("07:00", True), ("14:59", True), ("15:00", False), ("23:59", False)]
)
def test_the_own_hours_are_kept(database: Database, cast: Cast, hour: str, told: bool) -> None:
    with database.sessions.begin() as session:
        row = session.get_one(Person, cast.person(DANA))
        row.work_from, row.work_to = 7, 15
    with database.reading() as session:
        dana = next(one for one in people(session, cast.workspace_id) if one.name == "Dana Kim")
    at = datetime.fromisoformat(f"2026-11-24T{hour}").replace(tzinfo=ZONE)
    assert may_be_told(dana, at, cast.programme) is told
