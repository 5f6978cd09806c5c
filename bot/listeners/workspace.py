"""What Slack tells about the installation itself: a channel under a new id, access that was taken away."""

import structlog
from slack_bolt import App

from bot.listeners.call import Call, answering
from bot.listeners.desk import Desk
from models.actions.deliveries import first_delivery
from models.actions.leaders import move_leaders_channel
from models.actions.slack import SLACK, move_channel

log = structlog.get_logger(__name__)


def register(app: App, desk: Desk) -> None:
    app.event("app_uninstalled")(answering(desk, removed))
    app.event("tokens_revoked")(answering(desk, removed))
    app.event("channel_id_changed")(answering(desk, channel_moved))


def removed(call: Call) -> None:
    """Erases the token: the workspace rests from now on, until somebody installs the app again."""
    event = call.body["event"]
    if event["type"] == "tokens_revoked" and not (event.get("tokens") or {}).get("bot"):
        return  # somebody's own token, which we never use
    with call.desk.sessions.begin() as session:
        if not first_delivery(session, call.key(), call.now):
            return
    for workspace_id in call.desk.access.removed(call.team_id, call.enterprise_id, event["type"], call.happened_at):
        log.error("slack.access_removed", workspace=workspace_id, event_type=event["type"])


def channel_moved(call: Call) -> None:
    old, new = call.body["event"]["old_channel_id"], call.body["event"]["new_channel_id"]
    home = call.home()
    if old not in (home.channel, home.leaders_channel):
        return
    with call.desk.sessions.begin() as session:
        if first_delivery(session, call.key(), call.now):
            if home.channel == old:
                move_channel(session, home.workspace_id, old, new, call.now)
            if home.leaders_channel == old:
                move_leaders_channel(session, home.workspace_id, SLACK, new, call.now)
