"""`/cadence overdue` and `mine`: who needs a touch now, of everybody, one tier or one person."""

import re

from bot.ids import Carried
from bot.listeners.call import Call
from bot.listeners.desk import Refused
from bot.listeners.pages import drawn
from bot.listeners.pages import overdue as overdue_now
from bot.listeners.typed import MENTION, Command, literal
from bot.views import help as answers
from bot.views.help import HelpLine
from bot.views.kit import Payload
from bot.views.lists import IN_ANSWER, overdue_answer
from bot.views.rows import Paper
from models.names import name_key
from models.queries.programme import people, tiers


def overdue(call: Call, rest: str) -> Payload:
    carried = _filter(call, rest)
    if carried is None:
        return call.alone(answers.unknown_answer(f"overdue {literal(rest)}", COMMANDS["overdue"].help))
    if call.sharing and carried.owner not in (None, call.visitor().person.id):
        raise Refused("One person's partners are nobody's show: without `share` the list comes to you alone.")
    return _listed(call, carried)


def mine(call: Call, _rest: str) -> Payload:
    return _listed(call, Carried(owner=call.visitor().person.id))


COMMANDS = {
    "overdue": Command(
        overdue,
        HelpLine(
            "overdue", "who needs a touch; `overdue mine`, `overdue tier 1` or `overdue @Dana` for fewer", "everyday"
        ),
    ),
    "mine": Command(mine, HelpLine("mine", "your claims, and your partners that need a touch", "everyday"), bare=True),
}


def _listed(call: Call, carried: Carried) -> Payload:
    visitor = call.visitor()
    found = overdue_now(call, visitor, carried)
    paper = Paper(visitor.today, visitor.programme.zone, buttons=visitor.may_act)
    first = drawn(call, found.leaf.partner_ids[:IN_ANSWER])
    return overdue_answer(found.title, first, carried, paper, found.blind, found.troubles, found.leaf.total)


def _filter(call: Call, rest: str) -> Carried | None:
    """`mine`, `tier 2` (or a tier's name), a mention or a person's name; nothing at all means everything."""
    visitor = call.visitor()
    if not rest:
        return Carried()
    if rest.casefold() in ("mine", "my", "me"):
        return Carried(owner=visitor.person.id)
    with call.desk.reading() as session:
        roster = people(session, visitor.programme.workspace_id)
        ranks = {
            name_key(tier.name): tier.rank for tier in tiers(session, visitor.programme.workspace_id, call.now).values()
        }
    mention = MENTION.fullmatch(rest)
    if mention:
        found = next((one for one in roster if one.slack_user_id == mention[1]), None)
        if found is None:
            raise Refused("This person is not on the roster, so no partner is theirs.")
        return Carried(owner=found.id)
    wanted = name_key(literal(rest))
    number = re.fullmatch(r"(?:tier\s*)?(\d{1,4})", wanted)
    if wanted in ranks or number:
        rank = ranks.get(wanted, int(number[1]) if number else 0)
        if rank not in ranks.values():
            raise Refused(f"There is no tier {rank}; the tiers are {', '.join(map(str, sorted(ranks.values())))}.")
        return Carried(tier=rank)
    name = wanted.removeprefix("@")
    those = [one for one in roster if name and (name_key(one.name) == name or name in name_key(one.name).split())]
    return Carried(owner=those[0].id) if len(those) == 1 else None
