"""Builds Block Kit pieces and keeps them within Slack's limits. Knows no partner and no sentence of ours.

Slack counts a message's blocks as JSON and refuses somewhere above 12,000 characters. What people wrote is therefore
given room in bytes of JSON, and a message that does not fit is drawn again with less room for each.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypedDict, TypeVar

from bot.ids import Carried, encode
from bot.literal import cut, escape, plain

Block = dict[str, Any]
Element = dict[str, Any]
View = dict[str, Any]
Item = TypeVar("Item")

MOST_ROWS = 15
MOST_BYTES = 12_000
MOST_BLOCKS = 50
MOST_TEXT = 3_000
MOST_VALUE = 2_000
MOST_OPTIONS = 100
SCALES = (1.0, 0.9, 0.6, 0.35, 0.2)


class Payload(TypedDict):
    """A message: `text` makes the whole point for notifications and screen readers, `blocks` show it."""

    text: str
    blocks: list[Block]


def words(sentence: str, room: float) -> str:
    """A plain sentence for mrkdwn, escaped and cut to `room` bytes of JSON. No entity or character is split."""
    shown, limit = escape(sentence), len(sentence)
    while cost(shown) > room and limit > 1:
        limit = min(limit - 1, max(1, int(limit * room / cost(shown))))
        shown = escape(cut(sentence, limit))
    return shown


def label(text: str, limit: int, room: float | None = None) -> str:
    """Text for a plain_text field: one line of at most `limit` characters and `room` bytes of JSON."""
    shown = plain(text, limit) or "…"
    while room is not None and cost(shown) > room and limit > 1:
        limit = limit * 3 // 4
        shown = plain(text, limit)
    return shown


def strong(shown: str) -> str:
    """Bold, unless the words hold marks of their own that only stay literal when nothing is put around them."""
    return shown if any(one in shown for one in "*_~`\u200b") else f"*{shown}*"


def section(text: str, *, block_id: str | None = None, accessory: Element | None = None) -> Block:
    return _given(type="section", block_id=block_id, text=_mrkdwn(text), accessory=accessory)


def header(text: str) -> Block:
    return {"type": "header", "text": _plain(text, 150)}


def context(text: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(text)]}


def divider() -> Block:
    return {"type": "divider"}


def actions(*elements: Element, block_id: str | None = None) -> Block:
    return _given(type="actions", block_id=block_id, elements=list(elements))


def button(
    action_id: str,
    text: str,
    carried: Carried,
    *,
    spoken: str | None = None,
    style: str | None = None,
    confirm: Element | None = None,
) -> Element:
    """`spoken` tells buttons with one label apart for people who hear them."""
    return _given(
        type="button",
        action_id=action_id,
        text=_plain(text, 75),
        value=encode(carried),
        accessibility_label=label(spoken, 75) if spoken else None,
        style=style,
        confirm=confirm,
    )


def link_button(action_id: str, text: str, url: str) -> Element:
    """Opens a page in the browser. Slack tells of the press all the same."""
    return button(action_id, text, Carried()) | {"url": url}


def confirm(title: str, text: str, yes: str, no: str) -> Element:
    """A question before a press counts."""
    return {"title": _plain(title, 100), "text": _plain(text, 300), "confirm": _plain(yes, 30), "deny": _plain(no, 30)}


def overflow(action_id: str, *options: tuple[str, Carried]) -> Element:
    return {"type": "overflow", "action_id": action_id, "options": [option(text, encode(one)) for text, one in options]}


def option(text: str, value: str) -> Element:
    return {"text": _plain(text, 75), "value": value}


def text_input(block_id: str, text: str, *, initial: str = "", hint: str | None = None) -> Block:
    """A multi-line input. Block and element share their id."""
    element = _given(
        type="plain_text_input",
        action_id=block_id,
        multiline=True,
        max_length=MOST_TEXT,
        initial_value=_initial(initial, MOST_TEXT),
    )
    return _input(block_id, text, element, hint=hint)


def line_input(block_id: str, text: str, limit: int, *, initial: str = "", hint: str | None = None) -> Block:
    """An input of one line. Block and element share their id."""
    element = _given(
        type="plain_text_input", action_id=block_id, max_length=limit, initial_value=_initial(initial, limit)
    )
    return _input(block_id, text, element, hint=hint)


def date_input(
    block_id: str, text: str, initial: str | None, *, hint: str | None = None, optional: bool = True
) -> Block:
    element = _given(type="datepicker", action_id=block_id, initial_date=initial)
    return _input(block_id, text, element, optional=optional, hint=hint)


def select_input(
    block_id: str, text: str, options: Sequence[Element], initial: Element | None, wanted: str = "Choose a person"
) -> Block:
    """A menu; one with more options than Slack takes asks us while people type."""
    return _input(block_id, text, menu(block_id, options, initial, wanted))


def menu(action_id: str, options: Sequence[Element], initial: Element | None, wanted: str) -> Element:
    """A menu that acts at once; one with more options than Slack takes asks us while people type."""
    few = len(options) <= MOST_OPTIONS
    return _given(
        type="static_select" if few else "external_select",
        action_id=action_id,
        placeholder=_plain(wanted, 150),
        options=list(options) if few else None,
        min_query_length=None if few else 0,
        initial_option=initial,
    )


def modal(
    callback_id: str,
    title: str,
    blocks: Sequence[Block],
    *,
    carried: Carried | None = None,
    submit: str | None = None,
    close: str = "Close",
) -> View:
    return _given(
        type="modal",
        callback_id=callback_id,
        title=_plain(title, 24),
        close=_plain(close, 24),
        submit=_plain(submit, 24) if submit else None,
        private_metadata=encode(carried) if carried else None,
        blocks=list(blocks),
    )


def home(blocks: Sequence[Block]) -> View:
    return {"type": "home", "blocks": list(blocks)}


def notice(text: str) -> Payload:
    """One sentence that needs no buttons; `text` is mrkdwn already."""
    return {"text": text, "blocks": [section(text)]}


def fitting(draw: Callable[[float], Payload]) -> Payload:
    """The roomiest drawing of a message that Slack takes. `draw` is given the share of its usual room."""
    drawn = draw(SCALES[0])
    for scale in SCALES[1:]:
        if fits(drawn):
            break
        drawn = draw(scale)
    return drawn


def fits(drawn: Payload) -> bool:
    """Whether Slack takes it."""
    light = weight(drawn["blocks"]) <= MOST_BYTES and len(drawn["text"]) <= MOST_TEXT
    return light and len(drawn["blocks"]) <= MOST_BLOCKS


def with_line(told: Payload, line: str) -> Payload:
    """The message and one line more, as long as Slack takes that."""
    longer: Payload = {"text": f"{told['text']}\n{line}", "blocks": [*told["blocks"], context(line)]}
    return longer if fits(longer) else told


def weight(blocks: Sequence[Block]) -> int:
    """Bytes of the blocks as the Slack client sends them."""
    return len(json.dumps(blocks))


def cost(text: str) -> int:
    """Bytes of a text inside JSON."""
    return len(json.dumps(text)) - 2


def pages(items: Sequence[Item], size: int = MOST_ROWS) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _initial(text: str, limit: int) -> str | None:
    """What stands in an input before anybody types. Half characters break JSON."""
    return cut(text.encode(errors="ignore").decode(), limit) or None


def _input(block_id: str, text: str, element: Element, *, optional: bool = False, hint: str | None = None) -> Block:
    return _given(
        type="input",
        block_id=block_id,
        label=_plain(text, 2000),
        element=element,
        optional=optional,
        hint=_plain(hint, 2000) if hint else None,
    )


def _plain(text: str, limit: int) -> Element:
    return {"type": "plain_text", "text": label(text, limit), "emoji": False}


def _mrkdwn(text: str) -> Element:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
