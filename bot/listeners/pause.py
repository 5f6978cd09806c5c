"""Pause and resume a partner, by command or by form. For leads: reason and end are on record."""

import re
from datetime import date
from typing import Any

from slack_bolt import App

from bot import ids
from bot.ids import Carried, OldButton
from bot.listeners.call import Call, answering, on_action
from bot.listeners.desk import Desk, Refused
from bot.listeners.pages import answer, answer_form, form_of
from bot.listeners.typed import Command, literal, look_up, not_found
from bot.views.help import HelpLine
from bot.views.kit import Payload
from bot.views.partner import Again
from bot.views.pause import not_paused_note, pause_form, paused_note, resumed_note
from models.actions import pauses
from models.actions.deliveries import first_delivery
from models.actions.pauses import WrongPause
from models.due_words import UnclearDay, due_day
from models.queries.lookup import Found

_UNTIL = re.compile(r"\s+(?:until|till|to)\s+", re.IGNORECASE)
_WHY = re.compile(r"\s*[:;]\s*|\s+because\s+(?:of\s+)?|\s+[-\u2013\u2014]\s+", re.IGNORECASE)  # or a dash


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.PAUSE, open_form)
    on_action(app, desk, ids.RESUME, resume)
    app.view(ids.PAUSE_FORM)(answering(desk, submit))


def open_form(call: Call) -> None:
    show_form(call, call.carried().need_partner())
    call.ack()


def show_form(call: Call, partner_id: int, until: date | None = None, reason: str = "") -> None:
    visitor = call.visitor(leading=True)
    with call.desk.reading() as session:
        standing = call.desk.standing(session, visitor, partner_id)
    call.open(pause_form(standing, form_of(call, partner_id), until, reason))


def submit(call: Call) -> None:
    """Saves the pause, or says beside the field what is wrong with it."""
    visitor, beneath = call.visitor(leading=True), call.beneath()
    partner_id = beneath.need_partner()
    reason, until = filled_in(call.body["view"]["state"]["values"])
    fields = {"until": ids.PAUSE_UNTIL, "reason": ids.PAUSE_REASON}
    errors = {fields[one.field]: str(one) for one in pauses.wrong(reason, until, visitor.today)}
    if errors or until is None:
        call.ack(response_action="errors", errors=errors)
        return
    told = put_on_pause(call, partner_id, reason, until, call.key())
    call.ack()
    if told is not None:
        answer_form(call, told)


def put_on_pause(call: Call, partner_id: int, reason: str, until: date, key: str | None) -> Payload | None:
    """The pause itself; None when Slack delivered this before."""
    visitor = call.visitor(leading=True)
    with call.desk.sessions.begin() as session:
        if key is not None and not first_delivery(session, key, call.now):
            return None
        name = call.desk.standing(session, visitor, partner_id).facts.name
        if not pauses.pause(session, visitor.programme, partner_id, reason, until, visitor.person.id, call.now):
            raise Refused("The partnership has ended: there is nothing to pause.")
    return paused_note(partner_id, name, until, reason, visitor.today)


def resume(call: Call) -> None:
    told = end_pause(call, call.carried().need_partner(), call.key())
    call.ack()
    if told is not None:
        answer(call, told)


def end_pause(call: Call, partner_id: int, key: str | None) -> Payload | None:
    visitor = call.visitor(leading=True)
    with call.desk.sessions.begin() as session:
        if key is not None and not first_delivery(session, key, call.now):
            return None
        before = call.desk.standing(session, visitor, partner_id)
        if not pauses.resume(session, visitor.programme, partner_id, visitor.person.id, call.now):
            return not_paused_note(before.facts.name)
        after = call.desk.standing(session, visitor, partner_id)
    return resumed_note(after, visitor.today)


def filled_in(values: dict[str, Any]) -> tuple[str, date | None]:
    """Reason and last day as a form has them, whatever its blocks' ids end in."""
    fields = {action: element for block in values.values() for action, element in block.items()}
    day = (fields.get(ids.PAUSE_UNTIL) or {}).get("selected_date")
    try:
        until = date.fromisoformat(str(day)) if day else None
    except ValueError as error:
        raise OldButton("the date is no date") from error
    return str((fields.get(ids.PAUSE_REASON) or {}).get("value") or "").strip(), until


def pause_typed(call: Call, rest: str) -> Payload | None:
    """`pause Acme until 15 Jan: on leave`. What is missing is asked for in the form."""
    call.visitor(leading=True)
    name, day, reason, found = _understood(call, rest)
    if found is None or found.partner is None or not found.exact:
        call.ack()
        again = Again(Carried(verb="pause", text=f"{day}\n{reason}" if day or reason else None), "Pause")
        return not_found(_EXAMPLE, found, name, again)
    return _words(call, found.partner.id, day, reason, None)


def pause_chosen(call: Call, carried: Carried, key: str | None) -> Payload | None:
    """The same, for the partner that was chosen when the typed name left it open."""
    day, _, reason = (carried.text or "").partition("\n")
    return _words(call, carried.need_partner(), day, reason, key)


def _words(call: Call, partner_id: int, day: str, reason: str, key: str | None) -> Payload | None:
    visitor = call.visitor(leading=True)
    try:
        until = due_day(day, visitor.today) if day else None
    except UnclearDay as error:
        raise Refused(str(error)) from error
    if until is None or not reason:
        show_form(call, partner_id, until, reason)
        call.ack()
        return None
    call.ack()
    try:
        return put_on_pause(call, partner_id, reason, until, key)
    except WrongPause as error:
        raise Refused(str(error)) from error


def resume_typed(call: Call, rest: str) -> Payload | None:
    call.visitor(leading=True)
    name = literal(rest)
    found = look_up(call, name)
    if found is None or found.partner is None or not found.exact:
        return not_found("resume Acme", found, name, Again(Carried(verb="resume"), "Resume"))
    return end_pause(call, found.partner.id, None)


def resume_chosen(call: Call, carried: Carried, key: str | None) -> Payload | None:
    return end_pause(call, carried.need_partner(), key)


_EXAMPLE = "pause Acme until 15 Jan: on parental leave"
COMMANDS = {
    "pause": Command(
        pause_typed,
        HelpLine(_EXAMPLE, "leave it out of coverage until the end of a day, with the reason", "lead"),
        acks=True,
    ),
    "resume": Command(resume_typed, HelpLine("resume Acme", "end its pause before its day", "lead")),
}
FOR_CHOSEN = {"pause": pause_chosen, "resume": resume_chosen}


def _understood(call: Call, rest: str) -> tuple[str, str, str, Found | None]:
    """Name, day and reason. A name may hold an "until" or a colon itself, so what is a partner's name decides."""
    typed = literal(rest)
    splits = [(typed, "", "")]
    for until in reversed(list(_UNTIL.finditer(typed))):
        day, *why = _WHY.split(typed[until.end() :], maxsplit=1)
        splits.append((typed[: until.start()], day, "".join(why)))
    splits += [(typed[: one.start()], "", typed[one.end() :]) for one in _WHY.finditer(typed)]
    first: tuple[str, str, str, Found | None] | None = None
    for name, day, reason in splits:
        name = literal(name)
        found = look_up(call, name)
        tried = (name, day.strip(), reason.strip(), found)
        if found is not None and found.partner is not None and found.exact:
            return tried
        if first is None or (day and not first[1]):
            first = tried
    return first or ("", "", "", None)
