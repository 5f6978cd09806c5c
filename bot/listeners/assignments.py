"""A lead gives recovery touches to people: one by one, or what is left to the owners. Whoever is asked can decline."""

from collections.abc import Sequence
from datetime import datetime

from slack_bolt import App
from sqlalchemy.orm import Session

from bot import ids, wording
from bot.listeners.call import Call, answering, on_action
from bot.listeners.desk import Desk, Refused
from bot.listeners.pages import answer, answer_form, form_of
from bot.listeners.persons import person_meant
from bot.listeners.typed import MENTION, literal
from bot.views import claims as views
from bot.views import kit
from bot.views.inputs import read_choice
from bot.views.kit import Payload
from bot.views.next_step import owner_options
from models.actions import claims, outbox
from models.actions.claims import Taken
from models.actions.deliveries import first_delivery
from models.queries.programme import Person, Programme, people
from models.queries.promises import declined_by
from models.queries.reads import held_read
from models.queries.slack import has_read
from models.queries.standings import standings


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.ASSIGN, assign)
    on_action(app, desk, ids.ASSIGN_ONE, assign_one)
    on_action(app, desk, ids.TAKE_BACK, take_back)
    app.view(ids.ASSIGN_FORM)(answering(desk, assign_submit))
    app.options(ids.ASSIGNEE)(answering(desk, suggest_assignees))


def assign(call: Call) -> None:
    """Gives what nobody has taken to its owner, and tells each owner once."""
    visitor = call.visitor(leading=True)
    read_id, home = call.carried().need_read(), visitor.programme
    call.ack()  # hundreds of claims may take longer than Slack waits
    given: dict[int, list[views.Assigned]] = {}
    unowned = taken = away = 0
    with call.desk.sessions.begin() as session:
        if not first_delivery(session, call.key(), call.now):
            return
        if not has_read(session, home.workspace_id, read_id):
            raise Refused("I do not know this weekly read.")
        held = held_read(session, home, read_id, call.now)
        listed = {one.facts.partner_id for one in held.read.overdue if one.facts.partner_id not in held.settled}
        able = {one.id: one for one in people(session, home.workspace_id) if one.may_act}
        asks = []
        for standing in standings(session, home, call.now, partner_ids=listed):
            owner = standing.facts.owner
            if standing.claim is not None:
                taken += 1
            elif owner is None or owner.id not in able:
                unowned += 1
            elif able[owner.id].is_away(call.now, home):
                away += 1
            else:
                asks.append(claims.Ask(standing.facts.partner_id, owner.id, visitor.person.id))
        results = claims.claim_all(session, home, asks, call.now) if asks else []
        for ask, result in zip(asks, results, strict=True):
            if result.taken is Taken.CLAIMED and result.due_on is not None:
                mine = given.setdefault(ask.person_id, [])
                mine.append(views.Assigned(ask.partner_id, result.partner or "", result.due_on))
        for owner_id, mine in given.items():
            if owner_id != visitor.person.id:
                told = views.assigned_payload(visitor.person.name, mine, visitor.today)
                period = f"{read_id}:{call.action.get('action_ts')}"
                tell(session, home, able[owner_id], outbox.LETTER, period, told, call.now)
    answer(call, views.assigned_note(sum(map(len, given.values())), unowned, taken, away))


def assign_one(call: Call) -> None:
    """Asks a lead whom to ask."""
    visitor, partner_id = call.visitor(leading=True), call.carried().need_partner()
    with call.desk.reading() as session:
        standing = call.desk.standing(session, visitor, partner_id)
        everybody = people(session, visitor.programme.workspace_id)
        declined = declined_by(session, partner_id)
    owner = next((one for one in everybody if standing.facts.owner and one.id == standing.facts.owner.id), None)
    options = owner_options([one.who for one in everybody if one.may_act])
    away = away_now(call, owner, everybody) if owner else None
    call.open(views.assign_form(standing, options, form_of(call, partner_id), away=away, declined=declined))
    call.ack()


def assign_submit(call: Call) -> None:
    visitor, partner_id = call.visitor(leading=True), call.beneath().need_partner()
    chosen = read_choice(call.body["view"]["state"]["values"], ids.ASSIGNEE)
    with call.desk.reading() as session:
        able = {str(one.id): one for one in people(session, visitor.programme.workspace_id) if one.may_act}
    if chosen not in able:
        call.ack(response_action="errors", errors={ids.ASSIGNEE: "Choose a partner manager of the roster."})
        return
    told = give(call, partner_id, able[chosen], call.key())
    call.ack()
    if told is not None:
        answer_form(call, told)


