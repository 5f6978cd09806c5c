"""The early signals as answers: who waits for our reply, whose next step has gone stale, who has gone quiet."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot import ids, wording
from bot.ids import Carried
from bot.views import kit, rows
from bot.views.kit import Payload, View
from bot.views.rows import Paper
from bot.views.sheets import see_all, sheet_modal
from models.standing import Standing

IN_ANSWER = 20
A_SECTION = 5


@dataclass(frozen=True, slots=True)
class Signals:
    """One of the lists: its title, its partners with the reason why they stand there, and the word when none does."""

    title: str
    those: Sequence[tuple[Standing, str]]
    nobody: str


def signals_answer(found: Signals, on: Paper, carried: Carried) -> Payload:
    """One line a partner with the reason; how many are left out is said, and a button lists them."""

    def draw(scale: float) -> Payload:
        paper = replace(on, scale=scale)
        if not found.those:
            return kit.notice(paper.words(found.nobody, 300))
        lines = [f"• {_line(one, why, paper)}" for one, why in found.those[:IN_ANSWER]]
        more = len(found.those) - len(lines)
        rest = f"and {more} more" if more else ""
        head = paper.words(found.title, 200)
        blocks = [kit.section(f"*{head}*"), *(kit.section("\n".join(page)) for page in kit.pages(lines, A_SECTION))]
        if more:
            blocks += [kit.context(rest), kit.actions(see_all(len(found.those), carried))]
        return {"text": "\n".join(filter(None, [f"{head}:", *lines, rest])), "blocks": blocks}

    return kit.fitting(draw)


def signals_modal(found: Signals, on: Paper, carried: Carried, note: str | None = None) -> View:
    """The same page by page, each row with its partner's card."""

    def draw(row: tuple[Standing, str]) -> kit.Block:
        one, why = row
        spoken = f"Open card of {wording.name(one.facts.name)}"
        card = Carried(partner=one.facts.partner_id)
        button = kit.button(ids.row(ids.OPEN_CARD, one.facts.partner_id), "Open card", card, spoken=spoken)
        return kit.section(_line(one, why, on), accessory=button)

    head = f"*{on.words(found.title, 200)}*" if found.those else on.words(found.nobody, 300)
    return sheet_modal("Partners", head, found.those, draw, carried, note)


def _line(one: Standing, why: str, paper: Paper) -> str:
    return f"{kit.strong(rows.name_on(paper, one.facts.name))}: {paper.words(f'{why} · {_owner(one)}', 200)}"


def _owner(standing: Standing) -> str:
    return f"owner {wording.owner(standing)}" if standing.facts.owner else wording.owner(standing)
