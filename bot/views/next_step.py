"""The form in which a next step is agreed, and the sentence after it was saved."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime

from bot import ids, wording
from bot.ids import Carried
from bot.views import kit
from bot.views.kit import Element, Payload, View
from bot.views.rows import Paper
from models.actions.next_steps import Finished
from models.clock import local_day
from models.queries.next_steps import PastStep
from models.standing import NextStepFacts, Standing, Who


def next_step_form(
    standing: Standing, owners: Sequence[Who], chosen: Who | None, carried: Carried, due_on: date | None = None
) -> View:
    """Starts from the step that is there now, so that changing a date does not mean typing it all again."""
    facts, step = standing.facts, standing.facts.next_step
    chosen = (step.owner if step else None) or chosen
    options = owner_options(owners)
    initial = next((one for one in options if chosen is not None and one["value"] == str(chosen.id)), None)
    due_on = due_on or (step.due_on if step else None)
    return kit.modal(
        ids.NEXT_STEP_FORM,
        "Next step",
        [
            kit.section(f"What was agreed next with {kit.strong(kit.words(wording.name(facts.name), 300))}?"),
            kit.text_input(
                ids.STEP_TEXT, "Next step", initial=step.text if step else "", hint="Such as: send the price list"
            ),
            kit.date_input(ids.STEP_DUE, "Until when", due_on.isoformat() if due_on else None),
            kit.select_input(ids.STEP_OWNER, "Who does it", options, initial),
        ],
        carried=carried,
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


def saved_note(partner: str, step: NextStepFacts, today: date, before: NextStepFacts | None = None) -> Payload:
    """What is agreed now, and the open step `before` that it takes the place of."""
    name = kit.strong(kit.words(wording.name(partner), 200))
    due = f", {wording.by_day(step.due_on, today)}" if step.due_on else ""
    who = f" ({wording.name(step.owner.name)})" if step.owner else ""
    said = f"✓ {name}: {kit.words(wording.plain(step.text, wording.STEP_LIMIT) + due + who, 800)}"
    if before is not None and (before.text, before.due_on) != (step.text, step.due_on):
        until = f", {wording.by_day(before.due_on, today)}" if before.due_on else ""
        said += f", instead of {kit.words(f'“{wording.plain(before.text, wording.STEP_LIMIT)}”{until}', 700)}"
    return kit.notice(said)


def agreed_note(partner: str, step: NextStepFacts, today: date, before: NextStepFacts | None = None) -> Payload:
    """To whoever typed it: the day that was understood, or how to say one."""
    told = saved_note(partner, step, today, before)
    if step.due_on is not None:
        return told
    return kit.notice(f"{told['text']}\nNo day was said: end with “by friday” or “by 15 Jan” to set one.")


def done_note(partner_id: int, partner: str, finished: Finished) -> Payload:
    """What was done; then what may come next."""
    name = kit.strong(kit.words(wording.name(partner), 200))
    if finished.newer is not None:
        newer = kit.words(wording.plain(finished.newer, wording.STEP_LIMIT), 600)
        return kit.notice(f"{name} has a newer next step: {newer}. Nothing was changed.")
    if finished.text is None:
        said = f"{name} has no next step to finish."
    else:
        said = f"✓ {name}: {kit.words(wording.plain(finished.text, wording.STEP_LIMIT), 600)} is done."
    spoken = f"Set next step for {wording.name(partner)}"
    follow = kit.button(ids.row(ids.NEXT_STEP, partner_id), "Set next step", Carried(partner=partner_id), spoken=spoken)
    return {"text": said, "blocks": [kit.section(said, accessory=follow)]}


def history_modal(partner_id: int, partner: str, steps: Sequence[PastStep], count: int, on: Paper) -> View:
    """All that was agreed with a partner, newest first. Changes nothing."""
    name = kit.strong(kit.words(wording.name(partner), 300))
    blocks = [kit.section(f"Next steps agreed with {name}" if steps else f"No next step was ever agreed with {name}.")]
    blocks += [kit.section(_past(one, on)) for one in steps]
    if count > len(steps):
        blocks.append(kit.context(f"and {wording.plural(count - len(steps), 'earlier one')}"))
    return kit.modal(ids.NOTE_MODAL, "Next steps", blocks, carried=Carried(partner=partner_id))


def _past(step: PastStep, on: Paper) -> str:
    """ "Send the terms (Dana Kim, by Fri 27 Nov)", then who set it when, and what became of it."""

    def day(at: datetime) -> str:
        return wording.on_day(local_day(at, on.zone), on.today)

    about = [wording.name(step.owner)] if step.owner else []
    about += [f"by {wording.on_day(step.due_on, on.today)}"] if step.due_on else []
    ended = {None: "stands", "done": "done", "superseded": "replaced"}.get(step.ended, "ended")
    closed = f"{ended} {day(step.ended_at)}" if step.ended_at else ended
    by = f" by {wording.name(step.set_by)}" if step.set_by else ""
    said = wording.plain(step.text, wording.STEP_LIMIT) + (f" ({', '.join(about)})" if about else "")
    return f"{kit.words(said, 700)}\n{kit.words(f'set {day(step.set_at)}{by} · {closed}', 300)}"
