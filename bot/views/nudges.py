"""The one private message a day, and the answers to its buttons."""

from collections.abc import Sequence
from datetime import date

from bot import ids, wording
from bot.ids import Carried, encode
from bot.nudge_lines import NudgeLine
from bot.views import kit
from bot.views.kit import Element, Payload
from bot.views.rows import CLAIM_LABEL, claim_menu, step_menu

TOMORROW, A_WEEK = 1, 7
MUTE, UNMUTE = "mute", "unmute"
MOST_LINES = 10
CAN_BE_CLAIMED = ("overdue", "claim_lapsed")


def nudge_payload(name: str, lines: Sequence[NudgeLine]) -> Payload:
    """Everything there is to say to one person today."""

    def draw(scale: float) -> Payload:
        shown = lines[:MOST_LINES]
        more = len(lines) - len(shown)
        greeting = kit.words(f"Hello {wording.name(name)}, this is where a hand helps today.", 200 * scale)
        said = [kit.words(line.text, 400 * scale) for line in shown]
        rest = f"and {wording.plural(more, 'more thing')}: the Home tab shows them" if more else ""
        acted: set[int] = set()
        blocks = [kit.section(greeting)]
        for line, words in zip(shown, said, strict=True):
            fresh = line.partner_id is not None and line.partner_id not in acted
            blocks.append(kit.section(words, accessory=_accessory(line, scale) if fresh else None))
            acted |= {line.partner_id} if line.partner_id is not None else set()
        if acted:
            blocks.append(kit.actions(_mute_menu(shown, scale)))
        if rest:
            blocks.append(kit.context(rest))
        blocks.append(
            kit.actions(
                kit.button(f"{ids.SNOOZE}:{TOMORROW}", "Quiet until tomorrow", Carried(days=TOMORROW)),
                kit.button(f"{ids.SNOOZE}:{A_WEEK}", "Quiet for a week", Carried(days=A_WEEK)),
                kit.button(ids.MY_SETTINGS, "My settings", Carried()),
                kit.button(ids.NUDGES_OFF, "Stop nudges", Carried()),
            )
        )
        return {"text": "\n".join(filter(None, (greeting, *said, rest))), "blocks": blocks}

    return kit.fitting(draw)


def snoozed_answer(until: date, today: date) -> Payload:
    """`until` is the last quiet day."""
    return kit.notice(
        f"Quiet until the end of {wording.on_day(until, today)}. Nothing is lost: the lists stay as they are."
    )


def off_answer() -> Payload:
    said = "Nudges are off. The weekly read and your claims stay as they are."
    again = kit.actions(kit.button(ids.NUDGES_ON, "Start nudges again", Carried()))
    return {"text": said, "blocks": [kit.section(said), again]}


def on_answer() -> Payload:
    return kit.notice("Nudges are on again: at most one message a day, in your working hours.")


def muted_answer(partner_id: int, partner: str) -> Payload:
    said = f"No more nudges about {kit.strong(kit.words(wording.name(partner), 200))}. It stays on every list."
    again = Carried(partner=partner_id, verb=UNMUTE)
    spoken = f"Nudge me about {wording.name(partner)} again"
    undo = kit.button(ids.row(ids.MUTE, partner_id), "Nudge me again", again, spoken=spoken)
    return {"text": said, "blocks": [kit.section(said, accessory=undo)]}


def unmuted_answer(partner: str) -> Payload:
    return kit.notice(f"Nudges about {kit.strong(kit.words(wording.name(partner), 200))} are on again.")


def _mute_menu(lines: Sequence[NudgeLine], scale: float) -> Element:
    """For whoever wants to hear no more about one of these."""
    named = {line.partner_id: line.partner for line in lines if line.partner_id is not None}
    options = [
        kit.option(kit.label(wording.name(name), 75, 200 * scale), encode(Carried(partner=one, verb=MUTE)))
        for one, name in named.items()
    ]
    placeholder = {"type": "plain_text", "text": "No more nudges about…", "emoji": False}
    return {"type": "static_select", "action_id": ids.MUTE, "placeholder": placeholder, "options": options}


def _accessory(line: NudgeLine, scale: float) -> Element | None:
    partner_id = line.partner_id
    if partner_id is None:
        return None
    named = wording.name(line.partner)
    if line.kind in CAN_BE_CLAIMED:
        spoken = kit.label(f"{CLAIM_LABEL} for {named}", 75, 200 * scale)
        return kit.button(ids.row(ids.CLAIM, partner_id), CLAIM_LABEL, Carried(partner=partner_id), spoken=spoken)
    if line.kind == "claim_due":
        return claim_menu(partner_id, asked=line.asked, shared=False)
    if line.step is not None:
        return step_menu(partner_id, line.step)
    spoken = kit.label(f"Set next step for {named}", 75, 200 * scale)
    return kit.button(ids.row(ids.NEXT_STEP, partner_id), "Set next step", Carried(partner=partner_id), spoken=spoken)
