"""Next steps in Slack: typed in one line, in the form, done, and looked back upon."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.ids import Carried
from bot.views.next_step import agreed_note, done_note, history_modal
from bot.views.rows import Paper
from models.actions import next_steps
from models.actions.next_steps import Finished
from models.actions.partners import PartnerRow
from models.actions.people import PersonRow
from models.queries.next_steps import PastStep
from models.standing import NextStepFacts
from models.tables import AuditEntry, NextStep
from tests.cast import ACME, DANA, MONDAY, PARTNERS, PRIYA, ROBIN, UMBRELLA, VERA, ZONE, put_cast
from tests.databases import Database
from tests.sandbox.slack.workspace import Message
from tests.slack_lint import elements, lint_message, lint_view, said
from tests.surface import STRANGER, Surface, surface, user
from tests.test_views import HOSTILE


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with surface(database) as one:
        yield one


def steps(at: Surface) -> list[tuple[str, date | None, int | None, str | None]]:
    """Text, day, owner and how it ended; oldest first."""
    with at.database.reading() as session:
        rows = session.scalars(select(NextStep).order_by(NextStep.id)).all()
        return [(one.text, one.due_on, one.owner_id, one.end_reason) for one in rows]


def shown(message: Message) -> str:
    lint_message({"text": message.text, "blocks": message.blocks})
    return said(message.blocks)


def written(at: Surface) -> tuple[int, int]:
    return at.count(NextStep), at.count(AuditEntry)


@pytest.mark.parametrize(
    ("typed", "text", "day", "echo"),
    [
        (
            "Acme: send the revised terms by friday",
            "send the revised terms",
            date(2026, 11, 27),
            "✓ *Acme*: send the revised terms, by Fri 27 Nov (Dana Kim)",
        ),
        ("acme send the revised terms by 15 Jan", "send the revised terms", date(2027, 1, 15), "by Fri 15 Jan 2027"),
        ('"Acme" call Wendy tomorrow', "call Wendy", date(2026, 11, 24), "by tomorrow"),
        ("“Acme”: call Wendy in 3 business days", "call Wendy", date(2026, 11, 26), "by Thu 26 Nov"),
        ("Acme - price list by end of month", "price list", date(2026, 11, 30), "by Mon 30 Nov"),
        ("Acme: see <http://x.example|x.example> by 2026-12-04", "see x.example", date(2026, 12, 4), "by Fri 4 Dec"),
        ("Acme: R&amp;D <https://a.example> today", "R&D a.example", date(2026, 11, 23), "today"),
        ("Acme: send the report by mail", "send the report by mail", None, "No day was said: end with “by friday”"),
        ("mueller & soehne: call by friday", "call", date(2026, 11, 27), "*Müller &amp; Söhne*: call, by Fri 27 Nov"),
    ],
)
def test_one_line_agrees_on_a_step_and_echoes_the_day(
    at: Surface, typed: str, text: str, day: date | None, echo: str
) -> None:
    assert echo in shown(at.ask(DANA, f"next {typed}"))
    assert steps(at) == [(text, day, at.cast.person(DANA), None)]


def test_a_new_step_names_the_open_one_that_it_replaces(at: Surface) -> None:
    assert "instead of" not in shown(at.ask(DANA, "next Acme: send terms by friday"))
    told = shown(at.ask(DANA, "next Acme: call Wendy by 4 Dec"))
    assert told == "✓ *Acme*: call Wendy, by Fri 4 Dec (Dana Kim), instead of “send terms”, by Fri 27 Nov"
    assert "instead of" not in shown(at.ask(DANA, "next Acme: call Wendy by 4 Dec"))  # the same once more
    assert "instead of “call Wendy”, by Fri 4 Dec\nNo day was said" in shown(at.ask(DANA, "next Acme: wait"))
    at.press(DANA, at.ask(DANA, "partner Acme"), f"next_step:{at.cast.partner(ACME)}")
    assert at.slack.interactions.submit("U0DANA", at.modal(DANA).id, form("Send more"))["ok"]
    assert at.workspace.wait_until(lambda: "instead of “wait”" in shown(at.whispers("U0DANA")[-1]))


def test_the_longest_name_that_fits_is_the_one_that_is_meant(database: Database) -> None:
    odd = [
        PartnerRow(name, 1, DANA.email, (f"{number}.example",), since=date(2026, 8, 31))
        for number, name in enumerate(("Acme Send", "Acme: Europe", "Send"))
    ]
    with database.sessions.begin() as session:
        cast = put_cast(session, partners=(*PARTNERS, *odd))
    with surface(database, cast=cast) as one:
        assert "*Acme Send*: terms" in shown(one.ask(DANA, "next acme send terms by friday"))
        assert "*Acme: Europe*: send terms" in shown(one.ask(DANA, "next Acme: Europe: send terms by friday"))
        assert "*Acme*: write" in shown(one.ask(DANA, "next Acme: write by friday"))
        assert "*Send*: Acme terms" in shown(one.ask(DANA, "next send: Acme terms by friday"))


@pytest.mark.parametrize(
    ("who", "typed", "why"),
    [
        (DANA, "Acme: send terms by 12/1", "could be 1 Dec or 12 Jan"),
        (DANA, "Acme: send terms by 20 nov", "20 Nov 2026 is over"),
        (DANA, "Acme: send terms by yesterday", "is over"),
        (DANA, "Acme: send terms by may", "I do not know which day “may” is"),
        (DANA, "Acmee: send terms by friday", "There is no partner called"),
        (DANA, "Acmee send terms by friday", "There is no partner called"),
        (DANA, "Nobody at all", "There is no partner called"),
        (DANA, "", "Which partner? For example `/cadence next Acme`."),
        (VERA, "Acme: send terms by friday", "claims and next steps are for partner managers"),
        (STRANGER, "Acme: send terms by friday", "You are not on the roster"),
    ],
)
def test_what_cannot_be_understood_is_said_and_nothing_is_written(
    at: Surface, who: PersonRow | str, typed: str, why: str
) -> None:
    before = written(at)
    assert why in shown(at.ask(who, f"next {typed}"))
    assert written(at) == before


def test_22_a_note_of_ten_thousand_characters_is_refused_whole_and_one_of_three_thousand_is_kept_whole(
    at: Surface,
) -> None:
    before = written(at)
    told = shown(at.ask(DANA, f"next Acme: {'x' * 10_000} by friday"))
    assert "at most 3,000 characters, and this one 10,000: say it shorter." in told
    assert written(at) == before
    for typo in (2_500, 10_000):  # a button for the name that was meant takes the words along only as far as Slack does
        choice = at.ask(DANA, f"next Acmee: {'x' * typo} by friday")
        lint_message({"text": choice.text, "blocks": choice.blocks})
        assert written(at) == before
    assert "✓ *Acme*" in shown(at.ask(DANA, f"next Acme: {'x' * 3_000} by friday"))
    assert [len(one[0]) for one in steps(at)] == [3_000]


def test_a_name_and_a_day_open_the_form_with_the_day_in_it(at: Surface) -> None:
    at.slack.interactions.message("U0DANA", "C0PARTNERS", "/cadence next Acme by friday")
    view = at.modal(DANA)
    lint_view(view.content)
    due = next(one for one in view.content["blocks"] if one.get("block_id") == "step_due")
    assert due["element"]["initial_date"] == "2026-11-27"
    assert at.slack.interactions.submit("U0DANA", view.id, form("Send terms"))["ok"]
    assert at.workspace.wait_until(lambda: at.whispers("U0DANA"))
    assert "✓ *Acme*: Send terms" in shown(at.whispers("U0DANA")[-1])
    assert steps(at)[0][:2] == ("Send terms", date(2026, 11, 27))


@pytest.mark.parametrize("typed", ["Acme done", "acme: done", "Acme: Done."])
def test_done_ends_it_and_says_what_was_done(at: Surface, typed: str) -> None:
    at.ask(DANA, "next Acme: send terms by friday")
    told = at.ask(PRIYA, f"next {typed}")
    assert "✓ *Acme*: send terms is done." in shown(told)
    assert steps(at) == [("send terms", date(2026, 11, 27), at.cast.person(DANA), "done")]
    assert "*Acme* has no next step to finish." in shown(at.ask(DANA, f"next {typed}"))
    with at.database.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "finish next step")).one()
    assert (entry.actor, entry.before) == (f"person:{at.cast.person(PRIYA)}", {"text": "send terms"})


def test_the_menu_of_a_row_finishes_the_step_that_it_showed_and_no_newer_one(at: Surface) -> None:
    at.ask(DANA, "next Acme: send terms by friday")
    at.ask(DANA, "claim Acme")
    listed = at.ask(DANA, "mine")
    menu = option(listed, f"row_menu:{at.cast.partner(ACME)}", "Next step is done")
    at.ask(DANA, "next Acme: call Wendy by friday")
    told = at.press_and_hear(DANA, listed, f"row_menu:{at.cast.partner(ACME)}", action=menu)
    assert "*Acme* has a newer next step: call Wendy. Nothing was changed." in shown(told)
    fresh = at.ask(DANA, "mine")
    menu = option(fresh, f"row_menu:{at.cast.partner(ACME)}", "Next step is done")
    assert "call Wendy is done." in shown(
        at.press_and_hear(DANA, fresh, f"row_menu:{at.cast.partner(ACME)}", action=menu)
    )
    assert [one[3] for one in steps(at)] == ["superseded", "done"]


def test_a_partner_in_rhythm_with_a_step_has_a_menu_for_it_on_home(at: Surface) -> None:
    at.ask(DANA, "next Umbrella: call by friday")
    view = at.home(DANA)
    lint_view(view.content)
    chosen = option(view.content["blocks"], f"row_menu:{at.cast.partner(UMBRELLA)}", "Next step is done")
    at.press(DANA, view, f"row_menu:{at.cast.partner(UMBRELLA)}", action=chosen)
    homes = at.workspace.views.homes
    assert at.workspace.wait_until(lambda: "call is done" in said(homes["U0DANA"].content["blocks"]))


def test_the_history_tells_who_set_what_when_and_how_it_ended(at: Surface) -> None:
    at.ask(DANA, "next Acme: send terms by friday")
    at.clock.at += timedelta(days=1)
    at.ask(PRIYA, "next Acme: call Wendy")
    at.ask(PRIYA, "next Acme done")
    card = at.ask(VERA, "partner Acme")
    assert not [one for one in elements(card.blocks) if one["action_id"].startswith("step_history")]
    card = at.ask(DANA, "partner Acme")
    at.press(DANA, card, f"step_history:{at.cast.partner(ACME)}")
    view = at.modal(DANA)
    lint_view(view.content)
    assert said(view.content["blocks"]).splitlines() == [
        "Next steps agreed with *Acme*",
        "call Wendy (Priya Nair)",
        "set Tue 24 Nov by Priya Nair · done Tue 24 Nov",
        "send terms (Dana Kim, by Fri 27 Nov)",
        "set Mon 23 Nov by Dana Kim · replaced Tue 24 Nov",
    ]


def test_a_next_step_of_the_form_is_answered_where_it_was_opened(at: Surface) -> None:
    told = at.press_and_hear(DANA, at.hold_read(), f"claim:{at.cast.partner(ACME)}")
    at.press(DANA, told, f"next_step:{at.cast.partner(ACME)}")
    before = len(at.whispers("U0DANA"))
    assert at.slack.interactions.submit("U0DANA", at.modal(DANA).id, form("Send terms"))["ok"]
    assert at.workspace.wait_until(lambda: len(at.whispers("U0DANA")) > before)
    assert "✓ *Acme*: Send terms" in shown(at.whispers("U0DANA")[-1])
    at.pump()
    assert "next step: Send terms" in said(at.read().blocks)


@pytest.mark.parametrize(("day", "why"), [("2026-11-22", "This day is over"), ("2199-01-01", "more than five years")])
def test_a_day_that_is_none_for_a_promise_is_said_beside_its_field(at: Surface, day: str, why: str) -> None:
    told = at.press_and_hear(DANA, at.hold_read(), f"claim:{at.cast.partner(ACME)}")
    at.press(DANA, told, f"next_step:{at.cast.partner(ACME)}")
    due = {"step_due": {"step_due": {"type": "datepicker", "selected_date": day}}}
    errors = at.slack.interactions.submit("U0DANA", at.modal(DANA).id, form("Send terms") | due)["errors"]
    assert list(errors) == ["step_due"]
    assert why in errors["step_due"]
    assert at.count(NextStep) == 0


def test_two_people_finish_at_once_and_one_did(at: Surface) -> None:
    with at.database.sessions.begin() as session:
        day = MONDAY.date()
        next_steps.set_next_step(
            session, at.cast.programme, at.cast.partner(ACME), "x", None, day, None, "test", MONDAY
        )
    results = []
    for person in (DANA, ROBIN):
        with at.database.sessions.begin() as session:
            results.append(
                next_steps.finish_next_step(
                    session, at.cast.programme, at.cast.partner(ACME), at.cast.person(person), MONDAY, step_id=1
                )
            )
    assert results == [Finished("x"), Finished(None)]


@pytest.mark.parametrize("name", HOSTILE)
def test_every_text_fits_whatever_the_names(name: str) -> None:
    today, at = date(2026, 11, 23), datetime(2026, 11, 23, 9, tzinfo=ZONE)
    step = NextStepFacts(name * 10, today, None)
    for payload in (
        agreed_note(name, step, today),
        agreed_note(name, NextStepFacts(name, None, None), today),
        done_note(1, name, Finished(name * 10)),
        done_note(1, name, Finished(None, name * 10)),
        done_note(1, name, Finished(None)),
    ):
        lint_message(payload)
    past = PastStep(name * 10, today, name, name, at, at, "done")
    lint_view(history_modal(1, name, [past] * 40, 99, Paper(today, ZONE)))
    lint_view(history_modal(1, name, [], 0, Paper(today, ZONE)))
    assert Carried(step=4).step == 4


def form(text: str) -> dict[str, Any]:
    return {"step_text": {"step_text": {"type": "plain_text_input", "value": text}}}


def option(where: Message | list[dict[str, Any]], action_id: str, text: str) -> dict[str, Any]:
    blocks = where.blocks if isinstance(where, Message) else where
    element = next(one for one in elements(blocks) if one["action_id"] == action_id)
    return {"selected_option": next(one for one in element["options"] if one["text"]["text"] == text)}


assert user(DANA) == "U0DANA"
