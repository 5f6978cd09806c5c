"""Pausing and resuming from Slack: with reason and end, for leads only, and the read shows it."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.ids import Carried
from bot.views.pause import not_paused_note, pause_form, paused_note, resumed_note
from models.actions.partners import PartnerRow
from models.actions.pauses import LONGEST_DAYS, wrong
from models.queries.reads import weekly_read
from models.tables import AuditEntry, Claim, Episode, Partner
from tests.cast import ACME, CHANNEL, DANA, GLOBEX, MONDAY, PARTNERS, ROBIN, VERA, put_cast
from tests.databases import Database
from tests.facts import NOW, QUIET
from tests.sandbox.slack.workspace import Message
from tests.slack_lint import elements, lint_message, lint_view, said
from tests.surface import STRANGER, Surface, surface, user
from tests.test_views import HOSTILE, overdue

TODAY = NOW.date()


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with surface(database) as one:
        yield one


def shown(message: Message) -> str:
    lint_message({"text": message.text, "blocks": message.blocks})
    return said(message.blocks)


def paused(at: Surface, name: str = "Acme") -> tuple[str, date | None, str | None]:
    with at.database.reading() as session:
        row = session.scalars(select(Partner).where(Partner.name == name)).one()
        return row.status, row.paused_until, row.pause_reason


def actions(at: Surface) -> list[tuple[str, str]]:
    with at.database.reading() as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        return [(one.action, one.actor) for one in rows if one.action.endswith(" partner") and one.actor != "cast"]


def form(until: str | None = "2027-01-15", reason: str = "On leave") -> dict[str, Any]:
    return {
        "pause_until": {"pause_until": {"type": "datepicker", "selected_date": until}},
        "pause_reason": {"pause_reason": {"type": "plain_text_input", "value": reason}},
    }


@pytest.mark.parametrize(
    ("typed", "until", "reason"),
    [
        ("Acme until 2027-01-15: On leave", date(2027, 1, 15), "On leave"),
        ("Acme until 15 Jan: On leave", date(2027, 1, 15), "On leave"),
        ('"acme" until Jan 15 2027 because of a merger', date(2027, 1, 15), "a merger"),
        ("ACME till friday - renewing: until March", date(2026, 11, 27), "renewing: until March"),
        ("Acme until tomorrow: R&D only", date(2026, 11, 24), "R&D only"),
    ],
)
def test_one_line_pauses_and_is_echoed(at: Surface, typed: str, until: date, reason: str) -> None:
    words = shown(at.ask(ROBIN, f"pause {typed}"))
    assert paused(at) == ("paused", until, reason)
    assert "*Acme* is paused until the end of" in words
    assert actions(at) == [("pause partner", f"person:{at.cast.person(ROBIN)}")]


def test_a_name_may_hold_the_words_that_part_a_line(database: Database) -> None:
    odd = PartnerRow("Wait until dark: Ltd", 1, DANA.email, ("dark.example",), since=date(2026, 8, 31))
    with database.sessions.begin() as session:
        cast = put_cast(session, partners=(*PARTNERS, odd))
    with surface(database, cast=cast) as one:
        shown(one.ask(ROBIN, "pause Wait until dark: Ltd until 2027-01-15: on leave: until then"))
        assert paused(one, odd.name) == ("paused", date(2027, 1, 15), "on leave: until then")


def test_the_episode_closes_and_the_posted_read_shows_it(at: Surface) -> None:
    message = at.hold_read()
    at.press_and_hear(DANA, message, f"claim:{at.cast.partner(ACME)}")
    at.clock.at += timedelta(minutes=5)
    at.ask(ROBIN, "pause Acme until 2027-01-15: On leave")
    at.pump()
    assert "✓ Paused on Mon 23 Nov" in said(at.read().blocks)
    with at.database.reading() as session:
        episode = session.scalars(select(Episode).where(Episode.partner_id == at.cast.partner(ACME))).one()
        assert episode.outcome == "paused"
        assert session.scalars(select(Claim)).one().end_reason == "closed"


def test_a_pause_that_is_taken_back_leaves_nothing_settled(at: Surface) -> None:
    at.hold_read()
    at.clock.at += timedelta(minutes=5)
    told = at.ask(ROBIN, "pause Acme until 2027-01-15: On leave")
    at.pump()
    assert "*1 of 7 assigned*" in said(at.home(ROBIN).content["blocks"])
    assert "✓ Paused on Mon 23 Nov" in said(at.read().blocks)
    at.clock.at += timedelta(minutes=5)
    at.press_and_hear(ROBIN, told, f"resume:{at.cast.partner(ACME)}")
    at.pump()
    assert "*0 of 7 assigned*" in said(at.home(ROBIN).content["blocks"])
    assert "Paused on" not in said(at.read().blocks)
    assert "0 of 7 assigned" in said(at.read().blocks)
    at.clock.at += timedelta(minutes=5)
    at.ask(DANA, "claim Acme")
    at.pump()
    assert "1 of 7 assigned" in said(at.read().blocks)
    with at.database.reading() as session:
        later = weekly_read(session, at.cast.programme, MONDAY + timedelta(days=7))
    assert [one.outcome for one in later.recoveries if one.partner == "Acme"] == ["claimed"]


def test_resuming_lets_the_clock_run_on(at: Surface) -> None:
    told = at.ask(ROBIN, "pause Acme until 2027-01-15: On leave")
    card = shown(at.ask(DANA, "partner Acme"))
    assert "paused: it counts nowhere until the pause is over, and its clock runs on." in card
    again = at.press_and_hear(ROBIN, told, f"resume:{at.cast.partner(ACME)}")
    assert "*Acme* counts again. Its clock ran on: 16 days overdue." in shown(again)
    assert paused(at) == ("active", None, None)
    assert "*Acme* is not paused." in shown(at.ask(ROBIN, "resume Acme"))
    assert [action for action, _ in actions(at)] == ["pause partner", "resume partner"]


@pytest.mark.parametrize(
    ("typed", "until", "reason"),
    [("Acme", None, None), ("Acme until 15 Jan", "2027-01-15", None), ("Acme: Leave", None, "Leave")],
)
def test_what_is_missing_is_asked_for_in_the_form(
    at: Surface, typed: str, until: str | None, reason: str | None
) -> None:
    at.slack.interactions.message(user(ROBIN), CHANNEL, f"/cadence pause {typed}")
    view = at.modal(ROBIN)
    lint_view(view.content)
    fields = {one["action_id"]: one for one in elements(view.content["blocks"])}
    assert fields["pause_until"].get("initial_date") == until
    assert fields["pause_reason"].get("initial_value") == reason
    before = len(at.whispers(user(ROBIN)))
    assert at.slack.interactions.submit(user(ROBIN), view.id, form()) == {"ok": True}
    assert paused(at) == ("paused", date(2027, 1, 15), "On leave")
    assert at.workspace.wait_until(lambda: len(at.whispers(user(ROBIN))) > before)


@pytest.mark.parametrize(
    ("until", "reason", "field"),
    [
        ("2026-11-22", "On leave", "pause_until"),
        ("2028-01-01", "On leave", "pause_until"),
        ("2027-01-15", "  ", "pause_reason"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(at: Surface, until: str, reason: str, field: str) -> None:
    at.slack.interactions.message(user(ROBIN), CHANNEL, "/cadence pause Acme")
    answer = at.slack.interactions.submit(user(ROBIN), at.modal(ROBIN).id, form(until, reason))
    assert list(answer["errors"]) == [field]
    assert paused(at)[0] == "active"


def test_the_line_is_held_to_the_same_bounds(at: Surface) -> None:
    assert "a year at most" in shown(at.ask(ROBIN, "pause Acme until 2029-01-01: On leave"))
    assert "is over: choose today or a later" in shown(at.ask(ROBIN, "pause Acme until 2026-11-01: On leave"))
    assert "I do not know which day “someday soonish” is" in shown(at.ask(ROBIN, "pause Acme until someday soonish: x"))
    assert paused(at)[0] == "active"
    assert wrong("x", TODAY + timedelta(days=LONGEST_DAYS), TODAY) == []
    assert [one.field for one in wrong("", None, TODAY)] == ["until", "reason"]


@pytest.mark.parametrize("who", [DANA, VERA, STRANGER])
def test_only_a_lead_pauses_and_resumes(at: Surface, who: Any) -> None:
    at.ask(ROBIN, "pause Umbrella until 2027-01-15: On leave")
    before = at.count(AuditEntry)
    shown(at.ask(who, "pause Acme until 2027-01-15: On leave"))
    shown(at.ask(who, "resume Umbrella"))
    assert paused(at)[0] == "active"
    assert paused(at, "Umbrella")[0] == "paused"
    assert at.count(AuditEntry) == before


def test_a_guessed_name_is_paused_by_nobody(at: Surface) -> None:
    assert "The nearest:" in shown(at.ask(ROBIN, "pause Globx until 2027-01-15: On leave"))
    assert paused(at, GLOBEX.name)[0] == "active"


def test_a_form_delivered_twice_pauses_once(at: Surface) -> None:
    at.slack.interactions.message(user(ROBIN), CHANNEL, "/cadence pause Acme")
    at.slack.interactions.submit(user(ROBIN), at.modal(ROBIN).id, form())
    payload = next(one.payload for one in at.slack.delivery.log if one.payload.get("type") == "view_submission")
    assert at.slack.delivery.send("interactive", payload | {"trigger_id": "another"}).ok
    assert [action for action, _ in actions(at)] == ["pause partner"]


def test_a_pause_ends_by_itself_after_its_last_day(at: Surface) -> None:
    at.ask(ROBIN, "pause Acme until 2026-11-25: On leave")
    at.clock.at = MONDAY + timedelta(days=2, hours=14)
    assert "Acme" not in shown(at.ask(DANA, "overdue"))
    at.clock.at = MONDAY + timedelta(days=3)
    assert "Acme" in shown(at.ask(DANA, "overdue"))


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_and_any_reason_fits(name: str) -> None:
    standing = overdue(1, name)
    lint_view(pause_form(standing, Carried(partner=1, channel="C1"), TODAY, name))
    for payload in (
        paused_note(1, name, TODAY, name * 3, TODAY),
        resumed_note(QUIET.standing(QUIET.facts(touched=20, name=name)), TODAY),
        not_paused_note(name),
    ):
        lint_message(payload)
