"""Whatever is pressed that nobody listens to any more: buttons and forms of older versions, answered kindly."""

import re

from slack_bolt import App

from bot.ids import OldButton
from bot.listeners.call import Call, answering
from bot.listeners.desk import Desk

ANYTHING = re.compile(r"", re.DOTALL)


def register(app: App, desk: Desk) -> None:
    for listens in (app.action(ANYTHING), app.view_submission(ANYTHING), app.options(ANYTHING)):
        listens(answering(desk, retired))


def retired(call: Call) -> None:
    raise OldButton(f"nobody listens to {call.action.get('action_id')}")
