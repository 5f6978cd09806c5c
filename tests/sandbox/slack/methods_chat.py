"""chat.*: posting, updating, deleting, ephemerals, links."""

from typing import Any

from tests.sandbox.slack import payloads, validate
from tests.sandbox.slack.errors import SlackError
from tests.sandbox.slack.web_api import Asked, method, require_scope
from tests.sandbox.slack.workspace import Channel, Message

Json = dict[str, Any]


def visible_channel(asked: Asked, reference: str) -> Channel:
    """The channel by id (or name), if the bot may know of it."""
    ws = asked.workspace
    channel = ws.channels.get(reference)
    if channel is None:
        name = reference.removeprefix("#")
        channel = next((c for c in ws.channels.values() if c.name == name and c.kind != "im"), None)
    if channel is None or (channel.kind == "private" and ws.bot.id not in channel.members):
        raise SlackError("channel_not_found")
    return channel


def _target(asked: Asked) -> Channel:
    """Where a post goes: a channel the bot is in, or the direct messages with a person."""
    ws, reference = asked.workspace, asked.text("channel")
    if not reference:
        raise SlackError("channel_not_found")
    if reference in ws.users:
        channel = ws.im(reference) if not ws.users[reference].is_bot else None
    elif reference[:1] in "UW" and reference.isupper() and reference.isalnum():
        channel = None
    else:
        channel = visible_channel(asked, reference)
    if channel is None:
        raise SlackError("channel_not_found")
    if channel.kind == "im":
        if ws.users[channel.peer or ""].deleted:
            raise SlackError("user_disabled")
        if not ws.feature("features", "app_home", "messages_tab_enabled", default=False):
            raise SlackError("messages_tab_disabled")
    elif ws.bot.id not in channel.members and "chat:write.public" not in asked.token.scopes:
        raise SlackError("not_in_channel")
    if channel.is_archived:
        raise SlackError("is_archived")
    if channel.refuses:
        raise SlackError(channel.refuses)
    return channel


def _content(asked: Asked) -> tuple[str, list[Json], list[Json]]:
    text = asked.args.get("text")
    blocks = validate.decode(asked.args.get("blocks"), "invalid_blocks_format")
    attachments = validate.decode(asked.args.get("attachments"), "invalid_attachments")
    most = validate.UPDATE_TEXT if asked.args.get("ts") else None
    validate.check_message(text, blocks, attachments, most_text=most)
    text = text or ""
    if len(text) > validate.POST_TEXT:
        asked.warnings.append("message_truncated")
        text = text[: validate.POST_TEXT]
    if (blocks or attachments) and not text:
        asked.warnings.append("missing_text_in_message")
    return text, validate.with_ids(blocks or [], asked.workspace.new_id("")), list(attachments or [])


@method("chat.postMessage", "chat:write")
def post(asked: Asked) -> Json:
    ws = asked.workspace
    channel = _target(asked)
    text, blocks, attachments = _content(asked)
    thread_ts = asked.text("thread_ts") or None
    if thread_ts and not ws.message(channel.id, thread_ts):
        raise SlackError("thread_not_found")
    metadata = validate.decode(asked.args.get("metadata"), "invalid_metadata_format")
    username = asked.text("username") or None
    if username:
        require_scope(asked, "chat:write.customize")
    asked.server.pace.check(asked.server, ws, channel.id)
    message = ws.post(
        channel.id,
        ws.bot.id,
        text,
        blocks=blocks,
        attachments=attachments,
        thread_ts=thread_ts,
        metadata=metadata,
        username=username,
    )
    payload = payloads.message(ws, message)
    asked.delivery.message_posted(message)
    return {"channel": channel.id, "ts": message.ts, "message": payload}


@method("chat.postEphemeral", "chat:write")
def post_ephemeral(asked: Asked) -> Json:
    ws = asked.workspace
    user = asked.need("user")
    channel = _target(asked)
    if user not in ws.users or user not in channel.members:
        raise SlackError("user_not_in_channel")
    text, blocks, attachments = _content(asked)
    message = ws.post(
        channel.id,
        ws.bot.id,
        text,
        blocks=blocks,
        attachments=attachments,
        visible_to=user,
        thread_ts=asked.text("thread_ts") or None,
    )
    return {"message_ts": message.ts}


def _own(asked: Asked, refusal: str) -> Message:
    """The bot's own message that is to change. Unlike posting, this takes a conversation's id and nothing else."""
    channel = asked.workspace.channels.get(asked.need("channel"))
    ts = asked.need("ts")
    if channel is None:
        raise SlackError("channel_not_found")
    if channel.is_archived:
        raise SlackError("is_inactive")
    message = asked.workspace.message(channel.id, ts)
    if message is None or message.visible_to:
        raise SlackError("message_not_found")
    if message.user != asked.workspace.bot.id:
        raise SlackError(refusal)
    return message


@method("chat.update", "chat:write")
def update(asked: Asked) -> Json:
    ws = asked.workspace
    with ws.lock:
        message = _own(asked, "cant_update_message")
        text, blocks, attachments = _content(asked)
        # Text alone takes the blocks away; blocks alone leave an empty text.
        message.text, message.blocks, message.attachments = text, blocks, attachments
        if "metadata" in asked.args:
            message.metadata = validate.decode(asked.args["metadata"], "invalid_metadata_format")
        message.edited_ts = ws.new_ts()
        ws.touch()
        payload = payloads.message(ws, message)
    return {"channel": message.channel, "ts": message.ts, "text": text, "message": payload}


@method("chat.delete", "chat:write")
def delete(asked: Asked) -> Json:
    message = _own(asked, "cant_delete_message")
    asked.workspace.delete_message(message.channel, message.ts)
    return {"channel": message.channel, "ts": message.ts}


@method("chat.getPermalink")
def permalink(asked: Asked) -> Json:
    channel = visible_channel(asked, asked.need("channel"))
    ts = asked.need("message_ts")
    if not asked.workspace.message(channel.id, ts):
        raise SlackError("message_not_found")
    link = f"{asked.server.page_url}archives/{channel.id}/p{ts.replace('.', '')}"
    return {"channel": channel.id, "permalink": link}
