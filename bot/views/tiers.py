"""The tiers as everybody sees them, and the form in which a lead changes one, with what coverage would come of it."""

from collections.abc import Mapping, Sequence

from bot import ids, wording
from bot.ids import Carried
from bot.views import inputs, kit
from bot.views.kit import Block, Payload, View
from bot.views.sheets import see_all, sheet_modal
from models.cadence import Tier
from models.what_if import LONGEST_GRACE, LONGEST_WINDOW, Under

LONGEST_TIER = 80
IN_ANSWER = 10
SHEET = "tiers"


def tiers_answer(tiers: Sequence[Tier], partners: Mapping[int, int], *, leads: bool) -> Payload:
    lines = [tier_words(one, partners.get(one.rank, 0)) for one in tiers[:IN_ANSWER]]
    more = len(tiers) - len(lines)
    if more:
        lines.append(f"and {wording.plural(more, 'more tier')}")
    told = "\n".join(["*How often each partner is to hear from us*", *(lines or ["There are no tiers yet."])])
    edit = kit.button(ids.EDIT_TIERS, "Edit tiers", Carried()) if leads else None
    blocks = [kit.section(told, accessory=edit)]
    if more:
        blocks.append(kit.actions(see_all(len(tiers), Carried(verb=SHEET))))
    return {"text": told, "blocks": blocks}


def tiers_modal(
    tiers: Sequence[Tier], partners: Mapping[int, int], carried: Carried, note: str | None = None, *, leads: bool
) -> View:
    """All of them page by page; a lead changes them here."""

    def draw(tier: Tier) -> Block:
        spoken = f"Edit {wording.name(tier.name)}"
        edit = kit.button(ids.row(ids.EDIT_TIER, tier.rank), "Edit", Carried(tier=tier.rank), spoken=spoken)
        return kit.section(tier_words(tier, partners.get(tier.rank, 0)), accessory=edit if leads else None)

    below = [
        kit.actions(kit.button(ids.ADD_TIER, "Add a tier", Carried())),
        kit.context("A change holds from now on; weeks that are past keep the target they had."),
    ]
    head = "" if tiers else "There are no tiers yet."
    return sheet_modal(
        "Tiers", head, tiers, draw, carried, note, callback=ids.TIERS_MODAL, below=below if leads else []
    )


def tier_form(tier: Tier | None, partners: int, rank: int, said: str | None = None) -> View:
    """`said` is what coverage would be under what has been typed; the inputs keep what was typed."""
    name, window, grace = (tier.name, tier.window_days, tier.grace_days) if tier else (f"Tier {rank}", None, 0)
    carried = Carried(tier=rank, verb=None if tier else "new")
    blocks: list[Block] = [
        inputs.line(ids.TIER_NAME, "Name", LONGEST_TIER, initial=name),
        inputs.number(
            ids.TIER_WINDOW,
            "Days from one touch to the next at most",
            window,
            1,
            LONGEST_WINDOW,
            hint="With 7, a partner that was written to on a Monday is due the next Monday, and late on the Tuesday.",
        ),
        inputs.number(ids.TIER_GRACE, "Days of grace after that", grace, 0, LONGEST_GRACE),
    ]
    if tier is not None:
        buttons = [kit.button(ids.TRY_TIER, "What would coverage be?", carried)]
        if not partners:
            question = kit.confirm("Remove this tier?", f"No partner belongs to {tier.name}.", "Remove", "Keep")
            buttons.append(kit.button(ids.REMOVE_TIER, "Remove", carried, style="danger", confirm=question))
        blocks.append(kit.actions(*buttons))
    if said is not None:
        blocks.append(kit.section(said))
    title = "Edit a tier" if tier else "Add a tier"
    return kit.modal(ids.TIER_FORM, title, blocks, carried=carried, submit="Save", close="Cancel")


def tier_words(tier: Tier, partners: int) -> str:
    grace = f", {wording.plural(tier.grace_days, 'day')} of grace" if tier.grace_days else ""
    said = f"every {wording.plural(tier.window_days, 'day')}{grace} · {wording.plural(partners, 'partner')}"
    return f"{kit.strong(kit.words(wording.name(tier.name), 200))} · {said}"


def outlook_words(now: Under, then: Under) -> str:
    """Honest in both directions: what counts today beside what would count, from the touches that are stored."""
    was, would = wording.counted(now.coverage), wording.counted(then.coverage)
    name = kit.words(wording.name(now.tier.name), 200)
    days = wording.plural(then.tier.window_days, "day")
    grace = f" and {then.tier.grace_days} of grace" if then.tier.grace_days else ""
    return f"With {days}{grace}, {name} would have {would}. Now it has {was}."


def saved_note(tier: Tier, added: bool) -> str:
    name = kit.strong(kit.words(wording.name(tier.name), 200))
    verb = "is added" if added else "holds from now on"
    return f"✓ {name} {verb}: every {wording.plural(tier.window_days, 'day')}."


def removed_note(name: str) -> str:
    return f"✓ {kit.strong(kit.words(wording.name(name), 200))} is removed."
