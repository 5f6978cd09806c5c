"""The JSON that Slack sends to apps, field by field."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.sandbox.slack.views import View
    from tests.sandbox.slack.workspace import Channel, Message, User, Workspace

Json = dict[str, Any]
VERIFICATION_TOKEN = "sandbox-verification"
MESSAGE_EVENTS = {
    "channel": ("message.channels", "channel"),
    "private": ("message.groups", "group"),
    "im": ("message.im", "im"),
}
CHANNEL_NAMES = {"im": "directmessage", "private": "privategroup"}
"""What Slack says instead of the name where a channel has none that everybody may know."""


def message(workspace: "Workspace", one: "Message") -> Json:
    """A message as the Web API and interaction payloads show it."""
    payload: Json = {"type": "message", "user": one.user, "text": one.text, "ts": one.ts, "team": workspace.team_id}
    if one.bot_id:
        profile: Json = {"id": one.bot_id, "app_id": workspace.app_id, "name": workspace.bot.real_name}
        profile |= {"deleted": False, "team_id": workspace.team_id, "updated": 0, "icons": {}}
        payload |= {"bot_id": one.bot_id, "app_id": workspace.app_id, "bot_profile": profile}
    if one.username:
        payload["username"] = one.username
    parts = ("blocks", one.blocks), ("attachments", one.attachments), ("files", one.files), ("metadata", one.metadata)
    for key, value in parts:
        if value:
            payload[key] = value
    if one.edited_ts:
        payload["edited"] = {"user": one.user, "ts": one.edited_ts}
    if one.thread_ts:
        payload["thread_ts"] = one.thread_ts
    replies = workspace.replies(one)
    return payload | ({"thread_ts": one.ts, "reply_count": replies} if replies else {})


def _app(workspace: "Workspace") -> Json:
    return {"token": VERIFICATION_TOKEN, "api_app_id": workspace.app_id}


def _who(workspace: "Workspace", user: "User") -> Json:
    return {
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id},
        "team": None if workspace.is_enterprise_install else {"id": workspace.team_id, "domain": workspace.domain},
        "enterprise": workspace.enterprise,
        "is_enterprise_install": workspace.is_enterprise_install,
        **_app(workspace),
    }


def command(
    workspace: "Workspace", user: "User", channel: "Channel", name: str, text: str, trigger_id: str, response_url: str
) -> Json:
    return {
        **_app(workspace),
        "team_id": workspace.team_id,
        "team_domain": workspace.domain,
        "channel_id": channel.id,
        "channel_name": CHANNEL_NAMES.get(channel.kind, channel.name),
        "user_id": user.id,
        "user_name": user.name,
        "command": name,
        "text": text,
        **({"enterprise_id": workspace.enterprise_id} if workspace.enterprise_id else {}),
        "is_enterprise_install": str(workspace.is_enterprise_install).lower(),
        "response_url": response_url,
        "trigger_id": trigger_id,
    }


def message_container(one: "Message") -> Json:
    container = {"type": "message", "message_ts": one.ts, "channel_id": one.channel}
    return container | {"is_ephemeral": one.visible_to is not None}


def block_actions(workspace: "Workspace", user: "User", trigger_id: str, action: Json, place: Json) -> Json:
    """`place` holds what depends on where the element is: container, message and channel, or view."""
    return {"type": "block_actions", **_who(workspace, user), "trigger_id": trigger_id, **place, "actions": [action]}


def block_suggestion(workspace: "Workspace", user: "User", ids: Json, value: str, place: Json) -> Json:
    return {"type": "block_suggestion", **_who(workspace, user), **place, **ids, "value": value}


def view_submission(workspace: "Workspace", user: "User", view: "View", trigger_id: str, urls: list[Json]) -> Json:
    shown = workspace.views.payload(view)
    return {
        "type": "view_submission",
        **_who(workspace, user),
        "trigger_id": trigger_id,
        "view": shown,
        "response_urls": urls,
    }


def view_closed(workspace: "Workspace", user: "User", view: "View", is_cleared: bool) -> Json:
    return {
        "type": "view_closed",
        **_who(workspace, user),
        "view": workspace.views.payload(view),
        "is_cleared": is_cleared,
    }


def event_callback(workspace: "Workspace", event: Json) -> Json:
    org = workspace.is_enterprise_install
    team_id = None if org else workspace.team_id
    authorization = {"enterprise_id": workspace.enterprise_id, "team_id": team_id, "user_id": workspace.bot.id}
    return {
        **_app(workspace),
        "team_id": workspace.team_id,
        "context_team_id": workspace.team_id,
        "context_enterprise_id": workspace.enterprise_id,
        "event": event,
        "type": "event_callback",
        "event_id": workspace.new_id("Ev"),
        "event_time": int(workspace.clock().timestamp()),
        "authorizations": [authorization | {"is_bot": True, "is_enterprise_install": org}],
        "is_ext_shared_channel": False,
    }
