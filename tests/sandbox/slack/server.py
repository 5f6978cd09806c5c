"""Puts the workspace on the network: Web API, page, response URLs and uploads on one port, Socket Mode on another."""

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, request
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from tests.sandbox.slack import methods_chat, methods_files, methods_people, methods_views, oauth, ui_api, web_api
from tests.sandbox.slack.delivery import Address, Delivery
from tests.sandbox.slack.errors import SlackError
from tests.sandbox.slack.faults import Faults
from tests.sandbox.slack.interactions import Interactions
from tests.sandbox.slack.responses import Responses
from tests.sandbox.slack.socket_mode import SocketMode
from tests.sandbox.slack.workspace import Channel, Workspace

REGISTERED = (methods_chat, methods_files, methods_people, methods_views)
"""Importing them fills the table of methods."""
STATIC = Path(__file__).parent / "static"


class QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing: the terminal belongs to the product."""


class Team:
    """One workspace on the server, and what belongs to it alone."""

    def __init__(
        self, server: "SlackServer", workspace: Workspace, ack_seconds: float, delays: Sequence[float]
    ) -> None:
        self.workspace = workspace
        self.delivery = Delivery(
            workspace,
            server.socket_mode,
            address=server.address,
            stopping=server.stopping,
            ack_seconds=ack_seconds,
            event_retry_delays=delays,
        )
        workspace.files.base_url = server.page_url
        self.responses = Responses(workspace, server.page_url)
        self.interactions = Interactions(self)

    def uninstall(self) -> None:
        """Takes the app out of the workspace: its tokens die, and it is told."""
        self.revoke_token()
        self.delivery.event("app_uninstalled", {"type": "app_uninstalled"})
        self.workspace.removed = True

    def revoke_token(self) -> None:
        ws = self.workspace
        ws.revoke()
        tokens = {"oauth": [], "bot": [ws.bot.id]}
        self.delivery.event("tokens_revoked", {"type": "tokens_revoked", "tokens": tokens})

    def change_channel_id(self, channel_id: str) -> Channel:
        channel = self.workspace.change_channel_id(channel_id)
        event = {"type": "channel_id_changed", "old_channel_id": channel_id, "new_channel_id": channel.id}
        self.delivery.event("channel_id_changed", event | {"event_ts": self.workspace.new_ts()})
        return channel

    def archive(self, channel_id: str, user: str = "") -> None:
        """The event comes only to apps that may read channels; the others learn it from their next call."""
        self.workspace.archive(channel_id)
        event = {"type": "channel_archive", "channel": channel_id, "user": user}
        self.delivery.event("channel_archive", event | {"event_ts": self.workspace.new_ts()})


class SlackServer:
    """`with SlackServer(workspace) as slack:` … then `slack.api_url`, `slack.page_url`.

    `request_url` makes it speak signed HTTP to the app; otherwise the app connects by Socket Mode.
    `blueprints` are added to the page's own routes. `add` puts another workspace beside the first.
    """

    def __init__(
        self,
        workspace: Workspace | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        socket_port: int = 0,
        request_url: str | None = None,
        blueprints: Sequence[Blueprint] = (),
        ack_seconds: float = 3.0,
        event_retry_delays: Sequence[float] = (0.0, 60.0, 300.0),
    ) -> None:
        self.workspace = workspace or Workspace()
        self.faults = Faults()
        self.pace = web_api.Pace()
        self.socket_mode = SocketMode(self.workspace, host, socket_port)
        self.address = Address([request_url] if request_url else [])
        self.stopping = threading.Event()
        self.app = Flask(__name__, static_folder=str(STATIC), static_url_path="/static")
        self._http: BaseWSGIServer = make_server(host, port, self.app, threaded=True, request_handler=QuietHandler)
        self.page_url = f"http://{host}:{self._http.server_port}/"
        self.api_url = f"{self.page_url}api/"
        self._ack_seconds, self._delays = ack_seconds, event_retry_delays
        self.oauth = oauth.OAuth(self)
        self.teams: list[Team] = []
        first = self.add(self.workspace)
        self.delivery, self.responses, self.interactions = first.delivery, first.responses, first.interactions
        self._routes(blueprints)
        self._http.app = web_api.reset_dropped(self.app)

    def add(self, workspace: Workspace) -> Team:
        """Another workspace with the same app. Its `series` must differ, so that its ids do."""
        if self.team(workspace.team_id):
            raise ValueError("two workspaces have the same id; give them a series each")
        workspace.app_id = self.workspace.app_id
        team = Team(self, workspace, self._ack_seconds, self._delays)
        self.teams.append(team)
        return team

    def team(self, team_id: str) -> Team | None:
        return next((one for one in self.teams if one.workspace.team_id == team_id), None)

    def start(self) -> "SlackServer":
        self.socket_mode.start()
        threading.Thread(target=self._http.serve_forever, args=(0.05,), name="slack-http", daemon=True).start()
        return self

    def stop(self) -> None:
        self.stopping.set()
        for team in self.teams:
            team.workspace.close()
        self.socket_mode.stop()
        self._http.shutdown()
        self._http.server_close()

    def __enter__(self) -> "SlackServer":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def uninstall(self) -> None:
        self.teams[0].uninstall()

    def _routes(self, blueprints: Sequence[Blueprint]) -> None:
        app = self.app
        for one in (web_api.blueprint(self), ui_api.blueprint(self), oauth.blueprint(self), *blueprints):
            app.register_blueprint(one)

        @app.get("/")
        def page() -> Response:
            if not (STATIC / "index.html").exists():
                return Response("The page has not been built.", 404, mimetype="text/plain")
            return app.send_static_file("index.html")

        @app.get("/archives/<channel>/<message>")
        def archives(channel: str, message: str) -> Response:
            return Response(status=302, headers={"Location": f"/#{channel}/{message}"})

        @app.post("/responses/<key>")
        def response_url(key: str) -> Response:
            try:
                fault = self.faults.take("response_url")
                if fault and fault.kind == "refuse":
                    raise SlackError(fault.error)
                responses = [one.responses for one in self.teams]
                chosen = next((one for one in responses if one.knows(key)), responses[0])
                chosen.take(key, web_api.arguments(request))
            except SlackError as error:
                answer = jsonify(error.body)
                answer.status_code = 404 if error.error.endswith("_url") else 400
                return answer
            return Response("ok", mimetype="text/plain")

        @app.post("/upload/<file_id>")
        def upload(file_id: str) -> Response:
            files = (one.workspace.files.find(file_id) for one in self.teams)
            file = next((one for one in files if one), None)
            if file is None or file.complete:
                return Response("unknown file", 404)
            # The stock client sends the bare bytes and calls them a form.
            data = request.get_data(cache=True, parse_form_data=False)
            first = next(iter(request.files.values()), None)
            file.content = first.read() if first else data
            return Response(f"OK - {len(file.content)}", mimetype="text/plain")

        @app.get("/files-pri/<where>/<path:name>")
        def download(where: str, name: str) -> Response:
            """The bytes, for a token that may read files; anybody else is sent to a page that is no file."""
            team_id, _, file_id = where.partition("-")
            team = self.team(team_id) or self.teams[0]
            file = team.workspace.files.find(file_id)
            value = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
            token = team.workspace.tokens.get(value)
            may = token is not None and not token.revoked and not token.expired and "files:read" in token.scopes
            if not may:
                return Response(status=302, headers={"Location": f"/?redir=%2Ffiles-pri%2F{where}"})
            if file is None or not file.complete:
                return Response("File not found", 404, mimetype="text/html")
            return Response(file.content, mimetype=file.mimetype)
