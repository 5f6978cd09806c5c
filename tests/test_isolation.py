"""Two workspaces in one database: whatever one of them sends, nothing of the other is said, and nothing is written.

Every listener is walked, those too that are added later: each action, form, menu and command that `bot.ids` and the
table of commands name gets what it could be sent, with ids of the other workspace in every place that takes one.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import Any, ParamSpec, TypeVar

import pytest
from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from bot import ids
from bot.ids import Carried
from bot.listeners.choices import FOR
from bot.listeners.commands import TABLE
from jobs.weekly_read import hold_and_post
from models.actions import mailboxes, partners, people, wishes
from models.actions.claims import claim
from models.actions.next_steps import set_next_step
from models.actions.partners import PartnerRow
from models.actions.pauses import pause
from models.actions.people import PersonRow
from models.actions.programme import add_workspace
from models.actions.rematch import roster_change
from models.db import Base
from models.queries.programme import programme
from models.settings import load_settings
from models.tables import Mailbox, NextStep, OutboxPost, Partner, Person, Read, Workspace
from tests.cast import ACME, CHANNEL, DANA, MONDAY, ROBIN, START_ON, STARTED, TEAM, Cast, put_cast, put_touch
from tests.databases import Database
from tests.surface import Surface, slip, surface

RIVAL, RIVAL_CHANNEL, RIVAL_LEAD, RIVAL_MANAGER = "T0RIVAL", "C0RIVAL", "U0RIVALLEAD", "U0RIVALMGR"
MARK = "zorblax"
"""Stands in every name of the other workspace and in nothing that is sent here, so an echo is no finding."""

TYPED, TYPED_ADDRESS, TYPED_DOMAIN = "Zorbla", "mo@harbour.example", "harbour.example"
LEAD = PersonRow(f"lead@{MARK}.example", "Lena Zorblax", "lead", RIVAL_LEAD, (f"lena@{MARK}.example",), "Europe/Oslo")
MANAGER = PersonRow(TYPED_ADDRESS, "Mo Zorblax", "manager", RIVAL_MANAGER, (), "Europe/Oslo")
HARBOUR = PartnerRow("Zorblax Harbour", 1, LEAD.email, (TYPED_DOMAIN,), (f"kim@{MARK}-mail.example",), since=START_ON)
QUIET = PartnerRow("Zorblax Quiet", 2, MANAGER.email, ("quiet.example",), since=START_ON)
RESTING = PartnerRow("Zorblax Resting", 2, MANAGER.email, ("resting.example",), since=START_ON)
P = ParamSpec("P")
R = TypeVar("R")


class Inline(Executor):
    """A listener is done when its request is answered, whatever it does after the acknowledgement."""

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        done: Future[R] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # as every executor: it is the future's
            done.set_exception(error)
        return done


def put_rivals(database: Database) -> Cast:
    """The other programme, as a going concern: a read, a claim, a next step, a pause, a mailbox, wishes."""
    with database.sessions.begin() as session:
        home_id = add_workspace(session, STARTED, RIVAL)
        row = session.get_one(Workspace, home_id)
        row.channel_id, row.started_at, row.timezone = RIVAL_CHANNEL, STARTED, "Europe/Oslo"
        with roster_change(session, home_id, "rivals", STARTED):
            for person in (LEAD, MANAGER):
                people.put_person(session, home_id, "rivals", person, STARTED)
            for partner in (HARBOUR, QUIET, RESTING):
                partners.put_partner(session, home_id, "rivals", partner, STARTED)
        box = mailboxes.put_mailbox(session, home_id, "rivals", LEAD.email, "gmail", STARTED)
        home = programme(session, load_settings(), home_id)
        mine = Partner.workspace_id == home_id
        cast = Cast(
            home,
            {one.email: one.id for one in session.scalars(select(Person).where(Person.workspace_id == home_id))},
            {one.name: one.id for one in session.scalars(select(Partner).where(mine))},
            {LEAD.email: box},
        )
        for partner in (HARBOUR, QUIET, RESTING):
            put_touch(session, cast, partner, MONDAY - timedelta(days=40), by=LEAD)
    assert hold_and_post(database.sessions, home, MONDAY) is not None
    lead_id = cast.person(LEAD)
    with database.sessions.begin() as session:
        claim(session, home, cast.partner(HARBOUR), lead_id, MONDAY)
        set_next_step(session, home, cast.partner(HARBOUR), "Zorblax terms", lead_id, None, lead_id, "rivals", MONDAY)
        until = (MONDAY + timedelta(days=30)).date()
        assert pause(session, home, cast.partner(RESTING), "Zorblax budget freeze", until, lead_id, MONDAY)
        wishes.mute(session, home_id, lead_id, cast.partner(QUIET), MONDAY)
    return cast


@dataclass(frozen=True, slots=True)
class Theirs:
    """Ids of one workspace, as a button could carry them."""

    carried: Carried
    person: int


def ids_of(session: Session, cast: Cast, partner: PartnerRow, person: PersonRow, channel: str, domain: str) -> Theirs:
    def first(table: type[Any]) -> int:
        found = session.scalars(select(table.id).where(table.workspace_id == cast.workspace_id).order_by(table.id))
        return int(found.first() or 0)

    carried = Carried(
        partner=cast.partner(partner),
        read=first(Read),
        post=first(OutboxPost),
        owner=cast.person(person),
        channel=channel,
        domain=domain,
        file=f"F{channel}",
        step=first(NextStep),
        days=1,
        page=0,
        tier=1,
    )
    return Theirs(carried, cast.person(person))


@dataclass
class Walker:
    """Sends as somebody of one workspace; hears everything that is said to anybody because of it."""

    at: Surface
    team: str
    user: str
    users_team: str
    heard: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def send(self, what: str, kind: str, payload: dict[str, Any]) -> str:
        """Answers all that was said; `heard` keeps it with what it answered."""
        calls = self.at.slack.faults.calls
        before = len(calls)
        ack = self.at.slack.delivery.send(kind, payload)
        said = json.dumps([ack.body, [[one.method, dict(one.args)] for one in calls[before:]]], default=str)
        assert ack.ok, f"{what}: {ack.error}"
        self.heard.append(f"{what}: {said}")
        return said

    def press(self, action_id: str, carried: Carried, place: str = "message", beneath: Carried | None = None) -> str:
        """A button, an option and a choice at once: each listener takes what it looks for."""
        value = ids.encode(carried)
        number = next(self._numbers)
        action: dict[str, Any] = {
            "type": "button",
            "action_id": action_id,
            "block_id": f"p:{carried.partner}:r1",
            "value": value,
            "action_ts": f"1795428000.{number:06d}",
        }
        if place == "option":
            action |= {"type": "overflow", "selected_option": {"value": value}}
        elif place == "choice":
            action |= {"type": "external_select", "selected_option": {"value": str(carried.owner or carried.partner)}}
        where = {
            "channel": {"id": CHANNEL, "name": "partners"},
            "container": {"type": "message", "channel_id": CHANNEL},
        }
        if place in ("modal", "home", "choice"):
            view_type = "home" if place == "home" else "modal"
            where = {"view": self._view(view_type, carried.verb or ids.LIST_MODAL, beneath or carried)}
        what = f"{action_id} in {place} with {carried}"
        return self.send(what, "interactive", {"type": "block_actions", **self._who(), **where, "actions": [action]})

    def submit(self, form: str, beneath: Carried, values: dict[str, Any]) -> str:
        view = self._view("modal", form, beneath) | {"state": {"values": values}}
        payload = {"type": "view_submission", **self._who(), "view": view, "response_urls": []}
        return self.send(f"{form} with {beneath}", "interactive", payload)

    def look(self, menu: str, typed: str, beneath: Carried) -> str:
        view = self._view("modal", ids.LIST_MODAL, beneath)
        asked = {"action_id": menu, "block_id": menu, "value": typed, "view": view, "container": {"type": "view"}}
        return self.send(f"menu {menu}", "interactive", {"type": "block_suggestion", **self._who(), **asked})

    def ask(self, text: str) -> str:
        who = {"team_id": self.team, "user_id": self.user, "channel_id": CHANNEL, "channel_name": "partners"}
        trigger = self.at.workspace.views.new_trigger(self.user)
        payload = {"command": ids.COMMAND, "text": text, **who, "trigger_id": trigger}
        return self.send(f"/cadence {text}", "slash_commands", payload)

    def event(self, event: dict[str, Any]) -> str:
        payload = {"type": "event_callback", "team_id": self.team, "event_id": f"Ev{next(self._numbers)}"}
        return self.send(f"event {event['type']}", "events_api", payload | {"api_app_id": "A1", "event": event})

    def _who(self) -> dict[str, Any]:
        return {
            "team": {"id": self.team, "domain": "here"},
            "user": {"id": self.user, "username": "somebody", "team_id": self.users_team},
            "trigger_id": self.at.workspace.views.new_trigger(self.user),
        }

    def _view(self, kind: str, callback_id: str, beneath: Carried) -> dict[str, Any]:
        view_id = f"V{next(self._numbers):07d}"
        return {
            "id": view_id,
            "root_view_id": view_id,
            "type": kind,
            "callback_id": callback_id,
            "hash": "1.abc",
            "private_metadata": ids.encode(beneath),
            "state": {"values": {}},
        }


@dataclass
class Both:
    """Robin's programme and the rivals'."""

    at: Surface
    rivals: Cast
    ours: Theirs
    theirs: Theirs
    before: dict[Any, list[Any]]

    def robin(self) -> Walker:
        return Walker(self.at, TEAM, str(ROBIN.slack_user_id), TEAM)

    def mixtures(self) -> Iterator[Carried]:
        """All ids foreign, and then some among our own, so that what is looked at later is looked at too."""
        ours, theirs = self.ours.carried, self.theirs.carried
        yield theirs
        yield replace(ours, partner=theirs.partner)
        yield replace(ours, read=theirs.read, step=theirs.step)
        yield replace(theirs, partner=ours.partner, read=ours.read)

    def prove(self, walker: Walker) -> None:
        """Nothing of the rivals was said; their rows are as they were; no row of ours points to theirs."""
        told = [one for one in walker.heard if MARK in one.casefold()]
        assert not told, f"{len(told)} say what is the rivals', such as {told[0][:1500]}"
        with self.at.database.reading() as session:
            after = rows_by_workspace(session)
        assert after[self.rivals.workspace_id] == self.before[self.rivals.workspace_id]
        mine = json.dumps(after[self.at.cast.workspace_id], default=str).casefold()
        assert MARK not in mine, mine[max(0, mine.index(MARK) - 300) :][:600]


def rows_by_workspace(session: Session) -> dict[Any, list[Any]]:
    """Every row of every table under its workspace; fails on a row that points into two of them."""
    found: dict[Any, list[Any]] = {}
    known: dict[tuple[str, Any], int] = {}
    for table in Base.metadata.sorted_tables:
        for row in session.execute(select(table)).mappings():
            homes = _homes(table, dict(row), known)
            assert len(homes) < 2, f"a row of {table.name} belongs to {homes}: {dict(row)}"
            home = next(iter(homes), None)
            if home is not None and "id" in table.c:
                known[table.name, row["id"]] = home
            if home is not None and len(table.primary_key.columns) == 1:
                known[table.name, row[next(iter(table.primary_key.columns)).name]] = home
            found.setdefault(home, []).append([table.name, dict(row)])
    return found


def _homes(table: Table, row: dict[str, Any], known: dict[tuple[str, Any], int]) -> set[int]:
    if table.name == "workspace":
        return {row["id"]}
    pointed = [(key.column.table.name, row[key.parent.name]) for key in table.foreign_keys]
    homes = {value if name == "workspace" else known.get((name, value)) for name, value in pointed if value is not None}
    return {one for one in homes if one is not None}


@pytest.fixture
def both(database: Database) -> Iterator[Both]:
    with database.sessions.begin() as session:
        cast = put_cast(session)
        slip(session, cast)
    rivals = put_rivals(database)
    with surface(database, cast=cast) as at:
        at.app.listener_runner.listener_executor = Inline()
        at.hold_read()
        robin, acme = cast.person(ROBIN), cast.partner(ACME)
        with database.sessions.begin() as session:
            set_next_step(session, cast.programme, acme, "Terms are sent", robin, None, robin, "test", MONDAY)
        with database.reading() as session:
            ours = ids_of(session, cast, ACME, DANA, CHANNEL, "acme.example")
            theirs = ids_of(session, rivals, HARBOUR, LEAD, RIVAL_CHANNEL, TYPED_DOMAIN)
            before = rows_by_workspace(session)
        yield Both(at, rivals, ours, theirs, before)


def verbs() -> list[str]:
    """What an option of a menu may mean: the actions, and every word the listeners know."""
    return [*ids.ACTIONS, "mute", "unmute", "first", "here", "new", "people", "partners", "home", *FOR]


WORDS = {value for name, value in vars(ids).items() if name.isupper() and isinstance(value, str)}
INPUTS = sorted(WORDS - {*ids.ACTIONS, *ids.FORMS} | {*ids.MENUS})  # buttons and forms are no inputs
PLAUSIBLE = {
    ids.SCHEDULE_ZONE: "Europe/London",
    ids.MY_ZONE: "Europe/London",
    ids.MY_COUNTRY: "GB",
    ids.SCHEDULE_DAY: "mon",
    ids.SCHEDULE_EMPTY: "post",
    ids.PARTNER_TIER: "1",
    ids.PARTNER_STATUS: "active",
    ids.PERSON_ROLE: "manager",
    ids.MY_NUDGES: "on",
}
NUMBERS = {ids.TIER_WINDOW: "9", ids.TIER_GRACE: "2", ids.MY_HOURS_FROM: "9", ids.MY_HOURS_TO: "17"}


def filled(theirs: Theirs, typed: str, chosen: str, *, plausible: bool) -> dict[str, Any]:
    """Every input of every form at once, with something foreign in each."""

    def element(name: str) -> dict[str, Any]:
        option = {"value": PLAUSIBLE.get(name, chosen) if plausible else chosen}
        return {
            "type": "plain_text_input",
            "value": NUMBERS.get(name, typed) if plausible else typed,
            "selected_option": option,
            "selected_options": [option],
            "selected_date": "2026-12-18",
            "selected_time": "09:00",
            "selected_user": RIVAL_MANAGER,
            "selected_conversation": RIVAL_CHANNEL,
            "selected_channel": RIVAL_CHANNEL,
            "files": [],
        }

    names = [*INPUTS, *(f"{one}:{theirs.carried.partner}" for one in INPUTS)]
    return {name: {name: element(name.partition(":")[0])} for name in names}


@pytest.mark.parametrize("place", ["message", "option", "choice", "modal", "home"])
def test_25_no_button_with_ids_of_another_workspace_reaches_anything_there(both: Both, place: str) -> None:
    walker = both.robin()
    for action in ids.ACTIONS:
        for carried in both.mixtures() if place == "message" else [both.theirs.carried]:
            walker.press(action, carried, place)
        walker.press(ids.row(action, both.theirs.carried.need_partner()), both.theirs.carried, place)
        walker.press(action, both.ours.carried, place, beneath=both.theirs.carried)
    both.prove(walker)


def test_25_no_option_of_a_menu_reaches_another_workspace_whatever_it_asks_for(both: Both) -> None:
    walker = both.robin()
    for verb in verbs():
        walker.press(ids.ROW_MENU, replace(both.theirs.carried, verb=verb), "option")
        for action in (ids.MUTE, ids.WALK, ids.IMPORT, ids.CHOSEN):
            walker.press(action, replace(both.theirs.carried, verb=verb), "modal")
    both.prove(walker)


def test_25_no_form_writes_into_another_workspace_or_shows_what_is_there(both: Both) -> None:
    walker, theirs = both.robin(), both.theirs
    for form in ids.FORMS:
        for carried in both.mixtures():
            for typed in (TYPED, TYPED_ADDRESS, TYPED_DOMAIN):
                for chosen in (str(theirs.person), str(theirs.carried.partner), ids.encode(theirs.carried)):
                    if carried == theirs.carried or typed == TYPED:
                        values = filled(theirs, typed, chosen, plausible=chosen == str(theirs.person))
                        walker.submit(form, carried, values)
    both.prove(walker)


def test_25_no_menu_offers_what_is_in_another_workspace(both: Both) -> None:
    walker = both.robin()
    for menu in ids.MENUS:
        for typed in ("", "z", TYPED, "Mo"):
            walker.look(menu, typed, both.theirs.carried)
            walker.look(ids.row(menu, both.theirs.carried.need_partner()), typed, both.theirs.carried)
    both.prove(walker)


def test_25_no_command_finds_what_is_in_another_workspace(both: Both) -> None:
    walker, partner = both.robin(), both.theirs.carried.need_partner()
    phrases = ["", TYPED, f'"{TYPED}"', f"{TYPED}: call by friday", f"{TYPED} for <@{RIVAL_MANAGER}>"]
    phrases += [f"<@{RIVAL_MANAGER}>", f"{TYPED} <@{RIVAL_MANAGER}>", TYPED_ADDRESS, TYPED_DOMAIN, str(partner)]
    phrases += [f"Acme for <@{RIVAL_MANAGER}>", f"Acme <@{RIVAL_MANAGER}>", f"{TYPED} share", f"<#{RIVAL_CHANNEL}>"]
    for word in TABLE:
        for phrase in phrases:
            walker.ask(f"{word} {phrase}")
    both.prove(walker)


def test_25_no_event_of_one_workspace_changes_another(both: Both) -> None:
    walker = both.robin()
    moved = {"type": "channel_id_changed", "old_channel_id": RIVAL_CHANNEL, "new_channel_id": "C0STOLEN"}
    walker.event(moved)
    walker.event({"type": "app_home_opened", "user": walker.user, "tab": "home", "channel": "D0ROBIN"})
    walker.event({"type": "app_home_opened", "user": RIVAL_LEAD, "tab": "home", "channel": "D0RIVAL"})
    walker.event({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": ["U0CADENCE"]}})
    walker.event({"type": "app_uninstalled"})
    both.prove(walker)


def test_30_whoever_belongs_to_another_workspace_gets_nothing_from_any_button_of_ours(both: Both) -> None:
    fay = Walker(both.at, TEAM, RIVAL_LEAD, RIVAL)
    before = both.at.written()
    for action in ids.ACTIONS:
        for place in ("message", "option", "modal", "home"):
            said = fay.press(action, both.ours.carried, place)
            assert "Acme" not in said, f"{action} in {place}: {said[:1500]}"
    for form in ids.FORMS:
        said = fay.submit(form, both.ours.carried, filled(both.ours, "Acme", str(both.ours.person), plausible=True))
        assert "Terms are sent" not in said, f"{form}: {said[:1500]}"
    assert both.at.written() == before
    both.prove(fay)


def test_the_walk_would_notice_because_the_rivals_themselves_are_told(both: Both) -> None:
    """What is looked for is there, and is said and changed when the right people ask."""
    lena, theirs = Walker(both.at, RIVAL, RIVAL_LEAD, RIVAL), both.theirs
    pressed = [action for action in ids.ACTIONS if MARK in lena.press(action, theirs.carried).casefold()]
    assert len(pressed) > len(ids.ACTIONS) // 3, pressed
    assert [word for word in TABLE if MARK in lena.ask(f"{word} {TYPED}").casefold()]
    assert [menu for menu in ids.MENUS if MARK in lena.look(menu, "", theirs.carried).casefold()]
    with both.at.database.reading() as session:
        assert rows_by_workspace(session)[both.rivals.workspace_id] != both.before[both.rivals.workspace_id]


def test_the_rivals_have_something_in_every_place_a_listener_may_look(both: Both) -> None:
    """The walk is worth what there is to be found."""
    kinds = {name for name, _ in both.before[both.rivals.workspace_id]}
    needed = {Partner, Person, Read, OutboxPost, NextStep, Mailbox}
    assert {one.__tablename__ for one in needed} | {"claim", "episode", "muted_partner", "read_line"} <= kinds
    assert None not in (both.theirs.carried.post, both.theirs.carried.read, both.theirs.carried.step)
