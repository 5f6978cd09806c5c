"""What a Slack workspace holds: people, channels, messages, tokens, one installed app. No network, no protocol."""

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.sandbox.slack.files import Files
from tests.sandbox.slack.views import Views

Json = dict[str, Any]
COLOURS = ("4bbe2e", "e7392d", "3c989f", "674b1b", "e96699", "9d8eee", "2b6836", "99a949", "d55aef", "df3dc0")

DEFAULT_MANIFEST: Json = {
    "display_information": {"name": "Sandbox"},
    "features": {
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True, "messages_tab_read_only_enabled": False},
        "bot_user": {"display_name": "sandbox"},
        "slash_commands": [{"command": "/sandbox", "description": "Try the app", "should_escape": True}],
    },
    "oauth_config": {"scopes": {"bot": ["chat:write", "commands", "users:read"]}},
    "settings": {
        "event_subscriptions": {"bot_events": ["app_home_opened", "app_uninstalled", "tokens_revoked"]},
        "interactivity": {"is_enabled": True},
        "socket_mode_enabled": True,
    },
}


@dataclass(slots=True)
class User:
    id: str
    name: str
    real_name: str
    email: str
    title: str = ""
    tz: str = "UTC"
    tz_offset: int = 0
    locale: str = "en-GB"
    is_bot: bool = False
    is_restricted: bool = False
    deleted: bool = False
    team_id: str = ""
    color: str = COLOURS[0]


@dataclass(slots=True)
class Message:
    channel: str
    ts: str
    user: str
    text: str
    at: datetime
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    files: list[Json] = field(default_factory=list)
    metadata: Json | None = None
    bot_id: str | None = None
    username: str | None = None
    thread_ts: str | None = None
    edited_ts: str | None = None
    visible_to: str | None = None
    """The one person who sees it, when the message is ephemeral."""

    @property
    def mentions(self) -> set[str]:
        """Who would be notified: user ids, `!channel`, `!here`, `!everyone`."""
        found: set[str] = set()
        for text in (self.text, *_mrkdwn(self.blocks)):
            found |= {m.group(1) for m in re.finditer(r"<@([UW]\w+)(?:\|[^>]*)?>", text)}
            found |= {m.group(1) for m in re.finditer(r"<(!(?:channel|here|everyone))(?:\|[^>]*)?>", text)}
        return found


@dataclass(slots=True)
class Channel:
    id: str
    name: str
    created: int
    kind: str = "channel"
    """`channel`, `private` or `im`."""
    topic: str = ""
    peer: str | None = None
    members: list[str] = field(default_factory=list)
    is_archived: bool = False
    is_ext_shared: bool = False
    refuses: str = ""
    """What a post gets as an answer: `restricted_action`, `restricted_action_read_only_channel` …"""
    messages: list[Message] = field(default_factory=list)
    read: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Token:
    value: str
    kind: str
    scopes: tuple[str, ...]
    revoked: bool = False
    expired: bool = False


