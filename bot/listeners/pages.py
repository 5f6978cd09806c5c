"""The two surfaces that stay open, the list modal and the Home tab: drawn from the facts, and again after a press."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot import ids
from bot.ids import Carried
from bot.listeners import signals
from bot.listeners.call import Call
from bot.listeners.cards import card_view
from bot.listeners.desk import Refused, Visitor
from bot.listeners.homepage import boxes_seen, home
from bot.listeners.tiers import tiers_view
from bot.views import mailboxes
from bot.views import tiers as tiers_sheet
from bot.views.kit import Payload, View
from bot.views.lists import Leaf, Listed, chosen, leaf, list_modal
from bot.views.mailboxes import mailboxes_modal
from bot.views.read import read_leaf, read_modal
from bot.views.rows import Paper
from models.queries.programme import people, tiers
from models.queries.reads import HeldRead, held_read, troubles
from models.queries.slack import has_read
from models.queries.slipped import holders, in_order, slipped
from models.queries.standings import standings
from models.standing import Standing
from models.weekly_read import MailboxTrouble


def list_view(call: Call, carried: Carried, note: str | None = None) -> View:
    """A page of the list that is named; of a held read; or of what is overdue now."""
    visitor = call.visitor()
    named = SHEETS.get(carried.verb or "")
    if named is not None:
        return named(call, carried, note)
    if carried.read is not None:
        return read_modal(_held(call, carried.read), carried, note)
    found = overdue(call, visitor, carried)
    paper = Paper(visitor.today, visitor.programme.zone)
    lines = {one.facts.partner_id: one for one in drawn(call, found.leaf.partner_ids)}
    return list_modal(
        found.title, found.leaf, lines, carried, paper, note=note, blind=found.blind, troubles=found.troubles
    )


def mailboxes_view(call: Call, carried: Carried, note: str | None = None) -> View:
    """The own ones; for a lead, everybody's."""
    visitor = call.visitor()
    with call.desk.reading() as session:
        shown = boxes_seen(session, visitor, call.now, lambda _: visitor.leads)
    return mailboxes_modal(shown, visitor.today, visitor.programme.zone, carried, note, acts=visitor.may_act)


SHEETS: dict[str, Callable[[Call, Carried, str | None], View]] = {
    **dict.fromkeys(signals.LISTS, signals.signals_view),
    mailboxes.SHEET: mailboxes_view,
    tiers_sheet.SHEET: tiers_view,
}


def menu_leaf(call: Call, carried: Carried) -> Leaf:
    """What the menus of an open list choose from."""
    if carried.read is not None:
        return read_leaf(_held(call, carried.read))
    return overdue(call, call.visitor(), Carried()).leaf


@dataclass(frozen=True, slots=True)
class Overdue:
    """What is overdue now, with its title; `blind` are the names of the same kind that could not be seen."""

    title: str
    leaf: Leaf
    blind: Sequence[str]
    troubles: Sequence[MailboxTrouble]


def overdue(call: Call, visitor: Visitor, carried: Carried) -> Overdue:
    """Of everybody; if asked, of one tier, or what one person owns or has claimed."""
    home = visitor.programme
    with call.desk.reading() as session:
        found = slipped(session, home, call.now)
        held_by = holders(session, home.workspace_id)
        troubled = troubles(session, home, call.now)
        everybody = {one.id: one for one in people(session, home.workspace_id)}
        names = {tier.rank: tier.name for tier in tiers(session, home.workspace_id, call.now).values()}
    who = {one.id: one.who for one in everybody.values()}
    late = [
        Listed("Overdue", one.partner_id, one.tier, who.get(one.owner_id or 0), held_by.get(one.partner_id))
        for one in found
        if not one.blind
    ]
    unseen = [
        Listed(one.name, one.partner_id, one.tier, who.get(one.owner_id or 0), held_by.get(one.partner_id))
        for one in found
        if one.blind
    ]
    title = "Overdue partners"
    if carried.tier is not None:
        title = f"{title} of {names.get(carried.tier, f'tier {carried.tier}')}"
    if carried.owner is not None:
        owner = everybody.get(carried.owner)
        if owner is not None and owner.id == visitor.person.id:
            title = f"{title}: yours, and those that you have claimed"
        else:
            title = f"{title}{',' if carried.tier is not None else ''} of {owner.name if owner else 'nobody'}"
        boxes = {owner.email, *owner.aliases} if owner else set()
        troubled = tuple(one for one in troubled if one.address in boxes)
    blind = [one.heading for one in unseen if chosen(one, carried)]
    return Overdue(title, leaf(late, carried), blind, troubled)


def drawn(call: Call, partner_ids: Sequence[int]) -> list[Standing]:
    """These partners as they stand now, in this order."""
    with call.desk.reading() as session:
        return in_order(standings(session, call.visitor().programme, call.now, partner_ids=partner_ids), partner_ids)


def _held(call: Call, read_id: int) -> HeldRead:
    home = call.visitor().programme
    with call.desk.reading() as session:
        if not has_read(session, home.workspace_id, read_id):
            raise Refused("I do not know this weekly read.")
        return held_read(session, home, read_id, call.now)


def answer(call: Call, payload: Payload) -> None:
    """Says it where it was pressed: a page that stays open is drawn again with the sentence on top."""
    if call.surface == "home":
        call.publish(home(call, payload["text"]), lambda: home(call, payload["text"]))
        return
    page = None
    if call.surface == "modal":
        page = _page(call, str(call.body["view"].get("callback_id")), call.beneath(), payload["text"])
    if page is not None:
        call.update(page)
    else:
        call.tell(payload)


def answer_form(call: Call, payload: Payload) -> None:
    """Says it after a form was saved: in the channel where it was opened, on the page below it, or on Home."""
    beneath = call.beneath()
    below = _page(call, beneath.verb, beneath, payload["text"]) if beneath.verb else None
    if beneath.channel is not None:
        call.whisper(beneath.channel, payload)
    elif below is not None:
        call.update_below(below)
    else:
        call.publish(home(call, payload["text"]), lambda: home(call, payload["text"]))


def form_of(call: Call, partner_id: int) -> Carried:
    """What a form about a partner carries: where to answer when it is saved."""
    if call.surface == "modal":
        verb = str(call.body["view"].get("callback_id") or "") or None
        return replace(call.beneath(), partner=partner_id, verb=verb)
    return Carried(partner=partner_id, channel=call.channel if call.surface == "message" else None)


def _page(call: Call, kind: str | None, carried: Carried, note: str) -> View | None:
    """The page of a modal that stays open; None when it is no such page."""
    if kind == ids.LIST_MODAL:
        return list_view(call, carried, note)
    if kind == ids.CARD_MODAL:
        return card_view(call, carried.need_partner(), note)
    return None
