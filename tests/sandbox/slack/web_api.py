"""The Web API's front door: arguments, tokens, scopes, faults, the shape of every answer. Methods live elsewhere."""

import json
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Request, Response, request

from tests.sandbox.slack.errors import SlackError
from tests.sandbox.slack.faults import Call, Fault
from tests.sandbox.slack.workspace import Token, Workspace

if TYPE_CHECKING:
    from tests.sandbox.slack.delivery import Delivery
    from tests.sandbox.slack.server import SlackServer, Team

Json = dict[str, Any]


@dataclass(slots=True)
class Asked:
    """One call as a method sees it."""

    server: "SlackServer"
    team: "Team"
    token: Token
    args: Json
    request: Request
    warnings: list[str] = field(default_factory=list)

    @property
    def workspace(self) -> Workspace:
        return self.team.workspace

    @property
    def delivery(self) -> "Delivery":
        return self.team.delivery

    def need(self, name: str) -> str:
        value = self.args.get(name)
        if value in (None, ""):
            raise SlackError("invalid_arguments", f"[ERROR] missing required field: {name}")
        return str(value)

    def text(self, name: str) -> str:
        return str(self.args.get(name) or "")


@dataclass(frozen=True, slots=True)
class Method:
    run: Callable[[Asked], Json]
    scopes: tuple[str, ...] = ()
    """Any one of these is enough."""
    token: str = "bot"


METHODS: dict[str, Method] = {}


def method(name: str, *scopes: str, token: str = "bot") -> Callable[[Callable[[Asked], Json]], Callable[[Asked], Json]]:
    def register(run: Callable[[Asked], Json]) -> Callable[[Asked], Json]:
        METHODS[name] = Method(run, scopes, token)
        return run

    return register


def require_scope(asked: Asked, *scopes: str) -> None:
    if scopes and not set(scopes) & set(asked.token.scopes):
        raise SlackError("missing_scope", needed=",".join(scopes), provided=",".join(asked.token.scopes))


def arguments(req: Request) -> Json:
    """Query string, form and JSON body together, as Slack reads them."""
    args: Json = dict(req.args)
    if req.mimetype == "application/json":
        body = req.get_json(silent=True)
        if body is None and req.data:
            raise SlackError("invalid_json")
        if not isinstance(body or {}, dict):
            raise SlackError("json_not_object")
        return args | (body or {})
    return args | dict(req.form)


def _token(server: "SlackServer", req: Request, args: Json) -> tuple["Team", Token]:
    header = req.headers.get("Authorization", "")
    value = header.removeprefix("Bearer ").strip() if header.startswith("Bearer ") else str(args.get("token") or "")
    if not value:
        raise SlackError("not_authed")
    team = next((one for one in server.teams if value in one.workspace.tokens), None)
    if team is None:
        raise SlackError("invalid_auth")
    token = team.workspace.tokens[value]
    if token.revoked:
        raise SlackError("token_revoked")
    if token.expired:
        raise SlackError("token_expired")
    return team, token


def call(server: "SlackServer", name: str, req: Request, args: Json) -> tuple[Json, Mapping[str, str]]:
    chosen = METHODS.get(name)
    if chosen is None:
        return SlackError("unknown_method", req_method=name).body, {}
    headers: dict[str, str] = {}
    try:
        if chosen.token == "none":
            team, token = server.teams[0], Token("", "none", ())
        else:
            team, token = _token(server, req, args)
            headers["X-OAuth-Scopes"] = ",".join(token.scopes)
            headers["X-Accepted-OAuth-Scopes"] = ",".join(chosen.scopes)
            if chosen.token not in ("any", token.kind):
                raise SlackError("not_allowed_token_type")
        asked = Asked(server, team, token, args, req)
        require_scope(asked, *chosen.scopes)
        body = {"ok": True, **chosen.run(asked)}
        if asked.warnings:
            body["warning"] = ",".join(asked.warnings)
            body["response_metadata"] = {"warnings": asked.warnings}
        return body, headers
    except SlackError as error:
        return error.body, headers


def _fault_before(server: "SlackServer", fault: Fault) -> Response | None:
    if fault.kind == "slow":
        server.stopping.wait(fault.seconds)
    elif fault.kind == "rate_limit":
        return _answer({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(int(fault.seconds))})
    elif fault.kind == "server_error":
        return Response("Internal Server Error", fault.status, mimetype="text/plain")
    elif fault.kind == "refuse":
        return _answer({"ok": False, "error": fault.error})
    elif fault.kind == "drop_before":
        return dropped()
    return None


def dropped() -> Response:
    """Marks the connection to be reset; the server's outermost layer does it."""
    request.environ["sandbox.drop"] = True
    return Response(status=500)


def _answer(body: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, headers, mimetype="application/json")


def blueprint(server: "SlackServer") -> Blueprint:
    api = Blueprint("web_api", __name__)

    def _team_of(req: Request, args: Json) -> str:
        try:
            return _token(server, req, args)[0].workspace.team_id
        except SlackError:
            return ""

    @api.route("/api/<name>", methods=["GET", "POST"])
    def answer(name: str) -> Response:
        try:
            args = arguments(request)
        except SlackError as error:
            return _answer(error.body)
        log = server.faults.record(
            Call(
                name, {k: v for k, v in args.items() if k != "token"}, server.workspace.clock(), _team_of(request, args)
            )
        )
        fault = server.faults.take(name, log.team)
        log.fault = fault.kind if fault else ""
        refused = _fault_before(server, fault) if fault else None
        if refused is not None:
            return refused
        try:
            body, headers = call(server, name, request, args)
        except RateLimited as limit:
            log.error = "ratelimited"
            return _answer({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(limit.seconds)})
        log.error, log.response = str(body.get("error", "")), body
        return dropped() if fault and fault.kind == "drop_after" else _answer(body, 200, headers)

    return api


class RateLimited(Exception):
    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Pace:
    """One post per second and channel, when the switch is on."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def check(self, server: "SlackServer", workspace: Workspace, channel_id: str) -> None:
        if not server.faults.enforce_rate_limits:
            return
        with workspace.lock:
            now, key = workspace.timer(), f"{workspace.team_id} {channel_id}"
            if now - self._last.get(key, -10.0) < 1:
                raise RateLimited(1)
            self._last[key] = now


def reset_dropped(app: Flask) -> Callable[[Json, Callable[..., Any]], Iterable[bytes]]:
    """Wraps the WSGI app: where a fault asked for it, the client's socket is reset instead of answered."""
    inner: Callable[[Json, Callable[..., Any]], Iterable[bytes]] = app.wsgi_app

    def run(environ: Json, start_response: Callable[..., Any]) -> Iterable[bytes]:
        # The answer is held back until it is known whether there shall be one.
        held: list[tuple[Any, ...]] = []

        def hold(*args: Any) -> None:
            held.append(args)

        body = inner(environ, hold)
        if environ.get("sandbox.drop"):
            connection = environ["werkzeug.socket"]
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            raise ConnectionResetError
        start_response(*held[0])
        return body

    return run
