"""What the app says back about a command or a click: by its ack, or at a response_url while that is good."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.sandbox.slack import validate
from tests.sandbox.slack.errors import SlackError

if TYPE_CHECKING:
    from tests.sandbox.slack.workspace import Message, Workspace

Json = dict[str, Any]
MOST_USES = 5
LIFETIME = timedelta(minutes=30)


@dataclass(slots=True)
class ResponseUrl:
    user: str
    channel: str
    source: "Message | None"
    """The message whose button was pressed; none for a command."""
    at: datetime
    uses: int = 0


class Responses:
    def __init__(self, workspace: "Workspace", base_url: str) -> None:
        self._workspace = workspace
        self._base_url = base_url
        self._urls: dict[str, ResponseUrl] = {}

    def new_url(self, user: str, channel: str, source: "Message | None" = None) -> str:
        ws = self._workspace
        with ws.lock:
            key = ws.new_id("response-")
            self._urls[key] = ResponseUrl(user, channel, source, ws.clock())
            return f"{self._base_url}responses/{key}"

    def knows(self, key: str) -> bool:
        return key in self._urls

    def expire(self) -> None:
        """Half an hour has passed for every URL given out so far."""
        for url in self._urls.values():
            url.at -= LIFETIME + timedelta(seconds=1)

    def take(self, key: str, reply: Any) -> None:
        """One post to a response_url."""
        ws = self._workspace
        with ws.lock:
            url = self._urls.get(key)
            if url is None:
                raise SlackError("invalid_url")
            if ws.clock() - url.at > LIFETIME:
                raise SlackError("expired_url")
            if url.uses >= MOST_USES:
                raise SlackError("used_url")
            reply = validate.check_reply(reply)
            url.uses += 1
            self.show(reply, url.user, url.channel, url.source)

    def show(self, reply: Json, user: str, channel: str, source: "Message | None" = None) -> None:
        """Puts a checked reply where it belongs. Needs no membership: a response_url ignores channel permissions."""
        ws = self._workspace
        with ws.lock:
            if source and validate.truth(reply.get("delete_original")):
                ws.delete_message(source.channel, source.ts)
                if not reply.get("text") and not reply.get("blocks"):
                    return
                source = None
            text = str(reply.get("text") or "")
            blocks = validate.with_ids(reply.get("blocks") or [], ws.new_id(""))
            if source and validate.truth(reply.get("replace_original")):
                if ws.message(source.channel, source.ts) is None:
                    raise SlackError("message_not_found")
                source.text, source.blocks, source.edited_ts = text, blocks, ws.new_ts()
                ws.touch()
                return
            seen_by = None if reply.get("response_type") == "in_channel" else user
            thread_ts = str(reply["thread_ts"]) if reply.get("thread_ts") else source.thread_ts if source else None
            ws.post(channel, ws.bot.id, text, blocks=blocks, visible_to=seen_by, thread_ts=thread_ts)
