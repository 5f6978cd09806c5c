"""Listens on this machine for the one answer that a browser brings back (RFC 8252). It does not know what is asked."""

import socketserver
import sys
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from bot.cli.common import Failure
from bot.views.web import HEADERS

IDLE = 20.0  # seconds: browsers also open connections on which they ask nothing


@dataclass(slots=True)
class Caller:
    """The browser that brought the answer. It waits for its page until `show` is called."""

    answer: dict[str, str]
    _page: str = ""
    _ready: threading.Event = field(default_factory=threading.Event)
    _sent: threading.Event = field(default_factory=threading.Event)

    def show(self, page: str) -> None:
        self._page = page
        self._ready.set()
        self._sent.wait(IDLE)


class Loopback(AbstractContextManager["Loopback"]):
    """`with Loopback(port) as here:` listens until the block ends; port 0 takes any that is free."""

    def __init__(self, port: int = 0) -> None:
        callers: SimpleQueue[Caller] = SimpleQueue()

        class Handler(_Handler):
            arrived = callers

        self._callers = callers
        try:
            self._server = _Server(("127.0.0.1", port), Handler)
        except OSError as error:
            raise Failure(
                f"port {port} of this machine cannot be listened on ({error.strerror}): "
                "choose another with --port, or leave --port out"
            ) from error
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="loopback", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def caller(self, seconds: float) -> Caller:
        """The first who brings an answer."""
        end = time.monotonic() + seconds
        while True:  # in short waits, so that Ctrl-C is heard everywhere
            try:
                return self._callers.get(timeout=min(0.5, max(0.0, end - time.monotonic())))
            except Empty:
                if time.monotonic() >= end:
                    raise Failure(
                        f"nobody answered within {seconds / 60:.0f} minutes: start again. If the page showed an error, "
                        "look at the app's redirect address in README; if the browser is on another machine, "
                        "add --no-browser"
                    ) from None


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = sys.platform != "win32"
    daemon_threads = True
    block_on_close = False


class _Handler(BaseHTTPRequestHandler):
    arrived: SimpleQueue[Caller]
    timeout = IDLE

    def do_GET(self) -> None:  # the name is the library's
        split = urlsplit(self.path)
        answer = dict(parse_qsl(split.query, keep_blank_values=True))
        if split.path != "/" or not answer.keys() & {"code", "error"}:  # such as /favicon.ico
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        caller = Caller(answer)
        self.arrived.put(caller)
        caller._ready.wait()
        body = caller._page.encode()
        self.send_response(HTTPStatus.OK)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        caller._sent.set()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the request line holds the code."""
