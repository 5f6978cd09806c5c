"""A real Bolt app with the stock clients lives in the stand-in workspace, over Socket Mode and over signed HTTP."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.adapter.wsgi import SlackRequestHandler
from slack_sdk import WebClient
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.sandbox.slack.server import SlackServer
from tests.sandbox.slack.workspace import Channel, Message, User, Workspace

Json = dict[str, Any]

MANIFEST: Json = {
    "display_information": {"name": "Echo"},
    "features": {
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True},
        "bot_user": {"display_name": "echo"},
        "slash_commands": [
            {"command": "/echo", "description": "Echo", "should_escape": True},
            {"command": "/raw", "description": "Unescaped"},
            {"command": "/deaf", "description": "Nobody listens"},
            {"command": "/broken", "description": "Answers with blocks that Slack refuses"},
        ],
    },
    "oauth_config": {"scopes": {"bot": ["chat:write", "commands", "im:history"]}},
    "settings": {
        "event_subscriptions": {"bot_events": ["app_home_opened", "message.im", "message.channels", "app_uninstalled"]},
        "interactivity": {"is_enabled": True},
        "socket_mode_enabled": True,
    },
}


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def modal(callback_id: str, *blocks: Json, **more: Any) -> Json:
    return {
        "type": "modal",
        "callback_id": callback_id,
        "title": plain("Note"),
        "submit": plain("Save"),
        "blocks": [*blocks],
        **more,
    }


NOTE = {
    "type": "input",
    "block_id": "note",
    "label": plain("Note"),
    "element": {"type": "plain_text_input", "action_id": "text", "max_length": 20},
}
DAY = {
    "type": "input",
    "block_id": "day",
    "optional": True,
    "label": plain("Day"),
    "element": {"type": "datepicker", "action_id": "on"},
}
CARD = [
    {
        "type": "actions",
        "block_id": "card",
        "elements": [
            {"type": "button", "action_id": "write", "text": plain("Write"), "value": "7"},
            {"type": "button", "action_id": "done", "text": plain("Done")},
            {"type": "external_select", "action_id": "city", "min_query_length": 0},
            {
                "type": "overflow",
                "action_id": "more",
                "options": [{"text": plain("One"), "value": "1"}, {"text": plain("Two"), "value": "2"}],
            },
        ],
    }
]


@dataclass
class Seen:
    """What the app was told, in order; `wait` until it was told enough."""

    bodies: list[Json] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, body: Json) -> None:
        with self.changed:
            self.bodies.append(dict(body))
            self.changed.notify_all()

    def wait(self, count: int = 1) -> list[Json]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.bodies) >= count, 10), self.bodies
            return self.bodies


def build(client: WebClient, secret: str, seen: Seen) -> App:
    """An app that uses every way to answer."""
    app = App(client=client, signing_secret=secret)

    @app.command("/echo")
    def echo(ack: Any, command: Json, client: WebClient, respond: Any) -> None:
        seen.add(command)
        ack(f"You said {command['text']}")
        client.chat_postMessage(channel=command["channel_id"], text="A card", blocks=CARD)
        client.chat_postEphemeral(channel=command["channel_id"], user=command["user_id"], text="Only you see this")
        respond(text="And everybody this", response_type="in_channel")

    @app.command("/raw")
    def raw(ack: Any, command: Json) -> None:
        seen.add(command)
        ack()

    @app.command("/broken")
    def broken(ack: Any) -> None:
        ack(blocks=[{"type": "sectoin"}], text="oops")

    @app.action("write")
    def write(ack: Any, body: Json, client: WebClient) -> None:
        seen.add(body)
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=modal("note", NOTE, DAY, notify_on_close=True))

    @app.action("done")
    def done(ack: Any, body: Json, client: WebClient, respond: Any) -> None:
        seen.add(body)
        ack()
        if "message" in body:
            client.chat_update(channel=body["channel"]["id"], ts=body["message"]["ts"], text="All done")
        elif "response_url" in body:
            respond(text="Replaced", replace_original=True)

    @app.action("more")
    def more(ack: Any, body: Json) -> None:
        seen.add(body)
        ack()

    @app.options("city")
    def city(ack: Any, payload: Json) -> None:
        seen.add(payload)
        ack(options=[{"text": plain(f"{payload['value']}{n}"), "value": str(n)} for n in range(3)])

    @app.view("note")
    def note(ack: Any, body: Json, view: Json) -> None:
        seen.add(body)
        text = view["state"]["values"]["note"]["text"]["value"]
        if text == "bad":
            ack(response_action="errors", errors={"note": "Say something nicer."})
        elif text == "more":
            ack(response_action="push", view=modal("next", NOTE))
        elif text == "change":
            ack(response_action="update", view=modal("note", NOTE, title=plain("Changed")))
        elif text == "wrong block":
            ack(response_action="errors", errors={"elsewhere": "No such block."})
        else:
            ack()

    @app.view("next")
    def following(ack: Any) -> None:
        ack(response_action="clear")

    @app.view_closed("note")
    def closed(ack: Any, body: Json) -> None:
        seen.add(body)
        ack()

    @app.event("app_home_opened")
    def home(event: Json, body: Json, client: WebClient) -> None:
        seen.add(body)
        client.views_publish(user_id=event["user"], view={"type": "home", "blocks": CARD})

    @app.event("message")
    def heard(body: Json) -> None:
        seen.add(body)

    return app


@dataclass
class World:
    slack: SlackServer
    ws: Workspace
    ana: User
    channel: Channel
    seen: Seen

    def type(self, text: str, channel: Channel | None = None) -> Json:
        return self.slack.interactions.message(self.ana.id, (channel or self.channel).id, text)

    def card(self) -> Message:
        assert self.ws.wait_until(lambda: any(m.blocks for m in self.channel.messages))
        return next(m for m in self.channel.messages if m.blocks)

    def open_note(self) -> str:
        """The id of the modal that `Write` opened."""
        assert self.slack.interactions.press(self.ana.id, self.card(), "write") == {"ok": True}
        assert self.ws.wait_until(lambda: self.ws.views.stacks.get(self.ana.id))
        return self.ws.views.stacks[self.ana.id][-1].id

    def submit(self, view_id: str, text: str) -> Json:
        return self.slack.interactions.submit(self.ana.id, view_id, {"note": {"text": {"value": text}}})


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        pass


@contextmanager
def listening(app: Any) -> Iterator[str]:
    """The app's own HTTP server."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/slack/events"
    finally:
        server.shutdown()
        server.server_close()


