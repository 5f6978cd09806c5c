"""Snooze, stop and start: each person decides about the own nudges only."""

from datetime import timedelta

from slack_bolt import App

from bot import ids
from bot.ids import OldButton
from bot.listeners import my_settings
from bot.listeners.call import Call, on_action
from bot.listeners.desk import Desk
from bot.listeners.pages import answer
from bot.listeners.typed import Command, literal
from bot.views import help as answers
from bot.views import nudges as views
from bot.views.help import HelpLine
from bot.views.kit import Payload
from models.actions import people as people_actions
from models.actions import wishes
from models.actions.deliveries import first_delivery
from models.clock import local_day
from models.queries.slack import is_muted
from models.settings import zone_named


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.SNOOZE, snooze)
    on_action(app, desk, ids.NUDGES_OFF, stop)
    on_action(app, desk, ids.NUDGES_ON, start)
    on_action(app, desk, ids.MUTE, mute)


def snooze(call: Call) -> None:
    """Quiet for so many days of the person's own calendar, today included."""
    days = call.carried().days
    if days not in (views.TOMORROW, views.A_WEEK):
        raise OldButton("nobody offers that many days")
    visitor = call.visitor()
    zone = zone_named(visitor.person.timezone) if visitor.person.timezone else visitor.programme.zone
    today = local_day(call.now, zone)
    until = today + timedelta(days=days - 1)
    with call.desk.sessions.begin() as session:
        if first_delivery(session, call.key(), call.now):
            home, me = visitor.programme.workspace_id, visitor.person
            people_actions.set_nudge_wishes(session, home, me.id, call.now, nudges=me.nudges, snoozed_until=until)
    call.ack()
    answer(call, views.snoozed_answer(until, today))


def stop(call: Call) -> None:
    told = switch(call, on=False, key=call.key())
    call.ack()
    answer(call, told)


def start(call: Call) -> None:
    told = switch(call, on=True, key=call.key())
    call.ack()
    answer(call, told)


def switch(call: Call, *, on: bool, key: str | None) -> Payload:
    visitor = call.visitor()
    with call.desk.sessions.begin() as session:
        if key is None or first_delivery(session, key, call.now):
            home, me = visitor.programme.workspace_id, visitor.person
            people_actions.set_nudge_wishes(session, home, me.id, call.now, nudges=on, snoozed_until=None)
    return views.on_answer() if on else views.off_answer()


def mute(call: Call) -> None:
    """No nudges about one partner, or again. A button that names neither turns it round, as on the card."""
    carried, visitor = call.carried(), call.visitor()
    home, me, partner_id = visitor.programme.workspace_id, visitor.person.id, carried.need_partner()
    with call.desk.sessions.begin() as session:
        name = call.desk.standing(session, visitor, partner_id).facts.name
        if carried.verb in (views.MUTE, views.UNMUTE):
            muting = carried.verb == views.MUTE
        else:
            muting = not is_muted(session, me, partner_id)
        if first_delivery(session, call.key(), call.now):
            (wishes.mute if muting else wishes.unmute)(session, home, me, partner_id, call.now)
        else:
            muting = is_muted(session, me, partner_id)
    call.ack()
    answer(call, views.muted_answer(partner_id, name) if muting else views.unmuted_answer(name))


def typed(call: Call, rest: str) -> Payload | None:
    """Without a word the form opens in which everything stands."""
    wish = literal(rest).casefold()
    if not wish:
        my_settings.open_form(call)
        return None
    call.ack()
    if wish in ("on", "start", "off", "stop"):
        return switch(call, on=wish in ("on", "start"), key=None)
    return answers.unknown_answer(f"nudges {literal(rest)}", COMMANDS["nudges"].help)


COMMANDS = {
    "nudges": Command(
        typed,
        HelpLine("nudges", "my hours, holidays, rest and stand-in; `nudges off` stops them", "everyday"),
        acks=True,
    )
}
