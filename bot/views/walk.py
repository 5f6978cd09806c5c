"""Walking the read: one slipped partner after the other in a window, with what a meeting decides about it.

One view is drawn over the other. Inputs of two partners are in different blocks, else Slack keeps what was typed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from bot import ids, wording
from bot.ids import Carried
from bot.views import kit, rows
from bot.views.kit import Block, Element, View
from bot.views.next_step import owner_options
from bot.views.partner import Card, because, conversations, touch_line
from bot.views.pause import pause_inputs
from bot.views.rows import Paper
from models.queries.reads import HeldRead
from models.standing import Standing, Who

PASSED, NAMED = 5, 8
HERE, FIRST = "here", "first"  # where a press on Back leads, if not to the partner before


@dataclass(frozen=True, slots=True)
class Step:
    """One partner of the walk: the place in the read's list, and those before it that need nobody any more."""

    held: HeldRead
    place: int
    card: Card
    managers: Sequence[Who]
    passed: Sequence[Standing] = ()
    note: str | None = None  # mrkdwn: what became of the partner before

    @property
    def standing(self) -> Standing:
        return self.held.read.overdue[self.place]

    @property
    def carried(self) -> Carried:
        return Carried(read=self.held.id, page=self.place, partner=self.standing.facts.partner_id)


def waits(held: HeldRead, standing: Standing) -> bool:
    """Whether a listed partner still has no name beside it."""
    return standing.claim is None and standing.facts.partner_id not in held.settled


def walk_view(step: Step, on: Paper) -> View:
    paper, standing = replace(on, buttons=False), step.standing
    partner_id, settled = standing.facts.partner_id, step.held.settled.get(standing.facts.partner_id)
    row = rows.partner_row(standing, paper, settled)
    why = [because(step.card, paper), touch_line(step.card, paper)]
    if step.card.silence is not None:
        why.append(f"Writing to us: {step.card.silence.words}")
    said = "\n".join([paper.words(why[0], 500), why[1], *(paper.words(one, 250) for one in why[2:])])
    blocks = [*_told(step, paper), kit.context(_where(step)), kit.section(row["text"]["text"]), kit.section(said)]
    blocks.append(kit.context(conversations(step.card, paper)))
    blocks += [kit.actions(*_buttons(step)), kit.divider(), *_inputs(step, f":{partner_id}")]
    return kit.modal(
        ids.WALK_FORM, "Walk the read", blocks, carried=step.carried, submit="Save and next", close="Stop here"
    )


def walk_pause_view(step: Step, on: Paper) -> View:
    """The pause of the partner at hand, in the same window."""
    name = kit.strong(rows.name_on(on, step.standing.facts.name))
    back = kit.button(ids.WALK_BACK, "Do not pause", replace(step.carried, verb=HERE))
    blocks = [
        kit.section(f"Pause {name}? It is left out of coverage until the end of its last day."),
        *pause_inputs(None, "", f":{step.carried.partner}"),
        kit.actions(back),
    ]
    return kit.modal(
        ids.WALK_PAUSE_FORM, "Walk the read", blocks, carried=step.carried, submit="Pause and next", close="Stop here"
    )


def walk_end(held: HeldRead, paper: Paper, passed: Sequence[Standing] = (), note: str | None = None) -> View:
    """What the walk has come to, counted from the facts: whoever closes it early finds the same."""
    read = held.read
    free = [one for one in read.overdue if waits(held, one)]
    paused = sum(one.outcome == "paused" for one in held.settled.values())
    steps = sum(_agreed_since(one, held) for one in read.overdue)
    settled = sum(rows.settled_now(one, held.settled.get(one.facts.partner_id)) for one in read.overdue)
    agreed = f"{wording.plural(steps, 'next step')} agreed since the read"
    said = [wording.progress(read, settled), agreed if steps else "No next step was agreed since the read"]
    if paused:
        said.append(f"{paused} paused")
    if free:
        said.append(f"Still without a name: {wording.listed([wording.name(one.facts.name) for one in free], NAMED)}")
    lines = "\n".join(f"• {paper.words(one, 900)}" for one in said if one)
    blocks: list[Block] = [*_passed(held, passed, note, paper), kit.header("Done")]
    if not read.overdue:
        blocks.append(kit.section(paper.words(wording.nothing_to_recover(read), 400)))
    else:
        blocks.append(kit.section(lines))
    buttons: list[Element] = []
    if free:
        buttons.append(kit.button(ids.WALK_BACK, "Back to who is left", Carried(read=held.id, verb=FIRST)))
    buttons.append(kit.button(ids.SEE_ALL, "See the whole read", Carried(read=held.id)))
    blocks.append(kit.actions(*buttons))
    return kit.modal(ids.NOTE_MODAL, "Walk the read", blocks, carried=Carried(read=held.id))


def given_line(partner: str, holder: str, due_on: date, today: date) -> str:
    """ "✓ Acme is with Dana Kim, by Wed 25 Nov", as mrkdwn."""
    name, who = kit.strong(kit.words(wording.name(partner), 200)), kit.words(wording.name(holder), 200)
    return f"✓ {name} is with {who}, {wording.by_day(due_on, today)}."


def _told(step: Step, paper: Paper) -> list[Block]:
    return _passed(step.held, step.passed, step.note, paper)


def _passed(held: HeldRead, those: Sequence[Standing], note: str | None, paper: Paper) -> list[Block]:
    """The answer to the last press, and who needed no decision on the way."""
    blocks = [kit.section(note)] if note else []
    lines = [
        f"{rows.name_on(paper, one.facts.name)}: {rows.outcome(one, paper, held.settled.get(one.facts.partner_id))}"
        for one in those[:PASSED]
    ]
    if len(those) > PASSED:
        lines.append(f"and {len(those) - PASSED} more that need no decision")
    return [*blocks, *([kit.context("\n".join(lines))] if lines else [])]


def _where(step: Step) -> str:
    held, read = step.held, step.held.read
    settled = sum(not waits(held, one) for one in read.overdue)
    return f"Partner {step.place + 1} of {len(read.overdue)} · {settled} of {len(read.overdue)} assigned"


def _buttons(step: Step) -> list[Element]:
    name, carried = wording.name(step.standing.facts.name), step.carried
    buttons = [kit.button(ids.WALK_SKIP, "Skip", carried, spoken=f"Skip {name}")]
    if step.place > 0:
        buttons.append(kit.button(ids.WALK_BACK, "Back", carried, spoken="Back to the partner before"))
    if step.standing.facts.partner_id not in step.held.settled:
        buttons.append(kit.button(ids.WALK_PAUSE, "Pause…", carried, spoken=f"Pause {name}"))
    return buttons


def _inputs(step: Step, suffix: str) -> list[Block]:
    """What a meeting agrees on; nothing of it must be filled in."""
    agreed = step.standing.facts.next_step
    due = agreed.due_on if agreed else None
    initial = agreed.text if agreed else ""
    blocks = [
        kit.text_input(ids.WALK_STEP, "Next step", initial=initial, hint="Such as: send the price list"),
        kit.date_input(ids.WALK_DUE, "Until when", due.isoformat() if due else None),
    ]
    if waits(step.held, step.standing) and step.managers:
        blocks.append(kit.select_input(ids.WALK_FOR, "Claim for", owner_options(step.managers), None))
    return [{**one, "block_id": f"{one['block_id']}{suffix}", "optional": True} for one in blocks]


def _agreed_since(standing: Standing, held: HeldRead) -> bool:
    step = standing.facts.next_step
    return step is not None and step.set_at is not None and step.set_at >= held.read.at
