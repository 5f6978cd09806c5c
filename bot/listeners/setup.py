"""The first run: its list of steps, the private preview, and the button that starts the weekly read. For leads."""

from slack_bolt import App

from bot import ids, wording
from bot.listeners.call import Call, on_action
from bot.listeners.desk import Desk, Refused
from bot.listeners.homepage import home
from bot.listeners.typed import Command, literal
from bot.views import kit
from bot.views.help import HelpLine, unknown_answer
from bot.views.kit import Payload, View
from bot.views.read import read_preview
from bot.views.setup import missing_note, setup_blocks, setup_payload, started_note
from models.actions.deliveries import first_delivery
from models.actions.setup import note_preview, start_reads, steps_changed
from models.actions.write import actor_of
from models.clock import local_day
from models.queries.reads import next_read_at, weekly_read
from models.queries.setup import Setup, setup_of

IN_MODALS = ("section", "header", "context", "divider", "actions", "image")
ONLY_YOU = "This is how the read would look now. Only you see it, and nothing was posted."


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.SETUP, show_pressed)
    on_action(app, desk, ids.PREVIEW, preview_pressed)
    on_action(app, desk, ids.START, start)


def setup_now(call: Call) -> Setup:
    home_of = call.visitor(leading=True).programme
    with call.desk.reading() as session:
        return setup_of(session, home_of, call.desk.settings)


def note(call: Call) -> str | None:
    """The line that a lead is told beside every other answer until the first run is over."""
    visitor = call.visitor()
    if not visitor.leads or visitor.programme.started:
        return None
    return missing_note(setup_now(call))


def with_note(call: Call, told: Payload) -> Payload:
    """The answer, and for a lead below it what the first read still waits for."""
    try:
        line = note(call)
    except Refused:
        return told  # `help` answers everybody
    return told if line is None else kit.with_line(told, line)


def show(call: Call, rest: str) -> Payload:
    """Whoever may lead and has no address in Slack types the own one: `setup robin@lantern.example`."""
    typed = literal(rest)
    call.visitor(leading=True, address=typed or None)
    if typed and "@" not in typed:
        return unknown_answer(f"setup {typed}", COMMANDS["setup"].help)
    return setup_payload(setup_now(call), _next_on(call))


def _next_on(call: Call) -> str:
    visitor = call.visitor()
    return wording.on_day(local_day(next_read_at(visitor.programme, call.now), visitor.programme.zone), visitor.today)


def show_pressed(call: Call) -> None:
    setup = setup_now(call)
    if call.surface == "message":
        call.tell(setup_payload(setup, _next_on(call)))
    else:
        payload = setup_payload(setup, _next_on(call))
        call.open(kit.modal(ids.NOTE_MODAL, "Set Cadence up", setup_blocks(setup) or payload["blocks"]))
    call.ack()


def preview(call: Call, _rest: str) -> Payload:
    payload = _preview(call)
    return {"text": f"{ONLY_YOU}\n{payload['text']}", "blocks": [kit.context(ONLY_YOU), *payload["blocks"]]}


def preview_pressed(call: Call) -> None:
    call.carried()
    payload = _preview(call)
    if call.surface == "message":
        call.tell({"text": f"{ONLY_YOU}\n{payload['text']}", "blocks": [kit.context(ONLY_YOU), *payload["blocks"]]})
    else:
        call.open(_modal(payload))
        if call.surface == "home":
            call.publish(home(call))
    call.ack()


def start(call: Call) -> None:
    """Posts from the next hour of the schedule on. What is still missing is said instead."""
    visitor = call.visitor(leading=True)
    call.carried()
    setup = setup_now(call)
    if setup.missing:
        raise Refused(_plain(missing_note(setup) or ""))
    workspace_id = visitor.programme.workspace_id
    with call.desk.sessions.begin() as session:
        if first_delivery(session, call.key(), call.now):
            start_reads(session, workspace_id, actor_of(visitor.person.id), call.now)
            steps_changed(session, workspace_id)
    call.ack()
    call.forget()
    told = started_note(setup, _next_on(call))
    if call.surface == "home":
        call.publish(home(call, told["text"]))
    elif call.surface == "modal":
        call.update(kit.modal(ids.NOTE_MODAL, "Cadence", told["blocks"]))
    else:
        call.tell(told)


COMMANDS = {
    "setup": Command(show, HelpLine("setup", "the steps to the first read, and what is still missing", "lead")),
    "preview": Command(
        preview, HelpLine("preview", "the read as it would be posted now, for your eyes only", "lead"), bare=True
    ),
}


def _preview(call: Call) -> Payload:
    visitor = call.visitor(leading=True)
    workspace_id = visitor.programme.workspace_id
    with call.desk.reading() as session:
        payload = read_preview(weekly_read(session, visitor.programme, call.now))
    previewable = setup_now(call).partners > 0  # an empty page is no picture of the first read
    with call.desk.sessions.begin() as session:
        if previewable:
            note_preview(session, workspace_id, call.now)
        steps_changed(session, workspace_id)
    return payload


def _modal(payload: Payload) -> View:
    shown = [block for block in payload["blocks"] if block["type"] in IN_MODALS]
    return kit.modal(ids.NOTE_MODAL, "Preview", [kit.context(ONLY_YOU), *shown])


def _plain(line: str) -> str:
    return line.replace("`", "")
