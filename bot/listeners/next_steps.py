"""The next-step form: opened from a row, a note, a card or a command, checked, and saved."""

from datetime import date
from typing import Any

from slack_bolt import App

from bot import ids
from bot.ids import OldButton
from bot.listeners.call import Call, answering, on_action
from bot.listeners.desk import Desk, Visitor
from bot.listeners.homepage import home
from bot.listeners.typed import Command, literal, look_up, not_found
from bot.views import kit
from bot.views.help import HelpLine
from bot.views.kit import Payload
from bot.views.next_step import next_step_form, owner_options, saved_note
from models.actions import next_steps
from models.actions.deliveries import first_delivery
from models.actions.write import actor_of
from models.queries.programme import Person, people
from models.standing import NextStepFacts


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.NEXT_STEP, open_form)
    app.view(ids.NEXT_STEP_FORM)(answering(desk, submit))
    app.options(ids.STEP_OWNER)(answering(desk, suggest_owners))


def open_form(call: Call) -> None:
    show_form(call, call.carried().need_partner())
    call.ack()


def show_form(call: Call, partner_id: int) -> None:
    visitor = call.visitor(acting=True)
    with call.desk.reading() as session:
        standing = call.desk.standing(session, visitor, partner_id)
        owners = [one.who for one in _owners(call, visitor)]
    channel = call.channel if call.surface == "message" else None
    call.open(next_step_form(standing, owners, visitor.person.who, channel))


def submit(call: Call) -> None:
    """Saves the form, or says beside the field what is wrong with it."""
    visitor, beneath = call.visitor(acting=True), call.beneath()
    partner_id, values = beneath.need_partner(), call.body["view"]["state"]["values"]
    text = str(_value(values, ids.STEP_TEXT, "value") or "").strip()
    due_on = _day(_value(values, ids.STEP_DUE, "selected_date"))
    chosen = (_value(values, ids.STEP_OWNER, "selected_option") or {}).get("value")
    owner = next((one for one in _owners(call, visitor) if str(one.id) == chosen), None)
    errors = {}
    if not text:
        errors[ids.STEP_TEXT] = "Say in a few words what happens next."
    elif len(text) > kit.MOST_TEXT:
        errors[ids.STEP_TEXT] = f"At most {kit.MOST_TEXT} characters, please."
    if due_on is not None and due_on < visitor.today:
        errors[ids.STEP_DUE] = "This day is over: choose today or a later one."
    if owner is None:
        errors[ids.STEP_OWNER] = "Choose a partner manager of the roster."
    if errors:
        call.ack(response_action="errors", errors=errors)
        return
    step = NextStepFacts(text, due_on, owner.who if owner else None)
    with call.desk.sessions.begin() as session:
        if not first_delivery(session, call.key(), call.now):
            call.ack()
            return
        standing = call.desk.standing(session, visitor, partner_id)
        me = visitor.person.id
        next_steps.set_next_step(
            session,
            visitor.programme,
            partner_id,
            text,
            owner.id if owner else None,
            due_on,
            me,
            actor_of(me),
            call.now,
        )
    call.ack()
    if beneath.channel is not None:
        call.whisper(beneath.channel, saved_note(standing.facts.name, step, visitor.today))
    else:
        call.publish(home(call))


def suggest_owners(call: Call) -> None:
    """The options of a roster with more than a hundred managers, while somebody types."""
    owners = [one.who for one in _owners(call, call.visitor(acting=True))]
    call.ack(options=owner_options(owners, str(call.body.get("value") or ""))[: kit.MOST_OPTIONS])


def typed(call: Call, rest: str) -> Payload | None:
    """`/cadence next Acme` opens the form, for which Slack gives three seconds."""
    name = literal(rest)
    found = look_up(call, name)
    if found is None or found.partner is None:
        call.ack()
        return not_found("next Acme", found, name)
    show_form(call, found.partner.id)
    call.ack()
    return None


COMMANDS = {"next": Command(typed, HelpLine("next Acme", "agree on the next step", "everyday"), acks=True)}


def _owners(call: Call, visitor: Visitor) -> list[Person]:
    with call.desk.reading() as session:
        return [
            one for one in people(session, visitor.programme.workspace_id) if one.may_act or one.id == visitor.person.id
        ]


def _value(values: dict[str, Any], block_id: str, name: str) -> Any:
    return (values.get(block_id, {}).get(block_id) or {}).get(name)


def _day(written: object) -> date | None:
    if not written:
        return None
    try:
        return date.fromisoformat(str(written))
    except ValueError as error:
        raise OldButton("the date is no date") from error
