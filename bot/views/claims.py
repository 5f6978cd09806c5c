"""What whoever pressed a button around a claim is told, and nobody else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bot import ids, wording
from bot.ids import Carried
from bot.views import kit
from bot.views.kit import Payload


@dataclass(frozen=True, slots=True)
class Assigned:
    """A claim that a lead gave to somebody."""

    partner_id: int
    name: str
    due_on: date


def claimed_note(partner_id: int, partner: str, due_on: date, today: date, *, again: bool = False) -> Payload:
    """To the holder: until when, and the two things that often follow."""
    name = kit.words(wording.name(partner), 200)
    start = "is already yours" if again else "is yours"
    said = f"✓ {kit.strong(name)} {start}, {wording.by_day(due_on, today)}. Your mail to them closes it by itself."
    return {"text": said, "blocks": [kit.section(said), _follow_up(partner_id, partner)]}


def taken_note(partner: str, holder: str, due_on: date, today: date) -> Payload:
    """To whoever came second."""
    name, who = kit.words(wording.name(partner), 200), kit.words(wording.name(holder), 200)
    return kit.notice(
        f"{who} picked up {kit.strong(name)} a moment ago, {wording.by_day(due_on, today)}. It is in good hands."
    )


def nothing_note(partner: str) -> Payload:
    name = kit.words(wording.name(partner), 200)
    return kit.notice(f"There is nothing to recover for {kit.strong(name)} any more.")


def released_note(partner_id: int, partner: str) -> Payload:
    name = kit.words(wording.name(partner), 200)
    said = f"{kit.strong(name)} is open to everybody again."
    spoken = f"Claim recovery touch for {wording.name(partner)}"
    claim = kit.button(ids.row(ids.CLAIM, partner_id), "Claim it again", Carried(partner=partner_id), spoken=spoken)
    return {"text": said, "blocks": [kit.section(said, accessory=claim)]}


def not_yours_note(partner: str, holder: str | None) -> Payload:
    """To whoever wanted to release somebody else's claim, or one that is gone."""
    name = kit.words(wording.name(partner), 200)
    if holder is None:
        return kit.notice(f"Nobody holds {kit.strong(name)} at the moment, so there is nothing to release.")
    who = kit.words(wording.name(holder), 200)
    return kit.notice(f"{who} holds {kit.strong(name)}: only the holder can release it.")


def assigned_note(assigned: int, unowned: int, taken: int) -> Payload:
    """To the lead who pressed *Assign to owners*."""
    said = [
        f"{wording.plural(assigned, 'partner')} assigned to the owner" if assigned else "Nothing was left to assign"
    ]
    if taken:
        said.append(f"{taken} had been taken already")
    if unowned:
        said.append(f"{wording.plural(unowned, 'partner has', 'partners have')} no owner who can take it")
    return kit.notice(f"{'; '.join(said)}.")


def assigned_payload(lead: str, given: Sequence[Assigned], today: date) -> Payload:
    """To an owner, in private: what a lead has assigned, and the way to give each back."""

    def draw(scale: float) -> Payload:
        shown = given[: kit.MOST_ROWS]
        more = len(given) - len(shown)
        who, what = wording.name(lead), wording.plural(len(given), "recovery touch", "recovery touches")
        head = kit.words(f"{who} has assigned {what} to you. Release what you cannot take.", 300 * scale)
        blocks, said = [kit.section(head)], [head]
        for one in shown:
            line = kit.words(f"{wording.name(one.name)}, {wording.by_day(one.due_on, today)}", 250 * scale)
            menu = kit.overflow(
                ids.row(ids.ROW_MENU, one.partner_id),
                ("Set next step", Carried(verb=ids.NEXT_STEP, partner=one.partner_id)),
                ("Release", Carried(verb=ids.RELEASE, partner=one.partner_id)),
            )
            blocks.append(kit.section(line, accessory=menu))
            said.append(line)
        if more:
            rest = f"and {more} more: `{ids.COMMAND} mine` shows them all"
            blocks.append(kit.context(rest))
            said.append(rest)
        return {"text": "\n".join(said), "blocks": blocks}

    return kit.fitting(draw)


def _follow_up(partner_id: int, partner: str) -> kit.Block:
    name, carried = wording.name(partner), Carried(partner=partner_id)
    return kit.actions(
        kit.button(ids.row(ids.NEXT_STEP, partner_id), "Add next step", carried, spoken=f"Add next step for {name}"),
        kit.button(ids.row(ids.RELEASE, partner_id), "Undo", carried, spoken=f"Undo the claim on {name}"),
    )
