"""Asks a lead about a message of which nobody knows whether it arrived, or which Slack refused."""

from bot import ids, wording
from bot.ids import Carried
from bot.views import kit
from bot.views.kit import Payload
from models.queries.outbox import Post

WHAT = {
    "read": "weekly read",
    "monthly": "monthly post",
    "nudge": "private message",
    "unassigned": "message about unassigned partners",
}


def uncertain_payload(post: Post) -> Payload:
    what = f"{WHAT.get(post.kind, 'message')} of {post.period}"
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
