"""`/cadence settings` and the form for day, hour, zone and channels. For leads; everybody finds the own settings."""

from typing import Any

from slack_bolt import App

from bot import ids
from bot.channels import NoVerdict, refused_in
from bot.ids import Carried
from bot.listeners.call import Call, answering, on_action
from bot.listeners.desk import Desk
from bot.listeners.homepage import home
from bot.listeners.typed import Command
from bot.views import inputs
from bot.views.help import HelpLine
from bot.views.kit import Payload
from bot.views.settings import (
    channel_answer,
    channel_view,
    checking_view,
    schedule_form,
    settings_answer,
    zone_options,
)
from bot.views.setup import DAYS
from models.actions.deliveries import first_delivery
from models.actions.setup import WHEN_EMPTY, Schedule, note_channel, set_schedule, steps_changed
from models.actions.write import actor_of
from models.queries.programme import Programme
from models.queries.setup import Setup, roster_size, setup_of
from models.settings import ReadAt, zone_named

HOME = "home"
"""Carried by a form that was opened from the Home tab, which is then drawn again."""


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.EDIT_SCHEDULE, open_form)
    on_action(app, desk, ids.CHECK_CHANNEL, check_again)
    app.view(ids.SCHEDULE_FORM)(answering(desk, submit))
    app.options(ids.SCHEDULE_ZONE)(answering(desk, offer_zones))


def opened_from(call: Call) -> Carried:
    return Carried(verb=HOME if call.surface == "home" else None)


def open_form(call: Call) -> None:
    visitor = call.visitor(leading=True)
    setup = _setup(call, visitor.programme)
    call.open(schedule_form(_schedule(visitor.programme, setup), visitor.person.timezone, opened_from(call)))
    call.ack()


def submit(call: Call) -> None:
    """Saves the schedule, or says beside the field what is wrong. Then it tries the channels, which takes time."""
    visitor, values = call.visitor(leading=True), call.body["view"]["state"]["values"]
    wanted, errors = _understood(values)
    if wanted is None:
        call.ack(response_action="errors", errors=errors)
        return
    workspace_id, now = visitor.programme.workspace_id, call.now
    with call.desk.sessions.begin() as session:
        if not first_delivery(session, call.key(), now):
            call.ack()
            return
        set_schedule(session, workspace_id, actor_of(visitor.person.id), wanted, now)
        steps_changed(session, workspace_id)
    call.ack(response_action="update", view=checking_view(wanted))
    trouble, no_answer = _try(call, visitor.programme, wanted.channel or "")
    also = [f"I did not hear from Slack in time ({no_answer}); please check again."] if no_answer else []
    if wanted.leaders_channel is not None:
        also += _leaders(call, wanted.leaders_channel)
    call.update_answered(channel_view(wanted.channel, trouble, also))
    redraw_home(call)


def check_again(call: Call) -> None:
    """Tries the channel once more, after somebody has invited the bot."""
    visitor = call.visitor(leading=True)
    call.carried()
    call.ack()
    channel = visitor.programme.channel
    trouble, no_answer = _try(call, visitor.programme, channel) if channel else (None, None)
    also = f"I did not hear from Slack in time ({no_answer}); please check again." if no_answer else ""
    if call.surface == "modal":
        call.update(channel_view(channel, trouble, [also] if also else []))
    elif call.surface == "home":
        call.forget()
        call.publish(home(call, channel_answer(channel, trouble, also)["text"]))
    else:
        call.tell(channel_answer(channel, trouble, also))


def offer_zones(call: Call) -> None:
    own = call.visitor(leading=True).person.timezone
    call.ack(options=zone_options(str(call.body.get("value") or ""), own))


def show(call: Call, _rest: str) -> Payload:
    visitor = call.visitor()
    workspace_id = visitor.programme.workspace_id
    setup = _setup(call, visitor.programme)
    with call.desk.reading() as session:
        partners, everybody = roster_size(session, workspace_id)
    schedule = _schedule(visitor.programme, setup)
    return settings_answer(schedule, setup.trouble, setup.tiers, partners, everybody, leads=visitor.leads)


COMMANDS = {
    "settings": Command(
        show, HelpLine("settings", "your own settings; for leads how the programme runs", "everyday"), bare=True
    )
}


def redraw_home(call: Call) -> None:
    """After a form: the Home tab from which it was opened shows the truth again."""
    call.forget()
    if call.beneath().verb == HOME:
        call.publish(home(call))


def _try(call: Call, programme: Programme, channel: str) -> tuple[str | None, str | None]:
    """What stands in the way of posting there, and why nobody knows if nobody does."""
    no_answer = None
    try:
        trouble = refused_in(call.client, channel, call.user_id or "")
    except NoVerdict as error:
        no_answer = str(error)
        return _setup(call, programme).trouble, no_answer
    with call.desk.sessions.begin() as session:
        note_channel(session, programme.workspace_id, channel, trouble, call.now)
        steps_changed(session, programme.workspace_id)
    return trouble, no_answer


def _leaders(call: Call, channel: str) -> list[str]:
    try:
        trouble = refused_in(call.client, channel, call.user_id or "")
    except NoVerdict:
        return []
    return [] if trouble is None else [f"And for leaders: {channel_answer(channel, trouble)['text']}"]


def _setup(call: Call, programme: Programme) -> Setup:
    with call.desk.reading() as session:
        return setup_of(session, programme, call.desk.settings)


def _schedule(programme: Programme, setup: Setup) -> Schedule:
    zone = programme.zone.key if setup.scheduled else ""
    return Schedule(str(programme.read_at), zone, programme.channel, programme.when_empty, programme.leaders_channel)


def _understood(values: dict[str, Any]) -> tuple[Schedule | None, dict[str, str]]:
    channel, hour = inputs.read_picked(values, ids.SCHEDULE_CHANNEL), inputs.read_picked(values, ids.SCHEDULE_HOUR)
    day, zone = inputs.read_choice(values, ids.SCHEDULE_DAY), inputs.read_choice(values, ids.SCHEDULE_ZONE)
    empty, leaders = inputs.read_choice(values, ids.SCHEDULE_EMPTY), inputs.read_picked(values, ids.SCHEDULE_LEADERS)
    errors, read_at = dict[str, str](), None
    if channel is None or channel[:1] not in "CG":
        errors[ids.SCHEDULE_CHANNEL] = "Choose a channel."
    if leaders is not None and leaders[:1] not in "CG":
        errors[ids.SCHEDULE_LEADERS] = "Choose a channel, or none."
    if day not in DAYS:
        errors[ids.SCHEDULE_DAY] = "Choose a day."
    if empty not in WHEN_EMPTY:
        errors[ids.SCHEDULE_EMPTY] = "Choose one of the two."
    try:
        zone = zone_named(zone or "").key
    except ValueError:
        errors[ids.SCHEDULE_ZONE] = "Choose a time zone."
    try:
        read_at = str(ReadAt(f"mon {hour}"))
    except ValueError:
        errors[ids.SCHEDULE_HOUR] = "Between 00:00 and 03:59 clocks change: choose 04:00 or later."
    if errors or read_at is None or zone is None or empty is None:
        return None, errors
    return Schedule(f"{day} {read_at.split()[1]}", zone, channel, empty, leaders), {}
