"""The first run in Slack, from an empty database to the first read: every step by hand, none of it in public."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk import WebClient
from sqlalchemy import select

from bot import ids
from bot.first_lead import greet_installer
from bot.outbox import posting_client
from jobs.recovery import sweep
from jobs.weekly_read import read_is_due
from models.actions.people import PersonRow, put_person
from models.actions.programme import add_workspace
from models.actions.setup import INSTALLATION
from models.queries.programme import Programme, people, programme
from models.settings import load_settings
from models.tables import AuditEntry, Nudge, OutboxPost, Partner, Person, Workspace
from tests.cast import CHANNEL, DANA, MONDAY, PEOPLE, ROBIN, STARTED, TEAM, VERA, Cast, put_cast
from tests.databases import Database
from tests.sandbox.slack.workspace import Message
from tests.slack_forms import Filled, channel, hour, option, text, together, zone
from tests.slack_lint import elements, lint_message, lint_view, said
from tests.surface import GUEST, STRANGER, Surface, slip, surface, user

PASTED = "Acme, Tier 1, dana@lantern.example, acme.example\nGlobex\t2\tdana@lantern.example\tglobex.example"

USUAL = together(
    option(ids.SCHEDULE_DAY, "mon"),
    hour(ids.SCHEDULE_HOUR, "09:00"),
    zone(ids.SCHEDULE_ZONE, "Europe/London"),
    option(ids.SCHEDULE_EMPTY, "post"),
)


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    """Lantern has just installed Cadence: there is a workspace, and nobody in it."""
    with database.sessions.begin() as session:
        workspace_id = add_workspace(session, STARTED, TEAM)
        empty = Cast(programme(session, load_settings(), workspace_id), {}, {}, {})
    with surface(database, cast=empty) as one:
        yield one


def test_whoever_opens_home_first_becomes_the_lead_and_gets_the_steps(at: Surface) -> None:
    at.home(ROBIN)
    assert [(one.email, one.role) for one in _people(at)] == [("robin@lantern.example", "lead")]
    message = _steps(at)
    for step in ("Channel", "Day, hour and zone", "Tiers", "People", "Partners", "Mailboxes", "Preview"):
        assert f"*{step}*" in said(message.blocks)
        assert step in message.text
    lint_message({"text": message.text, "blocks": message.blocks})
    assert [entry.actor for entry in _audit(at) if entry.action == "add person"] == [INSTALLATION]


def test_home_shows_the_steps_and_every_button_of_theirs_opens_its_form(at: Surface) -> None:
    home = at.home(ROBIN)
    assert "Set Cadence up" in said(home.content["blocks"])
    lint_view(home.content)
    opened = {ids.EDIT_SCHEDULE: ids.SCHEDULE_FORM, ids.EDIT_TIERS: ids.TIERS_MODAL, ids.IMPORT: ids.IMPORT_FORM}
    for action, callback_id in (*opened.items(), (ids.EDIT_ROSTER, ids.ROSTER_MODAL), (ids.PREVIEW, ids.NOTE_MODAL)):
        at.press(ROBIN, at.home(ROBIN), f"{action}:1")
        lint_view(_opened(at, callback_id).content)


def test_home_is_drawn_again_when_a_form_that_it_opened_is_saved(at: Surface) -> None:
    at.press(ROBIN, at.home(ROBIN), f"{ids.EDIT_SCHEDULE}:1")
    _opened(at, ids.SCHEDULE_FORM)
    filled = together(USUAL, channel(ids.SCHEDULE_CHANNEL, CHANNEL))
    assert at.slack.interactions.submit(user(ROBIN), _top(at).id, filled) == {"ok": True}
    homes = at.workspace.views.homes
    assert at.workspace.wait_until(lambda: "The read goes to" in said(homes[user(ROBIN)].content["blocks"]))


def test_the_second_who_opens_it_is_nobody_until_a_lead_adds_them(at: Surface) -> None:
    at.home(ROBIN)
    assert "not on the roster" in said(at.home(DANA).content["blocks"])
    assert [one.email for one in _people(at)] == ["robin@lantern.example"]


@pytest.mark.parametrize("who", [GUEST, "U0FOREIGN"])
def test_a_guest_or_a_member_of_another_company_never_becomes_the_lead(at: Surface, who: str) -> None:
    at.home(who)
    assert at.count(Person) == 0


def test_a_workspace_with_people_is_not_taken_over(at: Surface) -> None:
    with at.database.sessions.begin() as session:
        put_person(session, at.cast.workspace_id, "cast", VERA, STARTED)
    at.home(STRANGER)
    assert [one.email for one in _people(at)] == [VERA.email]


def test_after_an_installation_only_the_installer_leads(at: Surface) -> None:
    with at.database.sessions.begin() as session:
        session.get_one(Workspace, at.cast.workspace_id).installed_by = user(ROBIN)
    at.home(DANA)
    assert at.count(Person) == 0
    at.home(ROBIN)
    assert [(one.name, one.role) for one in _people(at)] == [("Robin Okafor", "lead")]


def test_the_installer_hears_of_the_steps_without_opening_anything(at: Surface) -> None:
    with at.database.sessions.begin() as session:
        session.get_one(Workspace, at.cast.workspace_id).installed_by = user(ROBIN)
    assert _greet(at) is True
    assert _greet(at) is False
    at.pump()
    assert "Set Cadence up" in _steps(at).text
    assert [one.slack_user_id for one in _people(at)] == [user(ROBIN)]


def test_the_lead_whom_the_operator_named_is_found_by_address(at: Surface) -> None:
    settings = load_settings(CADENCE_LEADS="nobody@lantern.example, robin@lantern.example")
    assert greet_installer(
        _client(at), at.database.reading, at.database.sessions, settings, _programme(at), at.clock.now()
    )
    assert [(one.email, one.role) for one in _people(at)] == [("robin@lantern.example", "lead")]


def test_without_an_address_in_slack_the_lead_types_it(at: Surface) -> None:
    _without(at, "users:read.email")
    asked = at.ask(ROBIN, "overdue")
    assert "setup you@company.com" in asked.text
    assert at.count(Person) == 0
    assert "not an e-mail address" in at.ask(ROBIN, "setup robin").text
    steps = at.ask(ROBIN, "setup robin@lantern.example")
    assert "Set Cadence up" in steps.text
    assert [(one.email, one.role) for one in _people(at)] == [("robin@lantern.example", "lead")]


def test_every_answer_names_what_is_missing_until_the_read_is_started(at: Surface) -> None:
    at.home(ROBIN)
    assert "Before the first read: choose a channel" in at.ask(ROBIN, "help").text
    assert "Before the first read: choose a channel" in at.ask(ROBIN, "tiers").text


def test_from_nothing_to_the_first_read(at: Surface) -> None:
    """The whole way; left and resumed between the steps, because each is derived from the facts."""
    at.home(ROBIN)
    _schedule(at, channel(ids.SCHEDULE_CHANNEL, CHANNEL))
    assert "The read goes to" in said(_modal(at, "The read goes to").content["blocks"])
    _import(at, "people", "dana@lantern.example, Dana Kim, manager")
    _import(at, "partners", PASTED)
    assert at.count(Partner) == 2
    steps = at.ask(ROBIN, "setup")
    assert "look at the private preview" in steps.text
    assert _programme(at).started is False
    before = len(at.workspace.messages(CHANNEL))
    at.press(ROBIN, _steps(at), f"{ids.PREVIEW}:1")
    assert at.workspace.wait_until(lambda: _row(at).previewed_at is not None)
    assert [one for one in at.workspace.messages(CHANNEL)[before:] if one.visible_to is None] == []
    assert "You have seen it" in said(at.home(ROBIN).content["blocks"])
    ready = at.ask(ROBIN, "setup")
    assert (
        "Everything is ready to start. Until 1 owner's mailbox is connected, their partners are unseen." in ready.text
    )
    assert "2 partners on the roster." in ready.text
    with at.database.sessions.begin() as session:
        session.scalars(select(Partner)).first().status = "paused"  # type: ignore[union-attr]  # there are two
    assert "2 partners on the roster, 1 of them with a tier and not paused." in at.ask(ROBIN, "setup").text
    at.press(ROBIN, ready, ids.START)
    assert at.workspace.wait_until(lambda: _row(at).started_at is not None)
    assert [one.action for one in _audit(at)].count("start reads") == 1
    at.clock.at += timedelta(seconds=5)
    assert at.workspace.wait_until(lambda: "Everything is set up" in _steps(at).text)
    home = _programme(at)
    assert home.started
    assert home.zone.key == "Europe/London"
    sweep(at.database.sessions, home, at.clock.now())
    assert not _due(at), "the hour of this week was over when it was started"
    at.clock.at = MONDAY + timedelta(days=7)
    assert _due(at)
    assert "Before the first read" not in at.ask(ROBIN, "tiers").text
    done = at.ask(ROBIN, "setup")
    where = f"posted in <#{CHANNEL}> on Mondays at 09:00, Europe/London; the next one on Mon 7 Dec."
    assert done.text == f"Everything is set up: the read is {where}"
    assert [one["text"]["text"] for one in elements(done.blocks)] == ["Schedule and channel"]


def test_the_read_is_not_started_while_something_is_missing(at: Surface) -> None:
    at.home(ROBIN)
    assert ids.START not in str(_steps(at).blocks)
    button = {"type": "button", "action_id": ids.START, "value": ids.encode(ids.Carried())}
    start = {
        "type": "actions",
        "block_id": "b",
        "elements": [button | {"text": {"type": "plain_text", "text": "Start"}}],
    }
    posted = at.workspace.post(_steps(at).channel, at.workspace.bot.id, "as it once was", blocks=[start])
    at.press(ROBIN, posted, ids.START)
    assert _row(at).started_at is None


def test_nobody_else_hears_anything_before_the_reads_are_started(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session)
        slip(session, cast)
        session.get_one(Workspace, cast.workspace_id).started_at = None
    for day, started_at, told in ((0, None, False), (1, MONDAY, True)):
        with database.sessions.begin() as session:
            session.get_one(Workspace, cast.workspace_id).started_at = started_at
            home = programme(session, load_settings(), cast.workspace_id)
        assert sweep(database.sessions, home, MONDAY + timedelta(days=day))
        with database.reading() as session:
            assert bool(session.scalars(select(Nudge)).all()) is told


def test_08_a_channel_without_the_bot_shows_how_to_invite_it_and_sends_nothing(at: Surface) -> None:
    at.home(ROBIN)
    room = at.workspace.add_channel("elsewhere", members=[user(ROBIN)])
    _schedule(at, channel(ids.SCHEDULE_CHANNEL, room.id))
    shown = _modal(at, "/invite @Cadence")
    assert "Check again" in str(shown.content["blocks"])
    lint_view(shown.content)
    assert _row(at).channel_trouble == "not_in_channel"
    steps = at.ask(ROBIN, "setup")
    assert "choose a channel that I can post in" in steps.text
    pressed = [one["action_id"] for one in elements(steps.blocks) if "action_id" in one]
    assert {f"{ids.CHECK_CHANNEL}:1", f"{ids.EDIT_SCHEDULE}:1"} <= set(pressed), "another one can be chosen, too"
    assert at.count(OutboxPost) == 1, "the steps alone"
    room.members.append(at.workspace.bot.id)
    at.press(ROBIN, shown, f"{ids.CHECK_CHANNEL}:1")
    assert at.workspace.wait_until(lambda: _row(at).channel_trouble is None)
    assert all(one.visible_to == user(ROBIN) for one in at.workspace.messages(room.id, user(ROBIN)))


def test_08_a_private_channel_that_the_bot_cannot_see_is_the_same(at: Surface) -> None:
    at.home(ROBIN)
    room = at.workspace.add_channel("closed", private=True, members=[user(ROBIN)])
    _schedule(at, channel(ids.SCHEDULE_CHANNEL, room.id))
    _modal(at, "/invite @Cadence")
    assert _row(at).channel_trouble == "channel_not_found"


def test_09_a_channel_where_posting_is_restricted_is_told_in_other_words(at: Surface) -> None:
    at.home(ROBIN)
    at.workspace.channels[CHANNEL].refuses = "restricted_action_read_only_channel"
    _schedule(at, channel(ids.SCHEDULE_CHANNEL, CHANNEL))
    shown = _modal(at, "is restricted")
    assert "/invite" not in said(shown.content["blocks"])
    assert _row(at).channel_trouble == "restricted_action_read_only_channel"
    assert at.count(OutboxPost) == 1


def test_a_channel_with_other_companies_in_it_is_refused(at: Surface) -> None:
    at.home(ROBIN)
    at.workspace.channels[CHANNEL].is_ext_shared = True
    _schedule(at, channel(ids.SCHEDULE_CHANNEL, CHANNEL))
    _modal(at, "People of other companies")
    assert _row(at).channel_trouble == "shared"


def test_an_archived_channel_is_told(at: Surface) -> None:
    at.home(ROBIN)
    room = at.workspace.add_channel("old", members=[user(ROBIN), at.workspace.bot.id])
    room.is_archived = True
    _schedule(at, channel(ids.SCHEDULE_CHANNEL, room.id))
    _modal(at, "is archived")


def test_when_slack_does_not_answer_nobody_says_that_it_works(at: Surface) -> None:
    at.home(ROBIN)
    at.slack.faults.server_error("chat.postEphemeral", times=9)
    _schedule(at, channel(ids.SCHEDULE_CHANNEL, CHANNEL))
    _modal(at, "I have not tried yet")
    assert _row(at).channel_trouble == "unchecked"


def test_before_the_first_step_nothing_is_said_that_is_not_so(at: Surface) -> None:
    assert "Nobody owns a partner yet" in said(at.home(ROBIN).content["blocks"])
    assert "0 of 0" not in said(at.home(ROBIN).content["blocks"])
    shown = said(at.ask(ROBIN, "settings").blocks)
    assert "*Channel:* none yet, so nothing is posted" in shown
    assert "*Read:* on Mondays at 09:00, UTC" in shown


def test_a_preview_of_an_empty_roster_is_not_the_preview(at: Surface) -> None:
    at.home(ROBIN)
    at.ask(ROBIN, "preview")
    assert _row(at).previewed_at is None
    assert "look at the private preview" in at.ask(ROBIN, "setup").text


@pytest.mark.parametrize("who", [DANA, VERA])
@pytest.mark.parametrize("words", ["setup", "preview", "import", "add Acme"])
def test_who_does_not_lead_is_refused_kindly(at: Surface, who: PersonRow, words: str) -> None:
    with at.database.sessions.begin() as session:
        for one in PEOPLE:
            put_person(session, at.cast.workspace_id, "cast", one, STARTED)
    before = at.written()
    assert at.ask(who, words).text == "Only a programme lead can do this. Robin Okafor can help."
    assert at.written() == before


def _schedule(at: Surface, *filled: Filled) -> None:
    at.ask(ROBIN, "settings")
    place = at.whispers(user(ROBIN))[-1]
    at.press(ROBIN, place, ids.EDIT_SCHEDULE)
    view = _opened(at, ids.SCHEDULE_FORM)
    lint_view(view.content)
    assert at.slack.interactions.submit(user(ROBIN), view.id, together(USUAL, *filled)) == {"ok": True}


def _import(at: Surface, kind: str, lines: str) -> None:
    answer = at.slack.interactions.message(user(ROBIN), CHANNEL, f"/cadence import {kind}")
    assert answer["ok"], answer
    _opened(at, ids.IMPORT_FORM)
    filled = together(option(ids.IMPORT_KIND, kind), text(ids.IMPORT_LINES, lines))
    assert at.slack.interactions.submit(user(ROBIN), _top(at).id, filled) == {"ok": True}
    checked = _modal(at, "Nothing is written yet")
    lint_view(checked.content)
    assert at.slack.interactions.submit(user(ROBIN), checked.id, filled) == {"ok": True}
    _modal(at, "added, 0 changed")


def _modal(at: Surface, words: str) -> Any:
    assert at.workspace.wait_until(lambda: words in said(_top(at).content["blocks"])), said(_top(at).content["blocks"])
    return _top(at)


def _opened(at: Surface, callback_id: str) -> Any:
    assert at.workspace.wait_until(lambda: _top(at).content.get("callback_id") == callback_id)
    return _top(at)


def _top(at: Surface) -> Any:
    return at.modal(ROBIN)


def _steps(at: Surface) -> Message:
    at.pump()
    return at.workspace.messages(at.workspace.im(user(ROBIN)).id, user(ROBIN))[0]


def _greet(at: Surface) -> bool:
    return greet_installer(
        _client(at), at.database.reading, at.database.sessions, at.settings, _programme(at), at.clock.now()
    )


def _client(at: Surface) -> WebClient:
    return posting_client(at.workspace.bot_token, at.slack.api_url)


def _due(at: Surface) -> bool:
    with at.database.reading() as session:
        return read_is_due(session, _programme(at), at.clock.now())


def _programme(at: Surface) -> Programme:
    with at.database.reading() as session:
        return programme(session, at.settings, at.cast.workspace_id)


def _row(at: Surface) -> Workspace:
    with at.database.reading() as session:
        return session.get_one(Workspace, at.cast.workspace_id)


def _people(at: Surface) -> list[Any]:
    with at.database.reading() as session:
        return list(people(session, at.cast.workspace_id))


def _audit(at: Surface) -> list[AuditEntry]:
    with at.database.reading() as session:
        return list(session.query(AuditEntry).order_by(AuditEntry.id))


def _without(at: Surface, scope: str) -> None:
    """The app was installed with fewer permissions."""
    workspace = at.workspace
    workspace.add_token(workspace.bot_token, "bot", [one for one in workspace.bot_scopes if one != scope])