class Workspace:
    """Everything is guarded by `lock`; every change that a page could show calls `touch()`."""

    def __init__(
        self,
        name: str = "Sandbox",
        *,
        manifest: Mapping[str, Any] | None = None,
        clock: Callable[[], datetime] | None = None,
        timer: Callable[[], float] = time.monotonic,
        bot_token: str = "",
        app_token: str = "xapp-1-sandbox-app",
        signing_secret: str = "sandbox-signing-secret",
        series: str = "0",
        installed: bool = True,
        enterprise_id: str | None = None,
        is_enterprise_install: bool = False,
    ) -> None:
        """`series` keeps the ids of several workspaces apart. One that is not `installed` has no token until it is."""
        self.name, self._series = name, series
        self.enterprise_id, self.is_enterprise_install = enterprise_id, is_enterprise_install
        self.removed = not installed
        """The app was taken out, or was never in: commands and buttons of it are not there."""
        self.manifest: Mapping[str, Any] = manifest if manifest is not None else DEFAULT_MANIFEST
        self.clock = clock or (lambda: datetime.now(UTC))
        self.timer = timer
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.revision = 0
        self.closed = False
        self._counts: Counter[str] = Counter()
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.tokens: dict[str, Token] = {}
        self.team_id = self.new_id("T")
        self.app_id = self.new_id("A")
        self.bot_id = self.new_id("B")
        self.domain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        self.signing_secret = signing_secret
        self.views = Views(self)
        self.files = Files(self)
        self.late_acks: list[str] = []
        self.refused: list[str] = []
        """Answers of the app that Slack would not show: invalid blocks in an ack, errors for unknown blocks."""
        bot_name = str(
            self.manifest.get("features", {}).get("bot_user", {}).get("display_name")
            or self.manifest.get("display_information", {}).get("name", "app")
        )
        self.bot = self.add_user(bot_name.lower().replace(" ", "-"), bot_name, f"{bot_name.lower()}@bots", is_bot=True)
        scopes = self.manifest.get("oauth_config", {}).get("scopes", {})
        self.bot_token = bot_token or ("xoxb-sandbox-bot" if series == "0" else f"xoxb-sandbox-bot-{series}")
        if installed:
            self.add_token(self.bot_token, "bot", (*scopes.get("bot", ()), *scopes.get("bot_optional", ())))
        self.app_token = self.add_token(app_token, "app", ("connections:write",)).value

    # --- ids and time

    def new_id(self, prefix: str) -> str:
        with self.lock:
            self._counts[prefix] += 1
            return f"{prefix}{self._series}{self._counts[prefix]:07d}"

    def new_ts(self) -> str:
        """A unique message timestamp: the clock's second and a running number, so order never depends on speed."""
        with self.lock:
            self._counts["ts"] += 1
            return f"{int(self.clock().timestamp())}.{self._counts['ts']:06d}"

    def touch(self) -> None:
        with self.changed:
            self.revision += 1
            self.changed.notify_all()

    def close(self) -> None:
        """Wakes everybody who waits for a change."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def wait_for_change(self, after: int, timeout: float) -> int:
        with self.changed:
            self.changed.wait_for(lambda: self.revision > after or self.closed, timeout)
            return self.revision

    def wait_until(self, done: Callable[[], object], timeout: float = 10) -> bool:
        """Waits for a state that some change brings about, here or in a database; False when it did not come."""
        until = time.monotonic() + timeout
        while not (found := done()) and time.monotonic() < until:  # unlocked, because it may call Slack
            with self.changed:
                self.changed.wait(0.01)  # nobody rings a bell for what a database holds
        return bool(found)

    # --- people, channels, tokens

    def add_user(self, name: str, real_name: str, email: str, *, id: str | None = None, **more: Any) -> User:
        with self.lock:
            user = User(id or self.new_id("U"), name, real_name, email, **more)
            user.team_id = user.team_id or self.team_id
            user.color = COLOURS[len(self.users) % len(COLOURS)]
            self.users[user.id] = user
            self.touch()
            return user

    def add_channel(
        self, name: str, *, id: str | None = None, private: bool = False, members: Sequence[str] = (), **more: Any
    ) -> Channel:
        """A channel with the members named; the app's bot is in it only when its user id is among them."""
        with self.lock:
            kind = "private" if private else "channel"
            created = int(self.clock().timestamp())
            channel = Channel(id or self.new_id("C"), name, created, kind, members=list(members), **more)
            self.channels[channel.id] = channel
            self.touch()
            return channel

    def im(self, user_id: str) -> Channel:
        """The direct messages between a person and the bot, made at first use."""
        with self.lock:
            for channel in self.channels.values():
                if channel.kind == "im" and channel.peer == user_id:
                    return channel
            channel = Channel(self.new_id("D"), "", int(self.clock().timestamp()), "im", peer=user_id)
            channel.members = [user_id, self.bot.id]
            self.channels[channel.id] = channel
            self.touch()
            return channel

    def archive(self, channel_id: str, archived: bool = True) -> None:
        with self.lock:
            self.channels[channel_id].is_archived = archived
            self.touch()

    def change_channel_id(self, channel_id: str) -> Channel:
        """What Slack does when a channel becomes shared or private: the same channel under another id."""
        with self.lock:
            channel = self.channels.pop(channel_id)
            channel.id = self.new_id("C")
            for message in channel.messages:
                message.channel = channel.id
            self.channels[channel.id] = channel
            self.touch()
            return channel

    def deactivate(self, user_id: str) -> None:
        with self.lock:
            self.users[user_id].deleted = True
            self.touch()

    def add_token(self, value: str, kind: str, scopes: Sequence[str]) -> Token:
        with self.lock:
            token = self.tokens[value] = Token(value, kind, tuple(dict.fromkeys(scopes)))
            return token

    def revoke(self, value: str | None = None) -> None:
        """Revokes one token, or the bot's."""
        with self.lock:
            self.tokens[value or self.bot_token].revoked = True

    def install(self, scopes: Sequence[str]) -> Token:
        """Installs the app, or installs it again: a token that is alive stays and gets the new scopes too."""
        with self.lock:
            token = self.tokens.get(self.bot_token)
            if token is None or token.revoked:
                token = self.add_token(f"xoxb-{self.team_id}-{self.new_id('n')}", "bot", scopes)
                self.bot_token = token.value
            else:
                token.scopes = tuple(dict.fromkeys((*token.scopes, *scopes)))
            self.removed = False
            self.touch()
            return token

    def set_scopes(self, *, add: Sequence[str] = (), without: Sequence[str] = ()) -> None:
        """Changes what the bot's token may do, as if the installer had chosen otherwise."""
        with self.lock:
            token = self.tokens[self.bot_token]
            token.scopes = tuple(one for one in dict.fromkeys((*token.scopes, *add)) if one not in without)

    @property
    def bot_scopes(self) -> tuple[str, ...]:
        token = self.tokens.get(self.bot_token)
        return token.scopes if token else ()

    @property
    def enterprise(self) -> Json | None:
        return {"id": self.enterprise_id, "name": f"{self.name} Enterprise"} if self.enterprise_id else None

    # --- messages

    def post(self, channel_id: str, user_id: str, text: str, **more: Any) -> Message:
        """Puts a message in a channel, as the person or the bot. Checks nothing and tells the app nothing."""
        with self.lock:
            message = Message(channel_id, self.new_ts(), user_id, text, self.clock(), **more)
            if user_id == self.bot.id:
                message.bot_id = self.bot_id
            channel = self.channels[channel_id]
            channel.messages.append(message)
            if not message.bot_id:
                channel.read[user_id] = message.ts
            self.touch()
            return message

    def message(self, channel_id: str, ts: str) -> Message | None:
        with self.lock:
            channel = self.channels.get(channel_id)
            return next((m for m in channel.messages if m.ts == ts), None) if channel else None

    def delete_message(self, channel_id: str, ts: str) -> bool:
        with self.lock:
            message = self.message(channel_id, ts)
            if message:
                self.channels[channel_id].messages.remove(message)
                self.touch()
            return message is not None

    def messages(self, channel_id: str, viewer: str | None = None, thread_ts: str | None = None) -> list[Message]:
        """What a person sees in a channel, oldest first; without a viewer, all that is not ephemeral."""
        with self.lock:
            seen = [m for m in self.channels[channel_id].messages if m.visible_to in (None, viewer)]
            if thread_ts:
                return [m for m in seen if thread_ts in (m.ts, m.thread_ts)]
            return [m for m in seen if m.thread_ts in (None, m.ts)]

    def replies(self, message: Message) -> int:
        with self.lock:
            return sum(m.thread_ts == message.ts != m.ts for m in self.channels[message.channel].messages)

    def unread(self, channel: Channel, user_id: str) -> int:
        with self.lock:
            since = channel.read.get(user_id, "")
            mine = (m for m in channel.messages if m.visible_to in (None, user_id) and m.user != user_id)
            return sum(m.ts > since for m in mine)

    # --- what the manifest says

    def feature(self, *path: str, default: Any = None) -> Any:
        node: Any = self.manifest
        for key in path:
            node = node.get(key) if isinstance(node, Mapping) else None
        return default if node is None else node

    @property
    def commands(self) -> list[Json]:
        return list(self.feature("features", "slash_commands", default=()))

    @property
    def bot_events(self) -> set[str]:
        return set(self.feature("settings", "event_subscriptions", "bot_events", default=()))


def _mrkdwn(node: Any) -> list[str]:
    """The texts of blocks in which a mention would notify."""
    if isinstance(node, dict):
        own = [str(node.get("text", ""))] if node.get("type") in ("mrkdwn", "markdown") else []
        return own + [text for value in node.values() for text in _mrkdwn(value)]
    return [text for item in node for text in _mrkdwn(item)] if isinstance(node, list) else []
