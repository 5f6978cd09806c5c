"""`cadence run`: the bot, until SIGTERM or Ctrl-C. Composes; decides nothing."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

import click
from flask import Flask
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk.errors import SlackApiError
from waitress.server import create_server

from bot.app import EVENTS_PATH, flask_app
from bot.asking import refusal
from bot.cli.alone import alone
from bot.cli.common import Desk, Failure, note, pass_desk
from bot.cli.database import lead_addresses, name_leads
from bot.cli.running import Running, SlackRefused, quietly
from bot.connecting import add_connecting
from bot.installing import add_installing, check_settings
from bot.logs import log_to_stderr
from bot.operation import add_operation, operation_app
from models.actions import programme as programme_actions
from models.settings import SettingsError

HTTP_THREADS = 64  # more than may wait for an acknowledgement: the others are told that it is busy
HEALTH_THREADS = 4


@click.command()
@click.option("--port", default=3000, show_default=True, help="Port of HTTP mode: Slack's requests, health, metrics.")
@click.option("--host", default="0.0.0.0", show_default=True, help="Address to listen on in HTTP mode.")  # noqa: S104  # a server behind a proxy
@click.option("--health-port", type=int, help="One more port, for health and metrics alone; Socket Mode has no other.")
@click.option("--no-worker", is_flag=True, help="On PostgreSQL: read no mailboxes here, `cadence worker` does.")
@pass_desk
def run(desk: Desk, port: int, host: str, health_port: int | None, no_worker: bool) -> None:
    """Run the bot: Slack, the clock, capture. Socket Mode when SLACK_APP_TOKEN is set, else HTTP."""
    settings = desk.settings
    if settings.slack_app_token is None and settings.slack_signing_secret is None:
        raise SettingsError("set SLACK_APP_TOKEN for Socket Mode, or SLACK_SIGNING_SECRET for HTTP")
    if settings.installable:
        check_settings(settings)
        if settings.slack_app_token is not None:
            raise SettingsError("SLACK_APP_TOKEN: leave it out, because people install the app over HTTP")
    if no_worker and desk.engine.dialect.name != "postgresql":
        raise Failure("--no-worker needs PostgreSQL and a `cadence worker`: on SQLite nobody else reads the mailboxes")
    with alone(desk.engine):
        _run(desk, port, host, health_port, worker=not no_worker)


def _run(desk: Desk, port: int, host: str, health_port: int | None, *, worker: bool) -> None:
    settings, leads, now = desk.settings, lead_addresses(desk.settings), desk.clock.now()
    if settings.slack_bot_token is not None:
        with desk.sessions.begin() as session:
            name_leads(session, programme_actions.the_workspace(session, now), leads, now)
    log_to_stderr(settings.secrets)
    running = Running(settings, desk.clock, worker=worker)
    try:
        running.connect()
    except SlackRefused as error:
        raise Failure(str(error)) from error
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        with ExitStack() as stack:
            if health_port is not None:
                web = operation_app(running.reading, running.clock, lambda: running.connected(), running.pulse)
                bound = stack.enter_context(_serving(web, host, health_port, HEALTH_THREADS, stopping))
                note(f"Health and metrics: port {bound}, /healthz, /readyz and /metrics.")
            if settings.slack_app_token is not None:
                _socket_mode(running, settings.slack_app_token.get_secret_value(), stopping)
            else:
                _http(running, host, port, stopping)
    finally:
        in_time = running.stop()
    note("Stopped.")
    if not in_time:  # whoever does not answer us would keep the process: what was stored stands, the rest is repeated
        sys.stderr.flush()
        os._exit(0)


def _socket_mode(running: Running, app_token: str, stopping: threading.Event) -> None:
    handler = connect_socket(running, app_token)
    running.connected = handler.client.is_connected
    running.start()
    note("Cadence is running (Socket Mode). Ctrl-C stops it.")
    stopping.wait()
    handler.close()  # type: ignore[no-untyped-call]  # Bolt's handler has no types


def connect_socket(running: Running, app_token: str) -> SocketModeHandler:
    """A socket to Slack that reconnects by itself; Failure when Slack does not take the app token."""
    handler = SocketModeHandler(running.app, app_token, trace_enabled=False)
    try:
        with quietly():
            handler.connect()  # type: ignore[no-untyped-call]  # the same
    except SlackApiError as error:
        raise Failure(
            f"Slack refuses SLACK_APP_TOKEN ({refusal(error)}): "
            "make one with the scope connections:write on your app's page"
        ) from error
    return handler


def pages(running: Running) -> Flask:
    """Everything that HTTP mode answers: Slack, health, and what people open in a browser as far as it is set up."""
    web = flask_app(running.app, running.settings)
    add_operation(web, running.reading, running.clock, running.connected, running.pulse)
    if running.settings.installable:
        parts = running.sessions, running.reading, running.vault, running.clock
        add_installing(web, running.settings, *parts, running.installed)
    if running.connects:
        parts = running.sessions, running.reading, running.vault, running.clock
        add_connecting(web, running.settings, *parts, running.consents, running.capture)
    return web


def _http(running: Running, host: str, port: int, stopping: threading.Event) -> None:
    with _serving(pages(running), host, port, HTTP_THREADS, stopping) as bound:
        running.start()
        note(f"Cadence is running (HTTP on port {bound}, {EVENTS_PATH}). Ctrl-C stops it.")
        stopping.wait()


@contextmanager
def _serving(web: Flask, host: str, port: int, threads: int, stopping: threading.Event) -> Iterator[int]:
    """Answers in the background; gives the port."""
    server = create_server(web, host=host, port=port, threads=threads, ident="cadence")

    def serve() -> None:
        try:
            server.run()
        except (OSError, ValueError):  # its sockets are closed under its loop at the end
            if not stopping.is_set():
                raise

    threading.Thread(target=serve, name="http", daemon=True).start()
    try:
        yield server.effective_port
    finally:
        # Answers under way first: an answering thread writes to the server's own pipe when it is done, by a number
        # that may be somebody else's file as soon as the pipe is closed.
        stopping.set()
        server.task_dispatcher.shutdown()
        server.close()
