"""Partners and people one by one: found, added and changed by a lead, through the doors that an import uses."""

from dataclasses import replace
from typing import Any

from slack_bolt import App

from bot import ids, wording
from bot.ids import Carried, OldButton
from bot.listeners.call import Call, answering, on_action
from bot.listeners.desk import Desk, Refused, Visitor
from bot.listeners.typed import Command, literal, look_up
from bot.views import inputs, kit
from bot.views.help import HelpLine
from bot.views.kit import Element, View
from bot.views.roster import (
    ENDED,
    NOBODY,
    guessed_name,
    note_view,
    partner_form,
    partner_note,
    partner_options,
    roster_modal,
)
from models.actions.deliveries import first_delivery
from models.actions.partners import PartnerRow, Taken, add_partner
from models.actions.roster import change_partner
from models.actions.setup import steps_changed
from models.actions.write import actor_of
from models.addresses import host_of
from models.cadence import Status
from models.domains import partner_domain
from models.email_address import email_address
from models.names import clear_name
from models.queries.programme import people
from models.queries.roster import PartnerLine, partner_lines
from models.queries.setup import roster_size, tiers_of
from models.queries.standings import partner_names

MOST_ADDRESSES = 100
FIELDS = {"name": ids.PARTNER_NAME, "domains": ids.PARTNER_DOMAIN, "contacts": ids.PARTNER_CONTACTS}


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.EDIT_ROSTER, open_page)
    on_action(app, desk, ids.NEW_PARTNER, open_new)
    on_action(app, desk, ids.FIND_PARTNER, open_found)
    app.options(ids.FIND_PARTNER)(answering(desk, offer))
    app.view(ids.EDIT_PARTNER_FORM)(answering(desk, submit))


def page(call: Call, note: str | None = None) -> View:
    visitor = call.visitor(leading=True)
    with call.desk.reading() as session:
        return roster_modal(*roster_size(session, visitor.programme.workspace_id), note)


def below(call: Call) -> Carried:
    """Carried by a form above the page, which is drawn again when the form is saved."""
    return Carried(verb=ids.ROSTER_MODAL if call.surface == "modal" else None)


def tell_saved(call: Call, title: str, note: str) -> None:
    """On the page below the form, or in place of a form that stood alone."""
    if call.beneath().verb == ids.ROSTER_MODAL:
        call.ack()
        call.update_below(page(call, note))
    else:
        call.ack(response_action="update", view=note_view(title, note))


def sentence(error: Exception) -> str:
    return wording.sentence(str(error))


def several(text: str) -> list[str]:
    """What stands in a field of several: one a line, or between commas, as people paste it."""
    found = [part for part in text.replace(",", " ").replace(";", " ").split() if part]
    if len(found) > MOST_ADDRESSES:
        raise ValueError(f"these are {len(found)}; {MOST_ADDRESSES} are the most here, and an import takes more")
    return list(dict.fromkeys(found))


def open_page(call: Call) -> None:
    call.carried()
    call.open(page(call))
    call.ack()


def open_new(call: Call) -> None:
    visitor = call.visitor(leading=True)
    call.carried()
    call.open(_form(call, visitor, None, "", below(call)))
    call.ack()


def open_found(call: Call) -> None:
    visitor, partner_id = call.visitor(leading=True), call.carried().need_partner()
    call.open(_form(call, visitor, _line(call, visitor, partner_id), "", replace(below(call), partner=partner_id)))
    call.ack()


def add_typed(call: Call, rest: str) -> None:
    """`add Acme`: the form with the name filled in, or the partner itself if it is there already."""
    visitor, name = call.visitor(leading=True), literal(rest)
    found = look_up(call, name) if name else None
    if found is not None and found.partner is not None and found.exact:
        known = found.partner.id
        call.open(_form(call, visitor, _line(call, visitor, known), "", Carried(partner=known)))
    else:
        call.open(_form(call, visitor, None, guessed_name(name), Carried()))
    call.ack()


COMMANDS = {
    "add": Command(add_typed, HelpLine("add Acme", "put a partner on the roster, or change it", "lead"), acks=True)
}


def offer(call: Call) -> None:
    call.visitor(leading=True)
    call.ack(options=offered_partners(call))


def offered_partners(call: Call) -> list[Element]:
    """The options of a menu of partners, while somebody types."""
    with call.desk.reading() as session:
        names = partner_names(session, call.visitor().programme.workspace_id, call.now)
    return partner_options(names, str(call.body.get("value") or ""))


