"""Claims from Slack, end to end: one wins, the others are told who, and the posted read shows it."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from jobs.weekly_read import ask_leads
from models.actions.people import PersonRow
from models.tables import AuditEntry, Claim, Person
from tests.cast import ACME, DANA, MONDAY, PRIYA, ROBIN, TOMAS, VERA, put_touch
from tests.databases import Database
from tests.sandbox.slack.workspace import Message
from tests.slack_lint import elements, said
from tests.surface import FOREIGNER, GUEST, STRANGER, Surface, surface


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with surface(database) as one:
        yield one


def claim_id(at: Surface, name: str = "Acme") -> str:
    return f"claim:{at.cast.partner_ids[name]}"


def holders(at: Surface) -> list[str]:
    with at.database.reading() as session:
        query = select(Person.name).join(Claim, Claim.person_id == Person.id).where(Claim.ended_at.is_(None))
        return list(session.scalars(query.order_by(Claim.id)))


def test_a_claim_is_confirmed_in_private_and_shown_in_the_read(at: Surface) -> None:
    message = at.hold_read()
    told = at.press_and_hear(DANA, message, claim_id(at))
    assert "Acme* is yours, by Wed 25 Nov" in told.text
    assert [one["text"]["text"] for one in elements(told.blocks)] == ["Add next step", "Undo"]
    at.pump()
    assert "✓ Dana Kim is on it · by Wed 25 Nov" in said(at.read().blocks)
    assert at.read().mentions == set()


def test_pressing_again_is_no_error(at: Surface) -> None:
    message = at.hold_read()
    at.press_and_hear(DANA, message, claim_id(at))
    assert "is already yours" in at.press_and_hear(DANA, message, claim_id(at)).text
    assert holders(at) == ["Dana Kim"]


def test_two_people_press_at_once_and_the_second_hears_who_was_first(at: Surface) -> None:
    message = at.hold_read()
    people, start = (DANA, PRIYA, TOMAS, ROBIN), threading.Barrier(4)

    def press(person: PersonRow) -> None:
        start.wait()
        at.press_and_hear(person, message, claim_id(at))

    threads = [threading.Thread(target=press, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [holder] = holders(at)
    answers = {person.name: at.whispers(str(person.slack_user_id))[-1].text for person in people}
    assert "is yours" in answers.pop(holder)
    assert all(f"{holder} picked up *Acme* a moment ago" in answer for answer in answers.values())
    with at.database.reading() as session:
        assert len(list(session.scalars(select(AuditEntry).where(AuditEntry.action == "claim")))) == 1


def test_undo_and_release_give_it_back(at: Surface) -> None:
    told = at.press_and_hear(DANA, at.hold_read(), claim_id(at))
    undone = at.press_and_hear(DANA, told, f"release:{at.cast.partner(ACME)}")
    assert "open to everybody again" in undone.text
    assert holders(at) == []
    at.press_and_hear(DANA, undone, claim_id(at))
    assert holders(at) == ["Dana Kim"]
    assert "open to everybody again" in at.ask(DANA, "release Acme").text


def test_whoever_comes_a_day_later_hears_of_no_moment(at: Surface) -> None:
    at.press_and_hear(DANA, at.hold_read(), claim_id(at))
    assert "Dana Kim picked up *Acme* a moment ago, by" in at.ask(PRIYA, "claim Acme").text
    at.clock.at += timedelta(days=1)
    assert "Dana Kim picked up *Acme*, by" in at.ask(PRIYA, "claim Acme").text


def test_only_the_holder_can_release(at: Surface) -> None:
    at.press_and_hear(DANA, at.hold_read(), claim_id(at))
    at.pump()
    menu = {"selected_option": _options(at)["Release"]}
    told = at.press_and_hear(PRIYA, at.read(), f"row_menu:{at.cast.partner(ACME)}", action=menu)
    assert "Dana Kim holds *Acme*" in told.text
    assert holders(at) == ["Dana Kim"]
    at.press_and_hear(DANA, at.read(), f"row_menu:{at.cast.partner(ACME)}", action=menu)
    assert holders(at) == []


def test_a_partner_that_was_touched_since_has_nothing_to_recover(at: Surface) -> None:
    message = at.hold_read()
    with at.database.sessions.begin() as session:
        put_touch(session, at.cast, ACME, at.clock.at - timedelta(minutes=5))
    assert "nothing to recover" in at.press_and_hear(DANA, message, claim_id(at)).text
    assert holders(at) == []


@pytest.mark.parametrize(
    ("who", "word"),
    [
        (VERA, "claims and next steps are for partner managers"),
        (STRANGER, "You are not on the roster of this partner programme yet. Robin Okafor can help."),
        (GUEST, "Guests cannot use Cadence. Robin Okafor can help."),
        (FOREIGNER, "belongs to another Slack workspace. Robin Okafor can help."),
    ],
)
def test_30_whoever_may_not_claim_is_told_so_and_nothing_is_written(
    at: Surface, who: PersonRow | str, word: str
) -> None:
    message = at.hold_read()
    before = at.written()
    assert word in at.press_and_hear(who, message, claim_id(at)).text
    assert at.written() == before


def test_somebody_of_the_roster_is_known_by_the_address_of_the_slack_profile(at: Surface) -> None:
    with at.database.sessions.begin() as session:
        session.get_one(Person, at.cast.person(DANA)).slack_user_id = None
    at.press_and_hear(DANA, at.hold_read(), claim_id(at))
    assert holders(at) == ["Dana Kim"]
    with at.database.reading() as session:
        assert session.get_one(Person, at.cast.person(DANA)).slack_user_id == "U0DANA"


def test_24_a_button_that_was_tampered_with_is_refused_kindly(at: Surface) -> None:
    message = at.hold_read()
    before = at.written()
    for value in (
        '{"v": 1, "p": 999999}',
        '{"v": 1, "p": "1"}',
        '{"v": 0, "p": 1}',
        '{"v": 1}',
        "claim",
        "[]",
        '{"v":1,"p":-1}',
    ):
        for element in elements(message.blocks):
            if element["action_id"] == claim_id(at):
                element["value"] = value
        told = at.press_and_hear(DANA, message, claim_id(at)).text
        assert "older message" in told or "I do not know this partner" in told
    assert at.written() == before


def test_24_a_button_nobody_listens_to_any_more_is_answered_kindly(at: Surface) -> None:
    message = at.hold_read()
    next(elements(message.blocks))["action_id"] = "wave_a_flag:1"
    assert "older message" in at.press_and_hear(DANA, message, "wave_a_flag:1").text


def test_a_lead_assigns_what_is_left_to_the_owners(at: Surface) -> None:
    at.press_and_hear(PRIYA, at.hold_read(), claim_id(at))
    message = _afternoon(at)
    assert "Initech" in message.text
    assert "Acme" not in message.text
    assert "assigned to the owner" in at.press_and_hear(ROBIN, message, "assign").text
    assert set(holders(at)) >= {"Priya Nair", "Tomás Silva"}
    at.pump()
    private = at.workspace.messages(at.workspace.im("U0TOMAS").id)
    assert "Robin Okafor asks you to take" in private[-1].text
    assert "Initech" in private[-1].text


def test_only_a_lead_assigns(at: Surface) -> None:
    at.hold_read()
    message = _afternoon(at)
    message.visible_to = None
    at.workspace.channels[message.channel].members.append("U0DANA")
    before = at.written()
    assert "Only a programme lead" in at.press_and_hear(DANA, message, "assign").text
    assert at.written() == before


def _afternoon(at: Surface) -> Message:
    at.clock.at = MONDAY + timedelta(hours=8)
    assert ask_leads(at.database.sessions, at.cast.programme, at.clock.at) == 1
    at.pump()
    return at.workspace.messages(at.workspace.im("U0ROBIN").id)[-1]


def _options(at: Surface) -> dict[str, object]:
    [menu] = [one for one in elements(at.read().blocks) if one["type"] == "overflow"]
    return {option["text"]["text"]: option for option in menu["options"]}
