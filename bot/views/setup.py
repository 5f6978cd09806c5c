"""The first run as a list of steps: what is done, what is missing, and the button for each.

The same list is the private message to the installer, the answer to `/cadence setup` and the top of a lead's Home.
"""

from collections.abc import Sequence

from bot import ids, wording
from bot.ids import Carried
from bot.views import kit
from bot.views.kit import Block, Element, Payload
from models.actions.setup import UNCHECKED
from models.cadence import Tier
from models.queries.setup import CHANNEL, MAILBOXES, PARTNERS, PEOPLE, PREVIEW, SCHEDULE, TIERS, Setup

STEP = 1
"""Suffix of the action ids here: Home has the same buttons once more, and equal ids on one page are refused."""

NOT_IN_CHANNEL = ("not_in_channel", "channel_not_found")
NAMES = {
    CHANNEL: "choose a channel that I can post in",
    SCHEDULE: "set day, hour and time zone",
    TIERS: "write down the tiers",
    PEOPLE: "name the partner managers",
    PARTNERS: "put partners on the roster",
    PREVIEW: "look at the private preview",
}
INTRO = (
    "Every Monday I show which partners have gone quiet, and who writes to them next. I read the headers of your "
    "partner managers' mail, never a body. Until you start it, nothing is posted and nobody is nudged."
)


def setup_payload(setup: Setup, next_on: str | None = None) -> Payload:
    """`text` says what the blocks say. `next_on`: the day of the next read."""
    blocks = setup_blocks(setup)
    if not blocks:
        done = f"Everything is set up: the read is posted {_where_and_when(setup, next_on)}"
        return {"text": done, "blocks": [kit.section(done, accessory=_schedule_button())]}
    said = [f"{_mark(setup, step)} {title}: {sentence}" for step, title, sentence, _ in _steps(setup)]
    return {"text": "\n".join(["*Set Cadence up*", INTRO, *said, _end(setup)]), "blocks": blocks}


def started_note(setup: Setup, next_on: str) -> Payload:
    return kit.notice(f"✓ The weekly read is posted {_where_and_when(setup, next_on)}")


def _where_and_when(setup: Setup, next_on: str | None) -> str:
    place = f"in <#{setup.channel}> " if setup.channel else ""
    first = f"; the next one on {next_on}" if next_on else ""
    return f"{place}{kit.words(schedule_words(setup.read_at, setup.timezone) + first, 300)}."


def setup_blocks(setup: Setup) -> list[Block]:
    """Nothing once reads are posted."""
    if setup.started:
        return []
    blocks = [kit.header("Set Cadence up"), kit.section(INTRO)]
    for step, title, sentence, button in _steps(setup):
        blocks.append(kit.section(f"{_mark(setup, step)} *{title}*\n{sentence}", accessory=button))
        if step == CHANNEL and setup.channel is not None and setup.trouble not in (None, "shared"):
            blocks.append(kit.actions(check_again()))
    if setup.missing:
        return [*blocks, kit.context(_end(setup))]
    start = kit.button(
        ids.START,
        "Start the weekly read",
        Carried(),
        style="primary",
        confirm=kit.confirm(
            "Start the weekly read?",
            f"From now on it is posted in its channel {schedule_words(setup.read_at, setup.timezone)}.",
            "Start",
            "Not yet",
        ),
    )
    return [*blocks, kit.section(_end(setup)), kit.actions(start)]


def trouble_blocks(setup: Setup) -> list[Block]:
    """While the channel takes no message: why, and what a lead can do. The schedule rests meanwhile."""
    if setup.trouble is None:
        return []
    said = channel_words(setup.channel, setup.trouble)
    return [
        kit.header("The weekly read rests"),
        kit.section(said),
        kit.actions(_schedule_button(), check_again()),
    ]


def missing_note(setup: Setup) -> str | None:
    """One line for a lead, as mrkdwn; None when nothing stands in the way."""
    if setup.started:
        return None
    if not setup.missing:
        return f"Everything is ready: `{ids.COMMAND} setup` has the button that starts the weekly read."
    rest = "; ".join(NAMES[one] for one in setup.missing)
    return f"Before the first read: {rest}. `{ids.COMMAND} setup` takes you there."