def submit(call: Call) -> None:
    """Saves the partner, or says beside the field what is wrong with it."""
    visitor, carried = call.visitor(leading=True), call.beneath()
    before = None if carried.partner is None else _line(call, visitor, carried.partner)
    wanted, errors = _understood(call, visitor, before)
    if wanted is None:
        call.ack(response_action="errors", errors=errors)
        return
    actor, programme = actor_of(visitor.person.id), visitor.programme
    try:
        with call.desk.sessions.begin() as session:
            if not first_delivery(session, call.key(), call.now):
                call.ack()
                return
            if carried.partner is None:
                mail = add_partner(session, programme, actor, wanted, call.now)
            else:
                mail = change_partner(session, programme, actor, carried.partner, wanted, call.now)
            steps_changed(session, programme.workspace_id)
    except Taken as taken:
        what = "is on the roster already" if taken.field == "name" else f"belongs to {kit.label(taken.holder, 80)}"
        errors = {FIELDS[taken.field]: f"{kit.label(taken.value, 80)} {what}."}
        call.ack(response_action="errors", errors=errors)
        return
    tell_saved(call, "Partners and people", partner_note(wanted.name, carried.partner is None, mail.again))


def _form(call: Call, visitor: Visitor, line: PartnerLine | None, name: str, carried: Carried) -> View:
    with call.desk.reading() as session:
        workspace_id = visitor.programme.workspace_id
        tiers, everybody = tiers_of(session, workspace_id), people(session, workspace_id)
    owners = [one.who for one in everybody if one.may_act or (line is not None and one.email == line.owner_email)]
    return partner_form(line, name, tiers[: kit.MOST_OPTIONS - 1], owners, carried)


def _line(call: Call, visitor: Visitor, partner_id: int) -> PartnerLine:
    with call.desk.reading() as session:
        found = partner_lines(session, visitor.programme.workspace_id, partner_id).get(partner_id)
    if found is None:
        raise Refused("I do not know this partner: it may have left the roster.")
    return found


def _understood(call: Call, visitor: Visitor, before: PartnerLine | None) -> tuple[PartnerRow | None, dict[str, str]]:
    values: dict[str, Any] = call.body["view"]["state"]["values"]
    with call.desk.reading() as session:
        workspace_id = visitor.programme.workspace_id
        ranks, everybody = {one.rank for one in tiers_of(session, workspace_id)}, people(session, workspace_id)
    errors = dict[str, str]()
    name, domains, contacts = "", list[str](), list[str]()
    ours = {address for one in everybody for address in (one.email, *one.aliases)}
    try:
        name = clear_name(" ".join(inputs.read_text(values, ids.PARTNER_NAME).split()))
    except ValueError as error:
        errors[ids.PARTNER_NAME] = sentence(error)
    try:
        domains = [partner_domain(one) for one in several(inputs.read_text(values, ids.PARTNER_DOMAIN))]
        own = {host_of(address) for address in ours}.intersection(domains)
        if own and not own.intersection(before.domains if before else ()):
            raise ValueError(f"{min(own)} is our own people's domain")
    except ValueError as error:
        errors[ids.PARTNER_DOMAIN] = sentence(error)
    try:
        contacts = [email_address(one) for one in several(inputs.read_text(values, ids.PARTNER_CONTACTS))]
        if ours.intersection(contacts):
            raise ValueError(f"{min(ours.intersection(contacts))} is one of our own people's")
    except ValueError as error:
        errors[ids.PARTNER_CONTACTS] = sentence(error)
    rank, owner_id = inputs.read_choice(values, ids.PARTNER_TIER), inputs.read_choice(values, ids.PARTNER_OWNER)
    if rank != NOBODY and rank not in {str(one) for one in ranks}:
        errors[ids.PARTNER_TIER] = "Choose a tier of the programme."
    owner = next((one for one in everybody if str(one.id) == owner_id), None)
    if owner_id != NOBODY and (owner is None or not (owner.may_act or (before and owner.email == before.owner_email))):
        errors[ids.PARTNER_OWNER] = "Choose a partner manager of the roster."
    if errors:
        return None, errors
    ended, status = inputs.read_choice(values, ids.PARTNER_STATUS) == ENDED, None
    if ended:
        status = Status.ENDED
    elif before is not None and before.status is Status.ENDED:
        status = Status.ACTIVE
    return (
        PartnerRow(
            name,
            None if rank in (None, NOBODY) else int(rank),
            owner.email if owner else None,
            tuple(domains),
            tuple(contacts),
            status,
            since=None if before else visitor.today,
        ),
        {},
    )


def need_person(carried: Carried) -> int:
    if carried.owner is None:
        raise OldButton("the value lacks a person")
    return carried.owner
