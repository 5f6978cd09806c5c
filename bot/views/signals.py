"""The early signals as answers: who waits for our reply, whose next step has gone stale, who has gone quiet."""

from collections.abc import Sequence
from dataclasses import replace

from bot import wording
from bot.views import kit, rows
from bot.views.kit import Payload
from bot.views.rows import Paper
from models.standing import Standing

IN_ANSWER = 20
A_SECTION = 5


def signals_answer(
    title: str, those: Sequence[tuple[Standing, str]], on: Paper, *, nobody: str, command: str
) -> Payload:
    """One line a partner with the reason; how many are left out is said, and where they are listed."""

    def draw(scale: float) -> Payload:
        paper = replace(on, scale=scale)
        if not those:
            return kit.notice(paper.words(nobody, 300))
        lines = [
            f"• {kit.strong(rows.name_on(paper, one.facts.name))}: {paper.words(f'{why} · {_owner(one)}', 200)}"
            for one, why in those[:IN_ANSWER]
        ]
        more = len(those) - len(lines)
        rest = f"and {more} more: `cadence {command}` on the command line lists them" if more else ""
        head = paper.words(title, 200)
        blocks = [kit.section(f"*{head}*"), *(kit.section("\n".join(page)) for page in kit.pages(lines, A_SECTION))]
        if rest:
            blocks.append(kit.context(rest))
        return {"text": "\n".join(filter(None, [f"{head}:", *lines, rest])), "blocks": blocks}

    return kit.fitting(draw)


def _owner(standing: Standing) -> str:
    return f"owner {wording.owner(standing)}" if standing.facts.owner else wording.owner(standing)
