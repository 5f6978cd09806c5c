"""What the bot says when it is asked what it can do, or cannot do what it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot import ids, wording
from bot.ids import Carried
from bot.views import kit
from bot.views.kit import Payload, View

GROUPS = {"everyday": "Every day", "look": "Lists and figures", "lead": "For programme leads"}


@dataclass(frozen=True, slots=True)
class HelpLine:
    """What one command is typed like, and what comes of it. `group` is a key of `GROUPS`."""

    example: str
    what: str
    group: str


def help_answer(lines: Sequence[HelpLine]) -> Payload:
    """Every command, by what it is for."""
    said = [
        "*Cadence* shows which partners have gone quiet, and who writes to them. Only you see these answers; "
        "with `share` at the end of a list or a card, the channel does."
    ]
    for group, title in GROUPS.items():
        those = [f"`{ids.COMMAND} {one.example}`: {one.what}" for one in lines if one.group == group]
        if those:
            said.append("\n".join([f"*{title}*", *those]))
    return {"text": "\n".join(said), "blocks": [kit.section(one) for one in said]}


def one_command_answer(line: HelpLine) -> Payload:
    """To `help` with the word of a command behind it."""
    return kit.notice(f"`{ids.COMMAND} {line.example}`: {line.what}. `{ids.COMMAND} help` lists everything.")


def undo_answer(*, leads: bool) -> Payload:
    """What can be taken back, and how. Nothing is ever deleted: the audit log keeps who did what."""
    ways = [
        ("a claim", "release Acme"),
        ("a next step", "next Acme: what it was before"),
        ("a next step that is done", "next Acme: the same once more"),
        ("nudges that you stopped", "nudges on"),
    ]
    if leads:
        ways += [
            ("a question to somebody", "release Acme"),
            ("a pause", "resume Acme"),
            ("a change of the roster", "add Acme"),
            ("anything else: it says what was before", "audit"),
        ]
    lines = [f"• {what}: `{ids.COMMAND} {how}`" for what, how in ways]
    head = "There is no single undo. This takes back"
    return {"text": "\n".join([f"{head}:", *lines]), "blocks": [kit.section("\n".join([f"*{head}*", *lines]))]}


def export_answer() -> Payload:
    """To a lead: the files there are here, and where the others are."""
    head = "What do you want as a file?"
    rest = (
        "On the server `cadence export` writes touches, reads, claims and next steps too, for a spreadsheet or "
        f"with `--json`; `cadence report` writes the page for the leadership. `{ids.COMMAND} coverage` draws the weeks."
    )
    buttons = kit.actions(
        kit.button(ids.EXPORT_ROSTER, "Partners as CSV", Carried()),
        kit.button(ids.AUDIT, "Audit log, to send as CSV", Carried()),
    )
    return {"text": f"{head} {rest}", "blocks": [kit.section(head), buttons, kit.context(rest)]}


def unknown_answer(typed: str, nearest: HelpLine) -> Payload:
    """Names the nearest command and shows it by an example."""
    shown = kit.words(wording.plain(typed, 60), 120)
    return kit.notice(
        f"I do not know “{shown}”. Did you mean `{ids.COMMAND} {nearest.example}` ({nearest.what})? "
        f"`{ids.COMMAND} help` lists everything."
    )


def missing_name_answer(example: str) -> Payload:
    return kit.notice(f"Which partner? For example `{ids.COMMAND} {example}`.")


def sorry(sentence: str) -> Payload:
    """A sentence of ours about what could not be done, as plain text."""
    return kit.notice(kit.words(sentence, 2_000))


def note_modal(sentence: str) -> View:
    """The same inside a modal that is open."""
    return kit.modal(ids.NOTE_MODAL, "Cadence", [kit.section(kit.words(sentence, 2_000))])


def late_modal_answer(action_id: str, carried: Carried) -> Payload:
    """Slack lets a modal open within three seconds only; the button is the one that was pressed."""
    said = "That took too long for Slack to open it. Nothing was changed."
    return {"text": said, "blocks": [kit.section(said, accessory=kit.button(action_id, "Try again", carried))]}