def suggest_assignees(call: Call) -> None:
    """The options of a roster with more than a hundred managers, while somebody types."""
    visitor = call.visitor(leading=True)
    with call.desk.reading() as session:
        able = [one.who for one in people(session, visitor.programme.workspace_id) if one.may_act]
    call.ack(options=owner_options(able, str(call.body.get("value") or ""))[: kit.MOST_OPTIONS])


def give(call: Call, partner_id: int, person: Person, key: str | None) -> Payload | None:
    """The assignment itself: whoever is asked and whoever held it before are told, each once and in private."""
    visitor = call.visitor(leading=True)
    home, me = visitor.programme, visitor.person
    with call.desk.sessions.begin() as session:
        if key is not None and not first_delivery(session, key, call.now):
            return None
        name = call.desk.standing(session, visitor, partner_id).facts.name
        given = claims.assign(session, home, partner_id, person.id, me.id, call.now)
        result, before = given.result, given.before
        if result.due_on is None:
            return views.nothing_note(name)
        new = result.taken is Taken.CLAIMED
        if new and person.id != me.id:
            told = views.assigned_payload(me.name, [views.Assigned(partner_id, name, result.due_on)], visitor.today)
            tell(session, home, person, outbox.LETTER, f"claim:{result.claim_id}", told, call.now)
        if before is not None and before.person_id != me.id:
            holder = next(one for one in people(session, home.workspace_id) if one.id == before.person_id)
            told = views.reassigned_payload(me.name, name, person.name)
            tell(session, home, holder, "reassigned", f"claim:{before.id}", told, call.now)
        away = away_now(call, person, people(session, home.workspace_id))
    if person.id == me.id:
        return views.claimed_note(partner_id, name, result.due_on, visitor.today, again=not new)
    other = before.name if before is not None and before.person_id != me.id else None
    reached = person.slack_user_id is not None
    return views.given_note(
        partner_id,
        name,
        person.name,
        result.due_on,
        visitor.today,
        before=other,
        reached=reached,
        again=not new,
        asked=result.asked,
        away=away,
    )


def away_now(call: Call, person: Person, everybody: Sequence[Person]) -> str | None:
    """That the person is away, and who stands in; None when they are there."""
    visitor = call.visitor()
    if person.away_until is None or not person.is_away(call.now, visitor.programme):
        return None
    stand_in = next((one.name for one in everybody if one.id == person.stand_in_id), None)
    return views.away_words(person.name, person.away_until, stand_in, visitor.today)


def take_back(call: Call) -> None:
    """The lead asks no longer. In the window in which somebody was to be chosen the answer takes its place."""
    partner_id = call.carried().need_partner()
    told = stop_asking(call, partner_id, call.key())
    call.ack()
    if told is None:
        return
    if call.surface == "modal" and call.body["view"].get("callback_id") == ids.ASSIGN_FORM:
        call.update(kit.modal(ids.NOTE_MODAL, "Assign", [kit.section(told["text"])]))
        answer_form(call, told)
    else:
        answer(call, told)


def stop_asking(call: Call, partner_id: int, key: str | None) -> Payload | None:
    """Opens to everybody again what somebody was asked to take; None when Slack delivered this click before."""
    visitor = call.visitor(leading=True)
    home = visitor.programme
    with call.desk.sessions.begin() as session:
        if key is not None and not first_delivery(session, key, call.now):
            return None
        name = call.desk.name(session, visitor, partner_id)
        ended = claims.take_back(session, home, partner_id, visitor.person.id, call.now)
        held = None if ended else claims.current_claim(session, home, partner_id)
    if ended is not None:
        return views.taken_back_note(partner_id, name, ended.name)
    return views.nobody_asked_note(name, held.name if held else None)


def assignee(call: Call, typed: str) -> Person:
    """Somebody who can hold a claim; raises Refused with whom the name could mean."""
    visitor = call.visitor(leading=True)
    if typed.casefold() in ("me", "myself"):
        return visitor.person
    with call.desk.reading() as session:
        everybody = people(session, visitor.programme.workspace_id)
    person, near = person_meant(everybody, typed)
    if person is not None and person.may_act:
        return person
    if person is not None:
        why = "has left this Slack workspace" if person.left else "reads along, and claims are for partner managers"
        raise Refused(f"{wording.name(person.name)} {why}.")
    who = "This person" if MENTION.fullmatch(typed) else f"“{wording.plain(literal(typed), 60)}”"
    names = " or ".join(f"“{wording.name(one.name)}”" for one in near)
    raise Refused(f"{who} is not on the roster.{f' Do you mean {names}?' if names else ''}")


def tell(
    session: Session, home: Programme, person: Person, kind: str, period: str, told: Payload, now: datetime
) -> None:
    """In private and once; whom Slack does not know, or who has left, is told nothing."""
    if person.slack_user_id and not person.left:
        outbox.enqueue(session, home.workspace_id, person.slack_user_id, kind, period, 0, told, now)
