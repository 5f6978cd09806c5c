"""Plays the story through without a browser and holds every outcome against the story's own truth."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from tests.sandbox import story
from tests.sandbox.hands import Hands
from tests.sandbox.stage import Stage, Stuck

CLAIM = "Claim recovery touch"


class Differs(Exception):
    """What Cadence says is not what happened; the text shows both."""


def play(stage: Stage, say: Callable[[str], None]) -> None:
    """Capture, read, claim, mail, recovery. Raises Differs at the first outcome that is not the story's."""
    _captured(stage, say)
    stage.start()
    stage.move_to(story.READ_AT)
    _read(stage, say)
    ally = next(one for one in stage.story.overdue(story.MONDAY) if one.owner is story.DANA)
    _claimed(stage, ally, say)
    _recovered(stage, ally, say)
    _next_week(stage, ally, say)


def _captured(stage: Stage, say: Callable[[str], None]) -> None:
    touched: dict[str, datetime] = {}
    for touch in json.loads(stage.cadence("touches", "--json")):
        if touch["counts"]:
            touched.setdefault(touch["partner"], datetime.fromisoformat(touch["at"]))
    for ally in stage.story.allies:
        same(f"the last touch of {ally.name}", touched.get(ally.name), ally.touched_at)
    boxes = json.loads(stage.cadence("mailbox", "list", "--json"))
    seen = sum(box["seen"] for box in boxes)
    say(
        f"Captured {seen} messages of {len(boxes)} mailboxes; "
        f"the last touch of all {len(stage.story.allies)} partners is right."
    )


def _read(stage: Stage, say: Callable[[str], None]) -> None:
    expected = sorted(one.name for one in stage.story.overdue(story.MONDAY))
    stage.wait_for("Monday's read in the channel", stage.reads)
    same("who is overdue", sorted(one["partner"] for one in json.loads(stage.cadence("overdue", "--json"))), expected)
    tiers = json.loads(stage.cadence("coverage", "--json"))["tiers"]
    covered = {one["rank"]: (one["covered"], one["eligible"]) for one in tiers}
    same("coverage per tier", covered, stage.story.coverage(story.MONDAY))
    hands = Hands(stage.slack.page_url, story.DANA.slack_id)
    for name in expected:
        stage.wait_for(f"a button for {name}", partial(_button, stage, hands, name))
    say(f"Monday's read is in #{stage.channel.name}: {len(expected)} quiet partners, each with a button.")


def _claimed(stage: Stage, ally: story.Ally, say: Callable[[str], None]) -> None:
    dana = Hands(stage.slack.page_url, story.DANA.slack_id)
    priya = Hands(stage.slack.page_url, story.PRIYA.slack_id)
    both = [_button(stage, hands, ally.name) or {} for hands in (dana, priya)]
    for hands, button in zip((dana, priya), both, strict=True):  # Priya's page has not seen the claim yet
        same("the answer to the press", hands.press(stage.channel.id, button).get("ok"), True)
    stage.wait_for(f"“Dana Kim is on it” beside {ally.name}", partial(_shown, stage, "Dana Kim is on it"))
    stage.wait_for("a kind word to Priya that Dana was first", partial(_told, priya, stage.channel.id, "Dana Kim"))
    say(f"Dana claims {ally.name}; Priya, a moment later, is told so.")


def _recovered(stage: Stage, ally: story.Ally, say: Callable[[str], None]) -> None:
    stage.send_mail(story.DANA, ally, "A short hello")
    stage.wait_for(f"the recovery of {ally.name} in the read", lambda: _shown(stage, "ecovered"))
    overdue = [one["partner"] for one in json.loads(stage.cadence("overdue", "--json"))]
    same(
        "who is overdue after the mail", sorted(overdue), sorted(one.name for one in stage.story.overdue(story.MONDAY))
    )
    say(f"Dana writes to {ally.contact_name}; the captured mail closes {ally.name} by itself.")


def _next_week(stage: Stage, ally: story.Ally, say: Callable[[str], None]) -> None:
    before = len(stage.reads())
    stage.move_to(story.READ_AT + timedelta(days=1))
    lead = Hands(stage.slack.page_url, story.PRIYA.slack_id)
    inbox = stage.workspace.im(story.PRIYA.slack_id).id
    stage.wait_for("a nudge to Priya on Tuesday", lambda: lead.messages(inbox))
    stage.move_to(story.READ_AT + timedelta(days=7))
    stage.wait_for("the read of the next Monday", lambda: len(stage.reads()) > before)
    say(f"On Tuesday Priya hears of her own in one message; next Monday's read tells that {ally.name} recovered.")


def _button(stage: Stage, hands: Hands, name: str) -> dict[str, object] | None:
    channel = stage.channel.id
    shown = hands.messages(channel)
    for message in [one for one in shown if one["reply_count"]]:
        shown = shown + hands.messages(channel, thread_ts=message["ts"])
    return hands.button(shown, CLAIM, name)


def _told(hands: Hands, channel: str, words: str) -> bool:
    return any(words in one["text"] for one in hands.messages(channel) if one["ephemeral"])


def _shown(stage: Stage, words: str) -> bool:
    return any(words in json.dumps(one.blocks, ensure_ascii=False) for one in stage.reads())


def same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Differs(f"{what}: Cadence says {found!r}, the story says {expected!r}")


__all__ = ["Differs", "Stuck", "play"]
