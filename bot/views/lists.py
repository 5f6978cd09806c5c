"""Lists of partners that do not fit a message: one page of a modal, and the answer to `/cadence overdue`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot import ids, wording
from bot.ids import Carried
from bot.views import kit, rows
from bot.views.kit import Block, Payload, View
from bot.views.rows import Paper
from models.queries.reads import Settled
from models.standing import Standing
from models.weekly_read import MailboxTrouble

IN_ANSWER = 10
TROUBLES = 3


def overdue_answer(
    title: str,
    overdue: Sequence[Standing],
    carried: Carried,
    on: Paper,
    blind: Sequence[Standing] = (),
    troubles: Sequence[MailboxTrouble] = (),
) -> Payload:
    """The first partners, for the eyes of whoever asked; the button opens them all. What was not seen is named."""

    def draw(scale: float) -> Payload:
        paper = replace(on, scale=scale)
        said = paper.words(title, 300)
        unseen = _unseen(blind, troubles, paper)
        if not overdue:
            first = f"{said}: nobody{' that could be seen' if blind else ''} waits for a recovery touch."
            blocks = [kit.section(first), *([kit.context(unseen)] if unseen else [])]
            return {"text": "\n".join(filter(None, [first, unseen])), "blocks": blocks}
        shown = overdue[:IN_ANSWER]
        more = len(overdue) - len(shown)
        names = ", ".join(rows.name_on(paper, one.facts.name) for one in shown) + (f" and {more} more" if more else "")
        blocks = [kit.section(f"*{said}*"), *(rows.partner_row(one, paper) for one in shown)]
        if more:
            what = f"See all {len(overdue)}"
            blocks.append(kit.actions(kit.button(ids.SEE_ALL, what, carried, spoken=f"{what} partners")))
        if unseen:
            blocks.append(kit.context(unseen))
        return {"text": "\n".join(filter(None, [f"{said}: {names}", unseen])), "blocks": blocks}

    return kit.fitting(draw)


def _unseen(blind: Sequence[Standing], troubles: Sequence[MailboxTrouble], paper: Paper) -> str:
    said = [(wording.unseen(blind), 700), *((wording.trouble(one), 300) for one in troubles[:TROUBLES])]
    if len(troubles) > TROUBLES:
        said.append((f"{len(troubles) - TROUBLES} more mailboxes need attention", 100))
    return "\n".join(f"{paper.words(one, room)}." for one, room in said if one)


@dataclass(frozen=True, slots=True)
class Entry:
    """A partner under a heading of a list."""

    heading: str
    standing: Standing


def list_modal(
    title: str,
    entries: Sequence[Entry],
    page: int,
    carried: Carried,
    paper: Paper,
    settled: Mapping[int, Settled] | None = None,
    note: str | None = None,
) -> View:
    """One page of a list. A partner that stands under two headings gets its row once and is named the second time.

    `note` is mrkdwn: the answer to what was just pressed on this page.
    """
    sheets = list(kit.pages(entries)) or [()]
    page = min(page, len(sheets) - 1)
    settled = settled or {}
    first = page * kit.MOST_ROWS + 1
    blocks: list[Block] = [kit.section(note)] if note else []
    blocks.append(kit.section(kit.words(title, 300)))
    if entries:
        blocks.append(kit.context(f"Partners {first} to {first + len(sheets[page]) - 1} of {len(entries)}"))
    else:
        blocks.append(kit.section("There is nothing on this list."))
    heading, drawn = None, set()
    for entry in sheets[page]:
        if entry.heading != heading:
            heading = entry.heading
            blocks.append(kit.header(heading))
        partner_id = entry.standing.facts.partner_id
        if partner_id in drawn:
            blocks.append(kit.context(f"{rows.name_on(paper, entry.standing.facts.name)}: see above"))
        else:
            blocks.append(rows.partner_row(entry.standing, paper, settled.get(partner_id)))
        drawn.add(partner_id)
    turns = []
    if page > 0:
        turns.append(_turn("Previous page", page - 1, carried))
    if page < len(sheets) - 1:
        turns.append(_turn("Next page", page + 1, carried))
    if turns:
        blocks.append(kit.actions(*turns))
    here = Carried(read=carried.read, tier=carried.tier, owner=carried.owner, page=page)
    return kit.modal(ids.LIST_MODAL, "Partners", blocks, carried=here)


def _turn(text: str, page: int, carried: Carried) -> kit.Element:
    there = Carried(read=carried.read, tier=carried.tier, owner=carried.owner, page=page)
    return kit.button(f"{ids.TURN_PAGE}:{page}", text, there)
