"""Mailboxes in Slack: each person the own ones, a lead how everybody's are doing, and nobody what is in them."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.ids import Carried, encode
from models.actions import mailboxes
from models.actions import programme as programme_actions
from models.tables import AuditEntry, Mailbox
from tests.cast import ACME, DANA, MONDAY, PRIYA, ROBIN, VERA, put_touch
from tests.databases import Database
from tests.sandbox.slack.workspace import Message
from tests.slack_lint import elements, lint_message, lint_view, said
from tests.surface import Surface, surface


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with surface(database) as one:
        yield one


def shown(message: Message) -> str:
    lint_message({"text": message.text, "blocks": message.blocks})
    return said(message.blocks)


def status(at: Surface, mailbox_id: int) -> str:
    with at.database.reading() as session:
        return session.scalars(select(Mailbox.status).where(Mailbox.id == mailbox_id)).one()


def button(message: Message, mailbox_id: int) -> str:
    names = (str(one["action_id"]) for one in elements(message.blocks))
    return next(name for name in names if name.endswith(f":{mailbox_id}"))


def forge(message: Message, action_id: str, was: int, now: int) -> None:
    """The button names another mailbox than the one that it was drawn for."""
    for block in message.blocks:
        accessory = block.get("accessory") or {}
        if accessory.get("action_id") == action_id:
            accessory["value"] = accessory["value"].replace(f'"o": {was}', f'"o": {now}')


def test_a_manager_sees_the_own_mailbox_and_what_was_seen_in_it(at: Surface, database: Database) -> None:
    with database.sessions.begin() as session:
        put_touch(session, at.cast, ACME, MONDAY - timedelta(days=1))
    words = shown(at.ask(DANA, "mailbox"))
    assert "dana@lantern.example" in words
    assert "mails with partners" in words
    assert "priya@lantern.example" not in words


def test_a_lead_sees_how_the_others_are_doing(at: Surface) -> None:
    words = shown(at.ask(ROBIN, "mailbox"))
    assert "No mailbox of yours is connected" in words
    assert "Mailboxes of the others" in words
    assert words.count("priya@lantern.example") == 1  # the owner's address is the mailbox's


def turn(at: Surface, page: int) -> None:
    before = at.modal(ROBIN).hash
    at.press(ROBIN, at.modal(ROBIN), f"turn_page:{page}")
    assert at.workspace.wait_until(lambda: at.modal(ROBIN).hash != before)


def test_a_lead_leafs_through_all_mailboxes_from_home_and_disconnects_one_on_its_page(at: Surface) -> None:
    with at.database.sessions.begin() as session:
        more = [
            mailboxes.put_mailbox(session, at.cast.workspace_id, "test", f"box{n:02}@lantern.example", "gmail", MONDAY)
            for n in range(30)
        ]
    asked = shown(at.ask(ROBIN, "mailbox"))
    assert f"and {len(more) + len(at.cast.mailbox_ids) - 6} more" in asked
    assert "on the command line" not in asked
    at.press(ROBIN, at.home(ROBIN), "see_all:1")
    pages = [said(at.modal(ROBIN).content["blocks"])]
    for page in (1, 2):
        turn(at, page)
        lint_view(at.modal(ROBIN).content)
        pages.append(said(at.modal(ROBIN).content["blocks"]))
    for address in (*at.cast.mailbox_ids, *(f"box{n:02}@lantern.example" for n in range(30))):
        assert [f"*{address}*" in page for page in pages].count(True) == 1, address
    pressed = next(one for one in elements(at.modal(ROBIN).content["blocks"]) if one["text"]["text"] == "Disconnect")
    at.press(ROBIN, at.modal(ROBIN), pressed["action_id"])
    assert at.workspace.wait_until(lambda: "is disconnected" in said(at.modal(ROBIN).content["blocks"]))
    assert "31 to" in said(at.modal(ROBIN).content["blocks"])


def test_whoever_does_not_lead_finds_only_the_own_mailbox_behind_a_forged_button(at: Surface) -> None:
    home = at.home(DANA)
    forged = next(one for one in elements(home.content["blocks"]) if one["action_id"] == "see_all:0")
    in_slack = next(
        one for one in elements(at.workspace.views.homes["U0DANA"].content["blocks"]) if one["action_id"] == "see_all:0"
    )
    forged["value"] = in_slack["value"] = encode(Carried(verb="mailboxes"))
    at.press(DANA, home, "see_all:0")
    assert at.workspace.wait_until(lambda: "dana@lantern.example" in said(at.modal(DANA).content["blocks"]))
    assert "priya@lantern.example" not in said(at.modal(DANA).content["blocks"])


def test_home_shows_the_own_mailbox_and_the_way_to_connect_one(at: Surface) -> None:
    view = at.home(DANA).content
    lint_view(view)
    assert "My mailbox" in said(view["blocks"])
    assert "dana@lantern.example" in said(view["blocks"])
    at.press(DANA, at.home(DANA), "connect_mailbox")
    modal = at.modal(DANA).content
    lint_view(modal)
    assert "cadence mailbox add --provider gmail --address dana@lantern.example --consent" in said(modal["blocks"])
    assert "My mailbox" not in said(at.home(VERA).content["blocks"])


def test_the_owner_disconnects_the_own_mailbox_and_the_touches_stay(at: Surface) -> None:
    box = at.cast.mailbox(DANA)
    message = at.ask(DANA, "mailbox")
    told = at.press_and_hear(DANA, message, button(message, box))
    assert "dana@lantern.example is disconnected" in told.text
    assert status(at, box) == "removed"
    with at.database.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "remove mailbox")).one()
    assert entry.actor == f"person:{at.cast.person(DANA)}"
    assert "not connected any more" in at.press_and_hear(DANA, message, button(message, box)).text


def test_only_the_owner_or_a_lead_can_disconnect_it(at: Surface) -> None:
    box, hers = at.cast.mailbox(DANA), at.cast.mailbox(PRIYA)
    message = at.ask(PRIYA, "mailbox")
    pressed = button(message, hers)
    forge(message, pressed, hers, box)
    before = at.written()
    told = at.press_and_hear(PRIYA, message, pressed)
    assert "Only its owner or a programme lead" in told.text
    assert at.written() == before
    assert (status(at, box), status(at, hers)) == ("active", "active")
    message = at.ask(ROBIN, "mailbox")
    at.press_and_hear(ROBIN, message, button(message, box))
    assert status(at, box) == "removed"


def test_the_mailbox_of_another_workspace_is_out_of_reach(at: Surface, database: Database) -> None:
    with database.sessions.begin() as session:
        other = programme_actions.add_workspace(session, MONDAY, "T0OTHER")
        theirs = mailboxes.put_mailbox(session, other, "test", "them@other.example", "gmail", MONDAY)
    message = at.ask(ROBIN, "mailbox")
    assert "other.example" not in shown(message)
    own = button(message, at.cast.mailbox(DANA))
    forge(message, own, at.cast.mailbox(DANA), theirs)
    told = at.press_and_hear(ROBIN, message, own)
    assert "not connected any more" in told.text
    assert status(at, theirs) == "active"


def test_whoever_reads_along_is_offered_no_mailbox(at: Surface) -> None:
    told = at.ask(VERA, "mailbox")
    assert "You read along, so no mailbox of yours is needed" in told.text
    assert not list(elements(told.blocks))
