"""`/cadence partner NAME` and `why NAME`: one partner, where it stands and by which mails."""

from bot.listeners.call import Call
from bot.listeners.typed import Command, literal, look_up, not_found
from bot.views.help import HelpLine
from bot.views.kit import Payload
from bot.views.partner import Card, partner_card, why_answer
from bot.views.rows import Paper
from models.queries.lookup import Found
from models.queries.mail import partner_record, touches
from models.queries.quiet import silence_of


def partner(call: Call, rest: str) -> Payload:
    typed = literal(rest)
    found = look_up(call, typed)
    if found is None or found.partner is None:
        return not_found("partner Acme", found, typed)
    visitor = call.visitor()
    paper = Paper(visitor.today, visitor.programme.zone, buttons=visitor.may_act)
    return partner_card(_card(call, found, typed), paper)


def why(call: Call, rest: str) -> Payload:
    typed = literal(rest)
    found = look_up(call, typed)
    if found is None or found.partner is None:
        return not_found("why Acme", found, typed)
    visitor = call.visitor()
    return why_answer(_card(call, found, typed), Paper(visitor.today, visitor.programme.zone))


COMMANDS = {
    "partner": Command(
        partner, HelpLine("partner Acme", "one partner: where it stands, its next step, its last mails", "look")
    ),
    "why": Command(why, HelpLine("why Acme", "which mails moved its clock, which did not, and why", "look")),
}


def _card(call: Call, found: Found, typed: str) -> Card:
    visitor, meant = call.visitor(), found.partner
    assert meant is not None  # noqa: S101  # the callers have looked
    with call.desk.reading() as session:
        standing = call.desk.standing(session, visitor, meant.id)
        return Card(
            standing=standing,
            record=partner_record(session, meant.id),
            touches=touches(session, visitor.programme, call.now, partner_id=meant.id),
            policy=visitor.programme.policy,
            guessed=None if found.exact else typed,
            shutdowns=visitor.programme.shutdowns,
            silence=silence_of(session, visitor.programme, call.now, standing),
        )
