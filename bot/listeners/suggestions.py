"""`/cadence suggest`: a short list of organisations for the roster, and the form that puts one on it. For leads."""

from collections.abc import Callable
from threading import Lock
from typing import Any

from slack_bolt import App

from bot import ids, wording
from bot.listeners.call import Call, answering, on_action
from bot.listeners.desk import Desk, Refused, Visitor
from bot.listeners.typed import Command
from bot.views import kit
from bot.views.help import HelpLine
from bot.views.kit import Payload
from bot.views.next_step import owner_options
from bot.views.rows import Paper
from bot.views.suggestions import IN_LIST, added_view, busy_note, looking_note, partner_form, suggestions_answer
from models.actions.deliveries import first_delivery
from models.actions.partners import PartnerRow, Taken, add_partner
from models.actions.write import actor_of
from models.addresses import host_of
from models.cadence import Tier
from models.domains import partner_domain
from models.names import clear_name
from models.queries.programme import Person, people, tiers

_looking = Lock()  # one at a time: it asks mailboxes, and a second one would ask them the same


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.ADD_PARTNER, open_form)
    app.view(ids.PARTNER_FORM)(answering(desk, submit))
    app.options(ids.PARTNER_OWNER)(answering(desk, offer_owners))


def look(call: Call, _rest: str) -> None:
    """Acknowledges at once, and answers when the mailboxes have: Slack takes an answer for half an hour."""
    call.ack()
    search(call, call.tell)


def search(call: Call, tell: Callable[[Payload], None], page: int = 0) -> None:
    """Tells that mailboxes are asked, and later what they said. `page` counts the lists before this one."""
    visitor, suggest = call.visitor(leading=True), call.desk.suggest
    if suggest is None:
        raise Refused("This Cadence reads no mail, so it cannot tell.")
    if not _looking.acquire(blocking=False):
        tell(busy_note())
        return
    try:
        tell(looking_note())
        told = suggest(visitor.programme, page * IN_LIST, IN_LIST)
    finally:
        _looking.release()
    with call.desk.reading() as session:
        everybody = people(session, visitor.programme.workspace_id)
    owners = {address: one.id for one in everybody if one.may_act for address in (one.email, *one.aliases)}
    tell(suggestions_answer(told, owners, Paper(visitor.today, visitor.programme.zone)))


COMMANDS = {
    "suggest": Command(
        look, HelpLine("suggest", "who writes with us regularly and is not on the roster", "lead"), bare=True, acks=True
    )
}


def open_form(call: Call) -> None:
    visitor, carried = call.visitor(leading=True), call.carried()
    if carried.domain is None:
        raise ids.OldButton("the value lacks a domain")
    owners = [one.who for one in _owners(call, visitor)]
    chosen = carried.owner if carried.owner is not None else visitor.person.id
    call.open(partner_form(carried.domain, _tiers(call, visitor), owners, chosen))
    call.ack()


def submit(call: Call) -> None:
    """Adds the partner as an import would, or says beside the field what is wrong with it."""
    visitor, values = call.visitor(leading=True), call.body["view"]["state"]["values"]
    rank = _chosen(values, ids.PARTNER_TIER)
    tier = next((one for one in _tiers(call, visitor) if str(one.rank) == rank), None)
    owner = next((one for one in _owners(call, visitor) if str(one.id) == _chosen(values, ids.PARTNER_OWNER)), None)
    name, domain, errors = "", "", dict[str, str]()
    try:
        name = clear_name(" ".join(_typed(values, ids.PARTNER_NAME).split()))
    except ValueError as error:
        errors[ids.PARTNER_NAME] = _sentence(error)
    try:
        domain = _partners_domain(call, visitor, _typed(values, ids.PARTNER_DOMAIN))
    except ValueError as error:
        errors[ids.PARTNER_DOMAIN] = _sentence(error)
    if tier is None:
        errors[ids.PARTNER_TIER] = "Choose a tier of the programme."
    if owner is None:
        errors[ids.PARTNER_OWNER] = "Choose a partner manager of the roster."
    if errors or tier is None or owner is None:
        call.ack(response_action="errors", errors=errors)
        return
    wanted = PartnerRow(name, tier.rank, owner.email, (domain,), since=visitor.today)
    try:
        with call.desk.sessions.begin() as session:
            if not first_delivery(session, call.key(), call.now):
                call.ack()
                return
            mail = add_partner(session, visitor.programme, actor_of(visitor.person.id), wanted, call.now)
    except Taken as taken:
        there = ids.PARTNER_NAME if taken.field == "name" else ids.PARTNER_DOMAIN
        what = "is on the roster already" if taken.field == "name" else f"belongs to {kit.label(taken.holder, 80)}"
        call.ack(response_action="errors", errors={there: f"{kit.label(taken.value, 80)} {what}."})
        return
    call.ack(response_action="update", view=added_view(name, tier, owner.who, mail.again))


def offer_owners(call: Call) -> None:
    """The options of a roster with more than a hundred managers, while somebody types."""
    owners = [one.who for one in _owners(call, call.visitor(leading=True))]
    call.ack(options=owner_options(owners, str(call.body.get("value") or ""))[: kit.MOST_OPTIONS])


def _partners_domain(call: Call, visitor: Visitor, typed: str) -> str:
    domain = partner_domain(typed)
    with call.desk.reading() as session:
        ours = {host_of(one.email) for one in people(session, visitor.programme.workspace_id)}
    if domain in ours:
        raise ValueError(f"{domain} is our own people's domain")
    return domain


def _tiers(call: Call, visitor: Visitor) -> list[Tier]:
    with call.desk.reading() as session:
        in_force = tiers(session, visitor.programme.workspace_id, call.now).values()
    if not in_force:
        raise Refused("There are no tiers yet, and a partner needs one.")
    return sorted(in_force, key=lambda tier: tier.rank)[: kit.MOST_OPTIONS]


def _owners(call: Call, visitor: Visitor) -> list[Person]:
    with call.desk.reading() as session:
        everybody = people(session, visitor.programme.workspace_id)
    return [one for one in everybody if one.may_act or one.id == visitor.person.id]


def _typed(values: dict[str, Any], block_id: str) -> str:
    return str((values.get(block_id, {}).get(block_id) or {}).get("value") or "")


def _chosen(values: dict[str, Any], block_id: str) -> str | None:
    option = (values.get(block_id, {}).get(block_id) or {}).get("selected_option") or {}
    return option.get("value")


def _sentence(error: ValueError) -> str:
    return wording.sentence(str(error))
