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

from flask import Flask, Response, redirect, request
from werkzeug import Response as AnyResponse
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from tests.sandbox import consent
from tests.sandbox.graph.deltas import Delta, State
from tests.sandbox.graph.faults import Fault, Faults
from tests.sandbox.graph.mailboxes import GraphMailboxStore, NotFound
from tests.sandbox.graph.schema import MESSAGE_PROPERTIES, READ_BASIC
from tests.sandbox.graph.tokens import Refused, Tokens

AT_ONCE = 4  # Microsoft refuses more of one mailbox
IN_FLIGHT = 2  # and we promise no more, whoever asks in this process
FILTER = re.compile(r"receivedDateTime ge (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
WINDOW = re.compile(rf"{FILTER.pattern} and receivedDateTime lt (\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
PATH = re.compile(r"/v1\.0/users/([^/]+)/(messages|mailFolders)(?:/([^/]+))?")
FOLDER = re.compile(r"/v1\.0/users/([^/]+)/mailFolders/([^/]+)/(childFolders|messages|messages/delta)")
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
    immutable: bool = False  # whether ids were asked for that survive a move


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
    answers: list[Any] | None = None  # a list given here gets every answer of Graph's
    _mailboxes: dict[str, GraphMailboxStore] = field(default_factory=dict)
    _deltas: dict[str, Delta] = field(default_factory=dict)
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
        if kind is None and self.most_at_once > IN_FLIGHT:
            raise AssertionError(f"{self.most_at_once} requests of one mailbox were in flight at once")

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

        Methods: messages.list, messages.next (by a link), messages.get, mailFolders.get, mailFolders.list,
        delta.list, delta.next, delta.changes (by a deltaLink), messages.count, discovery, token.
        """
        self.faults.add(fault, method, mailbox=mailbox, message_ids=message_ids, times=times, skip=skip)

    def heal(self) -> None:
        self.faults.clear()

    def forget_links(self) -> None:
        """Links given out so far are answered with 410."""
        with self._lock:
            self._series += 1
            for delta in self._deltas.values():
                delta.forget()

    def forget_calls(self) -> None:
        with self._lock:
            self.calls.clear()

    def calls_of(self, method: str, mailbox: str | None = None) -> list[Call]:
        with self._lock:
            return [call for call in self.calls if call.method == method and mailbox in (None, call.mailbox)]

    def app(self) -> Flask:
        """The WSGI application, for those who serve it themselves."""
        app = Flask("graph-stand-in")

        @app.route("/<tenant>/oauth2/v2.0/authorize", methods=["GET", "POST"])
        def sign_in(tenant: str) -> AnyResponse:
            return self._sign_in(tenant)

        @app.route("/<path:path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
        def one(path: str) -> Response:
            pairs = dict(parse_qsl(request.query_string.decode(), keep_blank_values=True))
            call = Call("", None, request.path, pairs, immutable=_immutable())
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

    def _sign_in(self, tenant: str) -> AnyResponse:
        """The consent page, and what its buttons do."""
        try:
            question = self.tokens.question(tenant, request.args.to_dict())
        except consent.BadQuestion as error:
            return Response(f"Sorry, but we're having trouble signing you in. {error}", 400)
        if request.method == "GET":
            return Response(consent.page("Cadence", question, sorted(self._mailboxes)))
        allowed = request.form.get("decision") == "allow"
        return redirect(self.tokens.decide(question, request.form["account"] if allowed else None))

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
        if request.method == "GET" and (inside := FOLDER.fullmatch(call.path)):
            return self._in_folder(call, unquote(inside[1]).lower(), unquote(inside[2]), inside[3])
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
            if key is None and kind == "mailFolders":
                return self._told(_folders(box, None, call.params))
            if key is None:
                return self._told(self._listed(box, call.params, immutable=_immutable()))
            return self._told(self._got(box, kind, key, call.params, immutable=_immutable()))

    def _told(self, answer: dict[str, Any]) -> str:
        if self.answers is not None:
            self.answers.append(answer)
        return json.dumps(answer)

    def _in_folder(self, call: Call, address: str, folder_id: str, what: str) -> str:
        """Its folders, how many messages of a window it holds, and what has changed in it."""
        call.mailbox, params = address, call.params
        kinds = {"childFolders": "mailFolders.list", "messages": "messages.count"}
        step = "next" if "$skiptoken" in params else "changes" if "$deltatoken" in params else "list"
        call.method = kinds.get(what, f"delta.{step}")
        with self._counted(address):
            if (body := self._fault(call)) is not None:
                return body
            box = self._opened(address)
            try:
                name = box.folder_named(folder_id)
            except NotFound:
                raise ApiError(404, "ErrorItemNotFound", "The specified folder was not found.") from None
            if what == "childFolders":
                return self._told(_folders(box, name, params))
            if what == "messages":
                return self._told(_count(box, name, params))
            return self._told(self._changed(box, folder_id, name, params))

    def _changed(self, box: GraphMailboxStore, folder_id: str, name: str, params: dict[str, str]) -> dict[str, Any]:
        with self._lock:
            delta = self._deltas.setdefault(box.address, Delta(box))
        token = params.get("$skiptoken") or params.get("$deltatoken")
        if token is None:
            found = FILTER.fullmatch(params.get("$filter", ""))
            if set(params) - {"$filter", "$select"} or ("$filter" in params and not found):
                raise ApiError(400, "ErrorInvalidUrlQuery", "only a value of 'receivedDateTime ge value' is supported.")
            _selected(box, params)
            state = State(name, datetime.fromisoformat(found[1]) if found else None, None, box.changes)
        else:
            known = delta.state(token)
            if known is None:
                raise ApiError(410, "syncStateNotFound", "The sync state generation is not found.")
            state = known
        size = re.search(r"odata\.maxpagesize=(\d+)", request.headers.get("Prefer", ""))
        items, after, goes_on = delta.page(state, int(size[1]) if size else 10, immutable=_immutable())
        query = {"$skiptoken" if goes_on else "$deltatoken": delta.link(after)}
        path = f"/v1.0/users/{box.address}/mailFolders/{quote(folder_id)}/messages/delta"
        link = f"{self.url}{path}?{urlencode(query, quote_via=quote, safe='$,:')}"
        return {"value": items, "@odata.nextLink" if goes_on else "@odata.deltaLink": link}

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
            message = box.get(key, immutable=immutable)
            return box.resource(message, _selected(box, params), immutable=immutable, alone=True)
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


def _folders(box: GraphMailboxStore, parent: str | None, params: dict[str, str]) -> dict[str, Any]:
    if set(params) != {"$select", "$top"} or set(params["$select"].split(",")) != {"id", "childFolderCount"}:
        raise ApiError(400, "ErrorInvalidUrlQuery", "The stand-in gives nothing that was not selected.")
    return {"value": [box.folder(name) for name in box.folders_in(parent)]}


def _count(box: GraphMailboxStore, folder: str, params: dict[str, str]) -> dict[str, Any]:
    found = WINDOW.fullmatch(params.get("$filter", ""))
    if set(params) != {"$filter", "$count", "$top", "$select"} or not found or params["$count"] != "true":
        raise ApiError(400, "ErrorInvalidUrlQuery", "The stand-in lists a folder only to count what a window holds.")
    since, until = datetime.fromisoformat(found[1]), datetime.fromisoformat(found[2])
    held = [one for one in box.window(since) if one.folder == folder and one.at < until]
    select = _selected(box, params)
    shown = [box.resource(one, select, immutable=_immutable()) for one in held[: int(params["$top"])]]
    return {"@odata.count": len(held), "value": shown}


def _immutable() -> bool:
    return 'IdType="ImmutableId"' in request.headers.get("Prefer", "")


def _cut_connection() -> None:
    connection: socket.socket | None = request.environ.get("werkzeug.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)
