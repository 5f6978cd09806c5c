"""`/cadence …`: what somebody typed, taken kindly. Every answer is for the eyes of whoever asked."""

import html
import re
from collections.abc import Callable

from rapidfuzz import fuzz
from slack_bolt import App

from bot import ids
from bot.ids import Carried
from bot.listeners import coverage, next_steps, nudges, signals, suggestions
from bot.listeners.call import Call, answering
from bot.listeners.claims import give_back, take
from bot.listeners.desk import Desk, Refused
from bot.listeners.pages import overdue as overdue_now
from bot.views import help as answers
from bot.views.kit import Payload
from bot.views.lists import overdue_answer
from bot.views.partner import Card, partner_card, why_answer
from bot.views.rows import Paper
from models.names import name_key
from models.queries.lookup import Found, find_partner
from models.queries.mail import partner_record, touches
from models.queries.programme import people, tiers
from models.queries.quiet import silence_of

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
_LINK = re.compile(r"<(?:mailto:|https?://)?([^>|]*)(?:\|([^>]*))?>")
_QUOTES = "\"'“”„«»‘’"
LIKE = 50  # of a hundred
ALIASES = {"list": "overdue", "late": "overdue", "show": "partner", "explain": "why", "me": "mine", "?": "help"}


def register(app: App, desk: Desk) -> None:
    app.command(ids.COMMAND)(answering(desk, command))


def command(call: Call) -> None:
    word, rest = split(str(call.body.get("text") or ""))
    if word == "next":
        _next(call, rest)  # opens a form, for which Slack gives three seconds
        return
    if word == "suggest":
        suggestions.look(call)
        return
    if word == "coverage":
        coverage.look(call, literal(rest))
        return
    call.ack()
    call.tell(reply(call, word, rest))


def split(typed: str) -> tuple[str, str]:
    """The command's word and the rest, without Slack's escapes and the user's quotes."""
    word, _, rest = " ".join(typed.split()).partition(" ")
    word = word.casefold().strip(_QUOTES)
    return ALIASES.get(word, word) or "help", rest.strip()


def literal(text: str) -> str:
    """What the user typed, before Slack made links and entities of it."""
    shown = _LINK.sub(lambda found: found[2] or found[1], text)
    return html.unescape(shown).strip().strip(_QUOTES).strip()


def reply(call: Call, word: str, rest: str) -> Payload:
    commands: dict[str, Callable[[Call, str], Payload]] = {
        "overdue": _overdue,
        "partner": _partner,
        "why": _why,
        "mine": _mine,
        "owed": signals.owed,
        "stale": signals.stale,
        "quiet": signals.quiet,
        "claim": _claim,
        "release": _release,
        "nudges": _nudges,
    }
    if word == "help":
        return answers.help_answer()
    if word in commands:
        call.visitor()
        return commands[word](call, rest)
    likeness, nearest = max((fuzz.ratio(word, name), name) for name in answers.COMMANDS)
    return answers.unknown_answer(literal(f"{word} {rest}"), nearest if likeness >= LIKE else "help")


def _overdue(call: Call, rest: str) -> Payload:
    carried = _filter(call, rest)
    if carried is None:
        return answers.unknown_answer(f"overdue {literal(rest)}", "overdue")
    return _listed(call, carried)


def _listed(call: Call, carried: Carried) -> Payload:
    visitor = call.visitor()
    found = overdue_now(call, visitor, carried)
    paper = Paper(visitor.today, visitor.programme.zone, buttons=visitor.may_act)
    return overdue_answer(found.title, found.those, carried, paper, found.blind, found.troubles)


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
    mention = _MENTION.fullmatch(rest)
    if mention:
        found = next((one for one in roster if one.slack_user_id == mention[1]), None)
        if found is None:
            raise Refused("This person is not on the roster, so no partner is theirs.")
        return Carried(owner=found.id)
    wanted = name_key(literal(rest))
    number = re.fullmatch(r"(?:tier\s*)?(\d{1,4})", wanted)
    if wanted in ranks or number:
        rank = ranks.get(wanted, int(number[1]) if number else 0)
        return Carried(tier=rank) if rank in ranks.values() else None
    name = wanted.removeprefix("@")
    those = [one for one in roster if name and (name_key(one.name) == name or name in name_key(one.name).split())]
    return Carried(owner=those[0].id) if len(those) == 1 else None


def _mine(call: Call, _rest: str) -> Payload:
    return _listed(call, Carried(owner=call.visitor().person.id))


def _partner(call: Call, rest: str) -> Payload:
    found, typed = _lookup(call, rest)
    if found is None or found.partner is None:
        return _nobody("partner", found, typed)
    visitor = call.visitor()
    return partner_card(
        _card(call, found, typed), Paper(visitor.today, visitor.programme.zone, buttons=visitor.may_act)
    )


def _why(call: Call, rest: str) -> Payload:
    found, typed = _lookup(call, rest)
    if found is None or found.partner is None:
        return _nobody("why", found, typed)
    visitor = call.visitor()
    return why_answer(_card(call, found, typed), Paper(visitor.today, visitor.programme.zone))


def _claim(call: Call, rest: str) -> Payload:
    found, typed = _lookup(call, rest)
    if found is None or found.partner is None or not found.exact:
        return _nobody("claim", found, typed)
    told = take(call, found.partner.id, None)
    return told or answers.help_answer()


def _release(call: Call, rest: str) -> Payload:
    found, typed = _lookup(call, rest)
    if found is None or found.partner is None or not found.exact:
        return _nobody("release", found, typed)
    told = give_back(call, found.partner.id, None)
    return told or answers.help_answer()


def _next(call: Call, rest: str) -> None:
    found, typed = _lookup(call, rest)
    if found is None or found.partner is None:
        call.ack()
        call.tell(_nobody("next", found, typed))
        return
    next_steps.show_form(call, found.partner.id)
    call.ack()


def _nudges(call: Call, rest: str) -> Payload:
    wish = rest.casefold()
    if wish in ("on", "start", "off", "stop"):
        return nudges.switch(call, on=wish in ("on", "start"), key=None)
    return answers.unknown_answer(f"nudges {literal(rest)}", "nudges")


def _lookup(call: Call, rest: str) -> tuple[Found | None, str]:
    """None when no name was typed."""
    typed = literal(rest)
    if not typed:
        return None, typed
    with call.desk.reading() as session:
        return find_partner(session, call.visitor().programme.workspace_id, typed, call.now), typed


def _nobody(word: str, found: Found | None, typed: str) -> Payload:
    if found is None:
        return answers.missing_name_answer(word)
    near = [found.partner.name] if found.partner else [one.name for one in found.nearest]
    return answers.no_partner_answer(typed, near, ambiguous=found.ambiguous)


def _card(call: Call, found: Found, typed: str) -> Card:
    visitor, partner = call.visitor(), found.partner
    assert partner is not None  # noqa: S101  # the callers have looked
    with call.desk.reading() as session:
        standing = call.desk.standing(session, visitor, partner.id)
        return Card(
            standing=standing,
            record=partner_record(session, partner.id),
            touches=touches(session, visitor.programme, call.now, partner_id=partner.id),
            policy=visitor.programme.policy,
            guessed=None if found.exact else typed,
            shutdowns=visitor.programme.shutdowns,
            silence=silence_of(session, visitor.programme, call.now, standing),
        )
