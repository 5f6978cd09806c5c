"""The JSON that the workspace page in the browser lives on. No authentication: it listens on the loopback only."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import Blueprint, Response, jsonify, request

from tests.sandbox.slack.errors import SlackError
from tests.sandbox.slack.workspace import Channel, Message, User, Workspace

if TYPE_CHECKING:
    from tests.sandbox.slack.interactions import Interactions
    from tests.sandbox.slack.server import SlackServer, Team

Json = dict[str, Any]
LONGEST_POLL = 20.0


def blueprint(server: "SlackServer") -> Blueprint:
    ui = Blueprint("ui", __name__, url_prefix="/ui")

    def team() -> "Team":
        body = request.get_json(silent=True) if request.is_json else None
        named = {**request.args, **request.form, **(body if isinstance(body, dict) else {})}.get("team")
        found = server.team(str(named)) if named else server.teams[0]
        if found is None:
            raise SlackError("team_not_found")
        return found

    def ws() -> Workspace:
        return team().workspace

    def hands() -> "Interactions":
        return team().interactions

    @ui.errorhandler(SlackError)
    def refused(error: SlackError) -> Response:
        return jsonify(ok=False, error=error.error)

    @ui.get("/state")
    def state() -> Response:
        me = _user()
        with ws().lock:
            people = [_person(u) for u in ws().users.values() if not u.deleted]
            channels = [_channel(c, me) for c in ws().channels.values() if me.id in c.members]
            return jsonify(
                team={"id": ws().team_id, "name": ws().name},
                teams=[_team(one.workspace) for one in server.teams],
                me=_person(me),
                people=people,
                channels=channels,
                conversations=_conversations(me),
                bot={"id": ws().bot.id, "name": ws().bot.real_name},
                commands=[
                    {key: c.get(key, "") for key in ("command", "description", "usage_hint")}
                    for c in (() if ws().removed else ws().commands)
                ],
                home_tab=bool(ws().feature("features", "app_home", "home_tab_enabled", default=False)),
                connected=team().delivery.connected,
                revision=ws().revision,
                now=ws().clock().isoformat(),
            )

    @ui.get("/messages")
    def messages() -> Response:
        me, thread_ts = _user(), request.args.get("thread_ts")
        with ws().lock:
            channel = ws().channels.get(request.args.get("channel", ""))
            if channel is None or me.id not in channel.members:
                raise SlackError("channel_not_found")
            return jsonify(messages=[_message(m) for m in ws().messages(channel.id, me.id, thread_ts)])

    @ui.get("/home")
    def home() -> Response:
        view = ws().views.homes.get(_user().id)
        return jsonify(view=ws().views.payload(view) if view else None)

    @ui.post("/home_open")
    def home_open() -> Response:
        body = _body()
        return jsonify(hands().open_home(_user(body).id, str(body.get("tab") or "home")))

    @ui.get("/modals")
    def modals() -> Response:
        me = _user()
        with ws().lock:
            return jsonify(views=[ws().views.payload(v) for v in ws().views.stacks.get(me.id, ())])

    @ui.get("/changes")
    def changes() -> Response:
        after = request.args.get("after", default=0, type=int)
        return jsonify(revision=ws().wait_for_change(after, LONGEST_POLL))

    @ui.post("/message")
    def message() -> Response:
        body = _body()
        return jsonify(hands().message(_user(body).id, str(body.get("channel")), str(body.get("text") or "")))

    @ui.post("/action")
    def action() -> Response:
        body = _body()
        ids = str(body.get("block_id")), str(body.get("action_id"))
        values = (body.get("state") or {}).get("values")
        return jsonify(
            hands().action(_user(body).id, body.get("container") or {}, *ids, body.get("action") or {}, values)
        )

    @ui.post("/options")
    def options() -> Response:
        body = _body()
        ids = str(body.get("block_id")), str(body.get("action_id"))
        return jsonify(hands().options(_user(body).id, body.get("container") or {}, *ids, str(body.get("value") or "")))

    @ui.post("/submit")
    def submit() -> Response:
        body = _body()
        values = (body.get("state") or {}).get("values")
        return jsonify(hands().submit(_user(body).id, str(body.get("view_id")), values))

    @ui.post("/upload")
    def upload() -> Response:
        sent = request.files.get("file")
        if sent is None:
            raise SlackError("no_file")
        user = _user(dict(request.form))
        return jsonify(hands().upload(user.id, sent.filename or "file", sent.read()))

    @ui.get("/file/<file_id>")
    def file(file_id: str) -> Response:
        """For people, who are signed in: no token."""
        found = ws().files.get(file_id)
        headers = {"Content-Disposition": f"inline; filename*=UTF-8''{quote(found.name)}"}
        return Response(found.content, headers=headers, mimetype=found.mimetype)

    @ui.post("/close")
    def close() -> Response:
        body = _body()
        return jsonify(hands().close(_user(body).id, str(body.get("view_id")), clear=bool(body.get("clear"))))

    @ui.post("/read")
    def read() -> Response:
        body = _body()
        me = _user(body)
        with ws().lock:
            channel = ws().channels.get(str(body.get("channel")))
            if channel is None:
                raise SlackError("channel_not_found")
            seen = [m.ts for m in channel.messages if m.visible_to in (None, me.id)]
            if seen and channel.read.get(me.id) != seen[-1]:
                channel.read[me.id] = seen[-1]
                ws().touch()
        return jsonify(ok=True)

    def _body() -> Json:
        body = request.get_json(silent=True)
        if not isinstance(body, dict):
            raise SlackError("invalid_json")
        return body

    def _user(body: Json | None = None) -> User:
        user = ws().users.get(str((body or request.args).get("user")))
        if user is None or user.is_bot:
            raise SlackError("user_not_found")
        return user

    def _channel(channel: Channel, me: User) -> Json:
        name = ws().users[channel.peer].real_name if channel.kind == "im" and channel.peer else channel.name
        # A person's direct messages are with the bot: from their side, the bot is the peer.
        peer = ws().bot.id if channel.peer == me.id else channel.peer
        if peer == ws().bot.id:
            name = ws().bot.real_name
        return {
            "id": channel.id,
            "name": name,
            "kind": channel.kind,
            "topic": channel.topic,
            "peer": peer,
            "unread": ws().unread(channel, me.id),
            "is_archived": channel.is_archived,
        }

    def _team(workspace: Workspace) -> Json:
        """With somebody as whom it can be looked at."""
        someone = next((one.id for one in workspace.users.values() if not one.is_bot), None)
        return {"id": workspace.team_id, "name": workspace.name, "as": someone}

    def _conversations(me: User) -> list[Json]:
        """What menus of channels and conversations offer: also public channels that this person is not in."""
        kinds = {"channel": "public", "private": "private", "im": "im"}
        return [
            _channel(one, me) | {"kind": kinds[one.kind], "is_ext_shared": one.is_ext_shared}
            for one in ws().channels.values()
            if not one.is_archived and (one.kind == "channel" or me.id in one.members)
        ]

    def _message(one: Message) -> Json:
        author = ws().users.get(one.user)
        return {
            "ts": one.ts,
            "user": one.user,
            "username": one.username or (author.real_name if author else one.user),
            "text": one.text,
            "blocks": one.blocks,
            "files": one.files,
            "edited": one.edited_ts is not None,
            "ephemeral": one.visible_to is not None,
            "thread_ts": one.thread_ts,
            "reply_count": ws().replies(one),
            "at": one.at.isoformat(),
        }

    return ui


def _person(user: User) -> Json:
    keys = ("id", "name", "real_name", "title", "is_bot", "color", "tz")
    return {key: getattr(user, key) for key in keys}
