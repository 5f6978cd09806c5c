"""Inputs of forms beyond those of `kit`: times, numbers, channels, people, files, choices. Knows no sentence of ours.

Block and element share their id. `read_*` answers what a submitted form holds, and nothing where it holds nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.views import kit
from bot.views.kit import Block, Element, label

Values = Mapping[str, Any]


def field(block_id: str, text: str, element: Element, *, optional: bool = False, hint: str | None = None) -> Block:
    kind, rest = element["type"], {key: value for key, value in element.items() if key != "type" and value is not None}
    block: Block = {
        "type": "input",
        "block_id": block_id,
        "label": plain(text, 2000),
        "element": {"type": kind, "action_id": block_id, **rest},
        "optional": optional,
    }
    return block | ({"hint": plain(hint, 2000)} if hint else {})


def plain(text: str, limit: int) -> Element:
    return {"type": "plain_text", "text": label(text, limit), "emoji": False}


def menu(
    block_id: str, text: str, options: Sequence[Element], chosen: str | None, *, wanted: str, optional: bool = False
) -> Block:
    """A menu of at most a hundred options, by value; longer ones ask us while people type."""
    initial = next((one for one in options if one["value"] == chosen), None)
    few = len(options) <= kit.MOST_OPTIONS
    element: Element = {
        "type": "static_select" if few else "external_select",
        "placeholder": plain(wanted, 150),
        "options": list(options) if few else None,
        "min_query_length": None if few else 0,
        "initial_option": initial,
    }
    return field(block_id, text, element, optional=optional)


def asking_menu(block_id: str, text: str, initial: Element | None, *, wanted: str, hint: str | None = None) -> Block:
    element = {
        "type": "external_select",
        "placeholder": plain(wanted, 150),
        "min_query_length": 0,
        "initial_option": initial,
    }
    return field(block_id, text, element, hint=hint)


def choice(block_id: str, text: str, options: Sequence[Element], chosen: str) -> Block:
    initial = next(one for one in options if one["value"] == chosen)
    return field(block_id, text, {"type": "radio_buttons", "options": list(options), "initial_option": initial})


def tick(block_id: str, text: str, option: Element) -> Block:
    return field(block_id, text, {"type": "checkboxes", "options": [option]}, optional=True)


def time_of_day(block_id: str, text: str, initial: str, *, hint: str | None = None) -> Block:
    return field(block_id, text, {"type": "timepicker", "initial_time": initial}, hint=hint)


def number(block_id: str, text: str, initial: int | None, least: int, most: int, *, hint: str | None = None) -> Block:
    element = {
        "type": "number_input",
        "is_decimal_allowed": False,
        "initial_value": None if initial is None else str(initial),
        "min_value": str(least),
        "max_value": str(most),
    }
    return field(block_id, text, element, hint=hint)


def channel(block_id: str, text: str, initial: str | None, *, optional: bool = False, hint: str | None = None) -> Block:
    """Channels of this workspace alone: those that are shared with other companies are not offered."""
    element = {
        "type": "conversations_select",
        "placeholder": plain("Choose a channel", 150),
        "initial_conversation": initial,
        "filter": {
            "include": ["public", "private"],
            "exclude_external_shared_channels": True,
            "exclude_bot_users": True,
        },
    }
    return field(block_id, text, element, optional=optional, hint=hint)


def person(block_id: str, text: str, *, optional: bool = False, hint: str | None = None) -> Block:
    element = {"type": "users_select", "placeholder": plain("Choose somebody", 150)}
    return field(block_id, text, element, optional=optional, hint=hint)


def file(block_id: str, text: str, kinds: Sequence[str], *, hint: str | None = None) -> Block:
    element = {"type": "file_input", "filetypes": list(kinds), "max_files": 1}
    return field(block_id, text, element, optional=True, hint=hint)


def line(
    block_id: str, text: str, limit: int, *, initial: str = "", optional: bool = False, hint: str | None = None
) -> Block:
    return kit.line_input(block_id, text, limit, initial=initial, hint=hint) | {"optional": optional}


def lines(
    block_id: str, text: str, *, initial: str = "", wanted: str = "", optional: bool = True, hint: str | None = None
) -> Block:
    """Several lines of text, of which Slack takes 3,000 characters."""
    block = kit.text_input(block_id, text, initial=initial, hint=hint)
    if wanted:
        block["element"]["placeholder"] = plain(wanted, 150)
    return block | {"optional": optional}


def find(action_id: str, wanted: str) -> Element:
    """A menu beside a sentence, whose choice acts at once. It asks us for its options."""
    return {
        "type": "external_select",
        "action_id": action_id,
        "placeholder": plain(wanted, 150),
        "min_query_length": 0,
    }


def read_text(values: Values, block_id: str) -> str:
    return str(_element(values, block_id).get("value") or "").strip()


def read_choice(values: Values, block_id: str) -> str | None:
    found = (_element(values, block_id).get("selected_option") or {}).get("value")
    return str(found) if found is not None else None


def read_ticks(values: Values, block_id: str) -> bool:
    return bool(_element(values, block_id).get("selected_options"))


def read_picked(values: Values, block_id: str) -> str | None:
    """What a picker of times, channels or people holds."""
    element = _element(values, block_id)
    for key in ("selected_time", "selected_conversation", "selected_user"):
        if element.get(key):
            return str(element[key])
    return None


def read_number(values: Values, block_id: str) -> int | None:
    text = read_text(values, block_id)
    return int(text) if text.isascii() and text.lstrip("-").isdigit() and len(text) < 10 else None


def read_file(values: Values, block_id: str) -> Mapping[str, Any] | None:
    files = _element(values, block_id).get("files") or ()
    return files[0] if files and isinstance(files[0], Mapping) else None


def _element(values: Values, block_id: str) -> Mapping[str, Any]:
    found = (values.get(block_id) or {}).get(block_id)
    return found if isinstance(found, Mapping) else {}
