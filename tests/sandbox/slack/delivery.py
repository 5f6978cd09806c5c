"""Brings commands, interactions and events to the app, by Socket Mode or signed HTTP, and reads its answer."""

import hashlib
import hmac
import http.client
import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from tests.sandbox.slack import payloads

if TYPE_CHECKING:
    from tests.sandbox.slack.socket_mode import SocketMode
    from tests.sandbox.slack.workspace import Message, Workspace

Json = dict[str, Any]
EVENT_SCOPES = {
    "message.im": "im:history",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "app_mention": "app_mentions:read",
    "member_joined_channel": "channels:read",
    "channel_archive": "channels:read",
    "user_change": "users:read",
}
"""Events that are only sent to apps with the scope; the others need none."""


@dataclass(frozen=True, slots=True)
class Ack:
    ok: bool
    body: Any = None
    error: str = ""
    may_retry: bool = True


@dataclass(frozen=True, slots=True)
class Delivered:
    """One attempt, for assertions."""

    kind: str
    payload: Json
    retry: int
    ack: Ack
    seconds: float = 0
    """How long the app took to answer."""


@dataclass(slots=True)
class Address:
    """Where the app listens: at one URL, or at one for each replica, which are taken in turn."""

    urls: list[str] = field(default_factory=list)
    _turn: Iterator[int] = field(default_factory=count)

    def next(self) -> str:
        return self.urls[next(self._turn) % len(self.urls)]


class Delivery:
    def __init__(
        self,
        workspace: "Workspace",
        sockets: "SocketMode",
        *,
        address: Address | None = None,
        stopping: threading.Event | None = None,
        ack_seconds: float = 3.0,
        event_retry_delays: Sequence[float] = (0.0, 60.0, 300.0),
    ) -> None:
        self._workspace = workspace
        self._sockets = sockets
        self.address = address or Address()
        self.ack_seconds = ack_seconds
        self.event_retry_delays = event_retry_delays
        self.stopping = stopping or threading.Event()
        self.log: list[Delivered] = []
        self.lost_events: list[Json] = []
        self._in_flight: set[threading.Thread] = set()

    @property
    def request_url(self) -> str | None:
        return self.address.urls[0] if self.address.urls else None

    @request_url.setter
    def request_url(self, url: str | None) -> None:
        self.address.urls[:] = [url] if url else []

    @property
    def connected(self) -> bool:
        return self._sockets.connections > 0 or self.request_url is not None

    # --- one attempt

    def send(self, kind: str, payload: Json, retry: int = 0, reason: str = "") -> Ack:
        """`kind` is slash_commands, interactive or events_api, as Socket Mode names them."""
        began = time.monotonic()
        if self._sockets.connections:
            answer = self._sockets.send(kind, payload, self.ack_seconds, retry, reason)
            ack = Ack(False, error="operation_timeout") if answer is None else Ack(True, answer.get("payload"))
        elif self.request_url:
            ack = self._post(kind, payload, retry, reason)
        else:
            ack = Ack(False, error="dispatch_failed")
        if ack.error == "operation_timeout":
            what = payload.get("command") or payload.get("type") or kind
            self._workspace.late_acks.append(f"{kind} {what}")
        self.log.append(Delivered(kind, payload, retry, ack, time.monotonic() - began))
        return ack

    def sign(self, body: bytes, timestamp: int | None = None) -> dict[str, str]:
        """The headers that prove a body comes from Slack, at the real time: the app compares it with its own."""
        stamp = str(int(time.time()) if timestamp is None else timestamp)
        secret = self._workspace.signing_secret.encode()
        digest = hmac.new(secret, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}

    def _post(self, kind: str, payload: Json, retry: int, reason: str) -> Ack:
        if kind == "events_api":
            body, content_type = json.dumps(payload).encode(), "application/json"
        else:
            form = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
            body, content_type = urlencode(form).encode(), "application/x-www-form-urlencoded"
        headers = {"Content-Type": content_type, "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)"}
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": reason}
        try:
            status, answer = self.post(body, headers | self.sign(body))
        except TimeoutError:
            return Ack(False, error="operation_timeout")
        except OSError:
            return Ack(False, error="dispatch_failed")
        may_retry = answer.getheader("X-Slack-No-Retry") != "1"
        if not 200 <= status < 300:
            return Ack(False, error="http_error", may_retry=may_retry)
        text = answer.read().decode()
        is_json = answer.getheader("Content-Type", "").startswith("application/json")
        return Ack(True, json.loads(text) if is_json and text else text or None)

    def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, http.client.HTTPResponse]:
        """A raw request to the app; tests forge theirs with it."""
        url = urlsplit(self.address.next() if self.address.urls else "")
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=self.ack_seconds)
        connection.request("POST", url.path or "/", body, headers | {"Connection": "close"})
        response = connection.getresponse()
        return response.status, response

    def verify_request_url(self) -> bool:
        """The handshake of the Events API: the app must echo the challenge."""
        challenge = self._workspace.new_id("challenge-")
        payload = {"token": payloads.VERIFICATION_TOKEN, "challenge": challenge, "type": "url_verification"}
        ack = self._post("events_api", payload, 0, "")
        return ack.ok and challenge in json.dumps(ack.body)

    # --- events

    def event(self, name: str, event: Json) -> bool:
        """Sends an event in the background, if the app subscribes to it and has the scope."""
        ws = self._workspace
        scope = EVENT_SCOPES.get(name)
        if name not in ws.bot_events or (scope and scope not in ws.bot_scopes):
            return False
        payload = payloads.event_callback(ws, event)
        if not self.connected:
            self.lost_events.append(payload)
            return False
        thread = threading.Thread(target=self._deliver, args=(payload,), name=f"slack-event-{name}", daemon=True)
        self._in_flight.add(thread)
        thread.start()
        return True

    def redeliver(self, payload: Json, retry: int = 1, reason: str = "http_timeout") -> Ack:
        """The same event once more, as after a lost answer."""
        return self.send("events_api", payload, retry, reason)

    def again(self, kind: str = "interactive") -> Ack:
        """What was last sent of this kind, once more and word for word: a click delivered twice."""
        return self.send(kind, next(one.payload for one in reversed(self.log) if one.kind == kind))

    def _deliver(self, payload: Json) -> None:
        try:
            ack = self.send("events_api", payload)
            for retry, delay in enumerate(self.event_retry_delays, start=1):
                if ack.ok or not ack.may_retry or self.stopping.wait(delay):
                    return
                reason = "http_timeout" if ack.error == "operation_timeout" else "http_error"
                ack = self.send("events_api", payload, retry, reason)
        finally:
            self._in_flight.discard(threading.current_thread())

    def settle(self, timeout: float = 10) -> bool:
        """Waits until no event is under way."""
        deadline = time.monotonic() + timeout
        for thread in list(self._in_flight):
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in list(self._in_flight))

    def message_posted(self, message: "Message") -> None:
        """The message events that a post causes."""
        ws = self._workspace
        channel = ws.channels[message.channel]
        if ws.bot.id not in channel.members:
            return
        name, kind = payloads.MESSAGE_EVENTS[channel.kind]
        event = payloads.message(ws, message) | {"channel": channel.id, "event_ts": message.ts}
        self.event(name, event | {"channel_type": kind})
        if not message.bot_id and ws.bot.id in message.mentions:
            self.event("app_mention", event | {"type": "app_mention"})
