"""`/cadence partner NAME` and `why NAME`: one partner, where it stands and by which mails. Changes nothing."""

from slack_bolt import App

from bot import ids
from bot.listeners.call import Call, on_action
from bot.listeners.desk import Desk
from bot.listeners.typed import Command, literal, look_up, not_found
from bot.views.help import HelpLine
from bot.views.kit import Payload, View
from bot.views.partner import Card, card_modal, partner_card, why_answer, why_modal
from bot.views.rows import Paper
from models.queries.mail import partner_record, touches
from models.queries.quiet import silence_of
from models.queries.slack import is_muted


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.OPEN_CARD, open_card)
    on_action(app, desk, ids.WHY, show_why)


def partner(call: Call, rest: str) -> Payload:
    typed = literal(rest)
    found = look_up(call, typed)
    if found is None or found.partner is None:
        return call.alone(not_found("partner Acme", found, typed))
    return partner_card(card_of(call, found.partner.id, None if found.exact else typed), _paper(call))


def why(call: Call, rest: str) -> Payload:
    typed = literal(rest)
    found = look_up(call, typed)
    if found is None or found.partner is None:
        return call.alone(not_found("why Acme", found, typed))
    return why_answer(card_of(call, found.partner.id, None if found.exact else typed), _paper(call))


def open_card(call: Call) -> None:
    """Beside a message as an answer for one pair of eyes, elsewhere in a window."""
    partner_id = call.carried().need_partner()
    if call.surface == "message":
        told = partner_card(card_of(call, partner_id), _paper(call))
        call.ack()
        call.tell(told)
        return
    call.open(card_view(call, partner_id))
    call.ack()


def show_why(call: Call) -> None:
    card = card_of(call, call.carried().need_partner())
    if call.surface == "message":
        call.ack()
        call.tell(why_answer(card, _paper(call)))
        return
    call.open(why_modal(card, _paper(call)))
    call.ack()


def card_view(call: Call, partner_id: int, note: str | None = None) -> View:
    return card_modal(card_of(call, partner_id), _paper(call), note)


def card_of(call: Call, partner_id: int, guessed: str | None = None) -> Card:
    visitor = call.visitor()
    with call.desk.reading() as session:
        standing = call.desk.standing(session, visitor, partner_id)
        return Card(
            standing=standing,
            record=partner_record(session, partner_id),
            touches=touches(session, visitor.programme, call.now, partner_id=partner_id),
            policy=visitor.programme.policy,
            guessed=guessed,
            shutdowns=visitor.programme.shutdowns,
            silence=silence_of(session, visitor.programme, call.now, standing),
            leads=visitor.leads,
            muted=is_muted(session, visitor.person.id, partner_id),
        )


COMMANDS = {
    "partner": Command(
        partner, HelpLine("partner Acme", "one partner: where it stands, its next step, who wrote when", "look")
    ),
    "why": Command(why, HelpLine("why Acme", "which mails moved its clock, which did not, and why", "look")),
}


def _paper(call: Call) -> Paper:
    visitor = call.visitor()
    return Paper(visitor.today, visitor.programme.zone, buttons=visitor.may_act)
