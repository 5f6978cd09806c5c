"""Elements under a person's hands: what a press sends, what a field holds, and what the Slack client itself refuses."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.sandbox.slack.errors import SlackError
from tests.sandbox.slack.views import STATE_KEYS, elements_with_ids

Json = dict[str, Any]
CHOICES = ("overflow", "static_select", "radio_buttons")
MANY_CHOICES = ("checkboxes", "multi_static_select")
COPIED = ("text", "placeholder", "style", "confirm", "accessibility_label")


def find(content: Mapping[str, Any] | Sequence[Json], block_id: str, action_id: str) -> Json | None:
    view = content if isinstance(content, Mapping) else {"blocks": content}
    for at, element in elements_with_ids(view):
        if (at, element["action_id"]) == (block_id, action_id):
            return element
    return None


def options_of(element: Json) -> list[Json]:
    groups = element.get("option_groups") or [{"options": element.get("options", [])}]
    return [option for group in groups for option in group["options"]]


def pressed(element: Json, block_id: str, action: Json, ts: str) -> Json:
    """One entry of `actions`. What the app put into the element is taken from there, not from the page."""
    kind = element["type"]
    entry: Json = {"type": kind, "action_id": element["action_id"], "block_id": block_id, "action_ts": ts}
    entry |= {key: element[key] for key in element if key in COPIED or key.startswith("initial_")}
    if kind in ("button", "workflow_button"):
        return entry | ({"value": element["value"]} if "value" in element else {})
    if kind in CHOICES:
        return entry | {"selected_option": _known(element, action.get("selected_option"))}
    if kind in MANY_CHOICES:
        chosen = [_known(element, option) for option in action.get("selected_options") or ()]
        return entry | {"selected_options": chosen}
    key = STATE_KEYS.get(kind, "value")
    return entry | {key: action.get(key)}


def _as_offered(element: Json, value: Any) -> Any:
    """Choices as the app wrote them, whatever the page sends along."""
    if element.get("type") in CHOICES:
        return _known(element, value)
    if element.get("type") in MANY_CHOICES:
        return [_known(element, one) for one in value or ()]
    return value


def _known(element: Json, chosen: Any) -> Json | None:
    if chosen is None:
        return None
    for option in options_of(element):
        if isinstance(chosen, dict) and option.get("value") == chosen.get("value"):
            return option
    raise SlackError("This choice is no longer offered.")


def merged(
    content: Mapping[str, Any] | Sequence[Json], state: Json, values: Json | None, press: Json | None = None
) -> Json:
    """The state with what the page reports, for the fields that exist, and with what was just picked."""
    fresh = {block_id: {a: dict(held) for a, held in actions.items()} for block_id, actions in state.items()}
    for block_id, actions in (values or {}).items():
        for action_id, held in actions.items():
            known = fresh.get(block_id, {}).get(action_id)
            if known is not None:
                key = STATE_KEYS[known["type"]]
                value = held.get(key, [] if key.endswith("s") else None)
                known[key] = _as_offered(find(content, block_id, action_id) or {}, value)
    if press:
        known = fresh.get(press["block_id"], {}).get(press["action_id"])
        if known is not None:
            key = STATE_KEYS[press["type"]]
            known[key] = press.get(key)
    return fresh


def complaints(content: Json, state: Json) -> dict[str, str]:
    """What the Slack client says before it sends anything: block_id → message."""
    found: dict[str, str] = {}
    for block in content["blocks"]:
        if block["type"] != "input":
            continue
        element = block["element"]
        key = STATE_KEYS[element["type"]]
        value = state.get(block["block_id"], {}).get(element["action_id"], {}).get(key)
        complaint = _complaint(element, value, optional=bool(block.get("optional")))
        if complaint:
            found[block["block_id"]] = complaint
    return found


def _complaint(element: Json, value: Any, *, optional: bool) -> str:
    if value in (None, "", []) or (isinstance(value, str) and not value.strip()):
        return "" if optional else "Please complete this required field."
    text = value if isinstance(value, str) else ""
    kind = element["type"]
    if kind == "plain_text_input":
        most = element.get("max_length", 3000)
        least = element.get("min_length", 0)
        if len(text) > most:
            return f"Please enter no more than {most} characters."
        if len(text) < least:
            return f"Please enter at least {least} characters."
    if kind == "email_text_input" and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text):
        return "Please enter a valid email address."
    if kind == "url_text_input" and not re.match(r"https?://\S+$", text):
        return "Please enter a valid URL."
    if kind == "number_input":
        return _number_complaint(element, text)
    if kind == "datepicker" and not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return "Please enter a valid date."
    if kind == "timepicker" and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        return "Please enter a valid time."
    if kind == "file_input":
        return _file_complaint(element, value)
    most = element.get("max_selected_items")
    if most and isinstance(value, list) and len(value) > most:
        return f"Please choose no more than {most}."
    return ""


def _file_complaint(element: Json, files: Sequence[Json]) -> str:
    most, kinds = element.get("max_files", 10), element.get("filetypes")
    if len(files) > most:
        return f"Please choose no more than {most} file{'s' if most > 1 else ''}."
    if kinds and any(one["filetype"] not in kinds for one in files):
        return f"Please choose a file of type {', '.join(kinds)}."
    return ""


def _number_complaint(element: Json, text: str) -> str:
    try:
        number = float(text)
    except ValueError:
        return "Please enter a number."
    if not element.get("is_decimal_allowed") and number != int(number):
        return "Please enter a whole number."
    if "min_value" in element and number < float(element["min_value"]):
        return f"Please enter a number of at least {element['min_value']}."
    if "max_value" in element and number > float(element["max_value"]):
        return f"Please enter a number of at most {element['max_value']}."
    return ""
