"""What a nudge says of one transition, in the words of the moment it is told; or that it has become pointless.

The partner is the subject. Nothing here counts people or asks for a "done".
"""

from dataclasses import dataclass
from datetime import date

from bot import wording
from models.cadence import State
from models.standing import NextStepFacts, Standing

ORDER = ("claim_due", "claim_lapsed", "overdue", "next_step_due", "due_soon", "mailbox")


@dataclass(frozen=True, slots=True)
class NudgeLine:
    """One line of a nudge, plain text; `partner_id` and its name where a button can act on it.

    `asked`: the claim it speaks of was assigned and waits for an answer. `step` is the next step it speaks of.
    """

    kind: str
    text: str
    partner_id: int | None = None
    partner: str = ""
    asked: bool = False
    step: NextStepFacts | None = None


def partner_line(
    kind: str, person_id: int, standing: Standing, today: date, absent: str | None = None
) -> NudgeLine | None:
    """The line for a partner's transition, or None when the facts have overtaken it.

    `absent` is the name of `person_id` when a stand-in is told in that person's place.
    """
    facts = standing.facts
    name, claim = wording.name(facts.name), standing.claim
    your, back = ("Your", " Take it whenever you like.") if absent is None else ("The", "")
    text: str | None = None
    if kind == "due_soon" and standing.state is State.DUE_SOON:
        text = f"{name} is {wording.lateness(standing, today)} ({wording.last_touch(standing)})."
    elif kind == "overdue" and standing.state is State.OVERDUE and (claim is None or claim.by.id == person_id):
        text = f"{name} is {wording.rhythm(standing)} ({wording.last_touch(standing)}). A short hello works."
    elif kind == "claim_due" and claim is not None and claim.by.id == person_id:
        day = wording.by_day(claim.due_on, today)
        text = f"{your} recovery touch to {name} is planned {day}."
        if claim.asked:
            text = f"A lead asked for a recovery touch to {name}, {day}: accept it, or decline and it is free again."
    elif kind == "claim_lapsed" and standing.state is State.OVERDUE and claim is None:
        text = f"The day for a recovery touch to {name} has passed, so it is open to everybody again.{back}"
    elif kind == "next_step_due" and facts.next_step is not None:
        text = f"{name}: {wording.next_step(standing, today)}."
    if text is None:
        return None
    away = f"For {wording.name(absent)}, who is away: " if absent else ""
    asked = kind == "claim_due" and claim is not None and claim.asked
    step = facts.next_step if kind == "next_step_due" else None
    return NudgeLine(kind, f"{away}{text}", facts.partner_id, facts.name, asked, step)


def mailbox_line(address: str, detail: str) -> NudgeLine:
    return NudgeLine("mailbox", f"Your mailbox {address} needs a look: {detail}.")
