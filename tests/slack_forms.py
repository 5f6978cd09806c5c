"""Fills in forms as a person does: what each element is given, under the block that carries the same id."""

from typing import Any

Filled = dict[str, dict[str, dict[str, Any]]]


def text(block_id: str, value: object) -> Filled:
    return _filled(block_id, value=str(value))


def option(block_id: str, value: str) -> Filled:
    return _filled(block_id, selected_option={"value": value})


def zone(block_id: str, name: str) -> Filled:
    label = {"type": "plain_text", "text": name.replace("_", " "), "emoji": False}
    return _filled(block_id, selected_option={"text": label, "value": name})


def hour(block_id: str, value: str) -> Filled:
    return _filled(block_id, selected_time=value)


def channel(block_id: str, channel_id: str | None) -> Filled:
    return _filled(block_id, selected_conversation=channel_id)


def member(block_id: str, user_id: str | None) -> Filled:
    return _filled(block_id, selected_user=user_id)


def tick(block_id: str, value: str) -> Filled:
    return _filled(block_id, selected_options=[{"value": value}])


def file(block_id: str, payload: dict[str, Any]) -> Filled:
    return _filled(block_id, files=[payload])


def together(*some: Filled) -> Filled:
    return {block_id: held for one in some for block_id, held in one.items()}


def _filled(block_id: str, **held: Any) -> Filled:
    return {block_id: {block_id: held}}
