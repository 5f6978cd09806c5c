"""`/cadence …`: finds the conversation that a word belongs to. Every answer is for the eyes of whoever asked."""

from rapidfuzz import fuzz
from slack_bolt import App

from bot import ids
from bot.asking import is_shared
from bot.listeners import (
    audit,
    cards,
    claims,
    coverage,
    elsewhere,
    mailboxes,
    next_steps,
    nudges,
    overdue,
    pause,
    roster,
    roster_import,
    settings,
    setup,
    signals,
    suggestions,
    tiers,
    walk,
)
from bot.listeners.call import Call, answering
from bot.listeners.desk import Desk, Refused
from bot.listeners.typed import Command, literal, split
from bot.views import help as answers
from bot.views.help import HelpLine
from bot.views.kit import Payload

LIKE = 50  # of a hundred
ALIASES = {"list": "overdue", "late": "overdue", "show": "partner", "explain": "why", "me": "mine", "?": "help"}

MEANT = {
    "claim": "assign take give pick",
    "release": "unclaim drop",
    "next": "done finish step steps todo task",
    "partner": "history card contact contacts find",
    "nudges": "mute snooze away vacation holiday holidays remind reminders off hours",
    "settings": "schedule channel config configure",
    "add": "edit roster new change",
    "import": "people csv upload",
    "audit": "log changes",
    "coverage": "trend report chart figures what-if",
    "resume": "unpause",
    "mailbox": "connect inbox email mail gmail",
    "setup": "start install",
    "preview": "read weekly",
    "tiers": "window windows cadence",
    "overdue": "share gaps due",
}
"""Words that people try, and the command that does it: they are shown it, because it may take its words otherwise."""


def show_help(_call: Call, rest: str) -> Payload:
    """Every command, or the one that is asked about."""
    if not rest:
        return answers.help_answer([command.help for command in TABLE.values()])
    word = split(rest)[0]
    word = ALIASES.get(word, word)
    about = TABLE.get(next((name for name, words in MEANT.items() if word in words.split()), word))
    if about is None:
        return answers.unknown_answer(f"help {literal(rest)}", TABLE["help"].help)
    return answers.one_command_answer(about.help)


TABLE: dict[str, Command] = {
    **overdue.COMMANDS,
    **cards.COMMANDS,
    **signals.COMMANDS,
    **claims.COMMANDS,
    **next_steps.COMMANDS,
    **coverage.COMMANDS,
    **suggestions.COMMANDS,
    **nudges.COMMANDS,
    **mailboxes.COMMANDS,
    **walk.COMMANDS,
    **pause.COMMANDS,
    **audit.COMMANDS,
    **tiers.COMMANDS,
    **roster.COMMANDS,
    **roster_import.COMMANDS,
    **settings.COMMANDS,
    **setup.COMMANDS,
    **elsewhere.COMMANDS,
    "help": Command(show_help, HelpLine("help", "this list", "everyday")),
}


NAMED = ("partner", "why")
SHARED = (*NAMED, "overdue", "owed", "stale", "quiet", "tiers")
"""What the channel may see when `share` is typed at the end. `coverage` knows the word itself."""


def register(app: App, desk: Desk) -> None:
    app.command(ids.COMMAND)(answering(desk, command))


def command(call: Call) -> None:
    word, rest = split(str(call.body.get("text") or ""))
    word = ALIASES.get(word, word) or "help"
    found = TABLE.get(word)
    if word in SHARED:
        rest, call.sharing = _shared(rest, named=word in NAMED)
    too_much = found is not None and found.bare and bool(rest)  # words behind a command that takes none
    if found is None or not found.acks or too_much:
        call.ack()
    if found is None:
        told: Payload | None = _unknown(word, rest)
    else:
        if word not in ("help", "setup"):  # who types `setup` may be nobody yet
            call.visitor()
        if call.sharing and is_shared(call.client, call.channel or ""):
            raise Refused("People of another company are in this channel, so nothing is shared here.")
        told = call.alone(_too_much(word, rest, found)) if too_much else found.answer(call, rest)
    if told is not None and call.sharing:
        call.share(told)
    elif told is not None:
        call.tell(told if word in setup.COMMANDS else setup.with_note(call, told))


def _shared(rest: str, *, named: bool) -> tuple[str, bool]:
    """What was typed without a last word `share`. `named`: behind a name only, for a partner may be called so."""
    before, _, last = rest.rpartition(" ")
    if last.casefold() != "share" or (named and not before):
        return rest, False
    return before.rstrip(), True


def _too_much(word: str, rest: str, found: Command) -> Payload:
    return answers.unknown_answer(f"{word} {literal(rest)}", found.help)


def _unknown(word: str, rest: str) -> Payload:
    named = next((name for name, words in MEANT.items() if word in words.split()), None)
    likeness, nearest = max((fuzz.ratio(word, name), name) for name in TABLE)
    meant = TABLE[named or (nearest if likeness >= LIKE else "help")].help
    return answers.unknown_answer(literal(f"{word} {rest}"), meant)
