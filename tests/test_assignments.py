"""A lead asks somebody to take a recovery touch: accepted, declined, passed on, and open again when a holder leaves."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.ids import Carried
from bot.outbox import posting_client
from bot.people import notice_leavers
from bot.views import claims as views
from jobs.weekly_read import ask_leads
from models.actions import outbox
from models.actions.claims import lapse_claims
from models.actions.people import PersonRow, return_person, set_away, user_left
from models.queries.programme import people
from models.tables import AuditEntry, Claim, OutboxPost, Person
from tests.cast import ACME, CHANNEL, DANA, INITECH, MONDAY, PRIYA, ROBIN, TOMAS
from tests.databases import Database
from tests.facts import QUIET
from tests.sandbox.slack.workspace import Message
from tests.slack_lint import elements, lint_message, lint_view, said
from tests.surface import Surface, surface, user
from tests.test_views import HOSTILE


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with surface(database) as one:
        yield one


def claims_of(at: Surface) -> list[tuple[str, str | None, bool]]:
    """Holder, how it ended, and whether it was accepted; oldest first."""
    with at.database.reading() as session:
        rows = session.execute(
            select(Person.name, Claim.end_reason, Claim.accepted_at)
            .join(Person, Person.id == Claim.person_id)
            .order_by(Claim.id)
        )
        return [(name, reason, accepted is not None) for name, reason, accepted in rows]


def audited(at: Surface) -> list[str]:
    with at.database.reading() as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        return [one.action for one in rows if "claim" in one.action or one.action in ("leave", "come back", "release")]


def private(at: Surface, person: PersonRow) -> list[str]:
    at.pump()
    return [one.text for one in letters(at, person)]


def letters(at: Surface, person: PersonRow) -> list[Message]:
    """What the bot has posted to one person, apart from answers to a press."""
    found = at.workspace.messages(at.workspace.im(user(person)).id)
    return [one for one in found if one.visible_to is None]


def acme(at: Surface, action: str) -> str:
    return f"{action}:{at.cast.partner(ACME)}"


def ask_for(at: Surface, whom: str = "<@U0PRIYA>") -> Message:
    at.hold_read()
    return at.ask(ROBIN, f"claim Acme for {whom}")


def verb(at: Surface, message: Message, text: str) -> dict[str, Any]:
    for element in elements(message.blocks):
        if element["action_id"] == acme(at, "row_menu"):
            return {"selected_option": next(one for one in element["options"] if one["text"]["text"] == text)}
    raise AssertionError("the row has no menu")


@pytest.mark.parametrize("whom", ["<@U0PRIYA|priya>", "Priya Nair", "priya", "@priya", "priya@lantern.example"])
def test_a_lead_asks_somebody_by_command_and_the_read_says_that_no_answer_has_come(at: Surface, whom: str) -> None:
    told = ask_for(at, whom)
    lint_message({"text": told.text, "blocks": told.blocks})
    assert told.text == "Priya Nair is asked to take *Acme*, by Wed 25 Nov, and can accept or decline."
    assert claims_of(at) == [("Priya Nair", None, False)]
    [letter] = private(at, PRIYA)
    assert "Robin Okafor asks you to take 1 recovery touch." in letter
    assert "… Priya Nair was asked, has not answered · by Wed 25 Nov" in said(at.read().blocks)
    assert (
        "Priya Nair was asked to take *Acme*, by Wed 25 Nov, and has not answered yet."
        in at.ask(DANA, "claim Acme").text
    )


def test_a_lead_takes_a_question_back_and_the_letter_and_the_read_say_so(at: Surface) -> None:
    ask_for(at)
    at.pump()
    told = at.ask(ROBIN, "release Acme")
    lint_message({"text": told.text, "blocks": told.blocks})
    assert told.text == "Priya Nair is not asked any more: *Acme* is open to everybody again."
    assert claims_of(at) == [("Priya Nair", "released", False)]
    with at.database.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "release")).one()
        robin, priya = at.cast.person(ROBIN), at.cast.person(PRIYA)
        assert (entry.actor, entry.before) == (f"person:{robin}", {"by": f"person:{priya}"})
    letter = drawn_again(at, PRIYA)
    assert letter.text.endswith("Acme is open to everybody again")
    assert menu_of(letter) == []
    assert "was asked" not in said(at.read().blocks)
    assert menu_of(told) == ["Ask somebody else…", "Claim it myself"]
    assert "is yours" in at.press_and_hear(ROBIN, told, acme(at, "claim")).text


def test_the_answer_to_a_lead_who_asked_has_the_button_that_takes_the_question_back(at: Surface) -> None:
    told = ask_for(at)
    assert menu_of(told) == ["Take the question back"]
    assert "is not asked any more" in at.press_and_hear(ROBIN, told, acme(at, "take_back")).text
    again = at.press_and_hear(ROBIN, told, acme(at, "take_back"))
    assert again.text == "Nobody is asked to take *Acme* any more."
    told = at.ask(ROBIN, "claim Acme for Priya")
    asked_twice = at.ask(ROBIN, "claim Acme for Priya")
    assert asked_twice.text == "Priya Nair was asked to take *Acme*, by Wed 25 Nov, and has not answered yet."
    at.ask(PRIYA, "claim Acme")
    before = at.written()
    answered = at.press_and_hear(ROBIN, told, acme(at, "take_back"))
    assert answered.text == "Priya Nair has said yes to *Acme* in the meantime."
    assert at.ask(ROBIN, "release Acme").text.startswith("Priya Nair holds *Acme*: only the holder can release it.")
    assert at.written() == before


def test_the_form_that_passes_a_question_on_takes_it_back_too(at: Surface) -> None:
    ask_for(at)
    at.clock.at += timedelta(seconds=5)
    at.pump()
    at.press(ROBIN, at.read(), acme(at, "row_menu"), action=verb(at, at.read(), "Reassign…"))
    view = at.modal(ROBIN)
    lint_view(view.content)
    at.press(ROBIN, view, acme(at, "take_back"))
    words = "Priya Nair is not asked any more: *Acme* is open to everybody again."
    assert at.workspace.wait_until(lambda: words in str(at.modal(ROBIN).content["blocks"]))
    assert at.workspace.wait_until(lambda: at.whispers("U0ROBIN")[-1].text == words)
    assert claims_of(at) == [("Priya Nair", "released", False)]


def test_only_a_lead_takes_a_question_back(at: Surface) -> None:
    ask_for(at)
    before = at.written()
    heard = at.ask(DANA, "release Acme").text
    assert heard.startswith("Priya Nair was asked to take *Acme* and has not answered yet. A lead can take the ")
    assert "Take the question back" not in str(at.ask(DANA, "partner Acme").blocks)
    assert "Take the question back" in str(at.ask(ROBIN, "partner Acme").blocks)
    assert at.written() == before


def test_accepting_is_shown_in_the_read_and_twice_is_no_error(at: Surface) -> None:
    ask_for(at)
    at.pump()
    letter = letters(at, PRIYA)[-1]
    assert [one["text"]["text"] for one in elements(letter.blocks)] == ["Accept", "Decline", "Set next step"]
    for _ in range(2):
        assert "Acme* is yours, by Wed 25 Nov" in at.press_and_hear(PRIYA, letter, acme(at, "accept_claim")).text
    assert claims_of(at) == [("Priya Nair", None, True)]
    assert audited(at) == ["claim", "accept claim"]
    at.clock.at += timedelta(seconds=5)
    at.pump()
    assert "✓ Priya Nair is on it · by Wed 25 Nov" in said(at.read().blocks)


def test_pressing_claim_accepts_too(at: Surface) -> None:
    ask_for(at)
    assert "is already yours" in at.ask(PRIYA, "claim Acme").text
    assert claims_of(at) == [("Priya Nair", None, True)]


def test_declining_opens_it_again_and_the_lead_hears_of_it_once(at: Surface) -> None:
    ask_for(at)
    at.pump()
    letter = letters(at, PRIYA)[-1]
    told = at.press_and_hear(PRIYA, letter, acme(at, "decline_claim"))
    assert told.text == "*Acme* is open to everybody again. Robin Okafor hears that it is free."
    again = at.press_and_hear(PRIYA, letter, acme(at, "decline_claim"))
    assert again.text == "*Acme* waits for nobody's answer any more."
    assert claims_of(at) == [("Priya Nair", "declined", False)]
    assert private(at, ROBIN) == ["Priya Nair cannot take *Acme* this time, so it is open to everybody again."]
    back = letters(at, ROBIN)[-1]
    lint_message({"text": back.text, "blocks": back.blocks})
    assert "is yours" in at.press_and_hear(ROBIN, back, acme(at, "claim")).text
    at.clock.at += timedelta(seconds=5)
    at.pump()
    assert "✓ Robin Okafor is on it" in said(at.read().blocks)


def drawn_again(at: Surface, person: PersonRow) -> Message:
    at.clock.at += timedelta(seconds=5)
    at.pump()
    letter = letters(at, person)[-1]
    lint_message({"text": letter.text, "blocks": letter.blocks})
    return letter


def menu_of(message: Message) -> list[str]:
    return [
        option["text"]["text"]
        for element in elements(message.blocks)
        for option in element.get("options", [{"text": element.get("text")}])
    ]


def test_a_letter_that_was_answered_shows_the_answer_and_what_became_of_it(at: Surface) -> None:
    ask_for(at)
    at.pump()
    before = len(letters(at, PRIYA))
    at.press_and_hear(PRIYA, letters(at, PRIYA)[-1], acme(at, "accept_claim"))
    letter = drawn_again(at, PRIYA)
    assert "✓ Acme is yours, by Wed 25 Nov" in letter.text
    assert menu_of(letter) == ["Set next step", "Release"]
    assert "open to everybody" in at.ask(PRIYA, "release Acme").text
    letter = drawn_again(at, PRIYA)
    assert letter.text.endswith("Acme is open to everybody again")
    assert menu_of(letter) == []
    at.ask(TOMAS, "claim Acme")
    at.ask(ROBIN, "claim Acme for Priya")  # Tomás's is passed on; a new letter says so, and the old one too
    assert "✓" not in drawn_again(at, PRIYA).text
    assert len(letters(at, PRIYA)) == before + 1
    assert menu_of(letters(at, PRIYA)[0]) == ["Accept", "Decline", "Set next step"]


def test_a_letter_whose_claim_was_passed_on_or_is_over_offers_nothing_any_more(at: Surface) -> None:
    ask_for(at)
    at.pump()
    at.ask(ROBIN, "claim Acme for Dana")
    letter = drawn_again(at, PRIYA)
    assert [one for one in letters(at, PRIYA) if "Acme is with Dana Kim now" in one.text] != []
    at.clock.at += timedelta(days=3)
    with at.database.sessions.begin() as session:
        lapse_claims(session, at.cast.programme, at.clock.at)
    letter = drawn_again(at, DANA)
    assert letter.text.endswith("Acme is open to everybody again")
    assert menu_of(letter) == []


def test_the_menu_of_the_read_answers_too_but_only_for_the_one_who_was_asked(at: Surface) -> None:
    ask_for(at)
    at.clock.at += timedelta(seconds=5)
    at.pump()
    menu = verb(at, at.read(), "Accept")
    before = at.written()
    assert (
        at.press_and_hear(TOMAS, at.read(), acme(at, "row_menu"), action=menu).text == "*Acme* is with Priya Nair now."
    )
    assert at.written() == before
    at.press_and_hear(PRIYA, at.read(), acme(at, "row_menu"), action=menu)
    assert claims_of(at) == [("Priya Nair", None, True)]


def test_a_lead_passes_a_claim_on_and_the_one_before_is_told_once(at: Surface) -> None:
    at.press_and_hear(DANA, at.hold_read(), acme(at, "claim"))
    at.clock.at += timedelta(seconds=5)
    at.pump()
    menu = verb(at, at.read(), "Reassign…")
    at.press(ROBIN, at.read(), acme(at, "row_menu"), action=menu)
    view = at.modal(ROBIN)
    lint_view(view.content)
    assert "Dana Kim is on it: whoever you choose takes over." in said(view.content["blocks"])
    assert at.slack.interactions.submit("U0ROBIN", view.id, chosen(at, PRIYA))["ok"]
    assert claims_of(at) == [("Dana Kim", "reassigned", False), ("Priya Nair", None, False)]
    heard = "Robin Okafor has asked Priya Nair to take *Acme*, so it is off your list."
    assert private(at, DANA) == [heard]
    assert len(private(at, PRIYA)) == 1
    assert at.whispers("U0ROBIN")[-1].text == (
        "Priya Nair is asked to take *Acme*, by Wed 25 Nov, and can accept or decline. "
        "Dana Kim hears that it is off the list."
    )
    assert audited(at) == ["claim", "reassign claim", "claim"]
    again = at.ask(ROBIN, "claim Acme for Priya")
    assert again.text == "Priya Nair was asked to take *Acme*, by Wed 25 Nov, and has not answered yet."
    at.ask(PRIYA, "claim Acme")
    assert at.ask(ROBIN, "claim Acme for Priya").text == "Priya Nair holds *Acme* already, by Wed 25 Nov."
    assert private(at, DANA) == [heard]


def test_whoever_became_a_viewer_while_the_form_was_open_cannot_be_asked(at: Surface) -> None:
    at.hold_read()
    at.clock.at = MONDAY + timedelta(hours=8)
    assert ask_leads(at.database.sessions, at.cast.programme, at.clock.at) == 1
    at.pump()
    at.press(ROBIN, letters(at, ROBIN)[-1], acme(at, "assign_one"))
    view, before = at.modal(ROBIN), at.written()
    lint_view(view.content)
    assert view.content["blocks"][1]["element"]["initial_option"]["text"]["text"] == "Dana Kim"
    with at.database.sessions.begin() as session:
        session.get_one(Person, at.cast.person(PRIYA)).role = "viewer"
    answer = at.slack.interactions.submit("U0ROBIN", view.id, chosen(at, PRIYA))
    assert answer["errors"] == {"assignee": "Choose a partner manager of the roster."}
    assert at.written() == before


@pytest.mark.parametrize(
    ("who", "typed", "why"),
    [
        (DANA, "claim Acme for Priya", "Only a programme lead can do this."),
        (ROBIN, "claim Acme for Vera", "Vera Lindqvist reads along, and claims are for partner managers."),
        (ROBIN, "claim Acme for Pria", "“Pria” is not on the roster. Do you mean “Priya Nair”?"),
        (ROBIN, "claim Acme for <@U0NOBODY>", "This person is not on the roster."),
        (ROBIN, "claim Acmo for Priya", "There is no partner called “Acmo”. The nearest:"),
    ],
)
def test_what_cannot_be_assigned_is_said_and_nothing_is_written(
    at: Surface, who: PersonRow, typed: str, why: str
) -> None:
    at.hold_read()
    before = at.written()
    assert why in at.ask(who, typed).text
    assert at.written() == before


def test_for_myself_is_a_claim(at: Surface) -> None:
    assert "Acme* is yours" in ask_for(at, "me").text
    assert claims_of(at) == [("Robin Okafor", None, False)]
    assert private(at, ROBIN) == []


def test_a_manager_whom_slack_does_not_know_is_asked_by_the_lead(at: Surface) -> None:
    with at.database.sessions.begin() as session:
        session.get_one(Person, at.cast.person(PRIYA)).slack_user_id = None
    assert "I do not know this person in Slack yet, so please pass it on yourself." in ask_for(at, "Priya").text


def test_10_a_holder_who_was_deactivated_gives_the_claim_back_and_no_letter_is_repeated(at: Surface) -> None:
    at.press_and_hear(DANA, at.hold_read(), acme(at, "claim"))
    at.workspace.users["U0DANA"].deleted = True
    now = at.clock.at
    with at.database.sessions.begin() as session:
        for kind in ("nudge", "assigned"):
            outbox.enqueue(session, at.cast.workspace_id, "U0DANA", kind, "x", 0, {"text": "x", "blocks": []}, now)
    for _ in range(3):
        at.pump()
    tried = [one for one in at.slack.faults.called("chat.postMessage") if "U0DANA" in str(one)]
    assert len(tried) == 1
    assert claims_of(at) == [("Dana Kim", "left", False)]
    assert audited(at) == ["claim", "leave", "return claim"]
    with at.database.reading() as session:
        statuses = session.scalars(select(OutboxPost.status).where(OutboxPost.channel == "U0DANA")).all()
        dana = next(one for one in people(session, at.cast.workspace_id) if one.name == "Dana Kim")
    assert sorted(statuses) == ["failed", "gone"]
    assert dana.left
    assert not dana.may_act
    at.clock.at += timedelta(seconds=5)
    at.pump()
    assert "Claim recovery touch for Acme" in str(at.read().blocks)
    assert "Dana Kim has left this Slack workspace." in at.ask(ROBIN, "claim Acme for Dana").text
    with at.database.sessions.begin() as session:
        assert not user_left(session, at.cast.workspace_id, "U0DANA", now)  # it is no news any more


def test_10_a_look_once_a_day_finds_who_has_left_and_who_is_back(at: Surface) -> None:
    at.press_and_hear(DANA, at.hold_read(), acme(at, "claim"))
    at.press_and_hear(PRIYA, at.read(), f"claim:{at.cast.partner(INITECH)}")
    client = posting_client(at.workspace.bot_token, at.slack.api_url)

    def look() -> int:
        return notice_leavers(client, at.database.reading, at.database.sessions, at.cast.programme, at.clock.at)

    assert look() == 0
    at.workspace.users["U0DANA"].deleted = True
    assert look() == 1
    assert look() == 0
    assert claims_of(at) == [("Dana Kim", "left", False), ("Priya Nair", None, False)]
    at.workspace.users["U0DANA"].deleted = False
    assert look() == 1
    assert "is yours" in at.press_and_hear(DANA, at.read(), acme(at, "claim")).text
    assert audited(at)[-2:] == ["come back", "claim"]


def test_whoever_presses_a_button_is_back(at: Surface) -> None:
    with at.database.sessions.begin() as session:
        assert user_left(session, at.cast.workspace_id, "U0DANA", at.clock.at)
    assert "is yours" in at.press_and_hear(DANA, at.hold_read(), acme(at, "claim")).text
    with at.database.sessions.begin() as session:
        assert not return_person(session, at.cast.workspace_id, at.cast.person(DANA), "slack", at.clock.at)


def test_a_silent_slack_is_no_verdict(at: Surface) -> None:
    at.press_and_hear(DANA, at.hold_read(), acme(at, "claim"))
    client = posting_client("xoxb-of-nobody", at.slack.api_url)
    assert notice_leavers(client, at.database.reading, at.database.sessions, at.cast.programme, at.clock.at) == 0
    assert claims_of(at) == [("Dana Kim", None, False)]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("count", [1, 5, 6, 40])
def test_letters_about_assignments_fit_whatever_the_names(name: str, count: int) -> None:
    given = [views.Assigned(number, name, MONDAY.date()) for number in range(1, count + 1)]
    lint_message(views.assigned_payload(name, given, MONDAY.date()))
    lint_message(views.declined_payload(1, name, name))
    lint_message(views.reassigned_payload(name, name, name))
    day = MONDAY.date()
    lint_message(views.given_note(1, name, name, day, day, before=name, reached=False, again=False, asked=True))
    lint_message(views.answered_note(1, name, lead=name))
    lint_message(views.not_asked_note(name, name))
    standing = QUIET.standing(QUIET.facts(touched=20))
    lint_view(views.assign_form(standing, [{"text": {"type": "plain_text", "text": "x"}, "value": "1"}], Carried()))


def chosen(at: Surface, person: PersonRow) -> dict[str, Any]:
    option = {"text": {"type": "plain_text", "text": person.name}, "value": str(at.cast.person(person))}
    return {"assignee": {"assignee": {"type": "static_select", "selected_option": option}}}


def test_the_channel_is_told_nothing_of_who_declined(at: Surface) -> None:
    ask_for(at)
    at.pump()
    at.press_and_hear(PRIYA, letters(at, PRIYA)[-1], acme(at, "decline_claim"))
    at.pump()
    public = [one.text for one in at.workspace.messages(CHANNEL) if one.visible_to is None]
    assert not any("declin" in text or "cannot take" in text for text in public)


def test_what_leads_get_in_the_afternoon_is_drawn_again_until_everybody_has_a_name(at: Surface) -> None:
    at.hold_read()
    at.clock.at = MONDAY + timedelta(hours=8)
    assert ask_leads(at.database.sessions, at.cast.programme, at.clock.at) == 1
    assert "7 partners still wait for a name beside them" in private(at, ROBIN)[-1]
    at.ask(PRIYA, "claim Initech")
    shown = drawn_again(at, ROBIN)
    assert "6 partners still wait for a name beside them" in shown.text
    assert "Initech" not in shown.text
    at.press_and_hear(ROBIN, shown, "assign")
    done = drawn_again(at, ROBIN)
    assert done.text == "✓ Every slipped partner has a name beside it."
    assert menu_of(done) == []
    at.ask(PRIYA, "release Initech")
    assert "Assign to owners" in menu_of(drawn_again(at, ROBIN)), "and again when one is open again"


def away(at: Surface, person: PersonRow, stand_in: PersonRow | None) -> None:
    with at.database.sessions.begin() as session:
        until, deputy = (MONDAY + timedelta(days=9)).date(), at.cast.person(stand_in) if stand_in else None
        set_away(session, at.cast.workspace_id, "test", at.cast.person(person), until, deputy, MONDAY)


def test_a_lead_who_asks_somebody_away_hears_until_when_and_who_stands_in(at: Surface) -> None:
    away(at, DANA, PRIYA)
    told = ask_for(at, "Dana")
    assert "Dana Kim is away until the end of Wed 2 Dec; Priya Nair stands in meanwhile." in told.text
    away(at, DANA, None)
    at.ask(ROBIN, "release Acme")
    assert "away until the end of Wed 2 Dec; nobody stands in." in at.ask(ROBIN, "claim Acme for Dana").text
    assert "away" not in at.ask(ROBIN, "claim Initech for Tomás").text


def test_nobody_who_is_away_or_has_declined_is_proposed_or_assigned(at: Surface) -> None:
    away(at, DANA, PRIYA)
    at.hold_read()
    at.clock.at = MONDAY + timedelta(hours=8)
    ask_leads(at.database.sessions, at.cast.programme, at.clock.at)
    at.pump()
    message = letters(at, ROBIN)[-1]
    at.press(ROBIN, message, acme(at, "assign_one"))
    form = at.modal(ROBIN).content["blocks"]
    assert "Dana Kim is away until the end of Wed 2 Dec; Priya Nair stands in meanwhile." in said(form)
    assert "initial_option" not in form[1]["element"]
    told = at.press_and_hear(ROBIN, message, "assign")
    assert told.text == "5 partners assigned to the owner; 2 partners wait for an owner who is away: ask somebody else."
    owner = at.cast.partner(INITECH)
    assert private(at, TOMAS)
    at.press_and_hear(TOMAS, letters(at, TOMAS)[-1], f"decline_claim:{owner}")
    at.pump()
    at.workspace.views.stacks["U0ROBIN"].clear()  # he closes the window
    at.press(ROBIN, letters(at, ROBIN)[-1], f"assign_one:{owner}")
    form = at.modal(ROBIN).content["blocks"]
    assert "who owns it, has declined." in said(form)
    assert "initial_option" not in form[1]["element"]


def test_a_lead_takes_over_from_somebody_by_saying_for_me(at: Surface) -> None:
    at.hold_read()
    at.ask(DANA, "claim Acme")
    assert at.ask(ROBIN, "release Acme").text.endswith(
        "only the holder can release it. You can pass it on: `/cadence claim Acme for @Dana`, or `for me`."
    )
    assert at.ask(PRIYA, "release Acme").text.endswith("only the holder can release it.")
    assert "Acme* is yours" in at.ask(ROBIN, "claim Acme for me").text
    assert [one[:2] for one in claims_of(at)] == [("Dana Kim", "reassigned"), ("Robin Okafor", None)]
    assert "off your list" in private(at, DANA)[-1]
