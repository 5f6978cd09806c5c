"""Walk the read: a lead takes the slipped partners of a read one by one. What is decided goes through the usual doors.

The window carries ids only: the read, the partner and its place. Everything else is read anew at every step, so that
what others do meanwhile is seen, and a walk that was closed goes on where a name is still missing.
"""

from collections.abc import Sequence
from datetime import date

from slack_bolt import App
from sqlalchemy.orm import Session

from bot import ids
from bot.ids import Carried, OldButton
from bot.listeners.assignments import away_now, tell
from bot.listeners.call import Call, answering, on_action
from bot.listeners.cards import card_of
from bot.listeners.desk import Desk, Refused, Visitor
from bot.listeners.pause import filled_in, put_on_pause
from bot.listeners.typed import Command
from bot.views import claims as notes
from bot.views import kit
from bot.views.help import HelpLine
from bot.views.kit import View
from bot.views.next_step import owner_options, saved_note
from bot.views.rows import Paper
from bot.views.walk import FIRST, HERE, Step, given_line, waits, walk_end, walk_pause_view, walk_view
from models.actions import claims, next_steps, pauses
from models.actions.claims import Taken
from models.actions.deliveries import first_delivery
from models.actions.outbox import LETTER
from models.actions.write import actor_of
from models.due_words import FARTHEST
from models.queries.programme import Person, people
from models.queries.reads import HeldRead, held_read, latest_read
from models.queries.slack import has_read
from models.standing import NextStepFacts, Standing


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.WALK, start)
    on_action(app, desk, ids.WALK_SKIP, skip)
    on_action(app, desk, ids.WALK_BACK, back)
    on_action(app, desk, ids.WALK_PAUSE, ask_pause)
    app.view(ids.WALK_FORM)(answering(desk, save))
    app.view(ids.WALK_PAUSE_FORM)(answering(desk, save_pause))
    app.options(ids.WALK_FOR)(answering(desk, offer_managers))


def start(call: Call) -> None:
    """At the first partner that has no name beside it."""
    held = _held(call, call.carried().read)
    call.open(_onward(call, held, -1))
    call.ack()


def typed(call: Call, _rest: str) -> None:
    call.open(_onward(call, _held(call, None), -1))
    call.ack()


def skip(call: Call) -> None:
    held = _held(call, call.carried().need_read())
    call.update(_onward(call, held, _place(held, call.carried())))
    call.ack()


def back(call: Call) -> None:
    """To the partner before that can still be decided about; from the end to the first that waits."""
    carried = call.carried()
    held = _held(call, carried.need_read())
    if carried.verb == FIRST:
        drawn = _onward(call, held, -1)
    else:
        place = _place(held, carried)
        before = [one for one in range(place) if held.read.overdue[one].facts.partner_id not in held.settled]
        there = place if carried.verb == HERE or not before else before[-1]
        drawn = walk_view(_step(call, held, there), _paper(call))
    call.update(drawn)
    call.ack()


def ask_pause(call: Call) -> None:
    held = _held(call, call.carried().need_read())
    call.update(walk_pause_view(_step(call, held, _place(held, call.carried())), _paper(call)))
    call.ack()


def save(call: Call) -> None:
    """Keeps what was agreed about this partner and shows the next one, or says beside the field what is wrong."""
    visitor, beneath = call.visitor(leading=True), call.beneath()
    held = _held(call, beneath.need_read())
    standing = held.read.overdue[_place(held, beneath)]
    text, due_on, holder = _agreed(call, visitor)
    before, errors, suffix = standing.facts.next_step, {}, f":{beneath.need_partner()}"
    changed = bool(text) and (before is None or (text, due_on) != (before.text, before.due_on))
    if due_on is not None and not text:
        errors[f"{ids.WALK_STEP}{suffix}"] = "Say in a few words what happens by then."
    if changed and due_on is not None and due_on < visitor.today:
        errors[f"{ids.WALK_DUE}{suffix}"] = "This day is over: choose today or a later one."
    if changed and due_on is not None and due_on - visitor.today > FARTHEST:
        errors[f"{ids.WALK_DUE}{suffix}"] = "This is more than five years away: choose an earlier day."
    if errors:
        call.ack(response_action="errors", errors=errors)
        return
    told: list[str] = []
    with call.desk.sessions.begin() as session:
        if first_delivery(session, _key(call), call.now):
            call.desk.standing(session, visitor, beneath.need_partner())
            if changed:
                owner = before.owner if before and before.owner else standing.facts.owner
                step = NextStepFacts(text, due_on, holder.who if holder else owner)
                next_steps.set_next_step(
                    session,
                    visitor.programme,
                    beneath.need_partner(),
                    text,
                    step.owner.id if step.owner else None,
                    due_on,
                    visitor.person.id,
                    actor_of(visitor.person.id),
                    call.now,
                )
                told.append(saved_note(standing.facts.name, step, visitor.today, before)["text"])
            if holder is not None:
                told.append(_claim_for(call, session, standing, holder))
    call.ack(response_action="update", view=_after(call, beneath, "\n".join(told) or None))


def save_pause(call: Call) -> None:
    visitor, beneath = call.visitor(leading=True), call.beneath()
    partner_id = beneath.need_partner()
    reason, until = filled_in(call.body["view"]["state"]["values"])
    fields = {"until": f"{ids.PAUSE_UNTIL}:{partner_id}", "reason": f"{ids.PAUSE_REASON}:{partner_id}"}
    errors = {fields[one.field]: str(one) for one in pauses.wrong(reason, until, visitor.today)}
    if errors or until is None:
        call.ack(response_action="errors", errors=errors)
        return
    told = put_on_pause(call, partner_id, reason, until, _key(call))
    call.ack(response_action="update", view=_after(call, beneath, told["text"] if told else None))


