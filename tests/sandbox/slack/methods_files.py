"""files.*: the upload in three steps, and what is known of a file. Its bytes are the server's to take and give."""

from typing import Any

from tests.sandbox.slack import validate
from tests.sandbox.slack.errors import SlackError
from tests.sandbox.slack.files import LARGEST, File
from tests.sandbox.slack.methods_chat import visible_channel
from tests.sandbox.slack.web_api import Asked, method
from tests.sandbox.slack.workspace import Channel

Json = dict[str, Any]


@method("files.getUploadURLExternal", "files:write")
def upload_url(asked: Asked) -> Json:
    name, length = asked.need("filename"), asked.text("length")
    if not length.isdigit() or length == "0":
        raise SlackError("invalid_arguments", "[ERROR] missing required field: length")
    if int(length) > LARGEST:
        raise SlackError("file_uploads_disabled")
    file = asked.workspace.files.announce(name, asked.workspace.bot.id, int(length))
    return {"upload_url": f"{asked.server.page_url}upload/{file.id}", "file_id": file.id}


@method("files.completeUploadExternal", "files:write")
def upload_complete(asked: Asked) -> Json:
    ws = asked.workspace
    asked_for = validate.decode(asked.args.get("files"), "invalid_arguments")
    if not isinstance(asked_for, list) or not asked_for:
        raise SlackError("invalid_arguments", "[ERROR] missing required field: files")
    with ws.lock:
        channels = _channels(asked)
        files = [_uploaded(asked, one) for one in asked_for]
        for file in files:
            file.complete = True
            file.channels += [one.id for one in channels]
        blocks = validate.decode(asked.args.get("blocks"), "invalid_blocks_format")
        text = asked.text("initial_comment")
        if blocks:
            validate.check_message(text, blocks)
        for channel in channels:
            message = ws.post(
                channel.id,
                ws.bot.id,
                text,
                blocks=validate.with_ids(blocks or [], ws.new_id("")),
                files=[ws.files.payload(one) for one in files],
                thread_ts=asked.text("thread_ts") or None,
            )
            asked.delivery.message_posted(message)
    # Slack answers before it has shared the file, so neither channels nor a timestamp are told.
    return {"files": [{"id": one.id, "title": one.title} for one in files]}


def _uploaded(asked: Asked, one: Any) -> File:
    file = asked.workspace.files.find(str(one.get("id")) if isinstance(one, dict) else "")
    if file is None or file.user != asked.workspace.bot.id or not file.content:
        raise SlackError("file_not_found")
    if len(file.content) != file.length:
        raise SlackError("file_update_failed")
    file.title = str(one.get("title") or file.name)
    return file


def _channels(asked: Asked) -> list[Channel]:
    ws = asked.workspace
    named = [one for one in (asked.text("channel_id") or asked.text("channels")).split(",") if one]
    channels = [visible_channel(asked, one) for one in named]
    for channel in channels:
        if channel.kind != "im" and ws.bot.id not in channel.members:
            raise SlackError("not_in_channel")
        if channel.is_archived:
            raise SlackError("is_archived")
        if channel.refuses:
            raise SlackError(channel.refuses)
        thread_ts = asked.text("thread_ts")
        if thread_ts and not ws.message(channel.id, thread_ts):
            raise SlackError("thread_not_found")
    return channels


@method("files.info", "files:read")
def files_info(asked: Asked) -> Json:
    file = asked.workspace.files.get(asked.need("file"))
    return {"file": asked.workspace.files.payload(file), "comments": [], "response_metadata": {"next_cursor": ""}}


@method("files.delete", "files:write")
def files_delete(asked: Asked) -> Json:
    file = asked.workspace.files.get(asked.need("file"))
    if file.user != asked.workspace.bot.id:
        raise SlackError("cant_delete_file")
    asked.workspace.files.delete(file.id)
    return {}
