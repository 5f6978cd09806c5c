"""Judges what is about to go to Slack: two libraries that know its limits, and what neither of them checks."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import slackblocks
from slack_sdk.models import blocks as sdk
from slack_sdk.models.views import View as SdkView

from bot.ids import decode
from bot.views import kit
from bot.views.kit import Block, Payload, View
from tests.sandbox.slack.validate import check_message, check_view

MENTION = re.compile(r"<[@!]|<#(?![CG][A-Z0-9]+>)")  # a channel by its id is named by Slack, and notifies nobody
ENTITY = re.compile(r"&(?!(amp|lt|gt);)")


def lint_message(payload: Payload) -> None:
    """Raises AssertionError with the reason when Slack would refuse, cut or misread the message."""
    assert set(payload) == {"text", "blocks"}
    assert payload["text"].strip()
    assert len(payload["text"]) <= kit.MOST_TEXT
    _lint_mrkdwn(payload["text"])
    assert 0 < len(payload["blocks"]) <= 50
    assert kit.weight(payload["blocks"]) <= kit.MOST_BYTES
    _lint_blocks(payload["blocks"])
    check_message(payload["text"], payload["blocks"])


def lint_view(view: View) -> None:
    SdkView(**view).validate_json()
    assert len(view["blocks"]) <= 100
    assert kit.weight([view]) < 250_000
    if any(block["type"] == "input" for block in view["blocks"]):
        assert view["submit"]
    if view.get("private_metadata"):
        decode(view["private_metadata"])
    _lint_blocks(view["blocks"])
    check_view(view, view["type"])


def elements(blocks: list[Block]) -> Iterator[dict[str, Any]]:
    """Everything that can be pressed or filled in."""
    for block in blocks:
        parts = [*block.get("elements", ()), block.get("accessory"), block.get("element")]
        yield from (part for part in parts if part and part["type"] not in ("mrkdwn", "plain_text"))


def said(blocks: list[Block]) -> str:
    """All words of the blocks, as mrkdwn."""
    return "\n".join(str(part["text"]) for part in _text_objects(blocks))


def _lint_blocks(blocks: list[Block]) -> None:
    for block in blocks:
        if block["type"] == "data_visualization":
            continue  # the SDK does not know it yet; the stand-in does
        parsed = sdk.Block.parse(block)
        assert parsed is not None, block
        parsed.to_dict()
        _second_opinion(block)
    block_ids = Counter(block["block_id"] for block in blocks if "block_id" in block)
    assert set(block_ids.values()) <= {1}, block_ids
    action_ids = Counter(element["action_id"] for element in elements(blocks))
    assert set(action_ids.values()) <= {1}, action_ids
    for part in _text_objects(blocks):
        assert part["text"].strip()
        assert len(part["text"]) <= 3_000
        if part["type"] == "mrkdwn":
            _lint_mrkdwn(part["text"])
    for element in elements(blocks):
        if element["type"] == "button":
            assert len(element["text"]["text"]) <= 30, "longer labels are cut on screens"
            decode(element["value"])
        if element["type"] == "overflow":
            for option in element["options"]:
                assert len(option["value"]) <= 150
                decode(option["value"])


def _lint_mrkdwn(text: str) -> None:
    assert not MENTION.search(text), text
    assert not ENTITY.search(text), text
    assert not any("\ud800" <= one <= "\udfff" for one in text)


def _text_objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, Mapping):
        if value.get("type") in ("mrkdwn", "plain_text"):
            yield dict(value)
        else:
            for one in value.values():
                yield from _text_objects(one)
    elif isinstance(value, list):
        for one in value:
            yield from _text_objects(one)


def _second_opinion(block: Block) -> None:
    """slackblocks checks what it is given; it reads words from JSON, but not yet what can be pressed."""
    if block["type"] in ("section", "header", "context", "divider"):
        slackblocks.Block.from_dict({name: value for name, value in block.items() if name != "accessory"})
    for element in elements([block]):
        if element["type"] == "button":
            given = {
                name: element[name]
                for name in ("action_id", "value", "style", "accessibility_label")
                if name in element
            }
            slackblocks.Button(element["text"]["text"], **given)
