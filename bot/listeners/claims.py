"""Claim, release and assign. The database decides who was first; the posted messages are redrawn by the outbox."""

from slack_bolt import App

from bot import ids
from bot.ids import OldButton
from bot.listeners import next_steps
from bot.listeners.call import Call, on_action
from bot.listeners.desk import Desk, Refused
from bot.listeners.pages import answer
from bot.listeners.typed import Command, literal, look_up, not_found
from bot.views import claims as views
from bot.views.help import HelpLine
from bot.views.kit import Payload
from models.actions import claims, outbox
from models.actions.claims import Taken
from models.actions.deliveries import first_delivery
from models.queries.programme import people
from models.queries.reads import held_read
from models.queries.slack import has_read
from models.queries.standings import standings


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.CLAIM, claim)
    on_action(app, desk, ids.RELEASE, release)
    on_action(app, desk, ids.ROW_MENU, row_menu)
    on_action(app, desk, ids.ASSIGN, assign)


def claim(call: Call) -> None:
    told = take(call, call.carried().need_partner(), call.key())
    call.ack()
    if told is not None:
        answer(call, told)


def release(call: Call) -> None:
    told = give_back(call, call.carried().need_partner(), call.key())
    call.ack()
    if told is not None:
        answer(call, told)


def row_menu(call: Call) -> None:
    verb = call.carried().verb
    if verb == ids.RELEASE:
        release(call)
    elif verb == ids.NEXT_STEP:
        next_steps.open_form(call)
    else:
        raise OldButton("the menu has no such option any more")


def take(call: Call, partner_id: int, key: str | None) -> Payload | None:
    """The claim itself; None when Slack delivered this click before."""
    visitor = call.visitor(acting=True)
    with call.desk.sessions.begin() as session:
        if key is not None and not first_delivery(session, key, call.now):
            return None
        standing = call.desk.standing(session, visitor, partner_id)
        result = claims.claim(session, visitor.programme, partner_id, visitor.person.id, call.now)
    partner = standing.facts.name
    if result.holder is None or result.due_on is None:
        return views.nothing_note(partner)
    if result.taken is Taken.TAKEN:
        return views.taken_note(partner, result.holder, result.due_on, visitor.today)
    again = result.taken is Taken.YOURS
    return views.claimed_note(partner_id, partner, result.due_on, visitor.today, again=again)


def give_back(call: Call, partner_id: int, key: str | None) -> Payload | None:
    """The release itself; None when Slack delivered this click before."""
    visitor = call.visitor(acting=True)
    with call.desk.sessions.begin() as session:
        if key is not None and not first_delivery(session, key, call.now):
            return None
        standing = call.desk.standing(session, visitor, partner_id)
        released = claims.release(session, visitor.programme, partner_id, visitor.person.id, call.now)
    partner, held = standing.facts.name, standing.claim
    if released:
        return views.released_note(partner_id, partner)
    return views.not_yours_note(partner, held.by.name if held else None)


def assign(call: Call) -> None:
    """Gives what nobody has taken to its owner, and tells each owner once."""
    visitor = call.visitor(leading=True)
    read_id, home = call.carried().need_read(), visitor.programme
    call.ack()  # forty claims may take longer than Slack waits
    given: dict[int, list[views.Assigned]] = {}
    unowned = taken = 0
    with call.desk.sessions.begin() as session:
        if not first_delivery(session, call.key(), call.now):
            return
        if not has_read(session, home.workspace_id, read_id):
            raise Refused("I do not know this weekly read.")
        held = held_read(session, home, read_id, call.now)
        listed = {one.facts.partner_id for one in held.read.overdue if one.facts.partner_id not in held.settled}
        able = {one.id: one for one in people(session, home.workspace_id) if one.may_act}
        for standing in standings(session, home, call.now, partner_ids=listed):
            owner = standing.facts.owner
            if standing.claim is not None:
                taken += 1
            elif owner is None or owner.id not in able:
                unowned += 1
            else:
                result = claims.claim(
                    session, home, standing.facts.partner_id, owner.id, call.now, assigned_by_id=visitor.person.id
                )
                if result.taken is Taken.CLAIMED and result.due_on is not None:
                    given.setdefault(owner.id, []).append(
                        views.Assigned(standing.facts.partner_id, standing.facts.name, result.due_on)
                    )
        for owner_id, mine in given.items():
            slack_user_id = able[owner_id].slack_user_id
            if slack_user_id and owner_id != visitor.person.id:
                told = views.assigned_payload(visitor.person.name, mine, visitor.today)
                period = f"{read_id}:{call.action.get('action_ts')}"
                outbox.enqueue(session, home.workspace_id, slack_user_id, "assigned", period, 0, told, call.now)
    answer(call, views.assigned_note(sum(map(len, given.values())), unowned, taken))


def claim_typed(call: Call, rest: str) -> Payload | None:
    typed = literal(rest)
    found = look_up(call, typed)
    if found is None or found.partner is None or not found.exact:
        return not_found("claim Acme", found, typed)
    return take(call, found.partner.id, None)


def release_typed(call: Call, rest: str) -> Payload | None:
    typed = literal(rest)
    found = look_up(call, typed)
    if found is None or found.partner is None or not found.exact:
        return not_found("release Acme", found, typed)
    return give_back(call, found.partner.id, None)


COMMANDS = {
    "claim": Command(claim_typed, HelpLine("claim Acme", "take its recovery touch", "everyday")),
    "release": Command(release_typed, HelpLine("release Acme", "give it back", "everyday")),
}
