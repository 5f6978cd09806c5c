"""What whoever pressed a button around a claim is told, and nobody else."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date

from bot import ids, wording
from bot.ids import Carried
from bot.views import kit
from bot.views.kit import Element, Payload, View
from bot.views.rows import claim_menu
from models.standing import Standing

TAKE_BACK = "Take the question back"
FEW = 5  # so many assignments are shown with buttons, more with menus


@dataclass(frozen=True, slots=True)
class Assigned:
    """A recovery touch that a lead gave to somebody. `became`: how it stands once it waits for no answer any more."""

    partner_id: int
    name: str
    due_on: date | None
    became: str | None = None
    held: bool = False  # by whoever was asked, who said yes


def claimed_note(partner_id: int, partner: str, due_on: date, today: date, *, again: bool = False) -> Payload:
    """To the holder: until when, and the two things that often follow."""
    name = kit.words(wording.name(partner), 200)
    start = "is already yours" if again else "is yours"
    said = f"✓ {kit.strong(name)} {start}, {wording.by_day(due_on, today)}. Your mail to them closes it by itself."
    return {"text": said, "blocks": [kit.section(said), _follow_up(partner_id, partner)]}


def taken_note(
    partner: str, holder: str, due_on: date, today: date, *, asked: bool = False, fresh: bool = False
) -> Payload:
    """To whoever came second; `fresh`: by a moment."""
    name, who = kit.words(wording.name(partner), 200), kit.words(wording.name(holder), 200)
    if asked:
        until = wording.by_day(due_on, today)
        return kit.notice(f"{who} was asked to take {kit.strong(name)}, {until}, and has not answered yet.")
    when = " a moment ago" if fresh else ""
    return kit.notice(
        f"{who} picked up {kit.strong(name)}{when}, {wording.by_day(due_on, today)}. It is in good hands."
    )


def nothing_note(partner: str) -> Payload:
    name = kit.words(wording.name(partner), 200)
    return kit.notice(f"There is nothing to recover for {kit.strong(name)} at the moment.")


def released_note(partner_id: int, partner: str) -> Payload:
    name = kit.words(wording.name(partner), 200)
    said = f"{kit.strong(name)} is open to everybody again."
    spoken = f"Claim recovery touch for {wording.name(partner)}"
    claim = kit.button(ids.row(ids.CLAIM, partner_id), "Claim it again", Carried(partner=partner_id), spoken=spoken)
    return {"text": said, "blocks": [kit.section(said, accessory=claim)]}


def not_yours_note(partner: str, holder: str | None, *, asked: bool = False, leads: bool = False) -> Payload:
    """To whoever wanted to release somebody else's claim, or one that is gone. `asked`: the holder has not accepted.

    `leads`: whoever asks may pass it on.
    """
    name = kit.words(wording.name(partner), 200)
    if holder is None:
        return kit.notice(f"Nobody holds {kit.strong(name)} at the moment, so there is nothing to release.")
    who = kit.words(wording.name(holder), 200)
    if asked:
        return kit.notice(
            f"{who} was asked to take {kit.strong(name)} and has not answered yet. A lead can take the question back: "
            f"`{ids.COMMAND} release {name}`, or ask somebody else: `{ids.COMMAND} claim {name} for @Dana`."
        )
    pass_on = f" You can pass it on: `{ids.COMMAND} claim {name} for @Dana`, or `for me`." if leads else ""
    return kit.notice(f"{who} holds {kit.strong(name)}: only the holder can release it.{pass_on}")


def assigned_note(assigned: int, unowned: int, taken: int, away: int = 0) -> Payload:
    """To the lead who pressed *Assign to owners*."""
    said = [
        f"{wording.plural(assigned, 'partner')} assigned to the owner" if assigned else "Nothing was left to assign"
    ]
    if taken:
        said.append(f"{taken} had been taken already")
    if unowned:
        said.append(f"{wording.plural(unowned, 'partner has', 'partners have')} no owner who can take it")
    if away:
        said.append(
            f"{wording.plural(away, 'partner waits', 'partners wait')} for an owner who is away: ask somebody else"
        )
    return kit.notice(f"{'; '.join(said)}.")


def assigned_payload(lead: str, given: Sequence[Assigned], today: date) -> Payload:
    """To an owner, in private: what a lead has assigned, and the way to give each back."""

    def draw(scale: float) -> Payload:
        shown = given[: kit.MOST_ROWS]
        more, few = len(given) - len(shown), len(given) <= FEW
        who, what = wording.name(lead), wording.plural(len(given), "recovery touch", "recovery touches")
        head = kit.words(f"{who} asks you to take {what}. Accept what you can, decline what you cannot.", 300 * scale)
        blocks, said = [kit.section(head)], [head]
        for one in shown:
            waits = one.became is None
            due = f", {wording.by_day(one.due_on, today)}" if one.due_on else ""
            became = "" if waits else f" {one.became}"
            line = kit.words(f"{'✓ ' if one.held else ''}{wording.name(one.name)}{became}{due}", 250 * scale)
            menu = claim_menu(one.partner_id, asked=waits, shared=False)
            blocks.append(kit.section(line, accessory=menu if one.held or (waits and not few) else None))
            if waits and few:
                blocks.append(kit.actions(*_answers(one)))
            said.append(line)
        if more:
            rest = f"and {more} more: `{ids.COMMAND} mine` shows them all"
            blocks.append(kit.context(rest))
            said.append(rest)
        return {"text": "\n".join(said), "blocks": blocks}

    return kit.fitting(draw)


def assigned_again(lead: str, given: Sequence[Standing], person_id: int, today: date) -> Payload:
    """The same letter to this person as things stand now."""
    return assigned_payload(lead, [_now(one, person_id) for one in given], today)


def _now(standing: Standing, person_id: int) -> Assigned:
    facts, claim = standing.facts, standing.claim
    mine = claim is not None and claim.by.id == person_id
    one = Assigned(facts.partner_id, facts.name, claim.due_on if claim and mine else None)
    if claim is not None and mine:
        return one if claim.asked else replace(one, became="is yours", held=True)
    if claim is not None:
        return replace(one, became=f"is with {wording.name(claim.by.name)} now")
    open_again = facts.episode is not None
    return replace(one, became="is open to everybody again" if open_again else "has nothing to recover any more")


def answered_note(partner_id: int, partner: str, *, lead: str | None) -> Payload:
    """To whoever declined; `lead` is who had asked and hears of it."""
    told = released_note(partner_id, partner)
    if lead is None:
        return told
    said = f"{told['text']} {kit.words(wording.name(lead), 200)} hears that it is free."
    return {"text": said, "blocks": [kit.section(said, accessory=told["blocks"][0]["accessory"])]}


def not_asked_note(partner: str, holder: str | None) -> Payload:
    """To whoever answers for a claim that is not, or no longer, theirs."""
    name = kit.words(wording.name(partner), 200)
    if holder is None:
        return kit.notice(f"{kit.strong(name)} waits for nobody's answer any more.")
    return kit.notice(f"{kit.strong(name)} is with {kit.words(wording.name(holder), 200)} now.")


def declined_payload(partner_id: int, partner: str, person: str) -> Payload:
    """To the lead who had asked, in private and once."""
    name, who = kit.words(wording.name(partner), 200), kit.words(wording.name(person), 200)
    said = f"{who} cannot take {kit.strong(name)} this time, so it is open to everybody again."
    return {"text": said, "blocks": [kit.section(said), _free_again(partner_id, partner)]}


def taken_back_note(partner_id: int, partner: str, person: str) -> Payload:
    """To the lead who no longer asks somebody; the letter that asked says so too."""
    name, who = kit.words(wording.name(partner), 200), kit.words(wording.name(person), 200)
    said = f"{who} is not asked any more: {kit.strong(name)} is open to everybody again."
    return {"text": said, "blocks": [kit.section(said), _free_again(partner_id, partner)]}


def nobody_asked_note(partner: str, holder: str | None) -> Payload:
    """To a lead whose question was answered, or is gone, in the meantime."""
    name = kit.words(wording.name(partner), 200)
    if holder is None:
        return kit.notice(f"Nobody is asked to take {kit.strong(name)} any more.")
    return kit.notice(f"{kit.words(wording.name(holder), 200)} has said yes to {kit.strong(name)} in the meantime.")


def _free_again(partner_id: int, partner: str) -> kit.Block:
    carried, spoken = Carried(partner=partner_id), wording.name(partner)
    assign = kit.button(ids.row(ids.ASSIGN_ONE, partner_id), "Ask somebody else…", carried, spoken=f"Assign {spoken}")
    take = kit.button(ids.row(ids.CLAIM, partner_id), "Claim it myself", carried, spoken=f"Claim {spoken} myself")
    return kit.actions(assign, take)


def _take_back(partner_id: int, partner: str) -> Element:
    spoken = kit.label(f"Take the question about {wording.name(partner)} back", 75)
    return kit.button(ids.row(ids.TAKE_BACK, partner_id), TAKE_BACK, Carried(partner=partner_id), spoken=spoken)


def reassigned_payload(lead: str, partner: str, to: str) -> Payload:
    """To whoever held it before, in private and once."""
    name, who, new = (kit.words(wording.name(one), 200) for one in (partner, lead, to))
    return kit.notice(f"{who} has asked {new} to take {kit.strong(name)}, so it is off your list.")


def given_note(
    partner_id: int,
    partner: str,
    to: str,
    due_on: date,
    today: date,
    *,
    before: str | None,
    reached: bool,
    again: bool,
    asked: bool,
    away: str | None = None,
) -> Payload:
    """To the lead who assigned one. `reached`: Slack knows the assignee, who is told in private.

    `again`: this person had it before; `asked`: and has not answered yet. `away`: until when they are, as a sentence.
    """
    name, who = kit.words(wording.name(partner), 200), kit.words(wording.name(to), 200)
    until = wording.by_day(due_on, today)
    back = kit.actions(_take_back(partner_id, partner))
    if again and asked:
        head = f"{who} was asked to take {kit.strong(name)}, {until}, and has not answered yet."
        return {"text": head, "blocks": [kit.section(head), back]}
    if again:
        return kit.notice(f"{who} holds {kit.strong(name)} already, {until}.")
    said = [f"{who} is asked to take {kit.strong(name)}, {until}, and can accept or decline."]
    if not reached:
        said.append("I do not know this person in Slack yet, so please pass it on yourself.")
    if away is not None:
        said.append(kit.words(away, 300))
    if before is not None:
        said.append(f"{kit.words(wording.name(before), 200)} hears that it is off the list.")
    told = " ".join(said)
    return {"text": told, "blocks": [kit.section(told), back]}


def away_words(name: str, until: date, stand_in: str | None, today: date) -> str:
    """For a lead who asks somebody that may not see it in time."""
    who = f"{wording.name(stand_in)} stands in meanwhile" if stand_in else "nobody stands in"
    return f"{wording.name(name)} is away until the end of {wording.on_day(until, today)}; {who}."


def assign_form(
    standing: Standing,
    options: Sequence[Element],
    carried: Carried,
    *,
    away: str | None = None,
    declined: Collection[int] = (),
) -> View:
    """Whom a lead asks: the owner is proposed, unless the owner holds it, is `away` or has `declined` it."""
    facts, claim = standing.facts, standing.claim
    name = kit.strong(kit.words(wording.name(facts.name), 300))
    said = f"Who takes the recovery touch to {name}?"
    if claim is not None:
        said += f"\n{kit.words(wording.on_it(claim), 300)}: whoever you choose takes over."
    owner = facts.owner
    if away is not None:
        said += f"\n{kit.words(away, 300)}"
    if owner is not None and owner.id in declined:
        said += f"\n{kit.words(wording.name(owner.name), 200)}, who owns it, has declined."
    able = owner is not None and away is None and owner.id not in declined
    proposed = str(owner.id) if owner and able and (claim is None or claim.by.id != owner.id) else None
    initial = next((one for one in options if one["value"] == proposed), None)
    blocks = [kit.section(said), kit.select_input(ids.ASSIGNEE, "Partner manager", options, initial)]
    if claim is not None and claim.asked:
        blocks.append(kit.actions(_take_back(facts.partner_id, facts.name)))
    return kit.modal(
        ids.ASSIGN_FORM,
        "Assign",
        blocks,
        carried=carried,
        submit="Ask",
        close="Cancel",
    )


def _answers(one: Assigned) -> list[Element]:
    name, carried = wording.name(one.name), Carried(partner=one.partner_id)
    return [
        kit.button(ids.row(ids.ACCEPT, one.partner_id), "Accept", carried, spoken=f"Accept {name}", style="primary"),
        kit.button(ids.row(ids.DECLINE, one.partner_id), "Decline", carried, spoken=f"Decline {name}"),
        kit.button(ids.row(ids.NEXT_STEP, one.partner_id), "Set next step", carried, spoken=f"Next step for {name}"),
    ]


def _follow_up(partner_id: int, partner: str) -> kit.Block:
    name, carried = wording.name(partner), Carried(partner=partner_id)
    return kit.actions(
        kit.button(ids.row(ids.NEXT_STEP, partner_id), "Add next step", carried, spoken=f"Add next step for {name}"),
        kit.button(ids.row(ids.RELEASE, partner_id), "Undo", carried, spoken=f"Undo the claim on {name}"),
    )
