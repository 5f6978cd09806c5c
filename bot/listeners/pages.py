"""The two surfaces that stay open, the list modal and the Home tab: drawn from the facts, and again after a press."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot import ids
from bot.ids import Carried
from bot.listeners.call import Call
from bot.listeners.cards import card_view
from bot.listeners.desk import Refused, Visitor
from bot.listeners.homepage import home
from bot.views.kit import Payload, View
from bot.views.lists import Entry, list_modal
from bot.views.read import read_modal
from bot.views.rows import Paper
from models.cadence import State
from models.queries.programme import people, tiers
from models.queries.reads import held_read, troubles
from models.queries.slack import has_read
from models.queries.standings import standings
from models.standing import Standing, Who, sort_key
from models.weekly_read import MailboxTrouble


def list_view(call: Call, carried: Carried, note: str | None = None) -> View:
    """A page of a held read, or of what is overdue now."""
    visitor, page = call.visitor(), carried.page or 0
    with call.desk.reading() as session:
        if carried.read is not None:
            if not has_read(session, visitor.programme.workspace_id, carried.read):
                raise Refused("I do not know this weekly read.")
            return read_modal(held_read(session, visitor.programme, carried.read, call.now), page, note)
    found = overdue(call, visitor, carried)
    entries = [Entry("Overdue", one) for one in found.those]
    return list_modal(found.title, entries, page, carried, Paper(visitor.today, visitor.programme.zone), note=note)


@dataclass(frozen=True, slots=True)
class Overdue:
    """What is overdue now, with its title; `blind` are those of the same kind that could not be seen."""

    title: str
    those: Sequence[Standing]
    blind: Sequence[Standing]
    troubles: Sequence[MailboxTrouble]


def overdue(call: Call, visitor: Visitor, carried: Carried) -> Overdue:
    """Of everybody; if asked, of one tier, or what one person owns or has claimed."""
    home = visitor.programme
    with call.desk.reading() as session:
        everything = standings(session, home, call.now)
        troubled = troubles(session, home, call.now)
        everybody = people(session, home.workspace_id)
        names = {tier.rank: tier.name for tier in tiers(session, home.workspace_id, call.now).values()}
    those = sorted((one for one in everything if one.state in (State.OVERDUE, State.BLIND)), key=sort_key)
    title = "Overdue partners"
    if carried.tier is not None:
        title = f"Overdue partners of {names.get(carried.tier, f'tier {carried.tier}')}"
        those = [one for one in those if one.facts.tier is not None and one.facts.tier.rank == carried.tier]
    if carried.owner is not None:
        owners = {one.id: one.name for one in everybody}
        mine = carried.owner == visitor.person.id
        title = "Your overdue partners" if mine else f"Overdue partners of {owners.get(carried.owner, 'nobody')}"
        those = [
            one for one in those if carried.owner in (_id(one.facts.owner), _id(one.claim.by if one.claim else None))
        ]
        boxes = next(({one.email, *one.aliases} for one in everybody if one.id == carried.owner), set())
        troubled = tuple(one for one in troubled if one.address in boxes)
    late = [one for one in those if one.state is State.OVERDUE]
    return Overdue(title, late, [one for one in those if one.state is State.BLIND], troubled)


def answer(call: Call, payload: Payload) -> None:
    """Says it where it was pressed: a page that stays open is drawn again with the sentence on top."""
    if call.surface == "home":
        call.publish(home(call, payload["text"]))
        return
    drawn = None
    if call.surface == "modal":
        drawn = _page(call, str(call.body["view"].get("callback_id")), call.beneath(), payload["text"])
    if drawn is not None:
        call.update(drawn)
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
        call.publish(home(call, payload["text"]))


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


def _id(who: Who | None) -> int | None:
    return who.id if who else None
