"""The form in which a next step is agreed, and the sentence after it was saved."""

from collections import Counter
from collections.abc import Sequence
from datetime import date

from bot import ids, wording
from bot.ids import Carried
from bot.views import kit
from bot.views.kit import Element, Payload, View
from models.standing import NextStepFacts, Standing, Who


def next_step_form(standing: Standing, owners: Sequence[Who], chosen: Who | None, channel: str | None) -> View:
    """Starts from the step that is there now, so that changing a date does not mean typing it all again."""
    facts, step = standing.facts, standing.facts.next_step
    chosen = (step.owner if step else None) or chosen
    options = owner_options(owners)
    initial = next((one for one in options if chosen is not None and one["value"] == str(chosen.id)), None)
    due = step.due_on.isoformat() if step and step.due_on else None
    return kit.modal(
        ids.NEXT_STEP_FORM,
        "Next step",
        [
            kit.section(f"What was agreed next with {kit.strong(kit.words(wording.name(facts.name), 300))}?"),
            kit.text_input(
                ids.STEP_TEXT, "Next step", initial=step.text if step else "", hint="Such as: send the price list"
            ),
            kit.date_input(ids.STEP_DUE, "Until when", due),
            kit.select_input(ids.STEP_OWNER, "Who does it", options, initial),
        ],
        carried=Carried(partner=facts.partner_id, channel=channel),
        submit="Save",
        close="Cancel",
    )


def owner_options(owners: Sequence[Who], typed: str = "") -> list[Element]:
    """The people who can take a next step, by name; two of one name are told apart by their address."""
    same = Counter(wording.name(one.name) for one in owners)
    wanted = typed.casefold().strip()
    return [
        kit.option(
            wording.name(one.name) if same[wording.name(one.name)] == 1 else f"{one.name} ({one.email})", str(one.id)
        )
        for one in owners
        if wanted in one.name.casefold() or wanted in one.email.casefold()
    ]


def saved_note(partner: str, step: NextStepFacts, today: date) -> Payload:
    name = kit.strong(kit.words(wording.name(partner), 200))
    due = f", {wording.by_day(step.due_on, today)}" if step.due_on else ""
    who = f" ({wording.name(step.owner.name)})" if step.owner else ""
    return kit.notice(f"✓ {name}: {kit.words(wording.plain(step.text, wording.STEP_LIMIT) + due + who, 800)}")
