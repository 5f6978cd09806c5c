"""Next steps, lists, the Home tab, nudges and uncertain posts, as people meet them in Slack."""

import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot import ids
from bot.ids import Carried
from bot.nudge_lines import NudgeLine
from bot.views.next_step import next_step_form
from bot.views.nudges import nudge_payload
from jobs.recovery import sweep
from jobs.weekly_read import hold_and_post
from models.actions import outbox
from models.actions.partners import PartnerRow
from models.standing import Who
from models.tables import AuditEntry, NextStep, OutboxPost, Person, Workspace
from tests.cast import ACME, CHANNEL, DANA, HOOLI, MONDAY, PARTNERS, PRIYA, ROBIN, VERA, put_cast, put_touch
from tests.databases import Database
from tests.facts import QUIET
from tests.slack_lint import elements, lint_message, lint_view, said
from tests.surface import STRANGER, Surface, slip, surface


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with surface(database) as one:
        yield one


# Next steps


def form(text: str = "Send the price list", due: str | None = "2026-11-30", owner: int = 0) -> dict[str, Any]:
    chosen = {"text": {"type": "plain_text", "text": "x", "emoji": False}, "value": str(owner)}
    return {
        "step_text": {"step_text": {"type": "plain_text_input", "value": text}},
        "step_due": {"step_due": {"type": "datepicker", "selected_date": due}},
        "step_owner": {"step_owner": {"type": "static_select", "selected_option": chosen}},
    }


def opened(at: Surface) -> Any:
    """The form, reached as most people will: from the note after a claim."""
    told = at.press_and_hear(DANA, at.hold_read(), f"claim:{at.cast.partner(ACME)}")
    at.press(DANA, told, f"next_step:{at.cast.partner(ACME)}")
    view = at.modal(DANA)
    lint_view(view.content)
    return view


def steps(at: Surface) -> list[tuple[str, date | None, int | None]]:
    with at.database.reading() as session:
        rows = session.scalars(select(NextStep).where(NextStep.ended_at.is_(None)).order_by(NextStep.id))
        return [(row.text, row.due_on, row.owner_id) for row in rows]


def test_a_next_step_is_saved_confirmed_and_shown_in_the_read(at: Surface) -> None:
    view, priya = opened(at), at.cast.person(PRIYA)
    before = len(at.whispers("U0DANA"))
    assert at.slack.interactions.submit("U0DANA", view.id, form(owner=priya)) == {"ok": True}
    assert steps(at) == [("Send the price list", date(2026, 11, 30), priya)]
    assert at.workspace.wait_until(lambda: len(at.whispers("U0DANA")) > before)
    assert "✓ *Acme*: Send the price list, by Mon 30 Nov (Priya Nair)" in at.whispers("U0DANA")[-1].text
    at.pump()
    assert "next step: Send the price list, by Mon 30 Nov (Priya Nair)" in said(at.read().blocks)


