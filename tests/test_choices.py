"""A command whose partner is not clear offers the choice as buttons, and nothing has to be typed again."""

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import select

from bot.ids import Carried
from bot.views.partner import Again, choice_answer
from models.actions.partners import PartnerRow
from models.queries.standings import PartnerName
from models.tables import Claim, NextStep
from tests.cast import DANA, INITECH, MUELLER, PARTNERS, PRIYA, ROBIN, put_cast
from tests.databases import Database
from tests.sandbox.slack.workspace import Message
from tests.slack_lint import elements, lint_message, said
from tests.surface import Surface, slip, surface

BIG = [PartnerRow(f"Big Co {where}", 1, DANA.email, (f"{where}.example",), since=date(2026, 8, 31)) for where in "ABC"]


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with database.sessions.begin() as session:
        cast = put_cast(session, partners=(*PARTNERS, *BIG))
        slip(session, cast)
    with surface(database, cast=cast) as one:
        yield one


def buttons(message: Message) -> list[str]:
    lint_message({"text": message.text, "blocks": message.blocks})
    return [one["text"]["text"] for one in elements(message.blocks)]


def steps(at: Surface) -> list[tuple[int, str]]:
    with at.database.reading() as session:
        return [(one.partner_id, one.text) for one in session.scalars(select(NextStep).order_by(NextStep.id))]


def holders(at: Surface) -> list[tuple[int, int | None]]:
    held = select(Claim.person_id, Claim.assigned_by_id).where(Claim.ended_at.is_(None))
    with at.database.reading() as session:
        return [(who, by) for who, by in session.execute(held)]


@pytest.mark.parametrize("name", ["initec:", "initec"])
def test_part_of_a_name_is_confirmed_with_one_button_that_keeps_the_words(at: Surface, name: str) -> None:
    told = at.ask(DANA, f"next {name} send “the” terms &amp; more by friday")
    assert buttons(told) == ["Set next step"]
    assert "What you typed is kept: “send “the” terms &amp; more by friday”" in said(told.blocks)
    assert steps(at) == []
    initech = at.cast.partner(INITECH)
    answer = at.press_and_hear(DANA, told, f"chosen_partner:{initech}")
    assert answer.text == "✓ *Initech*: send “the” terms &amp; more, by Fri 27 Nov (Dana Kim)"
    assert steps(at) == [(initech, "send “the” terms & more")]


def test_several_names_that_fit_are_a_choice_that_keeps_the_words(at: Surface) -> None:
    told = at.ask(DANA, "next big co: send terms by friday")
    assert told.text.startswith("“big co” could be:")
    assert buttons(told) == ["Set next step"] * 3
    at.press_and_hear(DANA, told, f"chosen_partner:{at.cast.partner(BIG[1])}")
    assert steps(at) == [(at.cast.partner(BIG[1]), "send terms")]


def test_a_claim_and_a_release_are_confirmed_the_same_way(at: Surface) -> None:
    at.hold_read()
    chosen = f"chosen_partner:{at.cast.partner(INITECH)}"
    told = at.ask(DANA, "claim initec")
    assert (buttons(told), holders(at)) == (["Claim"], [])
    assert "*Initech* is yours" in at.press_and_hear(DANA, told, chosen).text
    back = at.ask(DANA, "release initec")
    assert buttons(back) == ["Release"]
    assert "open to everybody" in at.press_and_hear(DANA, back, chosen).text
    told = at.ask(ROBIN, "claim initec for <@U0PRIYA>")
    assert buttons(told) == ["Ask Priya Nair"]
    assert "Priya Nair is asked to take *Initech*" in at.press_and_hear(ROBIN, told, chosen).text
    assert holders(at) == [(at.cast.person(PRIYA), at.cast.person(ROBIN))]


def test_a_pause_keeps_its_day_and_its_reason(at: Surface) -> None:
    told = at.ask(ROBIN, "pause muller und sohne until 15 Jan: on leave")
    assert buttons(told) == ["Pause"]
    answer = at.press_and_hear(ROBIN, told, f"chosen_partner:{at.cast.partner(MUELLER)}")
    assert "Fri 15 Jan 2027" in answer.text
    assert "on leave" in answer.text
    back = at.ask(ROBIN, "resume muller und sohne")
    assert buttons(back) == ["Resume"]


def test_what_is_too_long_for_a_button_stands_there_to_be_copied(at: Surface) -> None:
    words = "call them " * 250
    told = at.ask(DANA, f"next initec: {words}")
    assert buttons(told) == ["Show"]
    assert "What you typed is too long for a button to keep." in told.text
    assert said(told.blocks).count("call them") == 250


@pytest.mark.parametrize("words", ["x", "ü" * 600, "\U0001f389" * 400, '"' * 900, "a" * 1_990, "&" * 3_000])
def test_a_choice_with_kept_words_is_a_message_that_slack_takes(words: str) -> None:
    names = [PartnerName(one, f"Partner {one} & Söhne", None, None) for one in range(1, 30)]
    for ambiguous in (True, False):
        payload = choice_answer(
            "p", names, ambiguous=ambiguous, again=Again(Carried(verb="next", text=words), "Set next step")
        )
        lint_message(payload)


@pytest.mark.parametrize("typed", ["\U0001f389", "%", "!!"])
def test_a_name_without_a_letter_is_answered_with_what_to_do_next(at: Surface, typed: str) -> None:
    told = at.ask(DANA, f"partner {typed}")
    lint_message({"text": told.text, "blocks": told.blocks})
    assert told.text.startswith(
        f"There is no partner called “{typed}”. Type the beginning of its name, as in `/cadence"
    )
