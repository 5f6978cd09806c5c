"""`/cadence owed`, `stale` and `quiet`: the early signals of every partner, for the eyes of whoever asked."""

from collections.abc import Callable, Sequence

from bot import signal_words, wording
from bot.ids import Carried
from bot.listeners.call import Call
from bot.listeners.desk import Visitor
from bot.listeners.typed import Command, literal
from bot.views import help as answers
from bot.views.help import HelpLine
from bot.views.kit import Payload, View
from bot.views.rows import Paper
from bot.views.signals import Signals, signals_answer, signals_modal
from models.cadence import State
from models.queries.quiet import gone_quiet
from models.queries.standings import standings
from models.standing import Standing, sort_key

STEP = 80


def owed(call: Call, asked: Callable[[Standing], bool]) -> Signals:
    visitor = call.visitor()
    with call.desk.reading() as session:
        lines = standings(session, visitor.programme, call.now)
    waiting = sorted((one for one in lines if one.reply_owed and asked(one)), key=sort_key)
    those = [(one, wording.last_heard(one, visitor.today, visitor.programme.zone)) for one in waiting]
    title = f"{wording.plural(len(those), 'partner waits', 'partners wait')} for our reply{_overdue(waiting)}"
    return Signals(title, those, "Nobody has waited two business days for our reply.")


def stale(call: Call, asked: Callable[[Standing], bool]) -> Signals:
    visitor = call.visitor()
    zone, today = visitor.programme.zone, visitor.today
    with call.desk.reading() as session:
        lines = standings(session, visitor.programme, call.now)
    lying = sorted((one for one in lines if one.step_stale and asked(one)), key=sort_key)
    those = [
        (one, f"{wording.plain(one.facts.next_step.text, STEP)}, {signal_words.stale_step(one, today, zone)}")
        for one in lying
        if one.facts.next_step is not None
    ]
    title = f"{wording.plural(len(those), 'next step has', 'next steps have')} gone stale{_overdue(lying)}"
    return Signals(title, those, "No next step has gone stale.")


def quiet(call: Call, asked: Callable[[Standing], bool]) -> Signals:
    visitor = call.visitor()
    with call.desk.reading() as session:
        lines = standings(session, visitor.programme, call.now)
        found = gone_quiet(session, visitor.programme, call.now, lines)
    those = [(one, signal_words.writing(silence)) for one, silence in found if asked(one)]
    title = f"{wording.plural(len(those), 'partner has', 'partners have')} gone quiet for them"
    return Signals(title, those, "Nobody's silence is out of character.")


LISTS: dict[str, Callable[[Call, Callable[[Standing], bool]], Signals]] = {
    "owed": owed,
    "stale": stale,
    "quiet": quiet,
}


def told(call: Call, name: str, rest: str = "") -> Payload:
    """Everybody's partners, or with `mine` the visitor's own: what else was typed is refused."""
    visitor = call.visitor()
    if rest and rest.casefold() not in ("mine", "my", "me"):
        return call.alone(answers.unknown_answer(f"{name} {literal(rest)}", COMMANDS[name].help))
    carried = Carried(verb=name, owner=visitor.person.id if rest else None)
    return signals_answer(_found(call, carried), _paper(visitor), carried)


def signals_view(call: Call, carried: Carried, note: str | None = None) -> View:
    """One page of the list that `carried.verb` names."""
    return signals_modal(_found(call, carried), _paper(call.visitor()), carried, note)


def _found(call: Call, carried: Carried) -> Signals:
    def asked(one: Standing) -> bool:
        owner = one.facts.owner
        return carried.owner is None or (owner is not None and owner.id == carried.owner)

    return LISTS[carried.verb or ""](call, asked)


def _paper(visitor: Visitor) -> Paper:
    return Paper(visitor.today, visitor.programme.zone)


def _overdue(those: Sequence[Standing]) -> str:
    """The read has the overdue in a list of their own: how many are in both is said, so that the numbers agree."""
    late = sum(one.state is State.OVERDUE for one in those)
    return f", {late} of them overdue" if late else ""


COMMANDS = {
    "owed": Command(
        lambda call, rest: told(call, "owed", rest),
        HelpLine("owed", "who wrote last and waits for our reply", "look"),
    ),
    "stale": Command(
        lambda call, rest: told(call, "stale", rest),
        HelpLine("stale", "whose next step has passed its day", "look"),
    ),
    "quiet": Command(
        lambda call, rest: told(call, "quiet", rest),
        HelpLine("quiet", "whose silence is out of character, by its own rhythm", "look"),
    ),
}
