"""Schedule and tiers as a lead changes them in Slack: errors stand beside their field, changes in the audit log."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from bot import ids
from bot.views.settings import zone_options
from models.actions.people import PersonRow
from models.actions.programme import set_tier
from models.cadence import Tier
from models.queries.programme import programme
from models.queries.setup import tiers_of
from models.tables import AuditEntry, Partner, TierHistory, Workspace
from models.tables import Tier as TierRow
from tests.cast import CHANNEL, DANA, ROBIN, VERA
from tests.databases import Database
from tests.sandbox.slack.workspace import Message
from tests.slack_forms import Filled, channel, hour, option, text, together, zone
from tests.slack_lint import lint_message, lint_view, said
from tests.surface import Surface, surface, user

USUAL = together(
    channel(ids.SCHEDULE_CHANNEL, CHANNEL),
    option(ids.SCHEDULE_DAY, "tue"),
    hour(ids.SCHEDULE_HOUR, "08:30"),
    zone(ids.SCHEDULE_ZONE, "Europe/Lisbon"),
    option(ids.SCHEDULE_EMPTY, "skip"),
)


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with surface(database) as one:
        yield one


def test_a_lead_sees_how_the_programme_runs_and_everybody_the_way_to_the_own_settings(at: Surface) -> None:
    shown = at.ask(ROBIN, "settings")
    for words in ("on Mondays at 09:00, Europe/London", "Tier 1 every 7 days", "10 partners", "5 people"):
        assert words in shown.text
    lint_message({"text": shown.text, "blocks": shown.blocks})
    mine = at.ask(VERA, "settings")
    assert "Mondays" not in mine.text
    assert [one["action_id"] for one in _pressable(mine)] == [ids.MY_SETTINGS]


def test_the_schedule_is_saved_and_on_record(at: Surface) -> None:
    form = _schedule_form(at)
    lint_view(form.content)
    assert at.slack.interactions.submit(user(ROBIN), form.id, USUAL) == {"ok": True}
    assert at.workspace.wait_until(lambda: "The read goes to" in _said(at))
    with at.database.reading() as session:
        home = programme(session, at.settings, at.cast.workspace_id)
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "set schedule")).one()
    assert (str(home.read_at), home.zone.key, home.when_empty) == ("tue 08:30", "Europe/Lisbon", "skip")
    assert home.started
    assert entry.actor == f"person:{at.cast.person(ROBIN)}"
    assert entry.before is not None
    assert entry.after is not None
    assert (entry.before["timezone"], entry.after["timezone"]) == ("Europe/London", "Europe/Lisbon")


def test_the_same_schedule_again_is_no_change(at: Surface) -> None:
    for _ in range(2):
        assert at.slack.interactions.submit(user(ROBIN), _schedule_form(at).id, USUAL) == {"ok": True}
        assert at.workspace.wait_until(lambda: "The read goes to" in _said(at))
    assert _actions(at).count("set schedule") == 1


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        (hour(ids.SCHEDULE_HOUR, "03:59"), ids.SCHEDULE_HOUR, "clocks change"),
        (hour(ids.SCHEDULE_HOUR, "00:00"), ids.SCHEDULE_HOUR, "choose 04:00 or later"),
        (zone(ids.SCHEDULE_ZONE, "Europe/Atlantis"), ids.SCHEDULE_ZONE, "time zone"),
        (channel(ids.SCHEDULE_CHANNEL, "U0DANA"), ids.SCHEDULE_CHANNEL, "Choose a channel"),
        (channel(ids.SCHEDULE_LEADERS, "U0DANA"), ids.SCHEDULE_LEADERS, "Choose a channel, or none"),
    ],
)
def test_a_wrong_schedule_is_told_beside_its_field_and_nothing_is_saved(
    at: Surface, wrong: Filled, field: str, words: str
) -> None:
    form, before = _schedule_form(at), at.written()
    answer = at.slack.interactions.submit(user(ROBIN), form.id, together(USUAL, wrong))
    assert list(answer["errors"]) == [field]
    assert words in answer["errors"][field]
    assert at.written() == before
    assert _row(at).read_at is None


def test_four_in_the_morning_is_late_enough(at: Surface) -> None:
    filled = together(USUAL, hour(ids.SCHEDULE_HOUR, "04:00"))
    assert at.slack.interactions.submit(user(ROBIN), _schedule_form(at).id, filled) == {"ok": True}
    assert _row(at).read_at == "tue 04:00"


def test_zones_are_found_as_they_are_typed_the_own_one_first() -> None:
    assert zone_options("", "Asia/Kolkata")[0]["value"] == "Asia/Kolkata"
    assert [one["value"] for one in zone_options("new york", None)] == ["America/New_York"]
    assert [one["value"] for one in zone_options("kentucky lou", None)] == ["America/Kentucky/Louisville"]
    assert zone_options("atlantis", None) == []
    assert len(zone_options("a", None)) == 100


def test_typing_in_the_zone_asks_for_options(at: Surface) -> None:
    form = _schedule_form(at)
    container = {"type": "modal", "view_id": form.id}
    found = at.slack.interactions.options(user(ROBIN), container, ids.SCHEDULE_ZONE, ids.SCHEDULE_ZONE, "lisb")
    assert [one["value"] for one in found["options"]] == ["Europe/Lisbon"]


def test_a_channel_for_leaders_is_opted_into_and_out_of(at: Surface) -> None:
    room = at.workspace.add_channel("leaders", members=[user(ROBIN), at.workspace.bot.id])
    both = together(USUAL, channel(ids.SCHEDULE_LEADERS, room.id))
    assert at.slack.interactions.submit(user(ROBIN), _schedule_form(at).id, both) == {"ok": True}
    assert at.workspace.wait_until(lambda: "The read goes to" in _said(at))
    assert _row(at).leaders_channel_id == room.id
    assert _row(at).leaders_since is not None
    none = together(USUAL, channel(ids.SCHEDULE_LEADERS, None))
    assert at.slack.interactions.submit(user(ROBIN), _schedule_form(at).id, none) == {"ok": True}
    assert (_row(at).leaders_channel_id, _row(at).leaders_since) == (None, None)


def test_forty_tiers_are_leafed_through_and_the_page_stays_after_a_change(at: Surface) -> None:
    with at.database.sessions.begin() as session:
        for rank in range(4, 41):
            set_tier(session, at.cast.workspace_id, "test", Tier(rank, f"Class {rank}", 30), at.clock.at)
    shown = at.ask(VERA, "tiers")
    assert "and 30 more tiers" in shown.text
    at.press(VERA, shown, "see_all:0")
    view = at.modal(VERA).content
    lint_view(view)
    assert "1 to 15 of 40" in said(view["blocks"])
    assert "Edit" not in said(view["blocks"])
    at.press(ROBIN, at.ask(ROBIN, "tiers"), ids.EDIT_TIERS)
    before = at.modal(ROBIN).hash
    at.press(ROBIN, at.modal(ROBIN), "turn_page:1")
    assert at.workspace.wait_until(lambda: at.modal(ROBIN).hash != before)
    page = at.modal(ROBIN)
    assert "16 to 30 of 40" in said(page.content["blocks"])
    at.press(ROBIN, page, f"{ids.EDIT_TIER}:30")
    form = _opened(at, ids.TIER_FORM)
    assert at.slack.interactions.submit(user(ROBIN), form.id, text(ids.TIER_WINDOW, 45)) == {"ok": True}
    assert at.workspace.wait_until(lambda: "every 45 days" in _said(at)), _said(at)
    assert "16 to 30 of 40" in _said(at)


def test_everybody_sees_the_tiers_and_a_lead_can_edit_them(at: Surface) -> None:
    shown = at.ask(VERA, "tiers")
    assert "every 7 days · 3 partners" in shown.text
    assert _pressable(shown) == []
    lead = at.ask(ROBIN, "tiers")
    assert [one["action_id"] for one in _pressable(lead)] == [ids.EDIT_TIERS]
    lint_message({"text": lead.text, "blocks": lead.blocks})


def test_a_lead_sees_what_coverage_would_be_before_a_tier_is_changed(at: Surface) -> None:
    form = _tier_form(at, 1)
    lint_view(form.content)
    before = at.written()
    values = together(text(ids.TIER_WINDOW, 30))
    at.slack.interactions.action(
        user(ROBIN),
        {"type": "modal", "view_id": form.id},
        next(b["block_id"] for b in form.content["blocks"] if b["type"] == "actions"),
        ids.TRY_TIER,
        {},
        values,
    )
    assert at.workspace.wait_until(lambda: "With 30 days" in _said(at)), _said(at)
    assert "Tier 1 would have 3 of 3 covered, 100 %. Now it has 1 of 3 covered, 33 %." in _said(at)
    assert at.written() == before
    assert _tiers(at)[0] == Tier(1, "Tier 1", 7)


def test_a_changed_tier_holds_from_now_on_and_is_on_record(at: Surface) -> None:
    form = _tier_form(at, 1)
    filled = together(text(ids.TIER_NAME, "Gold"), text(ids.TIER_WINDOW, 10), text(ids.TIER_GRACE, 2))
    assert at.slack.interactions.submit(user(ROBIN), form.id, filled) == {"ok": True}
    assert at.workspace.wait_until(lambda: "Gold* holds from now on" in _said(at)), _said(at)
    assert _tiers(at)[0] == Tier(1, "Gold", 10, 2)
    assert _actions(at).count("set tier") == 4
    with at.database.reading() as session:
        rank_1 = select(TierHistory).join(TierRow).where(TierRow.rank == 1)
        assert len(session.scalars(rank_1).all()) == 2


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (text(ids.TIER_NAME, "Tier 2"), ids.TIER_NAME),
        (text(ids.TIER_NAME, "TIER  2"), ids.TIER_NAME),
        (text(ids.TIER_WINDOW, "0"), ids.TIER_WINDOW),
        (text(ids.TIER_WINDOW, "4000"), ids.TIER_WINDOW),
        (text(ids.TIER_GRACE, "366"), ids.TIER_GRACE),
        (text(ids.TIER_GRACE, "-1"), ids.TIER_GRACE),
    ],
)
def test_a_wrong_tier_is_told_beside_its_field_and_nothing_is_saved(at: Surface, wrong: Filled, field: str) -> None:
    form, before = _tier_form(at, 1), at.written()
    answer = at.slack.interactions.submit(user(ROBIN), form.id, wrong)
    assert list(answer["errors"]) == [field]
    assert at.written() == before
    assert _tiers(at)[0] == Tier(1, "Tier 1", 7)


def test_a_tier_is_added_and_one_without_partners_is_removed(at: Surface) -> None:
    at.press(ROBIN, at.ask(ROBIN, "tiers"), ids.EDIT_TIERS)
    at.press(ROBIN, _opened(at, ids.TIERS_MODAL), ids.ADD_TIER)
    filled = together(text(ids.TIER_NAME, "Friends"), text(ids.TIER_WINDOW, 90))
    assert at.slack.interactions.submit(user(ROBIN), _opened(at, ids.TIER_FORM).id, filled) == {"ok": True}
    assert at.workspace.wait_until(lambda: "Friends* is added" in _said(at)), _said(at)
    assert _tiers(at)[-1] == Tier(4, "Friends", 90)
    at.press(ROBIN, at.modal(ROBIN), f"{ids.EDIT_TIER}:4")
    at.press(ROBIN, _opened(at, ids.TIER_FORM), ids.REMOVE_TIER)
    assert at.workspace.wait_until(lambda: "Friends* is removed" in _said(at)), _said(at)
    assert [one.rank for one in _tiers(at)] == [1, 2, 3]
    assert _actions(at).count("remove tier") == 1


def test_a_tier_that_is_in_use_or_was_is_not_removed(at: Surface) -> None:
    assert ids.REMOVE_TIER not in str(_tier_form(at, 3).content["blocks"])
    with at.database.sessions.begin() as session:
        for row in session.scalars(select(Partner)):
            row.tier_id = None
    form = _tier_form(at, 3)
    at.press(ROBIN, form, ids.REMOVE_TIER)
    assert at.workspace.wait_until(lambda: "past weeks" in _said(at)), _said(at)
    assert [one.rank for one in _tiers(at)] == [1, 2, 3]


@pytest.mark.parametrize("who", [DANA, VERA])
@pytest.mark.parametrize(
    "action", [ids.EDIT_SCHEDULE, ids.EDIT_TIERS, ids.EDIT_ROSTER, ids.IMPORT, ids.PREVIEW, ids.EXPORT_ROSTER]
)
def test_who_does_not_lead_presses_in_vain(at: Surface, who: PersonRow, action: str) -> None:
    before = at.written()
    heard = at.press_and_hear(who, _button(at, action), action)
    assert heard.text == "Only a programme lead can do this. Robin Okafor can help."
    assert at.written() == before
    assert not at.workspace.views.stacks.get(user(who))


def test_the_preview_is_private_and_posts_nothing(at: Surface) -> None:
    before = len(at.workspace.messages(CHANNEL))
    shown = at.ask(ROBIN, "preview")
    assert shown.text.startswith("This is how the read would look now.")
    assert "Acme" in shown.text
    lint_message({"text": shown.text, "blocks": shown.blocks})
    assert len(at.workspace.messages(CHANNEL)) == before
    assert _row(at).previewed_at is not None


def _button(at: Surface, action: str) -> Message:
    button = {"type": "button", "action_id": action, "value": ids.encode(ids.Carried())}
    block = {"type": "actions", "block_id": "b", "elements": [button | {"text": {"type": "plain_text", "text": "Go"}}]}
    return at.workspace.post(CHANNEL, at.workspace.bot.id, "as a lead sees it", blocks=[block])


def _schedule_form(at: Surface) -> Any:
    at.press(ROBIN, at.ask(ROBIN, "settings"), ids.EDIT_SCHEDULE)
    return _opened(at, ids.SCHEDULE_FORM)


def _tier_form(at: Surface, rank: int) -> Any:
    at.press(ROBIN, at.ask(ROBIN, "tiers"), ids.EDIT_TIERS)
    at.press(ROBIN, _opened(at, ids.TIERS_MODAL), f"{ids.EDIT_TIER}:{rank}")
    return _opened(at, ids.TIER_FORM)


def _opened(at: Surface, callback_id: str) -> Any:
    assert at.workspace.wait_until(lambda: at.modal(ROBIN).content["callback_id"] == callback_id)
    return at.modal(ROBIN)


def _said(at: Surface) -> str:
    return said(at.modal(ROBIN).content["blocks"])


def _pressable(message: Message) -> list[dict[str, Any]]:
    parts = [part for block in message.blocks for part in (*block.get("elements", ()), block.get("accessory"))]
    return [one for one in parts if one and one["type"] == "button"]


def _row(at: Surface) -> Workspace:
    with at.database.reading() as session:
        return session.get_one(Workspace, at.cast.workspace_id)


def _tiers(at: Surface) -> list[Tier]:
    with at.database.reading() as session:
        return tiers_of(session, at.cast.workspace_id)


def _actions(at: Surface) -> list[str]:
    with at.database.reading() as session:
        return [one.action for one in session.scalars(select(AuditEntry))]
