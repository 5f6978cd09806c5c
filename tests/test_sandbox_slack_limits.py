"""Every limit of the platform that the stand-in knows: at the limit passes, one more is refused, with the place."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.sandbox.slack import validate
from tests.sandbox.slack.errors import SlackError

Json = dict[str, Any]
Make = Callable[[int], list[Json]]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def section(text: str = "x", **more: Any) -> Json:
    return {"type": "section", "text": mrkdwn(text), **more}


def button(**more: Any) -> Json:
    return {"type": "button", "text": plain("Go"), **more}


def options(count: int, text: int = 1, value: int = 5, **more: Any) -> list[Json]:
    return [{"text": plain("t" * text), "value": f"{n:0{value}}", **more} for n in range(count)]


def select(count: int = 1, **more: Any) -> Json:
    return {"type": "static_select", "options": options(count), **more}


def accessory(element: Json) -> list[Json]:
    return [section(accessory=element)]


def actions(*elements: Json) -> list[Json]:
    return [{"type": "actions", "elements": [*elements]}]


def field(element: Json, **more: Any) -> list[Json]:
    return [{"type": "input", "label": plain("Label"), "element": element, **more}]


def confirm(**texts: int) -> Json:
    sizes = {"title": 1, "text": 1, "confirm": 1, "deny": 1} | texts
    return button(confirm={key: plain("x" * size) for key, size in sizes.items()})


def cells(rows: int, columns: int = 1, text: str = "c") -> list[list[Json]]:
    return [[{"type": "raw_text", "text": text}] * columns for _ in range(rows)]


def charts(names: Sequence[str] = ("a",), labels: Sequence[str] = ("Mon",), title: str = "x") -> list[Json]:
    series = [{"name": name, "data": [{"label": label, "value": 1} for label in labels]} for name in names]
    chart = {"type": "line", "series": series, "axis_config": {"categories": list(labels)}}
    return [{"type": "data_visualization", "title": title, "chart": chart}]


LIMITS: dict[str, tuple[int, Make]] = {
    "section text": (3000, lambda n: [section("x" * n)]),
    "section fields": (10, lambda n: [{"type": "section", "fields": [mrkdwn("x")] * n}]),
    "section field text": (2000, lambda n: [{"type": "section", "fields": [mrkdwn("x" * n)]}]),
    "header": (150, lambda n: [{"type": "header", "text": plain("x" * n)}]),
    "context elements": (10, lambda n: [{"type": "context", "elements": [mrkdwn("x")] * n}]),
    "actions elements": (25, lambda n: actions(*(button(action_id=str(i)) for i in range(n)))),
    "block_id": (255, lambda n: [section(block_id="x" * n)]),
    "action_id": (255, lambda n: actions(button(action_id="x" * n))),
    "button text": (75, lambda n: actions({"type": "button", "text": plain("x" * n)})),
    "button value": (2000, lambda n: actions(button(value="x" * n))),
    "button url": (3000, lambda n: actions(button(url="x" * n))),
    "button label": (75, lambda n: actions(button(accessibility_label="x" * n))),
    "select options": (100, lambda n: actions(select(n))),
    "select groups": (
        100,
        lambda n: actions(
            {"type": "static_select", "option_groups": [{"label": plain("g"), "options": options(1, value=1)}] * n}
        ),
    ),
    "group label": (
        75,
        lambda n: actions(
            {"type": "static_select", "option_groups": [{"label": plain("g" * n), "options": options(1)}]}
        ),
    ),
    "placeholder": (150, lambda n: actions(select(placeholder=plain("x" * n)))),
    "option text": (75, lambda n: actions({"type": "static_select", "options": options(1, text=n)})),
    "option value": (150, lambda n: actions({"type": "static_select", "options": options(1, value=n)})),
    "option description": (
        75,
        lambda n: actions({"type": "static_select", "options": options(1, description=plain("x" * n))}),
    ),
    "overflow options": (5, lambda n: accessory({"type": "overflow", "options": options(n)})),
    "radio buttons": (10, lambda n: accessory({"type": "radio_buttons", "options": options(n)})),
    "checkboxes": (10, lambda n: accessory({"type": "checkboxes", "options": options(n)})),
    "confirm title": (100, lambda n: actions(confirm(title=n))),
    "confirm text": (300, lambda n: actions(confirm(text=n))),
    "confirm yes": (30, lambda n: actions(confirm(confirm=n))),
    "confirm no": (30, lambda n: actions(confirm(deny=n))),
    "input label": (
        2000,
        lambda n: [{"type": "input", "label": plain("x" * n), "element": {"type": "plain_text_input"}}],
    ),
    "input hint": (2000, lambda n: field({"type": "plain_text_input"}, hint=plain("x" * n))),
    "text input max_length": (3000, lambda n: field({"type": "plain_text_input", "max_length": n})),
    "text input value": (3000, lambda n: field({"type": "plain_text_input", "initial_value": "x" * n})),
    "image alt text": (2000, lambda n: [{"type": "image", "image_url": "https://x.example", "alt_text": "x" * n}]),
    "image url": (3000, lambda n: [{"type": "image", "image_url": "x" * n, "alt_text": "x"}]),
    "markdown": (12_000, lambda n: [{"type": "markdown", "text": "x" * n}]),
    "markdown together": (12_000, lambda n: [{"type": "markdown", "text": "x" * (n // 2)}] * 2 + _odd(n)),
    "table rows": (100, lambda n: [{"type": "table", "rows": cells(n)}]),
    "table cells": (20, lambda n: [{"type": "table", "rows": cells(1, n)}]),
    "table characters": (10_000, lambda n: [{"type": "table", "rows": cells(1, 1, "x" * n)}]),
    "tables": (1, lambda n: [{"type": "table", "rows": cells(1)}] * n),
    "data table rows": (101, lambda n: [{"type": "data_table", "caption": "x", "rows": cells(n)}]),
    "charts": (2, lambda n: charts() * n),
    "chart title": (50, lambda n: charts(title="x" * n)),
    "chart series": (6, lambda n: charts([str(one) for one in range(n)])),
    "chart series name": (20, lambda n: charts(["x" * n])),
    "chart categories": (20, lambda n: charts(labels=[str(one) for one in range(n)])),
    "chart label": (20, lambda n: charts(labels=["x" * n])),
    "card title": (150, lambda n: [{"type": "card", "title": mrkdwn("x" * n)}]),
    "card body": (200, lambda n: [{"type": "card", "body": mrkdwn("x" * n)}]),
    "card buttons": (3, lambda n: [{"type": "card", "actions": [button(action_id=str(i)) for i in range(n)]}]),
    "carousel": (10, lambda n: [{"type": "carousel", "elements": [{"type": "card"}] * n}]),
    "container": (10, lambda n: [{"type": "container", "title": plain("x"), "child_blocks": [section()] * n}]),
    "blocks": (50, lambda n: [{"type": "divider"}] * n),
}


def _odd(n: int) -> list[Json]:
    return [{"type": "markdown", "text": "x"}] if n % 2 else []


def test_the_lines_of_a_chart_have_names_of_their_own_and_a_value_for_each_label() -> None:
    twice, other, none = charts(["a", "a"]), charts(), charts()
    other[0]["chart"]["axis_config"]["categories"] = ["Tue"]
    none[0]["chart"]["series"][0]["data"][0]["value"] = None
    for blocks, why in ((twice, "unique"), (other, "match the categories"), (none, "missing required field: value")):
        with pytest.raises(SlackError) as caught:
            validate.check_message("text", blocks)
        assert why in caught.value.messages[0]


def refusal(check: Callable[[], object]) -> SlackError:
    with pytest.raises(SlackError) as caught:
        check()
    return caught.value


@pytest.mark.parametrize("name", LIMITS)
def test_a_message_at_the_limit_passes_and_one_over_it_is_refused(name: str) -> None:
    most, make = LIMITS[name]
    validate.check_message("text", make(most))
    error = refusal(lambda: validate.check_message("text", make(most + 1)))
    assert error.error == "invalid_blocks"
    assert "[json-pointer:/blocks" in error.messages[0]


def test_serialized_blocks_have_a_limit_of_their_own() -> None:
    def blocks(size: int) -> list[Json]:
        rows = [section("x" * 2500, block_id=str(n)) for n in range(5)]
        rest = size - len(json.dumps([*rows, section("", block_id="5")], separators=(",", ":")))
        return [*rows, section("x" * rest, block_id="5")]

    validate.check_message("", blocks(13_200))
    assert refusal(lambda: validate.check_message("", blocks(13_201))).error == "msg_blocks_too_long"


def test_an_update_refuses_the_text_that_a_post_cuts() -> None:
    validate.check_message("x" * 4000, None, most_text=validate.UPDATE_TEXT)
    assert refusal(lambda: validate.check_message("x" * 4001, None, most_text=4000)).error == "msg_too_long"
    validate.check_message("x" * 40_001, None)


MODALS: dict[str, tuple[int, Callable[[int], Json]]] = {
    "title": (24, lambda n: {"title": plain("x" * n)}),
    "submit": (24, lambda n: {"submit": plain("x" * n)}),
    "close": (24, lambda n: {"close": plain("x" * n)}),
    "private_metadata": (3000, lambda n: {"private_metadata": "x" * n}),
    "callback_id": (255, lambda n: {"callback_id": "x" * n}),
    "external_id": (255, lambda n: {"external_id": "x" * n}),
    "blocks": (100, lambda n: {"blocks": [{"type": "divider"}] * n}),
    "alert": (200, lambda n: {"blocks": [{"type": "alert", "text": mrkdwn("x" * n)}]}),
}


def modal(**more: Any) -> Json:
    return {"type": "modal", "title": plain("T"), "submit": plain("S"), "blocks": [], **more}


@pytest.mark.parametrize("name", MODALS)
def test_a_modal_at_the_limit_passes_and_one_over_it_is_refused(name: str) -> None:
    most, make = MODALS[name]
    validate.check_view(modal(**make(most)), "modal")
    error = refusal(lambda: validate.check_view(modal(**make(most + 1)), "modal"))
    assert error.error == "invalid_arguments"
    assert "[json-pointer:/view" in error.messages[0]


def test_a_view_has_a_limit_in_bytes() -> None:
    big = [section("é" * 2900, block_id=str(n)) for n in range(44)]
    assert refusal(lambda: validate.check_view(modal(blocks=big), "modal")).error == "view_too_large"


def test_a_home_takes_a_hundred_blocks() -> None:
    validate.check_view({"type": "home", "blocks": [section()] * 100}, "home")
    refusal(lambda: validate.check_view({"type": "home", "blocks": [section()] * 101}, "home"))


WRONG: dict[str, list[Json]] = {
    "unknown block": [{"type": "sectoin"}],
    "no type": [{"text": mrkdwn("x")}],
    "unknown element": accessory({"type": "knob"}),
    "an input element in a section": accessory({"type": "plain_text_input"}),
    "a button as input": field(button()),
    "a text as action": actions(mrkdwn("x")),
    "a block of modals": [{"type": "alert", "text": mrkdwn("x")}],
    "unknown field": [section(colour="red")],
    "empty text": [section("")],
    "section with nothing": [{"type": "section"}],
    "header in mrkdwn": [{"type": "header", "text": mrkdwn("x")}],
    "button without text": actions({"type": "button", "action_id": "x"}),
    "button style": actions(button(style="loud")),
    "no actions": actions(),
    "no options": actions(select(0)),
    "options and groups": actions(select(1, option_groups=[{"label": plain("g"), "options": options(1)}])),
    "initial option elsewhere": actions(select(1, initial_option={"text": plain("?"), "value": "?"})),
    "not a date": actions({"type": "datepicker", "initial_date": "2026-13-01"}),
    "not a user": actions({"type": "users_select", "initial_user": "dana"}),
    "image without alt_text": [{"type": "image", "image_url": "https://x.example"}],
    "image without source": [{"type": "image", "alt_text": "x"}],
    "confirm without text": actions(button(confirm={"title": plain("x")})),
    "block_id twice": [section(block_id="a"), section(block_id="a")],
    "action_id twice in a block": actions(button(action_id="a"), button(action_id="a")),
    "data table without caption": [{"type": "data_table", "rows": cells(2)}],
    "text that is a number": [{"type": "section", "text": {"type": "mrkdwn", "text": 7}}],
    "a block that is a list": [[]],  # type: ignore[list-item]  # that it is none is the point
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_block_is_refused_and_its_place_named(name: str) -> None:
    error = refusal(lambda: validate.check_message("text", WRONG[name]))
    assert error.error == "invalid_blocks"
    assert all("[json-pointer:/blocks" in message for message in error.messages)


def test_the_same_action_id_may_stand_in_different_blocks() -> None:
    validate.check_message("text", actions(button(action_id="claim")) + actions(button(action_id="claim")))


@pytest.mark.parametrize("kind", ["markdown", "card", "data_visualization", "container"])
def test_a_block_of_messages_is_refused_in_a_modal(kind: str) -> None:
    assert kind in refusal(lambda: validate.check_view(modal(blocks=[{"type": kind}]), "modal")).messages[0]


def test_a_modal_that_asks_something_needs_a_submit_button() -> None:
    asks = field({"type": "plain_text_input"})
    validate.check_view(modal(blocks=asks), "modal")
    error = refusal(lambda: validate.check_view(modal(blocks=asks, submit=None), "modal"))
    assert error.messages == ("[ERROR] missing required field: submit [json-pointer:/view]",)


@pytest.mark.parametrize("view", ["{", [], 7, {"type": "home", "blocks": []}, {"type": "modal", "blocks": []}])
def test_what_is_no_modal_is_refused(view: Any) -> None:
    assert refusal(lambda: validate.check_view(view, "modal")).error == "invalid_arguments"


def test_nothing_to_say_is_refused() -> None:
    assert refusal(lambda: validate.check_message(" ", [])).error == "no_text"
    assert refusal(lambda: validate.check_message(None, None)).error == "no_text"
    assert refusal(lambda: validate.check_message("x", {"type": "section"})).error == "invalid_blocks_format"


def test_an_answer_of_options_has_at_most_a_hundred() -> None:
    assert validate.check_options({"options": options(100)})
    for wrong in ({"options": options(101)}, {}, None, {"options": options(1, text=76)}):
        with pytest.raises(SlackError, match="invalid_options"):
            validate.check_options(wrong)
