"""The people of the roster, one by one: added from Slack or by address, changed, and taken off duty. For leads."""

from dataclasses import replace
from typing import Any

from slack_bolt import App
from sqlalchemy.orm import Session

from bot import ids
from bot.listeners.call import Call, answering, on_action
from bot.listeners.desk import Desk, Refused, Visitor
from bot.listeners.roster import below, need_person, sentence, several, tell_saved
from bot.views import inputs, kit
from bot.views.roster import ROLES, person_form, person_note, person_options
from models.actions.deliveries import first_delivery
from models.actions.partners import Taken
from models.actions.people import PersonRow
from models.actions.roster import LastLead, partners_owned, put_one_person, set_on_duty
from models.actions.setup import steps_changed
from models.actions.write import actor_of
from models.email_address import email_address
from models.names import clear_name
from models.queries.programme import Person, people

FIELDS = {"email": ids.PERSON_EMAIL, "aliases": ids.PERSON_ALIASES, "slack": ids.PERSON_USER}


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.NEW_PERSON, open_new)
    on_action(app, desk, ids.FIND_PERSON, open_found)
    app.options(ids.FIND_PERSON)(answering(desk, offer))
    app.view(ids.PERSON_FORM)(answering(desk, submit))


def open_new(call: Call) -> None:
    call.visitor(leading=True)
    call.carried()
    call.open(person_form(None, below(call)))
    call.ack()


def open_found(call: Call) -> None:
    visitor, person_id = call.visitor(leading=True), need_person(call.carried())
    call.open(person_form(_person(call, visitor, person_id), replace(below(call), owner=person_id)))
    call.ack()


def offer(call: Call) -> None:
    visitor = call.visitor(leading=True)
    with call.desk.reading() as session:
        everybody = people(session, visitor.programme.workspace_id)
    call.ack(options=person_options(everybody, str(call.body.get("value") or "")))


def submit(call: Call) -> None:
    """Saves the person, or says beside the field what is wrong."""
    visitor, carried = call.visitor(leading=True), call.beneath()
    before = None if carried.owner is None else _person(call, visitor, carried.owner)
    values: dict[str, Any] = call.body["view"]["state"]["values"]
    wanted, errors = _understood(call, visitor, values, before)
    if wanted is not None and before is None and _is_there(call, visitor, wanted.email):
        errors = {ids.PERSON_EMAIL: f"{kit.label(wanted.email, 80)} is on the roster already."}
        wanted = None
    if wanted is None:
        call.ack(response_action="errors", errors=errors)
        return
    try:
        with call.desk.sessions.begin() as session:
            if not first_delivery(session, call.key(), call.now):
                call.ack()
                return
            said = _save(session, call, visitor, wanted, before, inputs.read_ticks(values, ids.PERSON_LEFT))
    except Taken as taken:
        field = FIELDS[taken.field]
        if before is not None and field != ids.PERSON_ALIASES:
            field = ids.PERSON_NAME
        told = f"{kit.label(taken.value, 80)} belongs to {kit.label(taken.holder, 80)}."
        call.ack(response_action="errors", errors={field: told})
        return
    except LastLead as error:
        field = ids.PERSON_LEFT if inputs.read_ticks(values, ids.PERSON_LEFT) else ids.PERSON_ROLE
        call.ack(response_action="errors", errors={field: sentence(error)})
        return
    tell_saved(call, "Partners and people", said)


def _save(
    session: Session, call: Call, visitor: Visitor, wanted: PersonRow, before: Person | None, leaves: bool
) -> str:
    actor, programme = actor_of(visitor.person.id), visitor.programme
    if leaves:
        wanted = replace(wanted, role="viewer")  # a press of theirs brings nobody back on duty
    put_one_person(session, programme, actor, wanted, call.now)
    steps_changed(session, programme.workspace_id)
    if before is not None:
        set_on_duty(session, programme.workspace_id, actor, before.id, not leaves, call.now)
    owned = partners_owned(session, before.id) if before is not None and leaves else None
    return person_note(wanted.name, wanted.role, before is None, owned)


def _understood(
    call: Call, visitor: Visitor, values: dict[str, Any], before: Person | None
) -> tuple[PersonRow | None, dict[str, str]]:
    errors, aliases = dict[str, str](), list[str]()
    user_id = inputs.read_picked(values, ids.PERSON_USER)
    name, email = inputs.read_text(values, ids.PERSON_NAME), inputs.read_text(values, ids.PERSON_EMAIL)
    role, zone = inputs.read_choice(values, ids.PERSON_ROLE), None
    if user_id is not None:
        profile = call.desk.directory.profile(lambda: call.client, user_id)
        strange = profile is not None and profile.team_id not in (None, visitor.programme.team_id)
        if profile is not None and (profile.guest or profile.gone or strange):
            errors[ids.PERSON_USER] = "Guests, bots and people of other companies cannot be on the roster."
        elif profile is not None:
            email, name, zone = email or profile.email or "", name or profile.name or "", profile.timezone
    if before is not None:
        email = before.email
    try:
        email = email_address(email)
    except ValueError as error:
        asked = "Slack does not tell it: type the address." if user_id and not email else sentence(error)
        errors[ids.PERSON_EMAIL] = asked
    try:
        name = clear_name(" ".join((name or email.partition("@")[0]).split()))
    except ValueError as error:
        errors[ids.PERSON_NAME] = sentence(error)
    try:
        aliases = [email_address(one) for one in several(inputs.read_text(values, ids.PERSON_ALIASES))]
    except ValueError as error:
        errors[ids.PERSON_ALIASES] = sentence(error)
    if role not in ROLES:
        errors[ids.PERSON_ROLE] = "Choose a role."
    if errors or role is None:
        return None, errors
    others = tuple(one for one in aliases if one != email)
    return PersonRow(email, name, role, user_id, others, zone), {}


def _is_there(call: Call, visitor: Visitor, email: str) -> bool:
    with call.desk.reading() as session:
        return any(one.email == email for one in people(session, visitor.programme.workspace_id))


def _person(call: Call, visitor: Visitor, person_id: int) -> Person:
    with call.desk.reading() as session:
        everybody = people(session, visitor.programme.workspace_id)
    found = next((one for one in everybody if one.id == person_id), None)
    if found is None:
        raise Refused("I do not know this person: they may have left the roster.")
    return found
