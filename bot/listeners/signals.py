"""`/cadence owed`, `stale` and `quiet`: the early signals of every partner, for the eyes of whoever asked."""

from collections.abc import Sequence

from bot import signal_words, wording
from bot.listeners.call import Call
from bot.listeners.typed import Command, literal
from bot.views import help as answers
from bot.views.help import HelpLine
from bot.views.kit import Payload
from bot.views.rows import Paper
from bot.views.signals import signals_answer
from models.cadence import State
from models.queries.quiet import gone_quiet
from models.queries.standings import standings
from models.standing import Standing, sort_key

STEP = 80


def owed(call: Call, rest: str) -> Payload:
    visitor = call.visitor()
    if rest and not _mine(rest):
        return answers.unknown_answer(f"owed {literal(rest)}", COMMANDS["owed"].help)
    zone, today = visitor.programme.zone, visitor.today
    with call.desk.reading() as session:
        lines = standings(session, visitor.programme, call.now)
    waiting = sorted((one for one in lines if one.reply_owed and _asked(one, call, rest)), key=sort_key)
    those = [(one, wording.last_heard(one, today, zone)) for one in waiting]
    title = f"{wording.plural(len(those), 'partner waits', 'partners wait')} for our reply{_overdue(waiting)}"
    return signals_answer(
        title, those, Paper(today, zone), nobody="Nobody has waited two business days for our reply.", command="owed"
    )


def stale(call: Call, rest: str) -> Payload:
    visitor = call.visitor()
    if rest and not _mine(rest):
        return answers.unknown_answer(f"stale {literal(rest)}", COMMANDS["stale"].help)
    zone, today = visitor.programme.zone, visitor.today
    with call.desk.reading() as session:
        lines = standings(session, visitor.programme, call.now)
    lying = sorted((one for one in lines if one.step_stale and _asked(one, call, rest)), key=sort_key)
    those = [
        (one, f"{wording.plain(one.facts.next_step.text, STEP)}, {signal_words.stale_step(one, today, zone)}")
        for one in lying
        if one.facts.next_step is not None
    ]
    title = f"{wording.plural(len(those), 'next step has', 'next steps have')} gone stale{_overdue(lying)}"
    return signals_answer(title, those, Paper(today, zone), nobody="No next step has gone stale.", command="stale")


def quiet(call: Call, rest: str) -> Payload:
    visitor = call.visitor()
    if rest and not _mine(rest):
        return answers.unknown_answer(f"quiet {literal(rest)}", COMMANDS["quiet"].help)
    with call.desk.reading() as session:
        lines = standings(session, visitor.programme, call.now)
        found = gone_quiet(session, visitor.programme, call.now, lines)
    those = [(one, signal_words.writing(silence)) for one, silence in found if _asked(one, call, rest)]
    title = f"{wording.plural(len(those), 'partner has', 'partners have')} gone quiet for them"
    nobody = "Nobody's silence is out of character."
    paper = Paper(visitor.today, visitor.programme.zone)
    return signals_answer(title, those, paper, nobody=nobody, command="quiet")


def _overdue(those: Sequence[Standing]) -> str:
    """The read has the overdue in a list of their own: how many are in both is said, so that the numbers agree."""
    late = sum(one.state is State.OVERDUE for one in those)
    return f", {late} of them overdue" if late else ""


def _mine(rest: str) -> bool:
    return rest.casefold() in ("mine", "my", "me")


def _asked(one: Standing, call: Call, rest: str) -> bool:
    """Everybody's partners are asked for, or the visitor's own: what else was typed is refused before."""
    owner = one.facts.owner
    return not rest or (owner is not None and owner.id == call.visitor().person.id)


COMMANDS = {
    "owed": Command(owed, HelpLine("owed", "who wrote last and waits for our reply", "look")),
    "stale": Command(stale, HelpLine("stale", "whose next step has passed its day", "look")),
    "quiet": Command(quiet, HelpLine("quiet", "whose silence is out of character, by its own rhythm", "look")),
}
