"""`/cadence tiers`: the cadence targets for everybody, and their editing for leads."""

from typing import Any

from slack_bolt import App
from sqlalchemy.orm import Session

from bot import ids
from bot.ids import Carried, OldButton
from bot.listeners.call import Call, answering, on_action
from bot.listeners.desk import Desk, Refused, Visitor
from bot.listeners.typed import Command
from bot.views import inputs
from bot.views.help import HelpLine
from bot.views.kit import MOST_ROWS, Payload, View
from bot.views.tiers import (
    LONGEST_TIER,
    SHEET,
    outlook_words,
    removed_note,
    saved_note,
    tier_form,
    tiers_answer,
    tiers_modal,
)
from models.actions import episodes
from models.actions.deliveries import first_delivery
from models.actions.programme import TierInUse, remove_tier, set_tier
from models.actions.setup import steps_changed
from models.actions.write import Change, actor_of
from models.cadence import Tier
from models.names import clear_name, name_key
from models.queries.setup import partners_of_tiers, tiers_of
from models.queries.what_if import what_if
from models.what_if import LONGEST_GRACE, LONGEST_WINDOW, OtherTarget

HIGHEST_RANK = 99


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.EDIT_TIERS, open_list)
    on_action(app, desk, ids.EDIT_TIER, open_form)
    on_action(app, desk, ids.ADD_TIER, open_new)
    on_action(app, desk, ids.TRY_TIER, try_it)
    on_action(app, desk, ids.REMOVE_TIER, remove)
    app.view(ids.TIER_FORM)(answering(desk, submit))


def show(call: Call, _rest: str) -> Payload:
    visitor = call.visitor()
    with call.desk.reading() as session:
        workspace_id = visitor.programme.workspace_id
        return tiers_answer(
            tiers_of(session, workspace_id), partners_of_tiers(session, workspace_id), leads=visitor.leads
        )


COMMANDS = {
    "tiers": Command(
        show, HelpLine("tiers", "how often partners are to hear from us; leads change it there", "look"), bare=True
    )
}


def open_list(call: Call) -> None:
    call.visitor(leading=True)
    call.open(_list(call))
    call.ack()


def open_form(call: Call) -> None:
    visitor, rank = call.visitor(leading=True), call.carried().tier
    with call.desk.reading() as session:
        tier = _tier(session, visitor, rank)
        partners = partners_of_tiers(session, visitor.programme.workspace_id).get(tier.rank, 0)
    call.open(tier_form(tier, partners, tier.rank))
    call.ack()


def open_new(call: Call) -> None:
    visitor = call.visitor(leading=True)
    with call.desk.reading() as session:
        ranks = [one.rank for one in tiers_of(session, visitor.programme.workspace_id)]
    rank = max(ranks, default=0) + 1
    if rank > HIGHEST_RANK:
        raise Refused(f"There is no room for another tier: {HIGHEST_RANK} is the last rank.")
    call.open(tier_form(None, 0, rank))
    call.ack()


def submit(call: Call) -> None:
    """Saves the tier, or says beside the field what is wrong with it."""
    visitor, carried = call.visitor(leading=True), call.beneath()
    workspace_id, now = visitor.programme.workspace_id, call.now
    if carried.tier is None:
        raise OldButton("the form lacks a rank")
    with call.desk.sessions.begin() as session:
        known = tiers_of(session, workspace_id)
        if (carried.tier in {one.rank for one in known}) is (carried.verb == "new"):
            raise Refused("The tiers have changed meanwhile: please open them again.")
        tier, errors = _understood(call.body["view"]["state"]["values"], carried.tier, known)
        change = Change.UNCHANGED
        if tier is not None and first_delivery(session, call.key(), now):
            change = set_tier(session, workspace_id, actor_of(visitor.person.id), tier, now)
            if change is Change.CHANGED:
                episodes.settle_episodes(session, visitor.programme, now)
            steps_changed(session, workspace_id)
    if tier is None:
        call.ack(response_action="errors", errors=errors)
        return
    call.ack()
    said = saved_note(tier, change is Change.ADDED) if change is not Change.UNCHANGED else None
    call.update_below(_list(call, tier.rank, said))