def offer_managers(call: Call) -> None:
    """The options of a roster with more than a hundred managers, while somebody types."""
    managers = [one.who for one in _managers(call, call.visitor(leading=True))]
    call.ack(options=owner_options(managers, str(call.body.get("value") or ""))[: kit.MOST_OPTIONS])


COMMANDS = {
    "walk": Command(
        typed, HelpLine("walk", "take the slipped partners of the read one by one", "lead"), bare=True, acks=True
    )
}


def _claim_for(call: Call, session: Session, standing: Standing, holder: Person) -> str:
    """The claim, through the door of all claims; whoever gets it hears of it. Answers what became of it, as mrkdwn."""
    visitor, partner_id, name = call.visitor(leading=True), standing.facts.partner_id, standing.facts.name
    home, me = visitor.programme, visitor.person
    assigned_by_id = None if holder.id == me.id else me.id
    result = claims.claim(session, home, partner_id, holder.id, call.now, assigned_by_id=assigned_by_id)
    if result.holder is None or result.due_on is None:
        return notes.nothing_note(name)["text"]
    if result.taken is Taken.TAKEN:
        due_on, today = result.due_on, visitor.today
        return notes.taken_note(name, result.holder, due_on, today, asked=result.asked, fresh=result.fresh)["text"]
    if assigned_by_id is None:
        return given_line(name, result.holder, result.due_on, visitor.today)
    new = result.taken is Taken.CLAIMED
    if new:
        told = notes.assigned_payload(me.name, [notes.Assigned(partner_id, name, result.due_on)], visitor.today)
        tell(session, home, holder, LETTER, f"claim:{result.claim_id}", told, call.now)
    reached = holder.slack_user_id is not None
    away = away_now(call, holder, people(session, home.workspace_id))
    return notes.given_note(
        partner_id,
        name,
        holder.name,
        result.due_on,
        visitor.today,
        before=None,
        reached=reached,
        again=not new,
        asked=result.asked,
        away=away,
    )["text"]


def _onward(call: Call, held: HeldRead, place: int, note: str | None = None) -> View:
    """The next partner after a place that waits for a name, or the end."""
    overdue = held.read.overdue
    there = next((one for one in range(place + 1, len(overdue)) if waits(held, overdue[one])), None)
    passed = [one for one in overdue[place + 1 : there] if not waits(held, one)]
    if there is None:
        return walk_end(held, _paper(call), passed, note)
    return walk_view(_step(call, held, there, passed, note), _paper(call))


def _after(call: Call, beneath: Carried, note: str | None) -> View:
    """What follows the partner that was just decided about. The read is read again, for it has changed."""
    held = _held(call, beneath.need_read())
    return _onward(call, held, _place(held, beneath), note)


def _step(call: Call, held: HeldRead, place: int, passed: Sequence[Standing] = (), note: str | None = None) -> Step:
    card = card_of(call, held.read.overdue[place].facts.partner_id)
    managers = [one.who for one in _managers(call, call.visitor(leading=True))]
    return Step(held, place, card, managers, passed, note)


def _held(call: Call, read_id: int | None) -> HeldRead:
    """The read that is walked: the one of the button, or the newest."""
    home = call.visitor(leading=True).programme
    with call.desk.reading() as session:
        read_id = latest_read(session, home.workspace_id) if read_id is None else read_id
        if read_id is None:
            raise Refused("No weekly read has been held yet, so there is nothing to walk through.")
        if not has_read(session, home.workspace_id, read_id):
            raise Refused("I do not know this weekly read.")
        return held_read(session, home, read_id, call.now)


def _place(held: HeldRead, carried: Carried) -> int:
    """Where the partner stands in the list of the read."""
    ids_in_order = [one.facts.partner_id for one in held.read.overdue]
    if carried.partner not in ids_in_order:
        raise OldButton("the partner is not one of this read")
    return ids_in_order.index(carried.partner)


def _agreed(call: Call, visitor: Visitor) -> tuple[str, date | None, Person | None]:
    """Next step, day and holder as the window has them; its blocks' ids end in the partner's."""
    values = call.body["view"]["state"]["values"]
    fields = {action: element for block in values.values() for action, element in block.items()}
    text = str((fields.get(ids.WALK_STEP) or {}).get("value") or "").strip()[: kit.MOST_TEXT]
    day = (fields.get(ids.WALK_DUE) or {}).get("selected_date")
    chosen = ((fields.get(ids.WALK_FOR) or {}).get("selected_option") or {}).get("value")
    try:
        due_on = date.fromisoformat(str(day)) if day else None
    except ValueError as error:
        raise OldButton("the date is no date") from error
    holder = next((one for one in _managers(call, visitor) if str(one.id) == chosen), None)
    if chosen is not None and holder is None:
        raise Refused("This person cannot take a claim any more. Nothing was saved.")
    return text, due_on, holder


def _managers(call: Call, visitor: Visitor) -> list[Person]:
    with call.desk.reading() as session:
        everybody = people(session, visitor.programme.workspace_id)
    return [one for one in everybody if one.may_act or one.id == visitor.person.id]


def _key(call: Call) -> str:
    """A window that is drawn over keeps its id; its hash is another one each time."""
    view = call.body["view"]
    return f"form:{view['id']}:{view.get('hash')}"


def _paper(call: Call) -> Paper:
    visitor = call.visitor()
    return Paper(visitor.today, visitor.programme.zone)
