"""`/cadence export` and `undo`: words that people try for what stands elsewhere. They say where, with the buttons."""

from bot.listeners.call import Call
from bot.listeners.typed import Command
from bot.views.help import HelpLine, export_answer, undo_answer
from bot.views.kit import Payload


def export(call: Call, _rest: str) -> Payload:
    call.visitor(leading=True)
    return export_answer()


def undo(call: Call, _rest: str) -> Payload:
    return undo_answer(leads=call.visitor().leads)


COMMANDS = {
    "undo": Command(undo, HelpLine("undo", "how to take back what was pressed or typed", "everyday"), bare=True),
    "export": Command(export, HelpLine("export", "the partners, or who changed what, as a file", "lead"), bare=True),
}
