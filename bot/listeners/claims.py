"""Claim, release, accept and decline. The database decides who was first; posted messages are redrawn by the outbox."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from slack_bolt import App
from sqlalchemy.orm import Session

from bot import ids
from bot.ids import Carried, OldButton
from bot.listeners import assignments, cards, next_steps
from bot.listeners.call import Call, on_action
from bot.listeners.desk import NO_PARTNER, Desk, Refused, Visitor
from bot.listeners.pages import answer
from bot.listeners.typed import Command, literal, look_up, not_found
from bot.views import claims as views
from bot.views.help import HelpLine
from bot.views.kit import Payload
from bot.views.partner import Again
from models.actions import claims
from models.actions.claims import Taken
from models.actions.deliveries import first_deliveries, first_delivery
from models.queries.programme import Programme, people
from models.queries.standings import partner_names_of

_FOR = re.compile(r"(?P<partner>.+)\s+(?:for|to)\s+(?P<person>\S.*)", re.IGNORECASE)


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.CLAIM, claim)
    on_action(app, desk, ids.RELEASE, release)
    on_action(app, desk, ids.ROW_MENU, row_menu)
    on_action(app, desk, ids.ACCEPT, accept)
    on_action(app, desk, ids.DECLINE, decline)


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
    chosen = {
        ids.RELEASE: release,
        ids.ACCEPT: accept,
        ids.DECLINE: decline,
        ids.NEXT_STEP: next_steps.open_form,
        ids.STEP_DONE: next_steps.done,
        ids.STEP_HISTORY: next_steps.show_history,
        ids.ASSIGN_ONE: assignments.assign_one,
        ids.OPEN_CARD: cards.open_card,
    }.get(verb or "")
    if chosen is None:
        raise OldButton("the menu has no such option any more")
    chosen(call)


def accept(call: Call) -> None:
    """What a lead has asked of the visitor, taken. Pressing it again is no error."""
    told = take_on(call, call.carried().need_partner(), call.key())
    call.ack()
    if told is not None:
        answer(call, told)


def decline(call: Call) -> None:
    told = turn_down(call, call.carried().need_partner(), call.key())
    call.ack()
    if told is not None:
        answer(call, told)


@dataclass(frozen=True, slots=True, eq=False)
class Press:
    """A claim or a release of somebody who may: many of one programme are written together."""

    key: str | None
    partner_id: int
    visitor: Visitor
    now: datetime

    @property
    def ask(self) -> claims.Ask:
        return claims.Ask(self.partner_id, self.visitor.person.id)


def take(call: Call, partner_id: int, key: str | None) -> Payload | None:
    """The claim itself; None when Slack delivered this click before."""
    visitor = call.visitor(acting=True)
    line = "claim", visitor.programme.workspace_id
    result = call.desk.together.write(line, Press(key, partner_id, visitor, call.now), claim_presses)
    if result is None:
        return None
    partner = result.partner
    if partner is None:
        raise Refused(NO_PARTNER)
    if result.holder is None or result.due_on is None:
        return views.nothing_note(partner)
    if result.taken is Taken.TAKEN:
        return views.taken_note(
            partner, result.holder, result.due_on, visitor.today, asked=result.asked, fresh=result.fresh
        )
    again = result.taken is Taken.YOURS
    return views.claimed_note(partner_id, partner, result.due_on, visitor.today, again=again)


def claim_presses(session: Session, presses: Sequence[Press]) -> list[claims.ClaimResult | None]:
    fresh, home, now = _fresh(session, presses)
    results = iter(claims.claim_all(session, home, [one.ask for one in fresh], now) if fresh else ())
    return [next(results) if one in fresh else None for one in presses]


def give_back(call: Call, partner_id: int, key: str | None) -> Payload | None:
    """The release itself; None when Slack delivered this click before."""
    visitor = call.visitor(acting=True)
    line = "release", visitor.programme.workspace_id
    result = call.desk.together.write(line, Press(key, partner_id, visitor, call.now), release_presses)
    if result is None:
        return None
    partner, ended = result
    if partner is None:
        raise Refused(NO_PARTNER)
    if ended.given:
        return views.released_note(partner_id, partner)
    held = ended.held
    return views.not_yours_note(
        partner, held.name if held else None, asked=held is not None and held.asked, leads=visitor.leads
    )


def release_presses(session: Session, presses: Sequence[Press]) -> list[tuple[str | None, claims.Released] | None]:
    fresh, home, now = _fresh(session, presses)
    if not fresh:
        return [None] * len(presses)
    names = partner_names_of(session, home.workspace_id, {one.partner_id for one in fresh})
    results = iter(claims.release_all(session, home, [one.ask for one in fresh], now))
    return [(names.get(one.partner_id), next(results)) if one in fresh else None for one in presses]


def _fresh(session: Session, presses: Sequence[Press]) -> tuple[list[Press], Programme, datetime]:
    """Those that Slack delivers for the first time, the programme as it was read last, and when the last was pressed.

    The same click may be among them twice; what was typed has no key and is always new.
    """
    last = max(presses, key=lambda one: one.now)
    new = first_deliveries(session, [one.key for one in presses if one.key is not None], last.now)
    fresh = []
    for one in presses:
        if one.key is None or one.key in new:
            new.discard(one.key or "")
            fresh.append(one)
    return fresh, last.visitor.programme, last.now


def take_on(call: Call, partner_id: int, key: str) -> Payload | None:
    visitor = call.visitor(acting=True)
    with call.desk.sessions.begin() as session:
        if not first_delivery(session, key, call.now):
            return None
        name = call.desk.name(session, visitor, partner_id)
        mine = claims.accept(session, visitor.programme, partner_id, visitor.person.id, call.now)
        held = claims.current_claim(session, visitor.programme, partner_id)
    if mine and held is not None:
        return views.claimed_note(partner_id, name, held.due_on, visitor.today)
    return views.not_asked_note(name, held.name if held else None)


def turn_down(call: Call, partner_id: int, key: str) -> Payload | None:
    """Back to everybody; the lead who had asked is told once."""
    visitor = call.visitor(acting=True)
    home, me = visitor.programme, visitor.person
    with call.desk.sessions.begin() as session:
        if not first_delivery(session, key, call.now):
            return None
        name = call.desk.name(session, visitor, partner_id)
        ended = claims.decline(session, home, partner_id, me.id, call.now)
        if ended is None:
            held = claims.current_claim(session, home, partner_id)
            return views.not_asked_note(name, held.name if held else None)
        everybody = {one.id: one for one in people(session, home.workspace_id)}
        lead = everybody.get(ended.assigned_by_id or 0)
        if lead is not None:
            told = views.declined_payload(partner_id, name, me.name)
            assignments.tell(session, home, lead, "declined", f"claim:{ended.id}", told, call.now)
    return views.answered_note(partner_id, name, lead=lead.name if lead and lead.slack_user_id else None)


def claim_typed(call: Call, rest: str) -> Payload | None:
    """`claim Acme`; for leads also `claim Acme for @Dana`. A name may hold a "for" itself, so names decide."""
    typed = literal(rest)
    found = look_up(call, typed)
    if found is not None and found.partner is not None and found.exact:
        return take(call, found.partner.id, None)
    split = _FOR.fullmatch(rest.strip())
    if split is None:
        return not_found("claim Acme", found, typed, Again(Carried(verb="claim"), "Claim"))
    call.visitor(leading=True)
    named = literal(split["partner"])
    found = look_up(call, named)
    person = assignments.assignee(call, split["person"])
    if found is None or found.partner is None or not found.exact:
        again = Again(Carried(verb="claim", owner=person.id), f"Ask {person.name}")
        return not_found("claim Acme for @Dana", found, named, again)
    return assignments.give(call, found.partner.id, person, None)


def claim_chosen(call: Call, carried: Carried, key: str | None) -> Payload | None:
    """`claim` for the partner that was chosen when the typed name left it open."""
    partner_id = carried.need_partner()
    if carried.owner is None:
        return take(call, partner_id, key)
    with call.desk.reading() as session:
        everybody = people(session, call.visitor(leading=True).programme.workspace_id)
    person = next((one for one in everybody if one.id == carried.owner and one.may_act), None)
    if person is None:
        raise Refused("Whom you named cannot take a recovery touch any more.")
    return assignments.give(call, partner_id, person, key)


def release_typed(call: Call, rest: str) -> Payload | None:
    typed = literal(rest)
    found = look_up(call, typed)
    if found is None or found.partner is None or not found.exact:
        return not_found("release Acme", found, typed, Again(Carried(verb="release"), "Release"))
    return _release(call, found.partner.id, None)


def release_chosen(call: Call, carried: Carried, key: str | None) -> Payload | None:
    return _release(call, carried.need_partner(), key)


def _release(call: Call, partner_id: int, key: str | None) -> Payload | None:
    """Of a claim; or by a lead, who may ask no longer, of a question. A claim with a yes is its holder's."""
    visitor = call.visitor(acting=True)
    if visitor.leads:
        with call.desk.sessions.begin() as session:
            if key is not None and not first_delivery(session, key, call.now):
                return None
            name = call.desk.name(session, visitor, partner_id)
            ended = claims.take_back(session, visitor.programme, partner_id, visitor.person.id, call.now)
        if ended is not None:
            return views.taken_back_note(partner_id, name, ended.name)
        key = None
    return give_back(call, partner_id, key)


COMMANDS = {
    "claim": Command(
        claim_typed, HelpLine("claim Acme", "take its recovery touch; leads also `claim Acme for @Dana`", "everyday")
    ),
    "release": Command(
        release_typed,
        HelpLine("release Acme", "give it back; leads: no longer ask somebody to take it", "everyday"),
    ),
}
FOR_CHOSEN = {"claim": claim_chosen, "release": release_chosen}
