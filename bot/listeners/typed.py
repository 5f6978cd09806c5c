"""What somebody typed after `/cadence`: its words, the command it names, the partner it means. Decides nothing."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass

from bot.listeners.call import Call
from bot.views import help as answers
from bot.views.help import HelpLine
from bot.views.kit import Payload
from bot.views.partner import Again, choice_answer
from models.queries.lookup import Found, find_partner

MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
_LINK = re.compile(r"<(?:(?:mailto:|tel:|https?://)([^>|]*)|([@#!][^>|]*))(?:\|([^>]*))?>")  # and no <b> of the user's
_QUOTES = "\"'“”„«»‘’"


@dataclass(frozen=True, slots=True)
class Command:
    """One word after `/cadence`. The conversation it belongs to has it in its `COMMANDS`.

    `answer` gets what was typed behind the word and answers what this user alone is told; None when it told it itself.
    """

    answer: Callable[[Call, str], Payload | None]
    help: HelpLine
    bare: bool = False  # takes no words behind it: what stands there was not understood
    acks: bool = False  # acknowledges itself: because it opens a form first, or works for seconds behind it


def split(typed: str) -> tuple[str, str]:
    """The command's word in small letters and the rest, without the user's quotes around the word."""
    word, _, rest = " ".join(typed.split()).partition(" ")
    return word.casefold().strip(_QUOTES), rest.strip()


def literal(text: str) -> str:
    """What the user typed, before Slack made links and entities of it, without quotes around all of it."""
    return unescaped(text).strip().strip(_QUOTES).strip()


def unescaped(text: str) -> str:
    """What the user typed, before Slack made links and entities of it."""
    return html.unescape(_LINK.sub(lambda found: found[3] or found[1] or found[2] or "", text))


def look_up(call: Call, typed: str) -> Found | None:
    """The partner that is meant, or the nearest ones; None when no name was typed."""
    if not typed:
        return None
    with call.desk.reading() as session:
        return find_partner(session, call.visitor().programme.workspace_id, typed, call.now)


def not_found(example: str, found: Found | None, typed: str, again: Again | None = None) -> Payload:
    """The answer when no single partner is meant. `again`: what is done for the one that is chosen."""
    if found is None:
        return answers.missing_name_answer(example)
    near = [found.partner] if found.partner else found.nearest
    return choice_answer(typed, near, ambiguous=found.ambiguous, again=again)
