"""Asks a lead about a message of which nobody knows whether it arrived, or which Slack refused, in part or whole."""

from collections.abc import Sequence
from datetime import date

from bot import ids, wording
from bot.ids import Carried
from bot.views import kit
from bot.views.kit import Payload
from bot.views.setup import channel_words
from models.queries.outbox import Post

WHAT = {
    "read": "weekly read",
    "monthly": "monthly post",
    "nudge": "private message",
    "unassigned": "message about unassigned partners",
}


def _what(post: Post) -> str:
    kind = WHAT.get(post.kind, "message")
    try:
        day = date.fromisoformat(post.period)
    except ValueError:  # a month, or no time at all
        return f"{kind} of {post.period}" if post.kind == "monthly" else kind
    return f"{kind} of {wording.on_day(day, day)}"


def uncertain_payload(post: Post) -> Payload:
    what = _what(post)
    reason = kit.words(wording.plain(post.error or "no answer", 200), 300)
    if post.status == "unknown":
        question = f"Did the {what} arrive?"
        rest = f"Slack did not confirm it ({reason}). Have a look before it is posted again."
    else:
        question, rest = f"The {what} could not be posted.", f"Slack says: {reason}."
    carried = Carried(post=post.id)
    buttons = [kit.button(f"{ids.POST_AGAIN}:{post.id}", "Post again", carried, spoken=f"Post again: the {what}")]
    if post.status == "unknown":
        buttons.append(
            kit.button(f"{ids.IT_ARRIVED}:{post.id}", "It arrived", carried, spoken=f"It arrived: the {what}")
        )
    return {"text": f"{question} {rest}", "blocks": [kit.section(f"*{question}* {rest}"), kit.actions(*buttons)]}


def channel_payload(channel: str, trouble: str, post_id: int | None) -> Payload:
    """The read's channel takes no message. Nothing is posted there until it does."""
    said = f"*The weekly read rests.* {channel_words(channel, trouble)}"
    if post_id is not None:
        said += " Then *Post again* brings the read that could not be posted."
    buttons = [kit.button(ids.row(ids.CHECK_CHANNEL, 0), "Check again", Carried())]
    if post_id is not None:
        post = Carried(post=post_id)
        buttons.append(kit.button(f"{ids.POST_AGAIN}:{post_id}", "Post again", post, spoken="Post the read again"))
    return {"text": said, "blocks": [kit.section(said), kit.actions(*buttons)]}


def leaders_payload(channel: str) -> Payload:
    """The monthly post waits: its channel has guests of other companies."""
    return kit.notice(
        f"*The monthly post rests.* People of other companies are in <#{channel}>, and the figures are not for them. "
        f"Choose another channel with `{ids.COMMAND} settings`; once those people have left, it is posted by itself."
    )


def plain_payload(post: Post, reason: str) -> Payload:
    """Slack refused the layout of a message, which stands there as text."""
    what = _what(post)
    return kit.notice(
        f"Slack did not take the layout of the {what} ({kit.words(wording.plain(reason, 60), 100)}), so it is shown as "
        f"plain text without buttons. Nothing is missing: `{ids.COMMAND} overdue` has the buttons. Whoever runs "
        "Cadence should have a look at its log."
    )


def missed_payload(weeks: Sequence[date], today: date) -> Payload:
    """Weeks, by their Mondays, that went by without a read."""
    which = wording.listed([f"the week of {wording.on_day(week, today)}" for week in weeks], 4)
    return kit.notice(
        f"*There was no weekly read in {which}.* Cadence was not running, or was kept from posting, from the hour of "
        f"the read until the week was over. No mail is lost: `{ids.COMMAND} coverage` has that time too, and the next "
        "read comes at its hour. Whoever runs Cadence should have a look at its log."
    )


def frozen_payload() -> Payload:
    """Below a read that Slack lets nobody change any more."""
    return kit.notice(
        "Slack does not let me update the list above any more. Claims still count: "
        f"`{ids.COMMAND} overdue` shows how things stand now."
    )
