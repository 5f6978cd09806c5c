"""Next steps: agreed in a form or in one typed line, finished, and looked back upon."""

import re
from datetime import date

from slack_bolt import App

from bot import ids
from bot.ids import Carried, OldButton
from bot.listeners.call import Call, answering, on_action
from bot.listeners.desk import Desk, Refused, Visitor
from bot.listeners.pages import answer, answer_form, form_of
from bot.listeners.typed import Command, not_found, unescaped
from bot.views import kit
from bot.views.help import HelpLine
from bot.views.inputs import Values, read_choice, read_text
from bot.views.kit import Payload
from bot.views.next_step import agreed_note, done_note, history_modal, next_step_form, owner_options, saved_note
from bot.views.partner import Again
from bot.views.rows import Paper
from models.actions import next_steps
from models.actions.deliveries import first_delivery
from models.actions.write import actor_of
from models.due_words import FARTHEST, UnclearDay, split_due
from models.names import name_key, spelled_out
from models.queries.lookup import Found, best_match
from models.queries.next_steps import step_history
from models.queries.programme import Person, people
from models.queries.standings import partner_names
from models.standing import NextStepFacts, PartnerFacts

MOST_STEPS = 40
DONE = ("done", "is done", "finished")
_QUOTED = re.compile("^[\"“„«']([^\"”“»']+)[\"”“»']\\s*[:,]?\\s*")
_OPENING = re.compile(r"^[\s:,;\u2013\u2014-]+")
_EXAMPLE = "next Acme: send the revised terms by friday"


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.NEXT_STEP, open_form)
    on_action(app, desk, ids.STEP_DONE, done)
    on_action(app, desk, ids.STEP_HISTORY, show_history)
    app.view(ids.NEXT_STEP_FORM)(answering(desk, submit))
    app.options(ids.STEP_OWNER)(answering(desk, suggest_owners))


def open_form(call: Call) -> None:
    show_form(call, call.carried().need_partner())
    call.ack()


def show_form(call: Call, partner_id: int, due_on: date | None = None) -> None:
    visitor = call.visitor(acting=True)
    with call.desk.reading() as session:
        standing = call.desk.standing(session, visitor, partner_id)
    owners = [one.who for one in _owners(call, visitor)]
    call.open(next_step_form(standing, owners, visitor.person.who, form_of(call, partner_id), due_on))


def show_history(call: Call) -> None:
    """Everything that was ever agreed with the partner."""
    visitor, partner_id = call.visitor(), call.carried().need_partner()
    with call.desk.reading() as session:
        name = call.desk.standing(session, visitor, partner_id).facts.name
        steps, count = step_history(session, partner_id, MOST_STEPS)
    call.open(history_modal(partner_id, name, steps, count, Paper(visitor.today, visitor.programme.zone)))
    call.ack()


def done(call: Call) -> None:
    carried = call.carried()
    told = finish(call, carried.need_partner(), carried.step, call.key())
    call.ack()
    if told is not None:
        answer(call, told)


def submit(call: Call) -> None:
    """Saves the form, or says beside the field what is wrong with it."""
    visitor, beneath = call.visitor(acting=True), call.beneath()
    partner_id, values = beneath.need_partner(), call.body["view"]["state"]["values"]
    text, chosen = read_text(values, ids.STEP_TEXT), read_choice(values, ids.STEP_OWNER)
    due_on = _day(values)
    owner = next((one for one in _owners(call, visitor) if str(one.id) == chosen), None)
    errors = {}
    if not text:
        errors[ids.STEP_TEXT] = "Say in a few words what happens next."
    elif len(text) > kit.MOST_TEXT:
        errors[ids.STEP_TEXT] = f"At most {kit.MOST_TEXT} characters, please."
    if due_on is not None and due_on < visitor.today:
        errors[ids.STEP_DUE] = "This day is over: choose today or a later one."
    if due_on is not None and due_on - visitor.today > FARTHEST:
        errors[ids.STEP_DUE] = "This is more than five years away: choose an earlier day."
    if owner is None:
        errors[ids.STEP_OWNER] = "Choose a partner manager of the roster."
    if errors or owner is None:
        call.ack(response_action="errors", errors=errors)
        return
    step = NextStepFacts(text, due_on, owner.who)
    told = agree(call, partner_id, step, call.key())
    call.ack()
    if told is not None:
        answer_form(call, saved_note(told.name, step, visitor.today, told.next_step))


def agree(call: Call, partner_id: int, step: NextStepFacts, key: str | None) -> PartnerFacts | None:
    """The next step itself; answers the partner as it was before, or None when Slack delivered this before."""
    visitor = call.visitor(acting=True)
    me, owner_id = visitor.person.id, step.owner.id if step.owner else None
    with call.desk.sessions.begin() as session:
        if key is not None and not first_delivery(session, key, call.now):
            return None
        before = call.desk.standing(session, visitor, partner_id).facts
        home = visitor.programme
        next_steps.set_next_step(
            session, home, partner_id, step.text, owner_id, step.due_on, me, actor_of(me), call.now
        )
    return before


