"""What the bot listens to: one file per conversation. Each decodes, asks who it is, does one action and answers."""

from slack_bolt import App

from bot.listeners import (
    assignments,
    audit,
    cards,
    choices,
    claims,
    commands,
    home,
    looks,
    mailboxes,
    my_settings,
    next_steps,
    nudges,
    pause,
    reads,
    retired,
    roster,
    roster_import,
    roster_people,
    settings,
    setup,
    suggestions,
    tiers,
    walk,
    workspace,
)
from bot.listeners.desk import Desk


def register(app: App, desk: Desk) -> None:
    """In the order in which Bolt tries them: what is retired comes last, because it matches everything."""
    for conversation in (
        commands,
        cards,
        claims,
        choices,
        assignments,
        next_steps,
        pause,
        walk,
        reads,
        nudges,
        my_settings,
        mailboxes,
        suggestions,
        audit,
        settings,
        setup,
        tiers,
        roster,
        roster_people,
        roster_import,
        home,
        looks,
        workspace,
        retired,
    ):
        conversation.register(app, desk)
