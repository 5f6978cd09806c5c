"""Lists of partners that do not fit a message: one page of a modal, and the answer to `/cadence overdue`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot import ids, wording
from bot.ids import Carried, encode
from bot.views import kit, rows
from bot.views.kit import Block, Element, Payload, View
from bot.views.rows import Paper
from bot.views.sheets import turn_buttons
from models.cadence import Tier
from models.queries.reads import Settled
from models.standing import Standing, Who
from models.weekly_read import MailboxTrouble

IN_ANSWER = 10
TROUBLES = 3
NOBODY = 0  # no person has this id: the partners without an owner


def overdue_answer(
    title: str,
    overdue: Sequence[Standing],
    carried: Carried,
    on: Paper,
    blind: Sequence[str] = (),
    troubles: Sequence[MailboxTrouble] = (),
    total: int | None = None,
) -> Payload:
    """The first partners, for the eyes of whoever asked; the button opens them all. What was not seen is named.

    `total` is how many there are, where `overdue` has the first ones only; `blind` are names.
    """
    many = max(total or 0, len(overdue))

    def draw(scale: float) -> Payload:
        paper = replace(on, scale=scale)
        said = paper.words(title, 300)
        unseen = _unseen(blind, troubles, paper)
        if not overdue:
            first = f"{said}: nobody{' that could be seen' if blind else ''} waits for a recovery touch."
            blocks = [kit.section(first), *([kit.context(unseen)] if unseen else [])]
            return {"text": "\n".join(filter(None, [first, unseen])), "blocks": blocks}
        shown = overdue[:IN_ANSWER]
        more = many - len(shown)
        names = ", ".join(rows.name_on(paper, one.facts.name) for one in shown) + (f" and {more} more" if more else "")
        blocks = [kit.section(f"*{said}*"), *(rows.partner_row(one, paper) for one in shown)]
        if more:
            what = f"See all {many}"
            blocks.append(kit.actions(kit.button(ids.SEE_ALL, what, carried, spoken=f"{what} partners")))
        if unseen:
            blocks.append(kit.context(unseen))
        return {"text": "\n".join(filter(None, [f"{said}: {names}", unseen])), "blocks": blocks}

    return kit.fitting(draw)


def _unseen(blind: Sequence[str], troubles: Sequence[MailboxTrouble], paper: Paper) -> str:
    said = [(wording.unseen(blind), 700), *((wording.trouble(one), 300) for one in troubles[:TROUBLES])]
    if len(troubles) > TROUBLES:
        said.append((f"{len(troubles) - TROUBLES} more mailboxes need attention", 100))
    return "\n".join(f"{paper.words(one, room)}." for one, room in said if one)


@dataclass(frozen=True, slots=True)
class Listed:
    """A partner's place in a list, before anything is drawn of it."""

    heading: str
    partner_id: int
    tier: Tier | None
    owner: Who | None
    holder_id: int | None = None


@dataclass(frozen=True, slots=True)
class Leaf:
    """One page of a list: what stands on it, and what else there is to choose from."""

    rows: Sequence[Listed]
    page: int
    pages: int
    total: int
    everything: int  # partners of the list without its filters
    tiers: Sequence[Tier]
    owners: Sequence[Who]
    unowned: bool

    @property
    def partner_ids(self) -> list[int]:
        return list(dict.fromkeys(one.partner_id for one in self.rows))


def leaf(listed: Sequence[Listed], carried: Carried) -> Leaf:
    """The page that is asked for, of what its filters leave. Who has claimed a partner counts as its owner here."""
    those = [one for one in listed if chosen(one, carried)]
    sheets = list(kit.pages(those)) or [()]
    page = min(carried.page or 0, len(sheets) - 1)
    tiers = {one.tier.rank: one.tier for one in listed if one.tier}
    owners = {one.owner.id: one.owner for one in listed if one.owner}
    return Leaf(
        rows=sheets[page],
        page=page,
        pages=len(sheets),
        total=len(those),
        everything=len(listed),
        tiers=[tiers[rank] for rank in sorted(tiers)],
        owners=sorted(owners.values(), key=lambda one: (one.name.casefold(), one.id)),
        unowned=any(one.owner is None for one in listed),
    )