def try_it(call: Call) -> None:
    """What coverage would be with the days that stand in the form; nothing is saved."""
    visitor, rank = call.visitor(leading=True), call.carried().tier
    values = call.body["view"]["state"]["values"]
    window, grace = inputs.read_number(values, ids.TIER_WINDOW), inputs.read_number(values, ids.TIER_GRACE)
    with call.desk.reading() as session:
        tier = _tier(session, visitor, rank)
        partners = partners_of_tiers(session, visitor.programme.workspace_id).get(tier.rank, 0)
        if window is None or not 1 <= window <= LONGEST_WINDOW or not 0 <= (grace or 0) <= LONGEST_GRACE:
            said = f"Give a window of 1 to {LONGEST_WINDOW} days and 0 to {LONGEST_GRACE} days of grace."
        else:
            outlook = what_if(session, visitor.programme, call.now, [OtherTarget(tier.rank, window, grace or 0)])
            found = next(one for one in outlook.tiers if one.now.tier.rank == tier.rank)
            said = outlook_words(found.now, found.then)
    call.update(tier_form(tier, partners, tier.rank, said))
    call.ack()


def remove(call: Call) -> None:
    visitor, rank = call.visitor(leading=True), call.carried().tier
    workspace_id = visitor.programme.workspace_id
    with call.desk.sessions.begin() as session:
        tier = _tier(session, visitor, rank)
        said = removed_note(tier.name)
        if first_delivery(session, call.key(), call.now):
            try:
                remove_tier(session, workspace_id, actor_of(visitor.person.id), tier.rank, call.now)
            except TierInUse as error:
                raise Refused(f"This tier cannot be removed: {error}.") from error
            steps_changed(session, workspace_id)
    call.ack()
    call.update_below(_list(call, tier.rank, said))
    call.update(_list(call, tier.rank, said))


def tiers_view(call: Call, carried: Carried, note: str | None = None) -> View:
    """One page of all tiers."""
    visitor = call.visitor()
    workspace_id = visitor.programme.workspace_id
    with call.desk.reading() as session:
        return tiers_modal(
            tiers_of(session, workspace_id),
            partners_of_tiers(session, workspace_id),
            carried,
            note,
            leads=visitor.leads,
        )


def _list(call: Call, rank: int | None = None, note: str | None = None) -> View:
    """The page on which the tier of this rank stands, or the first."""
    with call.desk.reading() as session:
        ranks = [one.rank for one in tiers_of(session, call.visitor().programme.workspace_id)]
    place = sum(one < rank for one in ranks) if rank is not None else 0
    return tiers_view(call, Carried(verb=SHEET, page=place // MOST_ROWS), note)


def _tier(session: Session, visitor: Visitor, rank: int | None) -> Tier:
    found = next((one for one in tiers_of(session, visitor.programme.workspace_id) if one.rank == rank), None)
    if found is None:
        raise Refused("I do not know this tier: it may have been removed.")
    return found


def _understood(values: dict[str, Any], rank: int, known: list[Tier]) -> tuple[Tier | None, dict[str, str]]:
    name, errors = " ".join(inputs.read_text(values, ids.TIER_NAME).split()), dict[str, str]()
    window, grace = inputs.read_number(values, ids.TIER_WINDOW), inputs.read_number(values, ids.TIER_GRACE)
    try:
        name = clear_name(name)
    except ValueError as error:
        errors[ids.TIER_NAME] = f"{str(error).capitalize()}."
    if len(name) > LONGEST_TIER:
        errors[ids.TIER_NAME] = f"At most {LONGEST_TIER} characters."
    if any(name_key(one.name) == name_key(name) and one.rank != rank for one in known):
        errors[ids.TIER_NAME] = "Another tier has this name."
    if window is None or not 1 <= window <= LONGEST_WINDOW:
        errors[ids.TIER_WINDOW] = f"A whole number of days, 1 to {LONGEST_WINDOW}."
    if grace is None or not 0 <= grace <= LONGEST_GRACE:
        errors[ids.TIER_GRACE] = f"A whole number of days, 0 to {LONGEST_GRACE}."
    if errors or window is None or grace is None:
        return None, errors
    return Tier(rank, name, window, grace), {}
