"""The stand-in's HTTP face: the paths of Graph and of Microsoft's login that capture uses. All others are refused."""

import base64
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode

from flask import Flask, Response, request
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from tests.sandbox.graph.faults import Fault, Faults
from tests.sandbox.graph.mailboxes import GraphMailboxStore, NotFound
from tests.sandbox.graph.schema import MESSAGE_PROPERTIES, READ_BASIC
from tests.sandbox.graph.tokens import Refused, Tokens

AT_ONCE = 4
FILTER = re.compile(r"receivedDateTime ge (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
PATH = re.compile(r"/v1\.0/users/([^/]+)/(messages|mailFolders)(?:/([^/]+))?")
LISTING = {"$filter", "$orderby", "$top", "$select", "$skiptoken"}


class ApiError(Exception):
    def __init__(self, status: int, code: str, message: str = "", retry_after: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after


class Dropped(Exception):
    """The connection ends without an answer."""


@dataclass(slots=True)
class Call:
    """One call as the log keeps it."""

    method: str
    mailbox: str | None
    path: str
    params: dict[str, str]
    status: int = 0


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: object) -> None:  # the name is werkzeug's
        """Silent: the stand-in keeps its own log of calls."""


@dataclass(slots=True)
class GraphServer:
    """`with GraphServer() as graph:` serves Graph and the login on a free loopback port until the block ends."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    port: int = 0
    seconds: float = 0.0  # that each call takes
    faults: Faults = field(default_factory=Faults)
    tokens: Tokens = field(default_factory=Tokens)
    calls: list[Call] = field(default_factory=list)
    outside: set[str] = field(default_factory=set)  # mailboxes that the app's scope leaves out
    most_at_once: int = 0
    _at_once: dict[str, int] = field(default_factory=dict)
    _mailboxes: dict[str, GraphMailboxStore] = field(default_factory=dict)
    _series: int = 1
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _server: BaseWSGIServer | None = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._server = make_server("127.0.0.1", self.port, self.app(), threaded=True, request_handler=_Handler)
        # Threads of kept-alive connections end with their clients; the server does not wait for them.
        self._server.daemon_threads = True  # type: ignore[attr-defined]  # ThreadingMixIn's, which the stub does not show
        self._server.block_on_close = False  # type: ignore[attr-defined]  # the same
        self.port = self._server.port
        serve = partial(self._server.serve_forever, poll_interval=0.02)
        self._thread = threading.Thread(target=serve, name="graph-stand-in", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
        self._server = self._thread = None

    @property
    def url(self) -> str:
        """Of Graph and of the login."""
        return f"http://127.0.0.1:{self.port}"

    def mailbox(self, address: str) -> GraphMailboxStore:
        """The mailbox of this address, created when first asked for."""
        with self._lock:
            return self._mailboxes.setdefault(address.lower(), GraphMailboxStore(address.lower(), lambda: self.now()))

    def fail(
        self,
        method: str,
        fault: Fault,
        *,
        mailbox: str | None = None,
        message_ids: Collection[str] = (),
        times: int | None = 1,
        skip: int = 0,
    ) -> None:
        """The next `times` calls of a method (None: all) get this answer, after `skip` more that are well.

        Methods: messages.list, messages.next (by a link), messages.get, mailFolders.get, discovery, token.
        """
        self.faults.add(fault, method, mailbox=mailbox, message_ids=message_ids, times=times, skip=skip)

    def heal(self) -> None:
        self.faults.clear()

    def forget_links(self) -> None:
        """Links given out so far are answered with 410."""
        with self._lock:
            self._series += 1

    def forget_calls(self) -> None:
        with self._lock:
            self.calls.clear()

    def calls_of(self, method: str, mailbox: str | None = None) -> list[Call]:
        with self._lock:
            return [call for call in self.calls if call.method == method and mailbox in (None, call.mailbox)]

    def app(self) -> Flask:
        """The WSGI application, for those who serve it themselves."""
        app = Flask("graph-stand-in")

        @app.route("/<path:path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
        def one(path: str) -> Response:
            pairs = dict(parse_qsl(request.query_string.decode(), keep_blank_values=True))
            call = Call("", None, request.path, pairs)
            try:
                body = self._login(call) or self._graph(call)
                call.status = 200
                response = Response(body, 200, content_type="application/json")
            except ApiError as error:
                call.status = error.status
                told = json.dumps({"error": {"code": error.code, "message": error.message}})
                response = Response(told, error.status, content_type="application/json")
                if error.retry_after:
                    response.headers["Retry-After"] = error.retry_after
            except Refused as refused:
                call.status = refused.status
                told = json.dumps(
                    {"error": refused.error, "error_description": f"{refused.description}\r\nTrace ID: 1"}
                )
                response = Response(told, refused.status, content_type="application/json")
            except Dropped:
                _cut_connection()
                response = Response(status=500)
            with self._lock:
                self.calls.append(call)
            return response

        return app

    def _login(self, call: Call) -> str | None:
        tenant, _, rest = call.path.lstrip("/").partition("/")
        if rest not in ("v2.0/.well-known/openid-configuration", "oauth2/v2.0/token"):
            return None
        call.method = "token" if rest.endswith("token") else "discovery"
        if (body := self._fault(call)) is not None:
            return body
        if call.method == "discovery":
            if tenant != self.tokens.tenant_id:
                raise Refused("invalid_tenant", f"AADSTS90002: Tenant '{tenant}' not found.")
            home = f"https://login.microsoftonline.com/{tenant}"
            names = {"token_endpoint": "oauth2/v2.0/token", "authorization_endpoint": "oauth2/v2.0/authorize"}
            return json.dumps({"issuer": f"{home}/v2.0"} | {name: f"{home}/{path}" for name, path in names.items()})
        form = request.form.to_dict()
        call.params = {name: value for name, value in form.items() if name in ("grant_type", "scope")}
        return json.dumps(self.tokens.grant(tenant, form))

    def _graph(self, call: Call) -> str:
        found = PATH.fullmatch(call.path)
        if request.method != "GET" or not found:
            raise ApiError(400, "BadRequest", f"Resource not found for the segment '{call.path}'.")
        call.mailbox, kind, key = unquote(found[1]).lower(), found[2], found[3] and unquote(found[3])
        links = "$skiptoken" in call.params
        call.method = f"{kind}.{'get' if key else 'next' if links else 'list'}"
        with self._counted(call.mailbox):
            if (body := self._fault(call, key)) is not None:
                return body
            box = self._opened(call.mailbox)
            if key is None:
                return json.dumps(self._listed(box, call.params, immutable=_immutable()))
            return json.dumps(self._got(box, kind, key, call.params, immutable=_immutable()))

    def _opened(self, address: str) -> GraphMailboxStore:
        access = self.tokens.access(request.headers.get("Authorization", "").partition(" ")[2])
        if access is None:
            raise ApiError(401, "InvalidAuthenticationToken", "Access token is empty or has expired.")
        if access.address not in (None, address) or (access.address is None and address in self.outside):
            raise ApiError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        with self._lock:
            if address not in self._mailboxes:
                raise ApiError(404, "ErrorInvalidUser", f"The requested user '{address}' is invalid.")
            return self._mailboxes[address]

    def _listed(self, box: GraphMailboxStore, params: dict[str, str], *, immutable: bool) -> dict[str, Any]:
        found = FILTER.fullmatch(params.get("$filter", ""))
        top = params.get("$top", "")
        if set(params) - LISTING or not found or params.get("$orderby") != "receivedDateTime asc":
            raise ApiError(400, "ErrorInvalidUrlQuery", "The stand-in knows this listing only by one filter and order.")
        if not top.isdecimal() or not 1 <= int(top) <= 1000:
            raise ApiError(400, "ErrorInvalidUrlQueryFilter", "The limit of '1000' for Top query has been exceeded.")
        select = _selected(box, params)
        since = datetime.fromisoformat(found[1])
        window = box.window(since)
        if box.shuffled:
            window.sort(key=lambda message: message.number * 7919 % 211)
        start = self._place(params.get("$skiptoken"))
        chosen = window[start : start + int(top)]
        if box.replay:
            chosen = [*box.before(since)[-box.replay :], *chosen][: int(top)]
        answer: dict[str, Any] = {"value": [box.resource(one, select, immutable=immutable) for one in chosen]}
        if start + int(top) < len(window):
            query = params | {"$skiptoken": self._token(start + int(top))}
            link = f"{self.url}/v1.0/users/{box.address}/messages?{urlencode(query, quote_via=quote, safe='$,:')}"
            answer["@odata.nextLink"] = link
        return answer

    def _got(
        self, box: GraphMailboxStore, kind: str, key: str, params: dict[str, str], *, immutable: bool
    ) -> dict[str, Any]:
        if set(params) != {"$select"}:
            raise ApiError(400, "ErrorInvalidUrlQuery", "The stand-in gives nothing that was not selected.")
        try:
            if kind == "mailFolders":
                return {"id": box.folder_id(key)}
            return box.resource(box.get(key, immutable=immutable), _selected(box, params), immutable=immutable)
        except NotFound:
            raise ApiError(404, "ErrorItemNotFound", "The specified object was not found in the store.") from None

    def _fault(self, call: Call, key: str | None = None) -> str | None:
        fault = self.faults.take(call.mailbox, call.method, key)
        if fault is None:
            return None
        if not fault.status:
            raise Dropped
        if fault.body is not None:
            return fault.body
        raise ApiError(fault.status, fault.reason, fault.message, fault.retry_after)

    @contextmanager
    def _counted(self, address: str) -> Iterator[None]:
        """More than four at once for a mailbox, and Microsoft refuses the rest."""
        with self._lock:
            count = self._at_once[address] = self._at_once.get(address, 0) + 1
            self.most_at_once = max(self.most_at_once, count)
        try:
            if count > AT_ONCE:
                raise ApiError(429, "ApplicationThrottled", "Application is over its MailboxConcurrency limit.", "1")
            if self.seconds:
                time.sleep(self.seconds)
            yield
        finally:
            with self._lock:
                self._at_once[address] -= 1

    def _token(self, start: int) -> str:
        return base64.urlsafe_b64encode(f"{self._series}.{start}".encode()).decode()

    def _place(self, token: str | None) -> int:
        if token is None:
            return 0
        series, _, start = base64.urlsafe_b64decode(token).decode().partition(".")
        if int(series) != self._series:
            raise ApiError(410, "syncStateNotFound", "The sync state generation is not found.")
        return int(start)


def _selected(box: GraphMailboxStore, params: dict[str, str]) -> list[str]:
    select = [name for name in params.get("$select", "").split(",") if name]
    for name in select:
        if name not in MESSAGE_PROPERTIES:
            raise ApiError(400, "RequestBroker--ParseUri", f"Could not find a property named '{name}'.")
        if name not in READ_BASIC or (name == "internetMessageHeaders" and not box.shows_headers):
            raise ApiError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
    if not select:
        raise ApiError(403, "ErrorAccessDenied", "Without a selection the answer would hold bodies.")
    return select


def _immutable() -> bool:
    return 'IdType="ImmutableId"' in request.headers.get("Prefer", "")


def _cut_connection() -> None:
    connection: socket.socket | None = request.environ.get("werkzeug.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)
