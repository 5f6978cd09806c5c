"""One partner: its record as a card, and why it stands where it stands, mail by mail. Names that fit several, too."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from bot import evidence, ids, signal_words, wording
from bot.ids import Carried
from bot.views import kit, rows
from bot.views.claims import TAKE_BACK
from bot.views.kit import Element, Payload, View
from bot.views.rows import Paper
from models.cadence import Policy, Shutdown, State
from models.clock import local_day
from models.queries.mail import PartnerRecord, TouchFacts
from models.queries.standings import PartnerName
from models.rhythm import Silence
from models.standing import Standing

ADDRESSES = 6
WEEKS, DAYS_SHOWN, WRITERS = 8, 7, 3
CHOICES = 10
HEAVIEST, A_PART = 4_000, 1_500  # bytes of a button that keeps what was typed; characters of it in one section
TOO_LONG = "What you typed is too long for a button to keep. Copy it from here and send it with the whole name:"


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
    leads: bool = False  # whether whoever looks at it leads the programme
    muted: bool = False  # whether they want no nudges about it


def partner_card(card: Card, on: Paper) -> Payload:
    return kit.fitting(lambda scale: _card(card, replace(on, scale=scale)))


def card_modal(card: Card, on: Paper, note: str | None = None) -> View:
    """The card in a window of its own. `note` is mrkdwn: the answer to what was just pressed on it."""
    blocks = [kit.section(note)] if note else []
    here = Carried(partner=card.standing.facts.partner_id)
    return kit.modal(ids.CARD_MODAL, "Partner", [*blocks, *partner_card(card, on)["blocks"]], carried=here)


def why_modal(card: Card, on: Paper) -> View:
    return kit.modal(ids.NOTE_MODAL, "Why", why_answer(card, on)["blocks"])


def _card(card: Card, paper: Paper) -> Payload:
    standing = card.standing
    row = rows.partner_row(standing, replace(paper, buttons=False))
    lines = [row["text"]["text"], paper.words(because(card, paper), 500), touch_line(card, paper)]
    if card.silence is not None:
        lines.append(paper.words(f"Writing to us: {signal_words.writing(card.silence)}", 250))
    if standing.facts.episode is not None:
        opened = wording.on_day(local_day(standing.facts.episode.opened_at, paper.zone), paper.today)
        lines.append(paper.words(f"Waiting for a recovery touch since {opened}", 100))
    if card.record.pause_reason and standing.state is State.PAUSED:
        until = standing.facts.paused_until
        end = f" until the end of {wording.on_day(until, paper.today)}" if until else ""
        lines.append(paper.words(f"Paused{end}: {wording.plain(card.record.pause_reason, 200)}", 300))
    known = [wording.plain(one, 80) for one in (*card.record.domains, *card.record.contacts)]
    lines.append(paper.words(f"Known by {wording.listed(known, ADDRESSES)}" if known else "No addresses known", 400))
    said, told = _guess(card, paper) + "\n".join(lines), conversations(card, paper)
    heading = f"Mail of the last {WEEKS} weeks"
    buttons = kit.actions(*_buttons(card, paper))
    blocks = [kit.section(said), kit.section(f"*{heading}*\n{told}"), buttons]
    return {"text": f"{said}\n{heading}:\n{told}", "blocks": blocks}


def touch_line(card: Card, paper: Paper) -> str:
    """The mail behind the clock, and what made it count."""
    last = next((one for one in card.touches if one.counts), None)
    if last is None:
        return "No mail has moved its clock"
    said = f"{evidence.mail(last, paper.today, paper.zone)} ({evidence.why_counted(last)})"
    return paper.words(f"Last touch: {said}", 420)


def conversations(card: Card, paper: Paper) -> str:
    """Who wrote to whom on which day of the last weeks, newest first. What programs wrote is only counted."""
    by_day: dict[date, list[TouchFacts]] = {}
    machines = 0
    for one in card.touches:
        day = local_day(one.at, paper.zone)
        if (paper.today - day).days >= 7 * WEEKS or one.void_reason:
            continue
        if one.verdict == "human":
            by_day.setdefault(day, []).append(one)
        else:
            machines += 1
    lines = [paper.words(f"• {_day_line(day, mails, paper)}", 300) for day, mails in list(by_day.items())[:DAYS_SHOWN]]
    if len(by_day) > DAYS_SHOWN:
        lines.append(f"• and {wording.plural(len(by_day) - DAYS_SHOWN, 'earlier day')} with mail")
    if machines:
        lines.append(f"• and {wording.plural(machines, 'mail')} that no person wrote to them or to us alone")
    return "\n".join(lines) or "None has been captured."


def _day_line(day: date, mails: Sequence[TouchFacts], paper: Paper) -> str:
    """ "Mon 16 Nov: Dana Kim wrote to wendy@acme.example; wendy@acme.example wrote to us (3 mails)"."""
    sides = []
    ours = [one for one in mails if one.direction == "outbound"]
    if ours:
        sides.append(f"{_people(one.by for one in ours)} wrote to {_people(one.matched for one in ours)}")
    theirs = [one for one in mails if one.direction != "outbound"]
    if theirs:
        sides.append(f"{_people(one.by for one in theirs)} wrote to us")
    count = f" ({len(mails)} mails)" if len(mails) > len(sides) else ""
    return f"{wording.on_day(day, paper.today)}: {'; '.join(sides)}{count}"


def _people(names: Iterable[str]) -> str:
    said = list(dict.fromkeys(wording.plain(one, 60) for one in names))
    if len(said) <= WRITERS:
        return " and ".join(filter(None, [", ".join(said[:-1]), said[-1]]))
    return f"{', '.join(said[:WRITERS])} and {len(said) - WRITERS} more"


def why_answer(card: Card, on: Paper) -> Payload:
    """The clock in one sentence, then the mails that moved it and those that did not, each with its rule."""

    def draw(scale: float) -> Payload:
        paper = replace(on, scale=scale)
        name = rows.name_on(paper, card.standing.facts.name)
        said = f"{_guess(card, paper)}{kit.strong(name)}: {paper.words(because(card, paper), 500)}"
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


def because(card: Card, paper: Paper) -> str:
    """The state and the arithmetic behind it."""
    standing, today = card.standing, paper.today
    facts, state = standing.facts, wording.lateness(standing, today)
    if standing.state is State.PAUSED:
        return f"{state}: it counts nowhere until the pause is over, and its clock runs on."
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


def _buttons(card: Card, paper: Paper) -> list[Element]:
    """What can be done about it, and by whom: everybody may ask why."""
    standing, partner_id = card.standing, card.standing.facts.partner_id
    name, carried = wording.name(standing.facts.name), Carried(partner=partner_id)

    def button(action: str, what: str, spoken: str) -> Element:
        return kit.button(ids.row(action, partner_id), what, carried, spoken=f"{spoken} {name}")

    buttons = []
    if paper.buttons:
        if standing.claim is None and (standing.state is State.OVERDUE or standing.facts.episode):
            buttons.append(button(ids.CLAIM, rows.CLAIM_LABEL, f"{rows.CLAIM_LABEL} for"))
        elif standing.claim is not None and standing.claim.asked:
            buttons.append(button(ids.ACCEPT, "Accept", "Accept"))
            buttons.append(button(ids.DECLINE, "Decline", "Decline"))
        elif standing.claim is not None:
            buttons.append(button(ids.RELEASE, "Release", "Release the claim on"))
        if card.leads and (standing.state is State.OVERDUE or standing.facts.episode):
            buttons.append(button(ids.ASSIGN_ONE, "Reassign…" if standing.claim else "Assign…", "Assign"))
        if card.leads and standing.claim is not None and standing.claim.asked:
            buttons.append(button(ids.TAKE_BACK, TAKE_BACK, "Take the question back:"))
        step = standing.facts.next_step
        buttons.append(button(ids.NEXT_STEP, "Change next step" if step else "Set next step", "Set next step for"))
        if step is not None and step.id is not None:
            buttons.append(_done(partner_id, name, step.id))
        buttons.append(button(ids.STEP_HISTORY, "Earlier steps", "Earlier next steps of"))
    buttons.append(button(ids.WHY, "Why?", "Why it stands so:"))
    if paper.buttons and card.leads and standing.state is State.PAUSED:
        buttons.append(button(ids.RESUME, "Resume", "Resume"))
    if paper.buttons and card.leads and standing.state is not State.ENDED:
        longer = standing.state is State.PAUSED
        buttons.append(button(ids.PAUSE, "Change pause…" if longer else "Pause…", "Pause"))
    if paper.buttons:
        what = "Nudge me about it again" if card.muted else "No nudges about it"
        buttons.append(button(ids.MUTE, what, "Nudges on" if card.muted else "No nudges about"))
    return buttons


def _done(partner_id: int, name: str, step_id: int) -> Element:
    carried = Carried(partner=partner_id, step=step_id)
    return kit.button(
        ids.row(ids.STEP_DONE, partner_id), "Step done", carried, spoken=f"The next step with {name} is done"
    )


@dataclass(frozen=True, slots=True)
class Again:
    """What a command does for the partner that is chosen: a button of this label that keeps what was typed."""

    carried: Carried
    label: str

    @property
    def words(self) -> str:
        return " ".join((self.carried.text or "").split())

    @property
    def fits(self) -> bool:
        value = ids.encode(self.value(ids.LARGEST))
        return len(value) <= kit.MOST_VALUE and kit.cost(value) <= HEAVIEST

    def value(self, partner_id: int) -> Carried:
        whole = (self.carried.text or "").encode(errors="ignore").decode()  # half characters break JSON
        return replace(self.carried, partner=partner_id, text=whole or None)


def choice_answer(
    typed: str, nearest: Sequence[PartnerName], *, ambiguous: bool, again: Again | None = None
) -> Payload:
    """No partner of that name, or several that fit equally well. Each can be opened, or chosen for what was typed."""
    if not nearest:
        shown = kit.words(wording.plain(typed, 60), 120)
        return kit.notice(
            f"There is no partner called “{shown}”. Type the beginning of its name, as in "
            f"`{ids.COMMAND} partner Acme`, or look for it on the Home tab of Cadence."
        )
    return kit.fitting(lambda scale: _choice(typed, nearest, ambiguous, again, scale))


def _choice(typed: str, nearest: Sequence[PartnerName], ambiguous: bool, again: Again | None, scale: float) -> Payload:
    shown = kit.words(wording.plain(typed, 60), 120)
    some = nearest[: max(1, int(CHOICES * scale))]
    more = len(nearest) - len(some)
    said = f"“{shown}” could be:" if ambiguous else f"There is no partner called “{shown}”. The nearest:"
    rest = [f"and {more} more: type more of the name"] if more > 0 else []
    blocks, lines = [kit.section(said)], [said]
    for one in some:
        tier = wording.name(one.tier.name) if one.tier else "no tier"
        line = f"{kit.strong(kit.words(wording.name(one.name), 160))} · {kit.words(tier, 100)}"
        blocks.append(kit.section(line, accessory=_choose(one, again)))
        lines.append(f"• {line}")
    if again is not None and again.words:
        words = kit.words(wording.plain(again.words, 300), 300 * scale)
        rest.append(f"What you typed is kept: “{words}”" if again.fits else TOO_LONG)
    blocks += [kit.context(one) for one in rest]
    lines += rest
    if again is not None and not again.fits:
        parts = [again.words[at : at + A_PART] for at in range(0, len(again.words), A_PART)]
        blocks += [kit.section(kit.words(wording.plain(one, A_PART), 2_500 * scale)) for one in parts[:3]]
    return {"text": "\n".join(lines), "blocks": blocks}


def _choose(one: PartnerName, again: Again | None) -> Element:
    name = wording.name(one.name)
    if again is None or not again.fits:
        return kit.button(ids.row(ids.OPEN_CARD, one.id), "Show", Carried(partner=one.id), spoken=f"Show {name}")
    spoken = kit.label(f"{again.label}: {name}", 75)
    return kit.button(ids.row(ids.CHOSEN, one.id), kit.label(again.label, 30), again.value(one.id), spoken=spoken)