def channel_words(channel: str | None, trouble: str | None) -> str:
    """Where the read goes, or why it cannot, with what to do. Mrkdwn."""
    if channel is None:
        return "Where everybody reads it. Nothing is posted before you have seen a preview."
    named = f"<#{channel}>"
    if trouble is None:
        return f"The read goes to {named}."
    if trouble == UNCHECKED:
        return f"I have not tried yet whether I can post in {named}."
    if trouble in NOT_IN_CHANNEL:
        return f"I am not in {named} yet: type `/invite @Cadence` there, then press *Check again*."
    if trouble.startswith("restricted_action"):
        return (
            f"Posting in {named} is restricted, so Slack takes no message of mine there: let a workspace owner allow "
            "Cadence to post, or choose another channel."
        )
    if trouble == "is_archived":
        return f"{named} is archived: choose another channel."
    if trouble == "shared":
        return f"People of other companies are in {named}, and the read is not for them: choose a channel of your own."
    return f"Slack takes no message of mine in {named} ({kit.words(wording.plain(trouble, 60), 100)})."


def schedule_words(read_at: str, timezone: str) -> str:
    day, hour = read_at.split()
    return f"on {DAYS[day]} at {hour}, {timezone or 'UTC'}"


DAYS = {
    "mon": "Mondays",
    "tue": "Tuesdays",
    "wed": "Wednesdays",
    "thu": "Thursdays",
    "fri": "Fridays",
    "sat": "Saturdays",
    "sun": "Sundays",
}


def tier_words(tiers: Sequence[Tier]) -> str:
    """The targets in one line, as plain text."""
    return ", ".join(f"{wording.plain(one.name, 30)} every {wording.plural(one.window_days, 'day')}" for one in tiers)


def _schedule_button() -> Element:
    return kit.button(ids.row(ids.EDIT_SCHEDULE, STEP), "Schedule and channel", Carried(), style="primary")


def check_again() -> Element:
    return kit.button(ids.row(ids.CHECK_CHANNEL, STEP), "Check again", Carried())


def _steps(setup: Setup) -> list[tuple[str, str, str, Element]]:
    """Step, title, sentence as mrkdwn, button."""
    when = schedule_words(setup.read_at, setup.timezone)
    tiers = tier_words(setup.tiers)
    scheduled = kit.words(f"It is posted {when}.", 300) if setup.scheduled else "So far UTC is assumed, on Mondays."
    choose = "Choose" if setup.channel is None else "Change"
    people = _count(setup.people, "person", "people", "can own partners")
    partners = _count(setup.roster, "partner", "partners", "on the roster")
    if setup.partners < setup.roster:
        partners = f"{partners[:-1]}, {setup.partners or 'none'} of them with a tier and not paused."
    boxes = f"{setup.connected} of {setup.owners} owners have connected theirs; without, their partners are unseen."
    if not setup.owners:
        boxes = "Nobody owns a partner yet. Each owner connects the own mailbox; without, their partners are unseen."
    return [
        (CHANNEL, "Channel", channel_words(setup.channel, setup.trouble), _button(ids.EDIT_SCHEDULE, choose, CHANNEL)),
        (SCHEDULE, "Day, hour and zone", scheduled, _button(ids.EDIT_SCHEDULE, "Change", SCHEDULE, 2)),
        (TIERS, "Tiers", kit.words(f"{tiers or 'None yet'}.", 600), _button(ids.EDIT_TIERS, "Change", TIERS)),
        (PEOPLE, "People", people, _button(ids.EDIT_ROSTER, "Add people", PEOPLE)),
        (PARTNERS, "Partners", partners, _button(ids.IMPORT, "Add partners", PARTNERS)),
        (MAILBOXES, "Mailboxes", boxes, _button(ids.CONNECT, "Connect mine", MAILBOXES)),
        (PREVIEW, "Preview", _preview(setup), _button(ids.PREVIEW, "Preview", PREVIEW)),
    ]


def _button(action: str, text: str, step: str, number: int = STEP) -> Element:
    verb = {PEOPLE: "people", PARTNERS: "partners"}.get(step)
    return kit.button(ids.row(action, number), text, Carried(verb=verb), spoken=f"{text}: {step}")


def _preview(setup: Setup) -> str:
    return "You have seen it." if setup.previewed else "The first read as it would be today, for your eyes only."


def _count(count: int, one: str, many: str, what: str) -> str:
    return (
        f"{wording.plural(count, one, many)} {what}."
        if count
        else f"Nobody {what} yet."
        if one == "person"
        else "None yet: upload a CSV file or paste lines."
    )


def _mark(setup: Setup, step: str) -> str:
    return "✓" if step in setup.done else "○"


def _end(setup: Setup) -> str:
    if not setup.missing:
        unseen = setup.owners - setup.connected
        if not unseen:
            return "Everything is ready."
        who = wording.plural(unseen, "owner's mailbox is", "owners' mailboxes are")
        return f"Everything is ready to start. Until {who} connected, their partners are unseen."
    return f"Still to do: {'; '.join(NAMES[one] for one in setup.missing)}. You can leave and come back at any time."
