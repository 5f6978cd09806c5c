"""Pausing a partner: the form, and what is said afterwards. Why and until when belong to every pause."""

from datetime import date

from bot import ids, wording
from bot.ids import Carried
from bot.views import kit
from bot.views.kit import Block, Payload, View
from models.actions.pauses import MOST_REASON
from models.cadence import State
from models.standing import Standing

REASON_HINT = "Such as: on parental leave, the contract is being renewed"


def pause_form(standing: Standing, carried: Carried, until: date | None = None, reason: str = "") -> View:
    """Starts from the pause that is there, so that it can be made longer."""
    name = kit.strong(kit.words(wording.name(standing.facts.name), 300))
    said = f"{name} is left out of coverage until the end of its last day, and then counts again by itself."
    if standing.state is State.PAUSED and until is None:
        until = standing.facts.paused_until
    blocks = [kit.section(said), *pause_inputs(until, reason)]
    return kit.modal(ids.PAUSE_FORM, "Pause", blocks, carried=carried, submit="Pause", close="Cancel")


def pause_inputs(until: date | None, reason: str, suffix: str = "") -> list[Block]:
    """Last day and reason. With a suffix the blocks of two partners differ, else Slack keeps what was typed before."""
    day = kit.date_input(ids.PAUSE_UNTIL, "Last day", until.isoformat() if until else None, optional=False)
    why = kit.line_input(ids.PAUSE_REASON, "Reason", MOST_REASON, initial=reason, hint=REASON_HINT)
    return [{**one, "block_id": f"{one['block_id']}{suffix}"} for one in (day, why)]


def paused_note(partner_id: int, partner: str, until: date, reason: str, today: date) -> Payload:
    name, why = kit.words(wording.name(partner), 200), kit.words(wording.plain(reason, MOST_REASON), 500)
    day = wording.on_day(until, today)
    said = f"{kit.strong(name)} is paused until the end of {day}: {why}. After that it counts again by itself."
    spoken = f"Resume {wording.name(partner)}"
    resume = kit.button(ids.row(ids.RESUME, partner_id), "Resume now", Carried(partner=partner_id), spoken=spoken)
    return {"text": said, "blocks": [kit.section(said, accessory=resume)]}


def resumed_note(standing: Standing, today: date) -> Payload:
    name = kit.strong(kit.words(wording.name(standing.facts.name), 200))
    return kit.notice(f"{name} counts again. Its clock ran on: {kit.words(wording.lateness(standing, today), 200)}.")


def not_paused_note(partner: str) -> Payload:
    return kit.notice(f"{kit.strong(kit.words(wording.name(partner), 200))} is not paused.")
