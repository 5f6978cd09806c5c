"""`/cadence coverage`: the leader's page, for whoever asks or, with `share`, for the channel; and what if."""

import re
from collections.abc import Sequence

from bot import wording
from bot.asking import is_shared
from bot.listeners.call import Call
from bot.listeners.desk import Refused
from bot.listeners.typed import Command, literal
from bot.pictures import show_picture
from bot.views import help as answers
from bot.views.coverage import coverage_answer, what_if_answer, which_tier_answer
from bot.views.help import HelpLine
from bot.views.kit import Payload
from models.queries.coverage import CoverageOverTime, coverage_over_time
from models.queries.trend import TrendLine
from models.queries.what_if import what_if
from models.what_if import UnclearTarget, other_targets

WEEKS, MOST_WEEKS = 13, 156
_WEEKS = re.compile(r"(?:(?:the )?last )?(\d{1,6})(?: ?w(?:(?:ee)?ks?)?)?")
_WHAT_IF = re.compile(r"what[ -]?if\b[ :]*(.*)")


def look(call: Call, rest: str) -> Payload | None:
    """Acknowledges at once: years of history take longer than Slack waits."""
    call.ack()
    typed = literal(rest)
    asked, sharing = _shared(typed)
    if sharing and is_shared(call.client, call.channel or ""):
        raise Refused("People of another company are in this channel, so nothing is shared here.")
    answer = _answer(call, asked)
    if answer is None:
        return answers.unknown_answer(f"coverage {typed}", COMMANDS["coverage"].help)
    payload, lines = answer
    if not sharing:
        return payload
    if not call.share(payload) and lines:
        show_picture(call.client, call.channel or "", lines, call.visitor().programme.zone)
    return None


COMMANDS = {
    "coverage": Command(
        look,
        HelpLine(
            "coverage",
            "how coverage has moved; `coverage 26 share` for more weeks and for this channel, "
            "`coverage what if tier 1 at 10 days` for other windows",
            "look",
        ),
        acks=True,
    )
}


def now(call: Call) -> Payload:
    """The page as it is without any words."""
    return coverage_answer(_over(call, WEEKS), call.visitor().programme.zone)


def _over(call: Call, weeks: int) -> CoverageOverTime:
    with call.desk.reading() as session:
        return coverage_over_time(session, call.visitor().programme, call.now, weeks)


def _answer(call: Call, asked: str) -> tuple[Payload, Sequence[TrendLine]] | None:
    """What is said, and the weeks of its chart; None when it is not clear what was meant."""
    programme = call.visitor().programme
    supposed = _WHAT_IF.fullmatch(asked)
    if supposed:
        try:
            targets = other_targets(supposed[1])
            with call.desk.reading() as session:
                return what_if_answer(what_if(session, programme, call.now, targets)), ()
        except UnclearTarget:
            return which_tier_answer(), ()
        except ValueError as error:
            raise Refused(_sentence(error)) from error
    number = _WEEKS.fullmatch(asked) if asked else None
    if asked and number is None:
        return None
    weeks = int(number[1]) if number else WEEKS
    if not 1 <= weeks <= MOST_WEEKS:
        raise Refused(f"I can look back over 1 to {MOST_WEEKS} weeks.")
    found = _over(call, weeks)
    return coverage_answer(found, programme.zone), found.weeks


def _shared(typed: str) -> tuple[str, bool]:
    """What was typed without the word `share` at its start or end."""
    words = typed.casefold().split()
    for at in (-1, 0):
        if words and words[at] in ("share", "shared"):
            del words[at]
            return " ".join(words), True
    return " ".join(words), False


def _sentence(error: ValueError) -> str:
    return wording.sentence(str(error))
