"""The stand-in's HTTP face: Gmail's paths, the batch endpoint and the token endpoint on a loopback port."""

import socket
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl

from flask import Flask, Response, jsonify, redirect, request
from werkzeug import Response as AnyResponse
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from tests.sandbox import consent
from tests.sandbox.gmail import batch
from tests.sandbox.gmail.api import Answer, ApiError, Dropped, GmailApi, Values
from tests.sandbox.gmail.faults import Fault, Faults
from tests.sandbox.gmail.mailboxes import GmailMailboxStore
from tests.sandbox.gmail.tokens import METADATA_SCOPE, Refused, Tokens

QUOTA_UNITS = {
    "getProfile": 1,
    "history.list": 2,
    "messages.list": 5,
    "messages.get": 20,
    "labels.list": 1,
    "labels.get": 1,
}
AT_ONCE = 50  # more parts than this in one batch and Gmail throttles the user


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the log keeps it; `batch` numbers the batch that it came in."""

    at: datetime
    method: str
    mailbox: str | None
    params: Values
    path: str
    status: int
    units: int
    batch: int | None


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: object) -> None:  # the name is werkzeug's
        """Silent: the stand-in keeps its own log of calls."""


@dataclass(slots=True)
class GmailServer:
    """`with GmailServer() as gmail:` serves on a free loopback port until the block ends.

    `now` dates deliveries and the log; it is the demo's clock there. Faults are scripted with `fail`.
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    port: int = 0
    quota_units: Mapping[str, int] = field(default_factory=lambda: dict(QUOTA_UNITS))
    at_once: int = AT_ONCE
    latency: float = 0.0  # seconds before every answer
    faults: Faults = field(default_factory=Faults)
    tokens: Tokens = field(default_factory=Tokens)
    calls: list[Call] = field(default_factory=list)
    _mailboxes: dict[str, GmailMailboxStore] = field(default_factory=dict)
    _batches: int = 0
    _page_token_series: int = 1
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _server: BaseWSGIServer | None = None
    _thread: threading.Thread | None = None

    def start(self) -> Self:
        self._server = make_server("127.0.0.1", self.port, self.app(), threaded=True, request_handler=_Handler)
        # Threads of kept-alive connections end with their clients; the server does not wait for them.
        self._server.daemon_threads = True  # type: ignore[attr-defined]  # ThreadingMixIn's, which the stub does not show
        self._server.block_on_close = False  # type: ignore[attr-defined]  # the same
        self.port = self._server.port
        self.tokens.token_url = self.token_url
        # How long `stop` may take at most: the thread looks that often whether it should end.
        serve = partial(self._server.serve_forever, poll_interval=0.02)
        self._thread = threading.Thread(target=serve, name="gmail-stand-in", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token_url(self) -> str:
        return f"{self.api_url}/token"

    @property
    def auth_url(self) -> str:
        """The page where people consent."""
        return f"{self.api_url}/o/oauth2/v2/auth"

    def mailbox(self, address: str) -> GmailMailboxStore:
        """The mailbox of this address, created when first asked for."""
        with self._lock:
            return self._mailboxes.setdefault(address.lower(), GmailMailboxStore(address.lower(), lambda: self.now()))

    def authorized_user(self, address: str, scopes: Collection[str] = (METADATA_SCOPE,)) -> dict[str, str]:
        """The content of a token file for this mailbox."""
        return self.tokens.authorized_user(self.mailbox(address).address, scopes)

    def service_account(self, *, delegated: Collection[str] = (METADATA_SCOPE,)) -> dict[str, str]:
        """The content of a key file that may impersonate every mailbox here."""
        return self.tokens.service_account(delegated=delegated)

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

        Methods: getProfile, messages.list, messages.get, history.list, labels.list, labels.get, batch, token.
        """
        self.faults.add(fault, method, mailbox=mailbox, message_ids=message_ids, times=times, skip=skip)

    def heal(self) -> None:
        """No scripted fault is left."""
        self.faults.clear()

    def refuse_page_tokens(self) -> None:
        """Page tokens given out so far are refused with 400."""
        with self._lock:
            self._page_token_series += 1

    def calls_of(self, method: str, mailbox: str | None = None) -> list[Call]:
        with self._lock:
            calls = list(self.calls)
        return [call for call in calls if call.method == method and mailbox in (None, call.mailbox)]

    def units(self, mailbox: str | None = None) -> int:
        """Quota units spent so far."""
        with self._lock:
            return sum(call.units for call in self.calls if mailbox in (None, call.mailbox))

    def forget_calls(self) -> None:
        with self._lock:
            self.calls.clear()

    def app(self) -> Flask:
        """The WSGI application, for those who serve it themselves."""
        app = Flask("gmail-stand-in")
        api = GmailApi(self._mailboxes, self.faults, self.tokens.access, lambda: self._page_token_series)

        @app.before_request
        def travel() -> None:
            if self.latency:
                time.sleep(self.latency)

        @app.errorhandler(Dropped)
        def drop(error: Dropped) -> Response:
            _cut_connection()
            return Response(status=500)

        @app.post("/token")
        def token() -> Response:
            return self._token()

        @app.route("/o/oauth2/v2/auth", methods=["GET", "POST"])
        def sign_in() -> AnyResponse:
            return self._sign_in()

        @app.post("/batch/gmail/v1")
        def many() -> Response:
            return self._batch(api)

        @app.route("/<path:path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
        def one(path: str) -> Response:
            query = parse_qsl(request.query_string.decode(), keep_blank_values=True)
            answer = api.answer(request.method, request.path, query, request.headers.get("Authorization", ""))
            self._log(answer, request.path, None)
            return _response(answer)

        return app

    def _sign_in(self) -> AnyResponse:
        """The consent page, and what its buttons do."""
        try:
            question = self.tokens.question(request.args.to_dict())
        except consent.BadQuestion as error:
            return Response(f"Error 400: {error}", 400)
        if request.method == "GET":
            return Response(consent.page("Cadence", question, sorted(self._mailboxes)))
        allowed = request.form.get("decision") == "allow"
        return redirect(self.tokens.decide(question, request.form["account"] if allowed else None))

    def _token(self) -> Response:
        form = request.form.to_dict()
        fault = self.faults.take(None, "token")
        if fault is not None:
            self._log(Answer(fault.status, "", (), "token", None, None), "/token", None)
            if not fault.status:
                raise Dropped
            return Response(fault.body or "{}", fault.status, content_type="application/json")
        try:
            body, status = self.tokens.grant(form, set(self._mailboxes)), 200
        except Refused as refused:
            body, status = {"error": refused.error, "error_description": refused.description}, refused.status
        shown = {name: [value] for name, value in form.items() if name in ("grant_type", "scope")}
        self._log(Answer(status, "", (), "token", None, shown), "/token", None)
        response = jsonify(body)
        response.status_code = status
        return response

    def _batch(self, api: GmailApi) -> Response:
        outer = request.headers.get("Authorization", "")
        fault = self.faults.take(self._address_of(outer), "batch")
        try:
            if fault is not None and not fault.status:
                raise Dropped
            if fault is not None and fault.body is not None:
                self._log(Answer(fault.status, "", (), "batch", self._address_of(outer)), request.path, None)
                return Response(fault.body, fault.status)
            if fault is not None:
                raise ApiError(fault.status, fault.reason, fault.message, fault.retry_after)
            parts = self._read_batch()
        except ApiError as error:
            headers = (("Retry-After", error.retry_after),) if error.retry_after else ()
            answer = Answer(error.status, error.body(), headers, "batch", self._address_of(outer))
            self._log(answer, request.path, None)
            return _response(answer)
        with self._lock:
            self._batches += 1
            number = self._batches
        self._log(
            Answer(200, "", (), "batch", self._address_of(outer), {"parts": [str(len(parts))]}), request.path, number
        )
        answers = []
        for place, part in enumerate(parts):
            if place >= self.at_once:
                busy = ApiError(429, "rateLimitExceeded", "Too many concurrent requests for user.")
                answer = Answer(busy.status, busy.body(), (), "", self._address_of(outer))
            else:
                answer = api.answer(part.method, part.path, part.query, part.authorization or outer)
            self._log(answer, part.path, number)
            answers.append((part.content_id, answer.status, answer.body, answer.headers))
        content_type, body = batch.write(answers)
        return Response(body, 200, content_type=content_type)

    def _read_batch(self) -> list[batch.Part]:
        try:
            parts = batch.read(request.headers.get("Content-Type", ""), request.get_data())
        except batch.Unreadable as error:
            raise ApiError(400, "badRequest", str(error)) from error
        if len(parts) > batch.BATCH_MAX:
            raise ApiError(400, "badRequest", f"The batch request exceeds the limit of {batch.BATCH_MAX} calls.")
        return parts

    def _address_of(self, authorization: str) -> str | None:
        access = self.tokens.access(authorization.partition(" ")[2])
        return access.address if access else None

    def _log(self, answer: Answer, path: str, number: int | None) -> None:
        units = self.quota_units.get(answer.method, 0)
        with self._lock:
            self.calls.append(
                Call(self.now(), answer.method, answer.mailbox, answer.params or {}, path, answer.status, units, number)
            )


def _response(answer: Answer) -> Response:
    response = Response(answer.body, answer.status, content_type="application/json; charset=UTF-8")
    for name, value in answer.headers:
        response.headers[name] = value
    return response


def _cut_connection() -> None:
    connection: socket.socket | None = request.environ.get("werkzeug.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)