def furnished(**more: Any) -> tuple[Workspace, User, Channel]:
    ws = Workspace("Acme", manifest=MANIFEST, **more)
    ana = ws.add_user("ana", "Ana Ruiz", "ana@acme.example")
    ws.add_user("ana-lee", "Ana Lee", "lee@acme.example")
    return ws, ana, ws.add_channel("partners", members=[ws.bot.id, ana.id])


@pytest.fixture(params=["socket mode", "http"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    ws, ana, channel = furnished()
    with SlackServer(ws, event_retry_delays=(0.0, 0.0, 0.0), ack_seconds=1.0) as slack:
        client = WebClient(ws.bot_token, base_url=slack.api_url)
        seen = Seen()
        app = build(client, ws.signing_secret, seen)
        world = World(slack, ws, ana, channel, seen)
        if request.param == "http":
            with listening(SlackRequestHandler(app)) as url:
                slack.delivery.request_url = url
                yield world
        else:
            handler = SocketModeHandler(app, ws.app_token)
            handler.connect()  # type: ignore[no-untyped-call]  # the SDK gives it no types
            assert slack.socket_mode.wait_for_connection()
            yield world
            handler.close()  # type: ignore[no-untyped-call]  # the SDK gives it no types


def texts(messages: list[Message]) -> list[tuple[str, bool]]:
    return [(m.text, m.visible_to is not None) for m in messages]


def test_a_command_is_acknowledged_and_answered_in_every_way(world: World) -> None:
    assert world.type("/echo hello @ana-lee") == {"ok": True}
    assert world.ws.wait_until(lambda: len(world.channel.messages) == 4)
    lee = next(u for u in world.ws.users.values() if u.name == "ana-lee")
    assert sorted(texts(world.channel.messages)) == [
        ("A card", False),
        ("And everybody this", False),
        ("Only you see this", True),
        (f"You said hello <@{lee.id}|ana-lee>", True),
    ]
    command = world.seen.wait()[0]
    assert command["user_id"] == world.ana.id
    assert command["channel_name"] == "partners"
    assert command["is_enterprise_install"] == "false"
    assert world.ws.messages(world.channel.id, lee.id) == world.ws.messages(world.channel.id)


def test_a_command_that_does_not_escape_gets_the_text_as_typed(world: World) -> None:
    world.type("/raw hello @ana <!channel>")
    assert world.seen.wait()[0]["text"] == "hello @ana <!channel>"


def test_an_unknown_command_never_reaches_the_app(world: World) -> None:
    assert world.type("/nothing") == {"ok": False, "error": "/nothing is not a valid command."}
    assert world.seen.bodies == []


def test_a_command_that_nobody_acknowledges_is_an_error_for_the_person(world: World) -> None:
    answer = world.type("/deaf")
    assert not answer["ok"]
    assert "echo did not respond" in answer["error"]


def test_an_answer_that_slack_refuses_is_not_shown(world: World) -> None:
    assert world.type("/broken") == {
        "ok": False,
        "error": '/broken failed with the error "invalid_command_response"',
    }
    assert "unsupported type: sectoin [json-pointer:/blocks/0/type]" in world.ws.refused[0]
    assert world.channel.messages == []


def test_a_press_opens_a_modal_and_a_submission_closes_it(world: World) -> None:
    world.type("/echo x")
    view_id = world.open_note()
    body = world.seen.wait(2)[1]
    assert body["actions"][0]["value"] == "7"
    assert body["container"] == {
        "type": "message",
        "message_ts": world.card().ts,
        "channel_id": world.channel.id,
        "is_ephemeral": False,
    }
    assert body["state"] == {"values": {"card": {"city": {"type": "external_select", "selected_option": None}}}}
    assert world.submit(view_id, "") == {"ok": False, "errors": {"note": "Please complete this required field."}}
    assert world.submit(view_id, "x" * 21) == {
        "ok": False,
        "errors": {"note": "Please enter no more than 20 characters."},
    }
    assert len(world.seen.bodies) == 2, "the client refuses these by itself"
    assert world.submit(view_id, "bad") == {"ok": False, "errors": {"note": "Say something nicer."}}
    assert world.submit(view_id, "good") == {"ok": True}
    submission = world.seen.wait(4)[3]
    assert submission["view"]["state"]["values"] == {
        "note": {"text": {"type": "plain_text_input", "value": "good"}},
        "day": {"on": {"type": "datepicker", "selected_date": None}},
    }
    assert world.ws.views.stacks[world.ana.id] == []
    assert world.ws.refused == []


def test_a_submission_may_update_push_and_clear(world: World) -> None:
    world.type("/echo x")
    view_id = world.open_note()
    assert world.submit(view_id, "change") == {"ok": True}
    stack = world.ws.views.stacks[world.ana.id]
    assert stack[0].content["title"]["text"] == "Changed"
    assert stack[0].state["note"]["text"]["value"] == "change", "what was typed stays where the ids stay"
    assert world.submit(view_id, "more") == {"ok": True}
    assert [v.content["callback_id"] for v in stack] == ["note", "next"]
    assert stack[1].previous_id == stack[1].root_id == view_id
    assert world.submit(stack[1].id, "x") == {"ok": True}
    assert stack == []


def test_errors_for_a_block_that_is_no_input_are_refused(world: World) -> None:
    world.type("/echo x")
    view_id = world.open_note()
    assert world.submit(view_id, "wrong block") == {"ok": False, "error": "We had some trouble connecting. Try again?"}
    assert "elsewhere" in world.ws.refused[0]


def test_closing_a_modal_tells_the_app_that_asked_for_it(world: World) -> None:
    world.type("/echo x")
    view_id = world.open_note()
    assert world.slack.interactions.close(world.ana.id, view_id) == {"ok": True}
    body = world.seen.wait(3)[2]
    assert (body["type"], body["is_cleared"]) == ("view_closed", False)


def test_an_update_with_text_alone_takes_the_blocks_away(world: World) -> None:
    world.type("/echo x")
    card = world.card()
    world.slack.interactions.press(world.ana.id, card, "done")
    assert world.ws.wait_until(lambda: card.text == "All done")
    assert card.blocks == []
    assert card.edited_ts


def test_an_ephemeral_message_is_replaced_by_its_response_url_and_not_sent_along(world: World) -> None:
    note = world.ws.post(world.channel.id, world.ws.bot.id, "Private", blocks=CARD, visible_to=world.ana.id)
    world.slack.interactions.press(world.ana.id, note, "done")
    assert world.ws.wait_until(lambda: note.text == "Replaced")
    assert "message" not in world.seen.wait()[0]


def test_a_choice_is_sent_as_the_app_defined_it(world: World) -> None:
    world.type("/echo x")
    action = {"selected_option": {"value": "2", "text": plain("Tampered")}}
    world.slack.interactions.press(world.ana.id, world.card(), "more", action=action)
    assert world.seen.wait(2)[1]["actions"][0]["selected_option"] == {"text": plain("Two"), "value": "2"}


def test_options_are_asked_from_the_app(world: World) -> None:
    world.type("/echo x")
    container = {"type": "message", "channel": world.channel.id, "ts": world.card().ts}
    answer = world.slack.interactions.options(world.ana.id, container, "card", "city", "Ber")
    assert [option["text"]["text"] for option in answer["options"]] == ["Ber0", "Ber1", "Ber2"]


def test_opening_the_home_tab_publishes_a_home(world: World) -> None:
    assert world.slack.interactions.open_home(world.ana.id) == {"ok": True, "sent": True}
    assert world.ws.wait_until(lambda: world.ana.id in world.ws.views.homes)
    home = world.ws.views.homes[world.ana.id]
    assert world.slack.interactions.press(world.ana.id, home, "done")["ok"]
    assert "view" not in world.seen.wait(2)[0]["event"]
    body = world.seen.wait(2)[1]
    assert body["container"] == {"type": "view", "view_id": home.id}
    assert body["view"]["type"] == "home"
    assert "response_url" not in body


def test_a_message_event_needs_the_subscription_and_the_scope(world: World) -> None:
    im = world.ws.im(world.ana.id)
    world.type("no channels:history, no event")
    world.type("a & b", im)
    assert world.slack.delivery.settle()
    assert [(b["event"]["channel_type"], b["event"]["text"]) for b in world.seen.wait()] == [("im", "a &amp; b")]


def test_an_event_is_delivered_again_with_the_number_of_the_attempt(world: World) -> None:
    world.slack.interactions.open_home(world.ana.id)
    assert world.slack.delivery.settle()
    delivered = world.slack.delivery.log[-1]
    assert world.slack.delivery.redeliver(delivered.payload, retry=2).ok
    assert [b["event_id"] for b in world.seen.wait(2)] == [delivered.payload["event_id"]] * 2


def eventually(done: Callable[[], object]) -> bool:
    """For states of the client's own threads, which announce nothing."""
    deadline = time.monotonic() + 10
    while not done() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(done())


def test_socket_mode_sends_each_event_to_one_of_several_connections() -> None:
    ws, ana, channel = furnished()
    with SlackServer(ws) as slack:
        seen = [Seen(), Seen()]
        handlers = [
            SocketModeHandler(build(WebClient(ws.bot_token, base_url=slack.api_url), "", one), ws.app_token)
            for one in seen
        ]
        for handler in handlers:
            handler.connect()  # type: ignore[no-untyped-call]  # the SDK gives it no types
        assert slack.socket_mode.wait_for_connection(2)
        for _ in range(12):
            assert slack.interactions.message(ana.id, channel.id, "/raw x")["ok"]
        counts = [len(one.bodies) for one in seen]
        assert sum(counts) == 12
        assert all(counts)
        for handler in handlers:
            handler.close()  # type: ignore[no-untyped-call]  # the SDK gives it no types


def test_a_client_comes_back_after_its_socket_was_taken_away() -> None:
    ws, ana, channel = furnished()
    with SlackServer(ws) as slack:
        seen = Seen()
        handler = SocketModeHandler(
            build(WebClient(ws.bot_token, base_url=slack.api_url), "", seen), ws.app_token, ping_interval=0.1
        )
        handler.connect()  # type: ignore[no-untyped-call]  # the SDK gives it no types
        assert slack.socket_mode.wait_for_connection()
        slack.socket_mode.drop()
        assert eventually(lambda: len(slack.faults.called("apps.connections.open")) >= 2)
        assert slack.socket_mode.wait_for_connection()
        assert eventually(lambda: slack.interactions.message(ana.id, channel.id, "/raw x")["ok"])
        handler.close()  # type: ignore[no-untyped-call]  # the SDK gives it no types
        assert eventually(lambda: slack.socket_mode.connections == 0)
        answer = slack.interactions.message(ana.id, channel.id, "/raw x")
        assert answer == {"ok": False, "error": "/raw failed: echo is not connected (dispatch_failed)"}


def test_a_forged_or_stale_request_is_turned_away_by_the_app() -> None:
    ws, *_ = furnished()
    with SlackServer(ws) as slack:
        app = build(WebClient(ws.bot_token, base_url=slack.api_url), ws.signing_secret, Seen())
        with listening(SlackRequestHandler(app)) as url:
            slack.delivery.request_url = url
            assert slack.delivery.verify_request_url()
            body = b"command=%2Fraw&text=x"
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            stale = slack.delivery.sign(body, int(time.time()) - 301)
            forged = slack.delivery.sign(b"another body")
            assert [slack.delivery.post(body, form | headers)[0] for headers in (stale, forged)] == [401, 401]


def test_an_event_that_fails_is_tried_three_times_more() -> None:
    ws, ana, _ = furnished()

    def refuse(environ: Json, start: Callable[..., Any]) -> list[bytes]:
        start("500 No", [])
        return []

    with SlackServer(ws, event_retry_delays=(0.0, 0.0, 0.0)) as slack, listening(refuse) as url:
        slack.delivery.request_url = url
        slack.interactions.open_home(ana.id)
        assert slack.delivery.settle()
        assert [(d.retry, d.ack.error) for d in slack.delivery.log] == [(n, "http_error") for n in range(4)]
