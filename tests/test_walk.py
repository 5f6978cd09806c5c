"""Walking the read: one slipped partner after the other, whatever others do meanwhile, and every decision kept once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.ids import WALK_FOR
from bot.views.rows import Paper
from bot.views.walk import Step, waits, walk_end, walk_pause_view, walk_view
from models.actions.people import PersonRow
from models.queries.reads import Settled
from models.standing import NextStepFacts, Who
from models.tables import AuditEntry, Claim, Episode, NextStep, OutboxPost, Partner, Person
from tests.cast import ACME, CHANNEL, DANA, INITECH, PRIYA, ROBIN, TOMAS, VERA
from tests.databases import Database
from tests.facts import LONDON, NOW
from tests.slack_lint import elements, lint_view, said
from tests.surface import STRANGER, Surface, surface, user
from tests.test_card_slack import card
from tests.test_views import HOSTILE, held, many, overdue

MINUTE, PAPER = timedelta(minutes=1), Paper(NOW.date(), LONDON)


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    """The read is held; seven partners need a touch, Acme and Initech first."""
    with surface(database) as one:
        one.hold_read()
        one.clock.at += 5 * MINUTE
        yield one


def walk(at: Surface, person: PersonRow = ROBIN) -> Any:
    at.press(person, at.read(), "walk")
    return at.modal(person)


def words(at: Surface, person: PersonRow = ROBIN) -> str:
    view = at.modal(person)
    lint_view(view.content)
    return said(view.content["blocks"])


def fields(at: Surface, **wanted: Any) -> dict[str, Any]:
    """What is filled in, in the blocks that the window at hand has."""
    made = {}
    for block in at.modal(ROBIN).content["blocks"]:
        if block["type"] == "input":
            name, value = block["element"]["action_id"], None
            if name in ("walk_step", "pause_reason"):
                value = {"type": "plain_text_input", "value": wanted.get(name)}
            elif name in ("walk_due", "pause_until"):
                value = {"type": "datepicker", "selected_date": wanted.get(name)}
            elif wanted.get(name) is not None:
                options = block["element"]["options"]
                chosen = next(one for one in options if one["value"] == str(wanted[name]))
                value = {"type": "static_select", "selected_option": chosen}
            if value is not None:
                made[block["block_id"]] = {name: value}
    return made


def save(at: Surface, **wanted: Any) -> Any:
    return at.slack.interactions.submit(user(ROBIN), at.modal(ROBIN).id, fields(at, **wanted))


def turn(at: Surface, action: str) -> None:
    before = at.modal(ROBIN).hash
    at.press(ROBIN, at.modal(ROBIN), action)
    assert at.workspace.wait_until(lambda: at.modal(ROBIN).hash != before)


def holders(at: Surface) -> dict[str, str]:
    with at.database.reading() as session:
        rows = session.execute(
            select(Partner.name, Person.name)
            .select_from(Claim)
            .join(Person, Person.id == Claim.person_id)
            .join(Episode, Episode.id == Claim.episode_id)
            .join(Partner, Partner.id == Episode.partner_id)
            .where(Claim.ended_at.is_(None))
        )
        return {row[0]: row[1] for row in rows}


def test_the_walk_shows_the_evidence_and_keeps_what_is_agreed(at: Surface) -> None:
    walk(at)
    first = words(at)
    for part in (
        *("Partner 1 of 7 · 0 of 7 assigned", "*Acme* · Tier 1 · owner Dana Kim", "16 days past its 7-day rhythm"),
        *("Last touch: Sat 31 Oct: Dana Kim wrote to hello@acme.example (written by a person;", "no next step"),
    ):
        assert part in first
    answer = save(at, walk_step="Call Wendy", walk_due="2026-11-27", walk_for=at.cast.person(PRIYA))
    assert answer == {"ok": True}
    second = words(at)
    assert "✓ *Acme*: Call Wendy, by Fri 27 Nov (Priya Nair)" in second
    assert "Priya Nair is asked to take *Acme*, by Wed 25 Nov, and can accept or decline." in second
    assert "Partner 2 of 7 · 1 of 7 assigned" in second
    assert "*Initech*" in second
    assert holders(at) == {"Acme": "Priya Nair"}
    with at.database.reading() as session:
        step = session.scalars(select(NextStep)).one()
        assert (step.text, step.due_on, step.owner_id) == ("Call Wendy", date(2026, 11, 27), at.cast.person(PRIYA))
        done = {(one.action, one.actor) for one in session.scalars(select(AuditEntry))}
        assert {
            ("claim", f"person:{at.cast.person(ROBIN)}"),
            ("set next step", f"person:{at.cast.person(ROBIN)}"),
        } <= done
    at.pump()
    assert "… Priya Nair was asked, has not answered · by Wed 25 Nov" in said(at.read().blocks)


def test_whoever_is_assigned_hears_of_it_and_the_lead_alone_does_not(at: Surface) -> None:
    walk(at)
    save(at, walk_for=at.cast.person(ROBIN))
    save(at, walk_for=at.cast.person(TOMAS))
    with at.database.reading() as session:
        posts = session.scalars(select(OutboxPost).where(OutboxPost.kind == "assigned")).all()
        assert [one.channel for one in posts] == [user(TOMAS)]
        assert "Initech" in posts[0].payload["text"]


def test_skip_and_back_lead_on_and_the_end_counts_what_was_decided(at: Surface) -> None:
    walk(at)
    save(at, walk_step="Call Wendy", walk_for=at.cast.person(DANA))
    turn(at, "walk_skip")
    assert "Partner 3 of 7" in words(at)
    turn(at, "walk_back")
    assert "*Initech*" in words(at)
    for _ in range(6):
        turn(at, "walk_skip")
    end = words(at)
    assert "1 of 7 assigned" in end
    assert "1 next step agreed since the read" in end
    assert "Still without a name: Initech, Hooli" in end.replace("Müller & Söhne", "Müller")
    turn(at, "walk_back")
    assert "*Initech*" in words(at)


def test_a_walk_goes_on_where_a_name_is_missing(at: Surface) -> None:
    view = walk(at)
    save(at, walk_for=at.cast.person(DANA))
    at.slack.interactions.close(user(ROBIN), view.id)
    at.slack.interactions.message(user(ROBIN), CHANNEL, "/cadence walk")
    assert "Partner 2 of 7" in words(at)
    assert "Acme: … Dana Kim was asked, has not answered · by Wed 25 Nov" in words(at)


def test_what_others_did_meanwhile_is_said_and_skipped(at: Surface, database: Database) -> None:
    walk(at)
    at.press_and_hear(PRIYA, at.read(), f"claim:{at.cast.partner(INITECH)}")
    turn(at, "walk_skip")
    third = words(at)
    assert "Initech: ✓ Priya Nair is on it" in third
    assert "Partner 3 of 7" in third


def test_somebody_who_was_faster_is_named(at: Surface) -> None:
    walk(at)
    at.press_and_hear(PRIYA, at.read(), f"claim:{at.cast.partner(ACME)}")
    save(at, walk_for=at.cast.person(DANA))
    assert "Priya Nair picked up *Acme* a moment ago" in words(at)
    assert holders(at) == {"Acme": "Priya Nair"}


def test_a_pause_belongs_to_the_walk(at: Surface) -> None:
    walk(at)
    turn(at, "walk_pause")
    assert "Pause *Acme*?" in words(at)
    assert list(save(at, pause_until="2026-11-01", pause_reason="x")["errors"]) == [
        f"pause_until:{at.cast.partner(ACME)}"
    ]
    assert save(at, pause_until="2027-01-15", pause_reason="On leave") == {"ok": True}
    second = words(at)
    assert "*Acme* is paused until the end of Fri 15 Jan 2027: On leave." in second
    assert "*Initech*" in second
    turn(at, "walk_pause")
    turn(at, "walk_back")
    assert "*Initech*" in words(at)
    for _ in range(6):
        turn(at, "walk_skip")
    assert "1 paused" in words(at)


def test_a_window_delivered_twice_is_kept_once(at: Surface) -> None:
    walk(at)
    save(at, walk_step="Call Wendy", walk_for=at.cast.person(TOMAS))
    payload = next(one.payload for one in at.slack.delivery.log if one.payload.get("type") == "view_submission")
    assert at.slack.delivery.send("interactive", payload | {"trigger_id": "another"}).ok
    assert (at.count(NextStep), at.count(Claim)) == (1, 1)


def test_a_press_in_a_window_that_was_drawn_over_changes_nothing(at: Surface) -> None:
    walk(at)
    before = at.workspace.views.payload(at.modal(ROBIN))
    turn(at, "walk_skip")
    press = next(
        one.payload
        for one in at.slack.delivery.log
        if (one.payload.get("actions") or [{}])[0].get("action_id") == "walk_skip"
    )
    assert at.slack.delivery.send("interactive", press | {"view": before, "trigger_id": "another"}).ok
    assert "Partner 2 of 7" in words(at)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"walk_due": "2026-11-27"}, "walk_step"),
        ({"walk_step": "Call", "walk_due": "2026-11-01"}, "walk_due"),
        ({"walk_step": "Call", "walk_due": "2199-01-01"}, "walk_due"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(at: Surface, wanted: dict[str, str], field: str) -> None:
    walk(at)
    assert list(save(at, **wanted)["errors"]) == [f"{field}:{at.cast.partner(ACME)}"]
    assert at.count(NextStep) == 0


def test_an_expired_trigger_is_answered_by_a_way_to_try_again(at: Surface) -> None:
    at.slack.faults.refuse("views.open", "expired_trigger_id")
    late = at.press_and_hear(ROBIN, at.read(), "walk")
    assert [one["action_id"] for one in elements(late.blocks)] == ["walk"]
    at.press(ROBIN, late, "walk")
    assert "Partner 1 of 7" in words(at)


@pytest.mark.parametrize("who", [DANA, VERA, STRANGER])
def test_only_a_lead_walks(at: Surface, who: Any) -> None:
    before = at.written()
    told = at.press_and_hear(who, at.read(), "walk")
    assert "Acme" not in told.text
    assert "lead" in told.text or "not on the roster" in told.text
    assert at.written() == before


def test_without_a_read_there_is_nothing_to_walk(database: Database) -> None:
    with surface(database) as one:
        assert "No weekly read has been held yet" in one.ask(ROBIN, "walk").text


def test_when_nothing_slipped_the_walk_says_so() -> None:
    view = walk_end(many(0), PAPER)
    lint_view(view)
    assert "nothing to recover" in said(view["blocks"])


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_fits_every_window(name: str) -> None:
    who = Who(9, name, "boss@lantern.example")
    step = NextStepFacts(name * 10, date(2026, 11, 30), who, NOW)
    rows = [overdue(number, name, owner=who, next_step=step) for number in range(1, 41)]
    settled = {number: Settled("recovered", name, NOW + MINUTE) for number in range(20, 40)}
    read = held(*rows, settled=settled)
    managers = [Who(number, f"{name} {number}", "x@lantern.example") for number in range(1, 150)]
    first = next(n for n, row in enumerate(read.read.overdue) if waits(read, row))
    one = Step(read, first, card(name=name), managers, read.read.overdue[1:30], note="Noted.")
    view = walk_view(one, PAPER)
    lint_view(view)
    assert [menu["type"] for menu in elements(view["blocks"]) if menu["action_id"] == WALK_FOR] == ["external_select"]
    lint_view(walk_view(replace(one, managers=managers[:3]), PAPER))
    lint_view(walk_pause_view(one, PAPER))
    lint_view(walk_end(read, PAPER, read.read.overdue[1:30], "Noted."))


@pytest.mark.parametrize("count", [1, 10, 15, 16, 40, 100, 400])
def test_the_walk_ends_with_every_name_or_how_many_more(count: int) -> None:
    view = walk_end(many(count), PAPER)
    lint_view(view)
    assert "Still without a name: Partner" in said(view["blocks"])
    if count > 9:
        assert f"and {count - 8} more" in said(view["blocks"])