def test_a_form_delivered_twice_is_saved_once(at: Surface) -> None:
    view = opened(at)
    at.slack.interactions.submit("U0DANA", view.id, form(owner=at.cast.person(DANA)))
    payload = next(one.payload for one in at.slack.delivery.log if one.payload.get("type") == "view_submission")
    assert at.slack.delivery.send("interactive", payload | {"trigger_id": "another"}).ok
    assert at.count(NextStep) == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"text": "   \n "}, "step_text"),
        ({"due": "2026-11-22"}, "step_due"),
        ({"owner": 999}, "step_owner"),
        ({"text": " ", "due": "2020-01-01", "owner": 0}, "step_text"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(at: Surface, wrong: dict[str, Any], field: str) -> None:
    view = opened(at)
    values = form(**({"owner": at.cast.person(DANA)} | wrong))
    payload = {
        "type": "view_submission",
        "team": {"id": at.workspace.team_id},
        "user": {"id": "U0DANA", "team_id": at.workspace.team_id},
        "view": at.workspace.views.payload(view) | {"state": {"values": values}},
    }
    answer = at.slack.delivery.send("interactive", payload)
    assert answer.body["response_action"] == "errors"
    assert field in answer.body["errors"]
    assert steps(at) == []


def test_the_form_starts_from_the_step_that_is_there(at: Surface) -> None:
    at.slack.interactions.submit("U0DANA", opened(at).id, form(owner=at.cast.person(PRIYA)))
    at.slack.interactions.message("U0DANA", CHANNEL, "/cadence next acme")
    view = at.modal(DANA).content
    fields = {one["action_id"]: one for one in elements(view["blocks"])}
    assert fields["step_text"]["initial_value"] == "Send the price list"
    assert fields["step_due"]["initial_date"] == "2026-11-30"
    assert fields["step_owner"]["initial_option"]["text"]["text"] == "Priya Nair"


def test_a_viewer_opens_no_form(at: Surface) -> None:
    assert "for partner managers" in at.ask(VERA, "next Acme").text


def test_18_an_expired_trigger_is_answered_by_a_way_to_try_again(at: Surface) -> None:
    told = at.press_and_hear(DANA, at.hold_read(), f"claim:{at.cast.partner(ACME)}")
    at.slack.faults.refuse("views.open", "expired_trigger_id")
    late = at.press_and_hear(DANA, told, f"next_step:{at.cast.partner(ACME)}")
    assert "took too long" in late.text
    at.press(DANA, late, f"next_step:{at.cast.partner(ACME)}")
    assert at.modal(DANA)


def test_a_large_roster_is_searched_while_typing() -> None:
    owners = [Who(number, f"Manager {number}", f"m{number}@lantern.example") for number in range(101)]
    view = next_step_form(QUIET.standing(QUIET.facts(touched=20)), owners, owners[7], Carried(channel="C1"))
    lint_view(view)
    [menu] = [one for one in elements(view["blocks"]) if one["action_id"] == "step_owner"]
    assert menu["type"] == "external_select"


# Lists


def test_see_all_turns_through_the_read_and_claims_on_the_way(database: Database) -> None:
    crowd = tuple(
        PartnerRow(f"Quiet {number:02}", 1, DANA.email, (f"q{number}.example",), (), since=ACME.since)
        for number in range(38)
    )
    with database.sessions.begin() as session:
        cast = put_cast(session, partners=(*PARTNERS, *crowd))
        slip(session, cast)
    with surface(database, cast=cast) as at:
        message = at.hold_read()
        below = [one for one in at.workspace.messages(CHANNEL, thread_ts=message.ts) if one.ts != message.ts]
        assert [len(list(elements(one.blocks))) for one in below] == [15, 16, 0]  # the last is the trend
        [opens] = [one for one in elements(message.blocks) if one["action_id"] == "see_all"]
        assert opens["text"]["text"] == "See the whole read"  # not only what is overdue
        at.press(DANA, message, "see_all")
        seen = _rows(at.modal(DANA).content)
        for page in (1, 2, 3):
            seen |= _rows(_pressed(at, f"turn_page:{page}"))
        assert len(seen) == 46  # 45 overdue, and one that is due soon
        calm = next(one for one in elements(at.modal(DANA).content["blocks"]) if "open_card" in one["action_id"])
        at.press(DANA, at.modal(DANA), calm["action_id"])
        assert at.workspace.wait_until(lambda: at.modal(DANA).content["callback_id"] == ids.CARD_MODAL)
        lint_view(at.modal(DANA).content)
        at.slack.interactions.close("U0DANA", at.modal(DANA).id)
        free = [one for one in elements(_pressed(at, "turn_page:2")["blocks"]) if one["action_id"].startswith("claim")]
        assert "is yours, by" in said(_pressed(at, free[0]["action_id"])["blocks"])


def _pressed(at: Surface, action_id: str) -> Any:
    """The modal after something was pressed on it."""
    view = at.modal(DANA)
    was = view.hash
    at.press(DANA, view, action_id)
    assert at.workspace.wait_until(lambda: at.modal(DANA).hash != was)
    lint_view(view.content)
    return view.content


def _rows(view: Any) -> set[str]:
    return {block["block_id"] for block in view["blocks"] if block["block_id"].startswith("p:")}


# The Home tab


def test_home_shows_my_claims_then_what_is_overdue(at: Surface) -> None:
    assert "My claims" not in said(at.home(DANA).content["blocks"])
    at.press_and_hear(DANA, at.hold_read(), f"claim:{at.cast.partner(ACME)}")
    view = at.home(DANA).content
    lint_view(view)
    words = said(view["blocks"])
    assert words.index("My claims") < words.index("Acme") < words.index("Overdue") < words.index("Soylent")
    assert words.count("*Acme*") == 1
    assert "Initech" not in words


def test_home_follows_what_is_pressed_on_it(at: Surface) -> None:
    view = at.home(DANA)
    at.press(DANA, view, f"claim:{at.cast.partner(ACME)}")
    homes = at.workspace.views.homes
    assert at.workspace.wait_until(lambda: homes["U0DANA"].hash != view.hash)
    assert "*Acme* is yours" in said(homes["U0DANA"].content["blocks"])
    assert "My claims" in said(homes["U0DANA"].content["blocks"])


def test_home_is_kind_to_strangers(at: Surface) -> None:
    words = said(at.home(STRANGER).content["blocks"])
    assert "Robin Okafor can help." in words
    assert "Acme" not in words


# Uncertain posts


def test_a_lead_decides_about_a_post_whose_fate_nobody_knows(at: Surface) -> None:
    at.slack.faults.drop_after("chat.postMessage")
    hold_and_post(at.database.sessions, at.cast.programme, at.clock.now())
    at.pump()
    assert "Did the weekly read" in said(at.home(ROBIN).content["blocks"])
    assert "Did the weekly read" not in said(at.home(DANA).content["blocks"])
    with at.database.reading() as session:
        post = session.scalars(select(OutboxPost).where(OutboxPost.status == "unknown")).one()
    view = at.home(ROBIN)
    at.press(ROBIN, view, f"it_arrived:{post.id}")
    with at.database.reading() as session:
        assert session.get_one(OutboxPost, post.id).status == "gone"


def test_post_again_posts_again_once_and_for_leads_only(at: Surface) -> None:
    with at.database.sessions.begin() as session:
        payload = {"text": "Weekly read, again", "blocks": []}
        outbox.enqueue(session, at.cast.workspace_id, CHANNEL, "read", "2026-11-16", 0, payload, MONDAY)
        post = session.scalars(select(OutboxPost)).one()
        post.status = "unknown"
    view = at.home(ROBIN)
    assert "Did the weekly read of Mon 16 Nov arrive?" in said(view.content["blocks"])
    at.press(ROBIN, view, f"post_again:{post.id}")
    at.pump()
    assert at.read().text == "Weekly read, again"
    at.workspace.views.homes["U0ROBIN"].content = view.content  # a tab that was left open
    at.press(ROBIN, view, f"post_again:{post.id}")
    assert "decided about this message already" in said(at.modal(ROBIN).content["blocks"])


# Nudges


def lines(at: Surface) -> list[NudgeLine]:
    acme, hooli = at.cast.partner(ACME), at.cast.partner(HOOLI)
    return [
        NudgeLine("claim_due", "Your recovery touch to Acme is planned today.", acme),
        NudgeLine("overdue", "Hooli is 2 days past its 14-day rhythm.", hooli),
        NudgeLine("next_step_due", "Hooli: next step: call <!channel>.", hooli),
        NudgeLine("mailbox", "Your mailbox needs a look."),
    ]


def nudge(at: Surface) -> Any:
    payload = nudge_payload("Dana Kim", lines(at))
    lint_message(payload)
    with at.database.sessions.begin() as session:
        outbox.enqueue(session, at.cast.workspace_id, "U0DANA", "nudge", "2026-11-23", 0, payload, MONDAY)
    at.pump()
    return at.workspace.messages(at.workspace.im("U0DANA").id)[-1]


def wishes(at: Surface) -> tuple[bool, date | None]:
    with at.database.reading() as session:
        row = session.get_one(Person, at.cast.person(DANA))
        return row.nudges, row.snoozed_until


def test_a_nudge_can_be_snoozed_stopped_and_started_again(at: Surface) -> None:
    message = nudge(at)
    assert "Quiet until the end of Mon 23 Nov" in at.press_and_hear(DANA, message, "snooze:1").text
    assert wishes(at) == (True, date(2026, 11, 23))
    at.press_and_hear(DANA, message, "snooze:7")
    assert wishes(at) == (True, date(2026, 11, 29))
    off = at.press_and_hear(DANA, message, "nudges_off")
    assert wishes(at) == (False, None)
    at.press_and_hear(DANA, off, "nudges_on")
    assert wishes(at) == (True, None)


def test_a_claim_can_be_taken_from_a_nudge(at: Surface) -> None:
    assert "is yours" in at.press_and_hear(DANA, nudge(at), f"claim:{at.cast.partner(HOOLI)}").text


def test_forty_lines_become_one_message() -> None:
    many = [NudgeLine("overdue", f"{'企' * 80} {number} is late.", number) for number in range(40)]
    lint_message(nudge_payload("x" * 300, many))


# The installation


def test_a_channel_under_a_new_id_is_followed(at: Surface) -> None:
    event = {"type": "channel_id_changed", "old_channel_id": CHANNEL, "new_channel_id": "C0NEW"}
    at.slack.delivery.event("channel_id_changed", event)

    def channel() -> str | None:
        with at.database.reading() as session:
            return session.get_one(Workspace, at.cast.workspace_id).channel_id

    assert _soon(at, lambda: channel() == "C0NEW")


def test_losing_access_is_put_on_record_once_though_slack_says_it_twice(at: Surface) -> None:
    at.slack.uninstall()

    def recorded() -> list[str]:
        with at.database.reading() as session:
            found = session.scalars(select(AuditEntry).where(AuditEntry.action == "lose access"))
            return [str((one.after or {})["reason"]) for one in found]

    assert _soon(at, lambda: len(recorded()) == 1)
    assert at.slack.delivery.settle()
    assert recorded()[0] in ("tokens_revoked", "app_uninstalled")
    assert len(recorded()) == 1


def test_a_touch_that_arrives_closes_the_row_of_its_own(at: Surface) -> None:
    at.press_and_hear(DANA, at.hold_read(), f"claim:{at.cast.partner(ACME)}")
    at.clock.at += timedelta(days=1)
    with at.database.sessions.begin() as session:
        put_touch(session, at.cast, ACME, at.clock.at - timedelta(hours=1))
    sweep(at.database.sessions, at.cast.programme, at.clock.at)
    at.pump()
    assert "✓ Recovered by Dana Kim on Tue 24 Nov" in said(at.read().blocks)


def _soon(at: Surface, done: Any) -> bool:
    for _ in range(200):
        if done():
            return True
        time.sleep(0.05)
    return False