def list_modal(
    title: str,
    on: Leaf,
    standings: Mapping[int, Standing],
    carried: Carried,
    paper: Paper,
    settled: Mapping[int, Settled] | None = None,
    note: str | None = None,
    blind: Sequence[str] = (),
    troubles: Sequence[MailboxTrouble] = (),
) -> View:
    """One page of a list. A partner that stands under two headings gets its row once and is named the second time.

    `note` is mrkdwn: the answer to what was just pressed on this page. `blind` are names.
    """
    here = Carried(read=carried.read, tier=carried.tier, owner=carried.owner, page=on.page)
    settled, first = settled or {}, on.page * kit.MOST_ROWS + 1
    blocks: list[Block] = [kit.section(note)] if note else []
    blocks.append(kit.section(kit.words(title, 300)))
    filters = _filters(on, here)
    if filters:
        blocks.append(kit.actions(*filters, block_id=f"filters:{here.tier}:{here.owner}"))
    if on.rows:
        left_out = f" ({on.everything - on.total} more without the filter)" if on.total < on.everything else ""
        where = f"Partners {first} to {first + len(on.rows) - 1} of {on.total}{left_out}"
        blocks.append(kit.context(where))
    else:
        blocks.append(kit.section("There is nothing on this list."))
    heading, drawn = None, set()
    for one in on.rows:
        if one.heading != heading:
            heading = one.heading
            blocks.append(kit.header(heading))
        standing = standings[one.partner_id]
        if one.partner_id in drawn:
            blocks.append(kit.context(f"{rows.name_on(paper, standing.facts.name)}: see above"))
        else:
            blocks.append(rows.partner_row(standing, replace(paper, cards=True), settled.get(one.partner_id)))
        drawn.add(one.partner_id)
    turns = turn_buttons(on.page, on.pages, here)
    if turns:
        blocks.append(kit.actions(*turns))
    unseen = _unseen(blind, troubles, paper)
    if unseen:
        blocks.append(kit.context(unseen))
    return kit.modal(ids.LIST_MODAL, "Partners", blocks, carried=here)


def owner_choices(on: Leaf, carried: Carried, typed: str = "") -> list[Element]:
    """The owners to choose from, as options that carry the list they lead to."""
    there = replace(carried, page=None)
    wanted = typed.casefold().strip()
    same = Counter(wording.name(one.name) for one in on.owners)
    found = [] if wanted else [kit.option("All owners", encode(replace(there, owner=None)))]
    for one in on.owners:
        if wanted in one.name.casefold() or wanted in one.email.casefold():
            told = wording.name(one.name)
            shown = told if same[told] == 1 else f"{told} ({one.email})"
            found.append(kit.option(shown, encode(replace(there, owner=one.id))))
    if on.unowned and not wanted:
        found.append(kit.option("No owner", encode(replace(there, owner=NOBODY))))
    return found


def _filters(on: Leaf, here: Carried) -> list[Element]:
    """Menus for tier and owner, where there is something to choose or a choice to take back."""
    there, menus = replace(here, page=None), []
    if len(on.tiers) > 1 or here.tier is not None:
        tiers = [kit.option("All tiers", encode(replace(there, tier=None)))]
        tiers += [
            kit.option(wording.name(one.name), encode(replace(there, tier=one.rank)))
            for one in on.tiers[: kit.MOST_OPTIONS - 1]
        ]
        menus.append(kit.menu(ids.FILTER_TIER, tiers, _same(tiers, there), "All tiers"))
    if len(on.owners) + on.unowned > 1 or here.owner is not None:
        owners = owner_choices(on, here)
        menus.append(kit.menu(ids.FILTER_OWNER, owners, _same(owners, there), "All owners"))
    return menus


def _same(options: Sequence[Element], there: Carried) -> Element | None:
    return next((one for one in options if one["value"] == encode(there)), None)


def chosen(one: Listed, carried: Carried) -> bool:
    """Whether the filters leave it on the list."""
    if carried.tier is not None and (one.tier is None or one.tier.rank != carried.tier):
        return False
    if carried.owner is None:
        return True
    if carried.owner == NOBODY:
        return one.owner is None
    return carried.owner in (one.owner.id if one.owner else None, one.holder_id)
