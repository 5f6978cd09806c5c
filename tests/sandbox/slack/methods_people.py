"""auth.*, users.*, conversations.*, team.*, files.*, apps.*, oauth.*: who and where, without messages or views."""

from typing import Any

from tests.sandbox.slack import validate
from tests.sandbox.slack.errors import SlackError
from tests.sandbox.slack.methods_chat import visible_channel
from tests.sandbox.slack.web_api import Asked, method, require_scope
from tests.sandbox.slack.workspace import Channel, User

Json = dict[str, Any]
READ_SCOPE = {"channel": "channels:read", "private": "groups:read", "im": "im:read"}
TYPES = {"channel": "public_channel", "private": "private_channel", "im": "im"}


@method("api.test", token="none")
def api_test(asked: Asked) -> Json:
    if asked.text("error"):
        raise SlackError(asked.text("error"))
    return {"args": asked.args}


@method("auth.test", token="any")
def auth_test(asked: Asked) -> Json:
    ws = asked.workspace
    return {
        "url": asked.server.page_url,
        "team": ws.name,
        "user": ws.bot.name,
        "team_id": ws.team_id,
        "user_id": ws.bot.id,
        "bot_id": ws.bot_id,
        **({"enterprise_id": ws.enterprise_id} if ws.enterprise_id else {}),
        "is_enterprise_install": ws.is_enterprise_install,
    }


@method("auth.revoke", token="any")
def auth_revoke(asked: Asked) -> Json:
    test = validate.truth(asked.args.get("test"))
    if not test:
        asked.workspace.revoke(asked.token.value)
    return {"revoked": not test}


@method("apps.connections.open", "connections:write", token="app")
def connections_open(asked: Asked) -> Json:
    if not asked.workspace.feature("settings", "socket_mode_enabled", default=False):
        raise SlackError("forbidden_team")
    return {"url": asked.server.socket_mode.new_url()}


@method("oauth.v2.access", token="none")
def oauth_access(asked: Asked) -> Json:
    given = asked.request.authorization
    named = {"client_id": given.username or "", "client_secret": given.password or ""} if given else {}
    return asked.server.oauth.redeem({**asked.args, **named})


@method("team.info", "team:read")
def team_info(asked: Asked) -> Json:
    ws = asked.workspace
    return {"team": {"id": ws.team_id, "name": ws.name, "domain": ws.domain, "email_domain": "", "icon": {}}}


# --- people


def user_payload(asked: Asked, user: User) -> Json:
    profile = {"real_name": user.real_name, "display_name": user.name, "title": user.title, "team": user.team_id}
    if "users:read.email" in asked.token.scopes and not user.is_bot:
        profile["email"] = user.email
    payload: Json = {
        "id": user.id,
        "team_id": user.team_id,
        "name": user.name,
        "deleted": user.deleted,
        "profile": profile,
        "is_bot": user.is_bot,
        "updated": 0,
        "is_app_user": False,
    }
    if user.deleted:
        return payload
    payload |= {"real_name": user.real_name, "color": user.color, "tz": user.tz, "tz_label": user.tz}
    payload |= {"tz_offset": user.tz_offset, "is_restricted": user.is_restricted, "is_ultra_restricted": False}
    payload |= {"is_admin": False, "is_owner": False, "is_primary_owner": False}
    payload |= {"is_email_confirmed": bool(user.email) and not user.is_bot}
    if validate.truth(asked.args.get("include_locale")):
        payload["locale"] = user.locale
    return payload | ({"is_stranger": True} if user.team_id != asked.workspace.team_id else {})


def page(asked: Asked, items: list[Any]) -> tuple[list[Any], Json]:
    """A slice by cursor and limit, and the metadata that names the next one."""
    try:
        start = int(asked.text("cursor") or 0)
        limit = int(asked.text("limit") or 0) or 1000
    except ValueError:
        raise SlackError("invalid_cursor") from None
    if not 0 < limit <= 1000:
        raise SlackError("invalid_limit")
    following = str(start + limit) if start + limit < len(items) else ""
    return items[start : start + limit], {"next_cursor": following}


@method("users.info", "users:read")
def users_info(asked: Asked) -> Json:
    user = asked.workspace.users.get(asked.text("user"))
    if user is None:
        raise SlackError("user_not_found")
    return {"user": user_payload(asked, user)}


