"""Socket Mode, Slack's end: each envelope goes to one connection, chosen at random, and waits for its ack."""

import contextlib
import json
import queue
import random
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

if TYPE_CHECKING:
    from tests.sandbox.slack.workspace import Workspace

Json = dict[str, Any]
MOST_CONNECTIONS = 10


class SocketMode:
    def __init__(self, workspace: "Workspace", host: str = "127.0.0.1", port: int = 0) -> None:
        self._workspace = workspace
        self._host, self._port = host, port
        self._server: Server | None = None
        self._lock = threading.Lock()
        self._tickets: set[str] = set()
        self._connections: list[ServerConnection] = []
        self._waiting: dict[str, queue.Queue[Any]] = {}
        self._random = random.Random(7)
        self.acks: list[Json] = []

    def start(self) -> None:
        # A client that closes is stuck in its own read until something arrives; frequent pings let it go at once.
        self._server = serve(self._serve, self._host, self._port, compression=None, ping_interval=0.25)
        self._port = self._server.socket.getsockname()[1]
        threading.Thread(target=self._server.serve_forever, name="slack-socket-mode", daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self.drop()
            self._server.shutdown()

    def new_url(self) -> str:
        with self._lock:
            ticket = self._workspace.new_id("ticket-")
            self._tickets.add(ticket)
            return f"ws://{self._host}:{self._port}/link/?ticket={ticket}&app_id={self._workspace.app_id}"

    @property
    def connections(self) -> int:
        return len(self._connections)

    def wait_for_connection(self, count: int = 1, timeout: float = 10) -> bool:
        with self._workspace.changed:
            return self._workspace.changed.wait_for(lambda: len(self._connections) >= count, timeout)

    # --- faults that only sockets have

    def warn(self, reason: str = "warning") -> None:
        """Tells every client that its socket will soon go: `warning`, `refresh_requested` or `link_disabled`."""
        for connection in list(self._connections):
            self._tell(connection, {"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}})

    def refresh(self) -> None:
        """What Slack does every few hours: asks for a new connection, then closes the old one."""
        old = list(self._connections)
        self.warn("refresh_requested")
        for connection in old:
            connection.close()

    def drop(self) -> None:
        for connection in list(self._connections):
            connection.close()

    # --- talking

    def send(self, kind: str, payload: Json, timeout: float, retry: int = 0, reason: str = "") -> Json | None:
        """Delivers one envelope and waits for its ack; None when nobody acknowledged in time."""
        envelope_id = self._workspace.new_id("envelope-")
        envelope: Json = {"envelope_id": envelope_id, "type": kind, "payload": payload}
        envelope["accepts_response_payload"] = kind != "events_api"
        if kind == "events_api":
            envelope |= {"retry_attempt": retry, "retry_reason": reason}
        answer: queue.Queue[Any] = queue.Queue(1)
        self._waiting[envelope_id] = answer
        deadline = time.monotonic() + timeout
        try:
            while time.monotonic() < deadline:
                with self._lock:
                    connections = list(self._connections)
                if not connections:
                    return None
                chosen = self._random.choice(connections)
                if self._tell(chosen, envelope):
                    ack: Json = answer.get(timeout=max(0.0, deadline - time.monotonic()))
                    return ack
                self._forget(chosen)
        except queue.Empty:
            return None
        finally:
            self._waiting.pop(envelope_id, None)
        return None

    def _tell(self, connection: ServerConnection, message: Json) -> bool:
        try:
            connection.send(json.dumps(message))
        except ConnectionClosed:
            return False
        return True

    def _serve(self, connection: ServerConnection) -> None:
        path = connection.request.path if connection.request else ""
        ticket = parse_qs(urlsplit(path).query).get("ticket", [""])[0]
        with self._lock:
            known = ticket in self._tickets
            self._tickets.discard(ticket)
        if not known:
            connection.close(1008, "unknown ticket")
            return
        if self.connections >= MOST_CONNECTIONS:
            self._tell(connection, {"type": "disconnect", "reason": "too_many_websockets"})
            return
        with self._workspace.changed:
            self._connections.append(connection)
            count = len(self._connections)
        debug = {"host": "sandbox", "build_number": 1, "approximate_connection_time": 18060}
        info = {"app_id": self._workspace.app_id}
        self._tell(
            connection, {"type": "hello", "num_connections": count, "connection_info": info, "debug_info": debug}
        )
        self._workspace.touch()
        try:
            # Clients also leave without a close frame; that is no news.
            with contextlib.suppress(ConnectionClosed):
                for raw in connection:
                    self._receive(raw)
        finally:
            self._forget(connection)

    def _receive(self, raw: str | bytes) -> None:
        try:
            ack = json.loads(raw)
        except ValueError:
            return
        if isinstance(ack, dict) and "envelope_id" in ack:
            self.acks.append(ack)
            waiting = self._waiting.get(str(ack["envelope_id"]))
            if waiting and waiting.empty():
                waiting.put_nowait(ack)

    def _forget(self, connection: ServerConnection) -> None:
        with self._lock:
            if connection in self._connections:
                self._connections.remove(connection)
        self._workspace.touch()
