"""Lists of anything that do not fit an answer: a button that opens them, and one page of the window."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from bot import ids
from bot.ids import Carried
from bot.views import kit
from bot.views.kit import Block, Element, View

Item = TypeVar("Item")


def see_all(many: int, carried: Carried, place: int = 0) -> Element:
    """`carried.verb` says which list; `place` tells buttons on one surface apart."""
    return kit.button(ids.row(ids.SEE_ALL, place), f"See all {many}", carried)


def sheet_modal(
    title: str,
    head: str,
    items: Sequence[Item],
    draw: Callable[[Item], Block],
    carried: Carried,
    note: str | None = None,
    *,
    callback: str = ids.LIST_MODAL,
    below: Sequence[Block] = (),
) -> View:
    """The page that `carried` asks for, or the last. `head` and `note` are mrkdwn; `below` stands under every page."""
    sheets = list(kit.pages(items)) or [()]
    page = min(carried.page or 0, len(sheets) - 1)
    here, first = replace(carried, page=page), page * kit.MOST_ROWS + 1
    blocks: list[Block] = [kit.section(note)] if note else []
    if head:
        blocks.append(kit.section(head))
    if len(sheets) > 1:
        blocks.append(kit.context(f"{first} to {first + len(sheets[page]) - 1} of {len(items)}"))
    blocks += [draw(one) for one in sheets[page]]
    turns = turn_buttons(page, len(sheets), here)
    if turns:
        blocks.append(kit.actions(*turns))
    return kit.modal(callback, title, [*blocks, *below], carried=here)


def turn_buttons(page: int, pages: int, here: Carried) -> list[Element]:
    """To the pages before and behind this one."""
    there = [("Previous page", page - 1), ("Next page", page + 1)]
    return [
        kit.button(ids.row(ids.TURN_PAGE, one), text, replace(here, page=one))
        for text, one in there
        if 0 <= one < pages
    ]