@method("users.list", "users:read")
def users_list(asked: Asked) -> Json:
    users, metadata = page(asked, list(asked.workspace.users.values()))
    return {"members": [user_payload(asked, u) for u in users], "cache_ts": 0, "response_metadata": metadata}


@method("users.lookupByEmail", "users:read.email")
def users_lookup(asked: Asked) -> Json:
    email = asked.need("email").lower()
    for user in asked.workspace.users.values():
        if user.email.lower() == email and not user.deleted and not user.is_bot:
            return {"user": user_payload(asked, user)}
    raise SlackError("users_not_found")


# --- conversations


def channel_payload(asked: Asked, channel: Channel) -> Json:
    ws = asked.workspace
    payload: Json = {"id": channel.id, "created": channel.created, "is_archived": channel.is_archived}
    payload |= {"is_im": channel.kind == "im", "is_org_shared": False, "context_team_id": ws.team_id}
    if channel.kind == "im":
        return payload | {"user": channel.peer, "is_user_deleted": ws.users[channel.peer or ""].deleted}
    payload |= {"name": channel.name, "name_normalized": channel.name, "creator": ws.bot.id, "is_mpim": False}
    payload |= {"is_channel": True, "is_group": channel.kind == "private", "is_private": channel.kind == "private"}
    payload |= {"is_general": channel.name == "general", "is_member": ws.bot.id in channel.members}
    payload |= {"is_ext_shared": channel.is_ext_shared, "is_shared": channel.is_ext_shared}
    topic = {"value": channel.topic, "creator": "", "last_set": 0}
    return payload | {"topic": topic, "purpose": {"value": "", "creator": "", "last_set": 0}}


def _readable(asked: Asked) -> Channel:
    channel = visible_channel(asked, asked.need("channel"))
    require_scope(asked, READ_SCOPE[channel.kind])
    return channel


@method("conversations.info", *READ_SCOPE.values())
def conversations_info(asked: Asked) -> Json:
    channel = _readable(asked)
    payload = channel_payload(asked, channel)
    if validate.truth(asked.args.get("include_num_members")):
        payload["num_members"] = len(channel.members)
    return {"channel": payload}


@method("conversations.members", *READ_SCOPE.values())
def conversations_members(asked: Asked) -> Json:
    members, metadata = page(asked, list(_readable(asked).members))
    return {"members": members, "response_metadata": metadata}


@method("conversations.list", *READ_SCOPE.values())
def conversations_list(asked: Asked) -> Json:
    ws, kinds = asked.workspace, (asked.text("types") or "public_channel").replace(" ", "").split(",")
    if set(kinds) - {*TYPES.values(), "mpim"}:
        raise SlackError("invalid_types")
    for kind, scope in READ_SCOPE.items():
        if TYPES[kind] in kinds:
            require_scope(asked, scope)
    skip_archived = validate.truth(asked.args.get("exclude_archived"))
    found = [
        c
        for c in ws.channels.values()
        if TYPES[c.kind] in kinds
        and not (skip_archived and c.is_archived)
        and not (c.kind == "private" and ws.bot.id not in c.members)
    ]
    channels, metadata = page(asked, found)
    return {"channels": [channel_payload(asked, c) for c in channels], "response_metadata": metadata}


@method("conversations.open", "im:write", "mpim:write")
def conversations_open(asked: Asked) -> Json:
    ws = asked.workspace
    users = asked.text("users")
    if not users and asked.text("channel"):
        return {"channel": {"id": visible_channel(asked, asked.text("channel")).id}}
    if not users:
        raise SlackError("users_list_not_supplied")
    user = ws.users.get(users)
    if user is None:
        raise SlackError("user_not_found")
    if user.is_bot:
        raise SlackError("cannot_dm_bot")
    if user.deleted:
        raise SlackError("user_disabled")
    channel = ws.im(user.id)
    full = validate.truth(asked.args.get("return_im"))
    return {"channel": channel_payload(asked, channel) if full else {"id": channel.id}}


@method("conversations.join", "channels:join")
def conversations_join(asked: Asked) -> Json:
    ws = asked.workspace
    channel = visible_channel(asked, asked.need("channel"))
    if channel.kind != "channel":
        raise SlackError("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise SlackError("is_archived")
    with ws.lock:
        if ws.bot.id in channel.members:
            asked.warnings.append("already_in_channel")
        else:
            channel.members.append(ws.bot.id)
    return {"channel": channel_payload(asked, channel)}