def finish(call: Call, partner_id: int, step_id: int | None, key: str | None) -> Payload | None:
    """Ends the next step as done; None when Slack delivered this click before."""
    visitor = call.visitor(acting=True)
    home, me = visitor.programme, visitor.person.id
    with call.desk.sessions.begin() as session:
        if key is not None and not first_delivery(session, key, call.now):
            return None
        name = call.desk.standing(session, visitor, partner_id).facts.name
        finished = next_steps.finish_next_step(session, home, partner_id, me, call.now, step_id=step_id)
    return done_note(partner_id, name, finished)


def suggest_owners(call: Call) -> None:
    """The options of a roster with more than a hundred managers, while somebody types."""
    owners = [one.who for one in _owners(call, call.visitor(acting=True))]
    call.ack(options=owner_options(owners, str(call.body.get("value") or ""))[: kit.MOST_OPTIONS])


def typed(call: Call, rest: str) -> Payload | None:
    """`next Acme: send the revised terms by friday`, or `next Acme done`. Without words the form opens.

    For a form Slack gives three seconds, so what was typed is understood first.
    """
    call.visitor(acting=True)
    found, name, text = _understood(call, rest)
    if found is None or found.partner is None or not found.exact:
        call.ack()
        again = Again(Carried(verb="next", text=text or None), "Set next step")
        return not_found("next Acme", found, name, again)
    return _words(call, found.partner.id, text, None)


def chosen(call: Call, carried: Carried, key: str | None) -> Payload | None:
    """The same, for the partner that was chosen when the typed name left it open."""
    return _words(call, carried.need_partner(), carried.text or "", key)


def _words(call: Call, partner_id: int, text: str, key: str | None) -> Payload | None:
    visitor = call.visitor(acting=True)
    if text.casefold().strip(" .!") in DONE:
        call.ack()
        return finish(call, partner_id, None, key)
    try:
        text, due_on = split_due(text, visitor.today)
    except UnclearDay as error:
        raise Refused(f"{error} Nothing was saved.") from error
    if not text:
        show_form(call, partner_id, due_on)
        call.ack()
        return None
    if len(text) > kit.MOST_TEXT:
        raise Refused(
            f"A next step has at most {kit.MOST_TEXT:,} characters, and this one {len(text):,}: say it shorter."
        )
    call.ack()
    step = NextStepFacts(text, due_on, visitor.person.who)
    before = agree(call, partner_id, step, key)
    return agreed_note(before.name, step, visitor.today, before.next_step) if before is not None else None


COMMANDS = {
    "next": Command(typed, HelpLine(_EXAMPLE, "agree on the next step; `next Acme done`", "everyday"), acks=True)
}
FOR_CHOSEN = {"next": chosen}


def _understood(call: Call, rest: str) -> tuple[Found | None, str, str]:
    """The partner that is meant, its name as it was typed, and the words behind it. The longest name that fits wins."""
    said = " ".join(unescaped(rest).split())
    if not said:
        return None, "", ""
    with call.desk.reading() as session:
        names = partner_names(session, call.visitor().programme.workspace_id, call.now)
    if quoted := _QUOTED.match(said):
        return best_match(names, quoted[1]), quoted[1], _OPENING.sub("", said[quoted.end() :])
    known = {key for one in names for key in (name_key(one.name), spelled_out(one.name))}
    ends = [one.start() for one in re.finditer(r"[\s:]|$", said)]
    for end in reversed(ends):
        if {name_key(said[:end]), spelled_out(said[:end])} & known:
            return best_match(names, said[:end]), said[:end], _OPENING.sub("", said[end:])
    colon = said.find(":")
    if colon > 0:
        return best_match(names, said[:colon]), said[:colon].strip(), said[colon + 1 :].strip()
    guesses = [(best_match(names, said[:end]), end) for end in ends[:4]]
    clear = [one for one in guesses if one[0].partner is not None] or [one for one in guesses if one[0].ambiguous]
    if not clear:
        return guesses[0][0], said, ""
    found, end = clear[0]
    return found, said[:end], _OPENING.sub("", said[end:])


def _owners(call: Call, visitor: Visitor) -> list[Person]:
    with call.desk.reading() as session:
        return [
            one for one in people(session, visitor.programme.workspace_id) if one.may_act or one.id == visitor.person.id
        ]


def _day(values: Values) -> date | None:
    written = ((values.get(ids.STEP_DUE) or {}).get(ids.STEP_DUE) or {}).get("selected_date")
    if not written:
        return None
    try:
        return date.fromisoformat(str(written))
    except ValueError as error:
        raise OldButton("the date is no date") from error
