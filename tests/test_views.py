"""What people see: the weekly read and its relatives, for none, one, many and hostile partners."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from bot.ids import Carried, decode
from bot.views import kit, read
from bot.views.lists import owner_choices
from bot.views.trend import trend_payload
from models.cadence import Tier
from models.queries.reads import HeldRead, Settled
from models.queries.recoveries import Recoveries
from models.queries.trend import TrendLine
from models.standing import NextStepFacts, Standing, Who
from models.weekly_read import Coverage, MailboxTrouble, Recovery, weekly_read
from tests.facts import DANA, LONDON, MONTHLY, NOW, QUIET, TIERS, claim_by
from tests.slack_lint import elements, lint_message, lint_view, said

HOSTILE = (
    "<!channel>",
    "<@U1|boss>",
    "a & b < c > d",
    "*x*",
    "_y_ ~z~",
    "`code`",
    "a|b",
    "two\nlines",
    "\u202eesrever\u202c",
    "👩‍👩‍👧‍👦 Family",
    "lone \ud800 half",
    "مرحبا",
    "&amp; twice",
    "@here #general :smile:",
    "x" * 300,
    "&" * 300,
    "👩‍👩‍👧‍👦" * 60,
    "企" * 300,
    "z" + "\u0301" * 299,
    "<" * 150 + "🏴󠁧󠁢󠁥󠁮󠁧󠁿" * 20,
)


def overdue(number: int, name: str | None = None, **more: object) -> Standing:
    facts = QUIET.facts(touched=20 + number % 9, partner_id=number, name=name or f"Partner {number:03}", heard=40)
    return QUIET.standing(replace(facts, **more))  # type: ignore[arg-type]  # fields of the facts, by name


def held(*standings: Standing, settled: dict[int, Settled] | None = None, **more: object) -> HeldRead:
    made = weekly_read(standings, TIERS, NOW, LONDON)
    return HeldRead(1, replace(made, **more), settled or {})  # type: ignore[arg-type]  # fields of the read, by name


def many(count: int) -> HeldRead:
    return held(*(overdue(number) for number in range(1, count + 1)))


@pytest.mark.parametrize("count", [0, 1, 10, 11, 15, 25, 26, 40, 41, 100, 400])
def test_the_read_fits_slack_whatever_the_number_of_partners(count: int) -> None:
    parts = read.read_parts(many(count), 7)
    for part in parts:
        lint_message(part)
    rows = [block for part in parts for block in part["blocks"] if block.get("block_id", "").startswith("p:")]
    assert len(rows) == min(count, 40)
    assert len(parts) == {0: 1, 1: 1, 10: 1, 11: 1, 15: 1, 25: 2}.get(count, 3)


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("count", [1, 7, 10, 11, 13, 15, 25, 40, 400])
def test_the_read_fits_when_everybody_has_a_name_and_a_next_step_too(count: int, asked: bool) -> None:
    """As the meeting leaves it. Rows have menus while there is room for them, and then a button that opens the card."""
    step = NextStepFacts("Send the revised terms", date(2026, 11, 30), DANA, id=1)
    claim = replace(claim_by(), asked=asked)
    episode = QUIET.facts(touched=20, claim=claim).episode
    taken = [overdue(number, owner=DANA, next_step=step, episode=episode) for number in range(1, count + 1)]
    parts = read.read_parts(held(*taken), 7)
    for part in parts:
        lint_message(part)
        assert kit.weight(part["blocks"]) <= kit.MOST_BYTES
    shown = [element["action_id"].partition(":")[0] for part in parts for element in elements(part["blocks"])]
    if count <= 7:
        assert "open_card" not in shown
    if count == 15:
        assert "row_menu" not in shown
    assert shown.count("row_menu") + shown.count("open_card") == min(count, 40)


@pytest.mark.parametrize("count", [16, 40, 400])
def test_whoever_is_not_shown_can_be_opened(count: int) -> None:
    buttons = [one for one in elements(read.read_parts(many(count), 0)[0]["blocks"]) if one["action_id"] == "see_all"]
    assert [one["text"]["text"] for one in buttons] == [f"See all {count}"]


def test_29_the_text_names_the_partners_that_the_blocks_show() -> None:
    for part in read.read_parts(many(60), 0):
        for number in range(1, 61):
            assert (f"Partner {number:03}" in part["text"]) == (f"Partner {number:03}" in said(part["blocks"]))


def test_ten_claim_buttons_sound_different() -> None:
    spoken = [one["accessibility_label"] for one in elements(read.read_parts(many(10), 0)[0]["blocks"])]
    assert len(set(spoken)) == len(spoken) == 11  # with the walk


def test_a_read_with_nothing_to_recover_says_so_in_one_line_without_buttons() -> None:
    [part] = read.read_parts(many(0), 0)
    assert not list(elements(part["blocks"]))
    calm = held(QUIET.standing(QUIET.facts(touched=1)))
    assert "Every partner is in rhythm." in said(read.read_parts(calm, 0)[0]["blocks"])


def test_23_hostile_names_are_shown_literally_and_mention_nobody() -> None:
    who = Who(9, "<!here> *boss*", "boss@lantern.example")
    standings = [
        overdue(
            number, name, owner=who, last_touch_by=name, next_step=NextStepFacts(name * 10, date(2026, 11, 30), who)
        )
        for number, name in enumerate(HOSTILE, start=1)
    ]
    for claimed in (False, True):
        if claimed:
            standings = [QUIET.standing(replace(QUIET.facts(claim=claim_by(who)), **_fields(one))) for one in standings]
        troubles = tuple(MailboxTrouble(name, name, name * 3) for name in HOSTILE)
        recoveries = tuple(Recovery(name, "Tier 1", "recovered", name, 3) for name in HOSTILE)
        for part in read.read_parts(held(*standings, troubles=troubles, recoveries=recoveries), 3):
            lint_message(part)
        for page in range(3):
            lint_view(read.read_modal(held(*standings), Carried(page=page)))


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("count", [10, 15, 40])
def test_22_forty_times_the_worst_name_still_fits(name: str, count: int) -> None:
    who = Who(9, name, "boss@lantern.example")
    step = NextStepFacts(name * 10, date(2026, 11, 30), who)
    rows = [
        overdue(
            number, name, owner=who, last_touch_by=name, next_step=step, tier=replace(MONTHLY, window_days=7, name=name)
        )
        for number in range(1, count + 1)
    ]
    soon = [QUIET.standing(QUIET.facts(touched=6, partner_id=100 + one, name=name)) for one in range(9)]
    troubles = (MailboxTrouble(name, name, name),) * 9
    recoveries = (Recovery(name, name, "recovered", name, 3),) * 20
    settled = {one: Settled("recovered", name, NOW + timedelta(days=1)) for one in range(1, 12)}
    for part in read.read_parts(held(*rows, *soon, settled=settled, troubles=troubles, recoveries=recoveries), 3):
        lint_message(part)


def test_pages_do_not_move_when_rows_change() -> None:
    before = read.read_parts(many(40), 1)
    holders = {one: Settled("recovered", "Dana Kim", NOW + timedelta(days=1)) for one in range(1, 30)}
    after = read.read_parts(replace(many(40), settled=holders), 2)
    assert [_partners(part) for part in before] == [_partners(part) for part in after]


def test_a_revision_changes_every_row_and_nothing_that_people_read() -> None:
    first, second = (read.read_parts(many(3), revision)[0] for revision in (1, 2))
    assert said(first["blocks"]) == said(second["blocks"])
    assert {"p:1:r1", "p:2:r1", "p:3:r1"} <= {block.get("block_id") for block in first["blocks"]}
    assert not _block_ids(first) & _block_ids(second)


def test_a_row_says_what_the_reader_needs_to_decide() -> None:
    step = NextStepFacts("Send the price list", date(2026, 11, 27), DANA)
    words = said(read.read_parts(held(overdue(1, "Acme", next_step=step)), 0)[0]["blocks"])
    for part in (
        *("Acme", "Tier 1", "Dana Kim", "14 days past its 7-day rhythm", "last touch 21 days ago by Dana Kim"),
        *("last heard 40 days ago", "next step: Send the price list, by Fri 27 Nov (Dana Kim)", "0 of 1 assigned"),
    ):
        assert part in words
    assert "no next step" in said(read.read_parts(held(overdue(1)), 0)[0]["blocks"])


def test_a_claimed_row_names_its_holder_and_lets_go_by_a_menu() -> None:
    claimed = QUIET.standing(QUIET.facts(touched=20, claim=claim_by()))
    blocks = read.read_parts(held(claimed), 0)[0]["blocks"]
    assert "✓ Dana Kim is on it · by Wed 25 Nov" in said(blocks)
    menu, _ = elements(blocks)
    assert [option["text"]["text"] for option in menu["options"]] == ["Set next step", "Release", "Reassign…"]
    assert "Every slipped partner has a name beside it" in said(blocks)


def test_a_recovered_row_says_who_did_it_and_needs_no_button() -> None:
    settled = {1: Settled("recovered", "Dana Kim", NOW + timedelta(days=1))}
    blocks = read.read_parts(held(overdue(1), overdue(2), settled=settled), 0)[0]["blocks"]
    assert "✓ Recovered by Dana Kim on Tue 24 Nov" in said(blocks)
    assert [one["action_id"] for one in elements(blocks)] == ["claim:2", "walk"]
    assert "1 of 2 assigned" in said(blocks)


def test_the_preview_is_the_read_without_buttons() -> None:
    preview = read.read_preview(many(40).read)
    lint_message(preview)
    assert not list(elements(preview["blocks"]))
    assert "and 30 more, which the posted read shows page by page" in said(preview["blocks"])
    assert "page by page" not in said(read.read_preview(many(15).read)["blocks"])


def test_the_modal_turns_through_everything() -> None:
    seen: list[str] = []
    for page in range(27):
        view = read.read_modal(many(400), Carried(page=page))
        lint_view(view)
        seen += _partners(view)
    assert len(seen) == len(set(seen)) == 400


def test_a_name_that_fits_is_never_cut() -> None:
    name = "Wolfeschlegelsteinhausenbergerdorff & Töchter Vermögensverwaltungsgesellschaft mbH"[:80]
    assert kit.words(name, 160).replace("&amp;", "&") == name


def _fields(one: Standing) -> dict[str, Any]:
    keep = ("partner_id", "name", "owner", "last_touch_at", "last_touch_by", "next_step")
    return {name: getattr(one.facts, name) for name in keep}


def _partners(part: kit.Payload | kit.View) -> list[str]:
    return [block["block_id"].split(":")[1] for block in part["blocks"] if block.get("block_id", "").startswith("p:")]


def _block_ids(part: kit.Payload) -> set[str]:
    return {block["block_id"] for block in part["blocks"] if "block_id" in block}


OWNERS = [Who(number, f"Manager {number:03}", f"m{number}@lantern.example") for number in range(1, 151)]


def owned(count: int, owners: int) -> HeldRead:
    return held(
        *(
            overdue(number, owner=OWNERS[number % owners], tier=replace(MONTHLY, rank=number % 3 + 1, window_days=7))
            for number in range(1, count + 1)
        ),
        *(overdue(1000 + number, owner=None) for number in range(count // 10)),
    )


@pytest.mark.parametrize("carried", [Carried(tier=2), Carried(owner=5), Carried(tier=1, owner=4), Carried(owner=0)])
def test_filters_leave_exactly_who_they_name_on_every_page(carried: Carried) -> None:
    full, seen = owned(300, 7), list[str]()
    wanted = {
        str(one.facts.partner_id)
        for one in full.read.overdue
        if (carried.tier is None or (one.facts.tier is not None and one.facts.tier.rank == carried.tier))
        and (carried.owner is None or (one.facts.owner.id if one.facts.owner else 0) == carried.owner)
    }
    for page in range(-(-len(wanted) // 15)):
        view = read.read_modal(full, replace(carried, page=page))
        lint_view(view)
        assert f"of {len(wanted)} ({330 - len(wanted)} more without the filter)" in said(view["blocks"])
        seen += _partners(view)
    assert sorted(seen) == sorted(wanted)
    assert "Next page" not in said(view["blocks"])


@pytest.mark.parametrize(("owners", "kind"), [(7, "static_select"), (98, "static_select"), (149, "external_select")])
def test_filters_are_menus_that_lead_to_the_first_page_and_show_what_is_chosen(owners: int, kind: str) -> None:
    view = read.read_modal(owned(300, owners), Carried(owner=1, page=1))
    lint_view(view)
    menus = {one["action_id"]: one for one in elements(view["blocks"]) if one["action_id"].startswith("filter")}
    assert menus["filter_tier"]["initial_option"]["text"]["text"] == "All tiers"
    assert menus["filter_owner"]["type"] == kind
    assert menus["filter_owner"]["initial_option"]["text"]["text"] == "Manager 001"
    assert decode(menus["filter_tier"]["options"][1]["value"]) == Carried(read=1, tier=1, owner=1)


def test_owners_are_found_by_typing() -> None:
    on = read.read_leaf(owned(300, 149))
    assert len(owner_choices(on, Carried(read=1))) == 151
    assert [one["text"]["text"] for one in owner_choices(on, Carried(read=1), "r 014")] == ["Manager 014"]


def test_one_tier_and_one_owner_need_no_filter() -> None:
    view = read.read_modal(many(40), Carried())
    assert not [one for one in elements(view["blocks"]) if one["action_id"].startswith("filter")]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("tiers", [1, 3, 20])
def test_the_trend_fits_with_any_names_and_any_number_of_tiers(name: str, tiers: int) -> None:
    lines = [
        TrendLine(
            week=date(2026, 8, 31) + timedelta(weeks=week),
            at=NOW,
            tier=Tier(rank, name, 7),
            coverage=Coverage(week % 5, 5),
            reply_backed=Coverage(0, 5),
            on_time=Coverage(0, 0),
            overdue=1,
            new=0,
            blind=0,
            paused=0,
            recoveries=Recoveries(),
            source="reconstructed",
        )
        for rank in range(1, tiers + 1)
        for week in range(13)
    ]
    drawn = trend_payload(lines)
    assert drawn is not None
    lint_message(drawn)
    assert ("and 8 more tiers" in drawn["text"]) is (tiers == 20)
    assert trend_payload(lines[:1]) is None


def test_a_line_is_added_to_a_message_only_where_slack_still_takes_it() -> None:
    short = kit.notice("One partner.")
    assert kit.with_line(short, "The channel is missing.")["text"] == "One partner.\nThe channel is missing."
    heavy: kit.Payload = {"text": "Many.", "blocks": [kit.section("x" * 2_900)] * 4}
    tall: kit.Payload = {"text": "Many.", "blocks": [kit.divider()] * kit.MOST_BLOCKS}
    wordy: kit.Payload = {"text": "x" * kit.MOST_TEXT, "blocks": [kit.divider()]}
    for full in (heavy, tall, wordy):
        assert kit.fits(full)
        assert kit.with_line(full, "y" * 200) == full
