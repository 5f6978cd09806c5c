"""One partner: its record as a card, and why it stands where it stands, mail by mail."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot import evidence, ids, signal_words, wording
from bot.ids import Carried
from bot.views import kit, rows
from bot.views.kit import Element, Payload
from bot.views.rows import Paper
from models.cadence import Policy, Shutdown, State
from models.queries.mail import PartnerRecord, TouchFacts
from models.rhythm import Silence
from models.standing import Standing

ON_CARD = 5
ADDRESSES = 6


@dataclass(frozen=True, slots=True)
class Card:
    """All that is known about a partner. `guessed` is what somebody typed when the name was not exact."""

    standing: Standing
    record: PartnerRecord
    touches: Sequence[TouchFacts]
    policy: Policy
    guessed: str | None = None
    shutdowns: Sequence[Shutdown] = ()
    silence: Silence | None = None  # None: nothing was heard in years


def partner_card(card: Card, on: Paper) -> Payload:
    def draw(scale: float) -> Payload:
        paper = replace(on, scale=scale)
        standing, facts = card.standing, card.standing.facts
        row = rows.partner_row(standing, replace(paper, buttons=False))
        lines = [row["text"]["text"], paper.words(_because(card, paper), 500)]
        if card.silence is not None:
            lines.append(paper.words(f"Writing to us: {card.silence.words}", 250))
        if card.record.pause_reason and standing.state is State.PAUSED:
            lines.append(paper.words(f"Paused: {wording.plain(card.record.pause_reason, 200)}", 300))
        known = [wording.plain(one, 80) for one in (*card.record.domains, *card.record.contacts)]
        lines.append(
            paper.words(f"Known by {wording.listed(known, ADDRESSES)}" if known else "No addresses known", 400)
        )
        mails = [paper.words(f"• {_line(card, one, paper)}", 300) for one in card.touches[:ON_CARD]]
        told = "\n".join(mails) or "No mail of theirs or to them has been captured."
        said = _guess(card, paper) + "\n".join(lines)
        blocks = [kit.section(said), kit.section(f"*Last mails*\n{told}")]
        buttons = _buttons(standing, facts.partner_id)
        if buttons and paper.buttons:
            blocks.append(kit.actions(*buttons))
        return {"text": f"{said}\n{told}", "blocks": blocks}

    return kit.fitting(draw)


def why_answer(card: Card, on: Paper) -> Payload:
    """The clock in one sentence, then the mails that moved it and those that did not, each with its rule."""

    def draw(scale: float) -> Payload:
        paper = replace(on, scale=scale)
        name = rows.name_on(paper, card.standing.facts.name)
        said = f"{_guess(card, paper)}{kit.strong(name)}: {paper.words(_because(card, paper), 500)}"
        last = next((one for one in card.touches if one.counts), None)
        others = [one for one in card.touches if not one.counts]
        proof = "No mail has moved its clock."
        if last is not None:
            proof = f"{evidence.mail(last, paper.today, paper.zone)}: {evidence.why_counted(last)}."
        told = f"*The last touch*\n{paper.words(proof, 700)}"
        mails = [paper.words(f"• {_line(card, one, paper)}", 320) for one in others[: evidence.CANDIDATES]]
        blocks = [kit.section(said), kit.section(told)]
        if last is not None:
            source = paper.words(evidence.source(last, paper.today, paper.zone), 500)
            blocks.append(kit.context(source))
            told = f"{told}\n{source}"
        if mails:
            blocks.append(kit.section("*Newest mail that did not count*"))
            blocks += [kit.section("\n".join(page)) for page in kit.pages(mails, 4)]
        if len(others) > len(mails):
            blocks.append(
                kit.context(f"And {wording.plural(len(others) - len(mails), 'older mail')} that did not count.")
            )
        blocks.append(kit.context(evidence.UNRECORDED))
        told = "\n".join([told, *mails, evidence.UNRECORDED])
        return {"text": f"{said}\n{told}", "blocks": blocks}

    return kit.fitting(draw)


def _line(card: Card, touch: TouchFacts, paper: Paper) -> str:
    return evidence.line(touch, card.policy, paper.today, paper.zone)


def _because(card: Card, paper: Paper) -> str:
    """The state and the arithmetic behind it."""
    standing, today = card.standing, paper.today
    facts, state = standing.facts, wording.lateness(standing, today)
    if facts.tier is None or standing.due_on is None:
        return f"{state}, so no clock runs."
    if facts.last_touch_at is None:
        start = wording.on_day(facts.cadence_start_on, today)
        count = f"never touched; its {facts.tier.window_days}-day rhythm runs since {start}"
    else:
        count = f"{wording.last_touch(standing)}; its {facts.tier.window_days}-day rhythm runs from there"
    shut = signal_words.not_counted(standing, paper.zone, card.shutdowns)
    due = wording.on_day(standing.due_on, today) + (f" ({shut})" if shut else "")
    seen = f", {wording.NOT_SEEN}" if standing.unobserved else ""
    return f"{state}: {count}, which makes it due on {due}{seen}."


def _guess(card: Card, paper: Paper) -> str:
    if card.guessed is None:
        return ""
    return f"_Taking “{paper.words(wording.plain(card.guessed, 60), 100)}” for the nearest name._\n"


def _buttons(standing: Standing, partner_id: int) -> list[Element]:
    name, carried = wording.name(standing.facts.name), Carried(partner=partner_id)
    buttons = []
    if standing.claim is None and (standing.state is State.OVERDUE or standing.facts.episode):
        spoken = f"{rows.CLAIM_LABEL} for {name}"
        buttons.append(kit.button(ids.row(ids.CLAIM, partner_id), rows.CLAIM_LABEL, carried, spoken=spoken))
    elif standing.claim is not None:
        spoken = f"Release the claim on {name}"
        buttons.append(kit.button(ids.row(ids.RELEASE, partner_id), "Release", carried, spoken=spoken))
    spoken = f"Set next step for {name}"
    buttons.append(kit.button(ids.row(ids.NEXT_STEP, partner_id), "Set next step", carried, spoken=spoken))
    return buttons
