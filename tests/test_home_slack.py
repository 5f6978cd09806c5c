"""The Home tab of managers and leads: the most important first, the same work however long the roster is."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from bot.views import kit
from bot.views.home import HomePage, Week, home_view
from models.actions.clocks import refresh_clocks
from models.actions.mailboxes import put_mailbox
from models.actions.partners import PartnerRow, put_partner
from models.actions.rematch import roster_change
from models.cadence import Tier
from models.queries.book import read_progress
from models.queries.reads import held_read, latest_read
from models.tables import Workspace
from models.weekly_read import Coverage, MailboxTrouble, TierLine
from tests.cast import ACME, DANA, INITECH, MONDAY, PRIYA, ROBIN, VERA, put_touch
from tests.databases import Database
from tests.facts import LONDON, NOW
from tests.slack_lint import elements, lint_view, said
from tests.surface import Surface, surface
from tests.test_notes import person
from tests.test_views import HOSTILE, overdue


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with surface(database) as one:
        yield one


def words(view: Any) -> str:
    lint_view(view.content)
    return said(view.content["blocks"])


def test_whoever_owns_no_partner_is_not_told_that_they_are_in_rhythm(at: Surface) -> None:
    assert "No partner is yours, so nothing waits for you." in words(at.home(ROBIN))
    assert "every partner of yours" not in words(at.home(ROBIN))


def test_a_lead_sees_coverage_before_the_first_read(at: Surface) -> None:
    shown = words(at.home(ROBIN))
    assert "Tier 1: 1 of 3 covered, 33 %" in shown
    assert "The first weekly read has not been held yet." in shown


def test_a_lead_sees_how_far_the_read_has_come_and_whom_nobody_has_taken(at: Surface) -> None:
    at.hold_read()
    assert "*0 of 7 assigned*" in words(at.home(ROBIN))
    at.ask(DANA, "claim Acme")
    shown = words(at.home(ROBIN))
    assert "*1 of 7 assigned*" in shown
    week = shown[shown.index("This week's read") : shown.index("My settings")]
    assert "Initech" in week
    assert "Acme" not in week
    pressed = [one["action_id"] for one in elements(at.home(ROBIN).content["blocks"])]
    assert {"walk", "see_all", "preview", "edit_schedule", "edit_tiers", "edit_roster", "audit"} <= set(pressed)


def test_whom_nobody_has_taken_is_counted_off_in_the_order_of_the_read(at: Surface, database: Database) -> None:
    late = PartnerRow("Zeta", 1, DANA.email, ("zeta.example",), since=date(2026, 6, 1))
    with database.sessions.begin() as session, roster_change(session, at.cast.workspace_id, "test", MONDAY):
        put_partner(session, at.cast.workspace_id, "test", late, MONDAY)
    at.hold_read()
    with database.reading() as session:
        read = held_read(session, at.cast.programme, latest_read(session, at.cast.workspace_id) or 0, MONDAY)
        progress = read_progress(session, at.cast.workspace_id, MONDAY)
        order = [one.facts.partner_id for one in read.read.overdue]
    assert progress is not None
    assert order != sorted(order)
    assert list(progress.free) == order


def test_when_every_slipped_partner_has_somebody_there_is_nothing_to_walk(at: Surface) -> None:
    at.hold_read()
    for name in ("Acme", "Initech", "Hooli", "Müller & Söhne", "Soylent", "Stark Industries", "Wayne Enterprises"):
        at.ask(DANA, f"claim {name}")
    shown = words(at.home(ROBIN))
    assert "*7 of 7 assigned*: every slipped partner has somebody." in shown
    assert "walk" not in [one["action_id"] for one in elements(at.home(ROBIN).content["blocks"])]


def test_a_recovered_partner_counts_as_settled(at: Surface, database: Database) -> None:
    at.hold_read()
    at.clock.at = MONDAY + timedelta(hours=3)
    with database.sessions.begin() as session:
        put_touch(session, at.cast, ACME, MONDAY + timedelta(hours=2))
    at.ask(DANA, "claim Acme")  # reads the facts again, and finds nothing to recover
    assert "*1 of 7 assigned*" in words(at.home(ROBIN))


@pytest.mark.parametrize("who", [DANA, VERA])
def test_only_leads_see_the_programme_and_its_buttons(at: Surface, who: Any) -> None:
    shown = words(at.home(who))
    assert "Coverage" not in shown
    assert "Run the programme" not in shown
    pressed = {one["action_id"] for one in elements(at.home(who).content["blocks"])}
    assert not pressed & {"walk", "preview", "edit_tiers", "edit_roster", "audit"}


def open_from_home(at: Surface, who: Any, label: str) -> str:
    """The words of the window behind a button of Home, once they are there."""
    home = at.home(who)
    action = next(one for one in elements(home.content["blocks"]) if one.get("text", {}).get("text") == label)
    at.press(who, home, action["action_id"])
    assert at.workspace.wait_until(lambda: "One moment" not in said(at.modal(who).content["blocks"]))
    return words(at.modal(who))


@pytest.mark.parametrize(
    ("label", "shows"),
    [
        ("Overdue partners", "Acme"),
        ("Waiting for our reply", "Nobody has waited two business days for our reply."),
        ("Next steps gone stale", "No next step has gone stale."),
        ("Gone quiet", "Nobody's silence is out of character."),
        ("How coverage has moved", "Tier 1: 1 of 3 covered, 33 %"),
    ],
)
def test_every_list_opens_from_home_for_whoever_types_nothing(at: Surface, label: str, shows: str) -> None:
    assert shows in open_from_home(at, VERA, label)


def test_a_lead_looks_for_missing_partners_from_home(at: Surface) -> None:
    assert "Missing on the roster?" not in str(at.home(DANA).content)
    assert "This Cadence reads no mail, so it cannot tell." in open_from_home(at, ROBIN, "Missing on the roster?")


def test_whoever_types_nothing_finds_a_partner_on_home(at: Surface) -> None:
    home = at.home(VERA)
    block = next(one for one in home.content["blocks"] if (one.get("accessory") or {}).get("action_id") == "find_card")
    container = {"type": "home", "view_id": home.id}
    found = at.slack.interactions.options("U0VERA", container, block["block_id"], "find_card", "umb")
    assert [one["text"]["text"] for one in found["options"]] == ["Umbrella, Tier 2"]
    at.press(VERA, home, "find_card", action={"selected_option": found["options"][0]})
    assert "*Umbrella*" in words(at.modal(VERA))


def test_a_claim_of_somebody_elses_partner_stands_on_the_own_home(at: Surface) -> None:
    at.ask(PRIYA, "claim Acme")
    shown = words(at.home(PRIYA))
    assert shown.index("My claims") < shown.index("Acme") < shown.index("Hooli")
    assert "Initech" not in shown
    theirs = words(at.home(DANA))
    assert theirs.index("Overdue, in a colleague's hands") < theirs.index("Acme") < theirs.index("Priya Nair is on it")


def statements_of(at: Surface, database: Database) -> list[str]:
    seen: list[str] = []

    def count(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        seen.append(statement)

    at.home(ROBIN)  # whatever is remembered from the first visit on
    event.listen(database.engine, "before_cursor_execute", count)
    try:
        at.home(ROBIN)
    finally:
        event.remove(database.engine, "before_cursor_execute", count)
    return seen


def test_home_asks_no_more_statements_of_a_longer_roster(at: Surface, database: Database) -> None:
    at.hold_read()
    refresh_clocks(database.sessions, database.reading, at.cast.programme, at.clock.at, 1_000)
    few = len(statements_of(at, database))
    with database.sessions.begin() as session, roster_change(session, at.cast.workspace_id, "test", MONDAY):
        for number in range(200):
            row = PartnerRow(f"More {number}", 1, DANA.email, (f"more{number}.example",), since=INITECH.since)
            put_partner(session, at.cast.workspace_id, "test", row, MONDAY)
    refresh_clocks(database.sessions, database.reading, at.cast.programme, at.clock.at, 1_000)
    assert len(statements_of(at, database)) == few


def test_home_counts_what_lies_in_the_own_mailboxes_and_in_no_others(at: Surface, database: Database) -> None:
    with database.sessions.begin() as session:
        put_mailbox(session, at.cast.workspace_id, "test", ROBIN.email, "gmail", MONDAY)
    counting = [one for one in statements_of(at, database) if "FROM seen " in one or "FROM sighting " in one]
    assert len(counting) == 2
    assert all("mailbox_id IN (" in one for one in counting), counting
    shown = words(at.home(ROBIN))
    assert ROBIN.email in shown


@pytest.mark.parametrize("count", [0, 1, 10, 15, 40, 100, 400])
@pytest.mark.parametrize("name", ["Partner", HOSTILE[0], HOSTILE[14], HOSTILE[16]])
def test_the_fullest_home_stays_within_a_hundred_blocks(count: int, name: str) -> None:
    those = [overdue(number, f"{name} {number}"[:300]) for number in range(1, count + 1)]
    mine = [replace(one, facts=replace(one.facts, owner=replace(person("Dana").who, id=4))) for one in those]
    tiers = [
        TierLine(
            tier=Tier(rank, name, 7),
            coverage=Coverage(rank, 30),
            reply_backed=Coverage(1, 30),
            due_soon=1,
            overdue=2,
            new=0,
            blind=rank,
            paused=0,
            previous=Coverage(2, 30),
        )
        for rank in range(1, 31)
    ]
    troubled = [MailboxTrouble(f"box{number}@lantern.example", "paused", name, "a spell") for number in range(count)]
    page = HomePage(
        person(name), True, mine, NOW.date(), LONDON, troubles=troubled, week=Week(tiers, 1, count, 0, those[:10])
    )
    view = home_view(page)
    lint_view(view)
    assert len(view["blocks"]) <= 100 - 35  # room for the first run, uncertain posts, mailboxes and settings
    assert kit.weight([view]) < 200_000


def test_a_lead_sees_why_the_channel_takes_no_read(at: Surface, database: Database) -> None:
    with database.sessions.begin() as session:
        session.get_one(Workspace, at.cast.workspace_id).channel_trouble = "is_archived"
    shown = words(at.home(ROBIN))
    assert "The weekly read rests" in shown
    assert "is archived: choose another channel" in shown
    assert "The weekly read rests" not in words(at.home(DANA))
