"""What the bot says when it is asked what it can do, or cannot do what it is asked."""

from collections.abc import Sequence

from bot import ids, wording
from bot.ids import Carried
from bot.views import kit
from bot.views.kit import Payload, View

COMMANDS = {
    "overdue": ("overdue", "who needs a touch; `overdue mine`, `overdue tier 1` or `overdue @Dana` for fewer"),
    "partner": ("partner Acme", "one partner: where it stands, its next step, its last mails"),
    "why": ("why Acme", "which mails moved its clock, which did not, and why"),
    "mine": ("mine", "your claims, and your partners that need a touch"),
    "owed": ("owed", "who wrote last and waits for our reply"),
    "stale": ("stale", "whose next step has passed its day"),
    "quiet": ("quiet", "whose silence is out of character, by its own rhythm"),
    "claim": ("claim Acme", "take its recovery touch"),
    "release": ("release Acme", "give it back"),
    "next": ("next Acme", "agree on the next step"),
    "coverage": (
        "coverage",
        "how coverage has moved; `coverage 26 share` for more weeks and for this channel, "
        "`coverage what if tier 1 at 10 days` for other windows",
    ),
    "suggest": ("suggest", "for leads: who writes with us regularly and is not on the roster"),
    "nudges": ("nudges off", "stop the daily message; `nudges on` starts it again"),
    "help": ("help", "this list"),
}


def help_answer() -> Payload:
    lines = [f"`{ids.COMMAND} {example}`: {what}" for example, what in COMMANDS.values()]
    head = "*Cadence* shows which partners have gone quiet, and who writes to them. Only you see these answers."
    said = "\n".join([head, *lines])
    return {"text": said, "blocks": [kit.section(said)]}


def unknown_answer(typed: str, nearest: str) -> Payload:
    """Names the nearest command and shows it by an example."""
    shown = kit.words(wording.plain(typed, 60), 120)
    example, what = COMMANDS[nearest]
    return kit.notice(
        f"I do not know “{shown}”. Did you mean `{ids.COMMAND} {example}` ({what})? "
        f"`{ids.COMMAND} help` lists everything."
    )


def missing_name_answer(command: str) -> Payload:
    return kit.notice(f"Which partner? For example `{ids.COMMAND} {COMMANDS[command][0]}`.")


def no_partner_answer(typed: str, nearest: Sequence[str], *, ambiguous: bool) -> Payload:
    """No partner of that name, or several that fit equally well."""
    shown = kit.words(wording.plain(typed, 60), 120)
    names = [kit.strong(kit.words(wording.name(one), 160)) for one in nearest]
    if not names:
        return kit.notice(f"There is no partner called “{shown}”.")
    said = ", ".join(names[:-1]) + (" or " if len(names) > 1 else "") + names[-1]
    if ambiguous:
        return kit.notice(f"“{shown}” could be {said}. Which one?")
    return kit.notice(f"There is no partner called “{shown}”. The nearest are {said}.")


def sorry(sentence: str) -> Payload:
    """A sentence of ours about what could not be done, as plain text."""
    return kit.notice(kit.words(sentence, 2_000))


def note_modal(sentence: str) -> View:
    """The same inside a modal that is open."""
    return kit.modal(ids.NOTE_MODAL, "Cadence", [kit.section(kit.words(sentence, 2_000))])


def late_modal_answer(partner_id: int) -> Payload:
    """Slack lets a modal open within three seconds only."""
    said = "That took too long for Slack to open the form. Nothing was changed."
    retry = kit.button(ids.row(ids.NEXT_STEP, partner_id), "Try again", Carried(partner=partner_id))
    return {"text": said, "blocks": [kit.section(said, accessory=retry)]}
