"""Puts the Slack surface together: the Bolt app, and the web application for HTTP. Opens no port and no socket.

Nothing is read from the environment, though Bolt would: everything comes from the settings that are handed over.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextvars import copy_context
from threading import Lock
from typing import Any

import structlog
from flask import Flask, Response, request
from slack_bolt import App, BoltContext
from slack_bolt.adapter.flask import SlackRequestHandler
from slack_bolt.context.ack import Ack
from slack_bolt.request import BoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from sqlalchemy.orm import Session, sessionmaker
from structlog.contextvars import bound_contextvars

from bot import listeners, measures
from bot.access import Access
from bot.listeners.call import Call, Late, acknowledgement, named, say
from bot.listeners.desk import Desk, ImportRoster, Suggest
from bot.staff import Busy, Staff
from models.clock import Clock
from models.db import in_haste
from models.settings import Settings, SettingsError
from models.vault import Vault

PATIENCE_SECONDS = 1.5
"""For a lock of the database: with the wait for a thread it stays below the three seconds of Slack."""

REPLAY_WINDOW = 10_000
EVENTS_PATH = "/slack/events"
NOT_INSTALLED = "Cadence is not installed in this Slack workspace (any more). Whoever manages its apps can install it."
LARGEST_REQUEST = 2_000_000
log = structlog.get_logger(__name__)


def build_app(
    settings: Settings,
    sessions: sessionmaker[Session],
    reading: sessionmaker[Session],
    clock: Clock,
    *,
    access: Access | None = None,
    suggest: Suggest | None = None,
    import_roster: ImportRoster | None = None,
    connects: Sequence[str] = (),
) -> App:
    """The Bolt app with every listener, for Socket Mode and HTTP alike. Makes no call to Slack.

    `connects` names the providers at which people consent on a page of ours, see `bot.connecting`.
    """
    if settings.slack_bot_token is None and not settings.installable:
        raise SettingsError("SLACK_BOT_TOKEN: set it to the bot token of your Slack app, which starts with xoxb-")
    secret = settings.slack_signing_secret.get_secret_value() if settings.slack_signing_secret else ""
    access = access or Access(settings, sessions, reading, Vault(settings.secret_keys), clock)
    staff = Staff()
    app = _Measured(
        staff,
        name="cadence",
        client=WebClient(base_url=settings.slack_api_url, timeout=10, retry_handlers=access.patience()),
        # Without a secret there is no HTTP either; a random one keeps forged requests out all the same.
        signing_secret=secret or secrets.token_hex(32),
        # Our own, because Bolt asks auth.test on each request and turns to the environment when it has a choice.
        authorize=lambda enterprise_id, team_id, user_id: access.authorize(  # None is an answer, too
            enterprise_id, team_id, user_id
        ),
        user_facing_authorize_error_message=NOT_INSTALLED,
        listener_executor=staff,
    )
    hasty = in_haste(sessions, PATIENCE_SECONDS)
    desk = Desk(settings, hasty, reading, clock, access, import_roster, suggest, connects)
    listeners.register(app, desk)
    app.error(_on_error(desk))
    return app


class _Measured(App):
    """Notes how long each request of Slack waits for its acknowledgement, over HTTP and Socket Mode alike."""

    def __init__(self, staff: Staff, **options: Any) -> None:
        super().__init__(**options)
        self._staff = staff

    def dispatch(self, req: BoltRequest) -> BoltResponse:
        began = time.monotonic()
        try:
            with self._staff.awaited():
                return super().dispatch(req)
        finally:
            measures.ACKS.add(measures.kind_of(req.body), time.monotonic() - began)


def flask_app(app: App, settings: Settings) -> Flask:
    """POST /slack/events. Forged, stale and replayed requests get 401 before anything looks into them."""
    secret = settings.slack_signing_secret
    if secret is None or not secret.get_secret_value():
        raise SettingsError("SLACK_SIGNING_SECRET: set it, or set SLACK_APP_TOKEN to use Socket Mode instead of HTTP")
    web = Flask("cadence")
    web.config["MAX_CONTENT_LENGTH"] = LARGEST_REQUEST
    handler, gate = SlackRequestHandler(app), Gate(secret.get_secret_value())

    @web.post(EVENTS_PATH)
    def events() -> Response:
        if not gate.admits(request.get_data(), dict(request.headers)):
            return Response('{"error":"invalid request"}', 401, content_type="application/json")
        return handler.handle(request)

    return web


class Gate:
    """Checks signatures over the raw bytes, which Bolt parses first, and remembers those of the last minutes.

    Slack repeats events, and `first_delivery` absorbs them; it never repeats a click or a command. Another replica
    remembers nothing of ours, but there too a replayed click finds its delivery taken.
    """

    def __init__(self, signing_secret: str) -> None:
        self._verifier = SignatureVerifier(signing_secret)
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def admits(self, body: bytes, headers: dict[str, str]) -> bool:
        lower = {name.lower(): value for name, value in headers.items()}
        stamp, signature = lower.get("x-slack-request-timestamp", ""), lower.get("x-slack-signature", "")
        if not (stamp.isascii() and stamp.isdigit()) or not self._verifier.is_valid(body, stamp, signature):
            return False
        if body.startswith(b"{"):  # an event; the header that says so is not signed
            return True
        with self._lock:
            if signature in self._seen:
                return False
            self._seen[signature] = None
            if len(self._seen) > REPLAY_WINDOW:
                self._seen.popitem(last=False)
        return True


def _on_error(desk: Desk) -> Callable[..., None]:
    def on_error(error: Exception, context: BoltContext, body: dict[str, Any], response: BoltResponse | None) -> None:
        """Logs, lets Slack know that the request arrived, and tells the user in one sentence."""
        with bound_contextvars(**named(context, body)):
            answer(error, Call(desk, context, body), response)

    def answer(error: Exception, call: Call, response: BoltResponse | None) -> None:
        kind = call.body.get("type") or call.body.get("command")
        if isinstance(error, Busy):
            log.error("slack.busy")
            measures.BUSY.add(measures.kind_of(call.body))
            if kind == "event_callback" and response is not None:
                response.status = 503  # Slack delivers it again
                return
            sentence = "Cadence is busy right now, and nothing was saved. Please try again in a moment."
        else:
            log.error("slack.listener_failed", exc_info=error)
            sentence = "Sorry, that did not work, and nothing was saved. Please try again in a moment."
        if response is not None:  # not acknowledged yet, and Bolt answers with this as soon as it is
            words = acknowledgement(call, sentence)
            made = Ack()(**words)  # type: ignore[no-untyped-call]  # Bolt leaves its constructor untyped
            response.status, response.headers, response.body = made.status, made.headers, made.body
            call.ack(**words)
        if isinstance(error, Busy):  # this is the thread that has to bring the acknowledgement
            here = copy_context()
            threading.Thread(target=here.run, args=(tell, call, sentence), daemon=True).start()
        else:
            tell(call, sentence)

    def tell(call: Call, sentence: str) -> None:
        try:
            say(call, sentence)
        except (Late, SlackApiError, OSError) as error:  # Slack itself is out of reach: there is nobody left to tell
            log.warning("slack.not_told", error=repr(error))

    return on_error
