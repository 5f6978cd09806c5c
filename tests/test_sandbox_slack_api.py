"""The stand-in's Web API refuses what Slack refuses: tokens, scopes, channels, triggers; and it breaks on order."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Blueprint
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.webhook import WebhookClient

from tests.sandbox.slack.server import SlackServer
from tests.sandbox.slack.workspace import Channel, User, Workspace

Json = dict[str, Any]
SCOPES = ["chat:write", "commands", "users:read"]
MANIFEST: Json = {
    "display_information": {"name": "App"},
    "features": {"app_home": {"home_tab_enabled": True, "messages_tab_enabled": True}},
    "oauth_config": {"scopes": {"bot": SCOPES}},
    "settings": {"interactivity": {"is_enabled": True}, "socket_mode_enabled": True},
}
MODAL: Json = {"type": "modal", "title": {"type": "plain_text", "text": "T"}, "blocks": []}
HOME: Json = {"type": "home", "blocks": [{"type": "divider"}]}


class Time:
    """A clock and a timer that the test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 2, 9, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return self.at.timestamp()

    def pass_by(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class World:
    def __init__(self, slack: SlackServer, time: Time) -> None:
        self.slack, self.ws, self.time = slack, slack.workspace, time
        self.ana: User = self.ws.add_user("ana", "Ana Ruiz", "ana@acme.example")
        self.channel: Channel = self.ws.add_channel("partners", members=[self.ws.bot.id, self.ana.id])
        self.client = self.client_with(*SCOPES)

    def client_with(self, *scopes: str) -> WebClient:
        token = self.ws.add_token(f"xoxb-{'-'.join(scopes)}", "bot", scopes)
        return WebClient(token.value, base_url=self.slack.api_url, retry_handlers=[])

    def refused(self, method: str, client: WebClient | None = None, **args: Any) -> str:
        with pytest.raises(SlackApiError) as caught:
            (client or self.client).api_call(method, json=args)
        return str(caught.value.response["error"])

    def post(self, text: str = "hello", **more: Any) -> str:
        return str(self.client.chat_postMessage(channel=self.channel.id, text=text, **more)["ts"])


@pytest.fixture
def world() -> Iterator[World]:
    time = Time()
    workspace = Workspace("Acme", manifest=MANIFEST, clock=time.now, timer=time.seconds)
    with SlackServer(workspace) as slack:
        yield World(slack, time)


def test_a_token_must_be_known_alive_and_of_the_right_kind(world: World) -> None:
    def asked(token: str | None) -> str:
        return world.refused("auth.test", WebClient(token, base_url=world.slack.api_url))

    assert asked("xoxb-unknown") == "invalid_auth"
    assert asked(None) == "not_authed"
    socket_client = WebClient(world.ws.app_token, base_url=world.slack.api_url)
    assert world.refused("chat.postMessage", socket_client, channel="C1", text="x") == "not_allowed_token_type"
    assert world.refused("apps.connections.open") == "not_allowed_token_type"
    assert world.client.auth_test()["user_id"] == world.ws.bot.id
    world.client.auth_revoke()
    assert world.refused("auth.test") == "token_revoked"


@pytest.mark.parametrize(
    ("method", "needed"),
    [
        ("chat.postMessage", "chat:write"),
        ("chat.update", "chat:write"),
        ("users.info", "users:read"),
        ("users.lookupByEmail", "users:read.email"),
        ("conversations.open", "im:write,mpim:write"),
        ("conversations.info", "channels:read,groups:read,im:read"),
        ("conversations.join", "channels:join"),
        ("files.getUploadURLExternal", "files:write"),
        ("team.info", "team:read"),
    ],
)
def test_a_method_without_its_scope_says_which_it_needs(world: World, method: str, needed: str) -> None:
    with pytest.raises(SlackApiError) as caught:
        world.client_with("commands").api_call(method)
    answer = caught.value.response
    assert (answer["error"], answer["needed"], answer["provided"]) == ("missing_scope", needed, "commands")
    assert answer.headers["X-OAuth-Scopes"] == "commands"


def test_an_address_is_shown_only_to_those_who_may_read_it(world: World) -> None:
    assert "email" not in world.client.users_info(user=world.ana.id)["user"]["profile"]
    reader = world.client_with("users:read", "users:read.email")
    assert reader.users_lookupByEmail(email="ANA@acme.example")["user"]["profile"]["email"] == "ana@acme.example"


def test_a_post_goes_only_where_the_bot_is(world: World) -> None:
    ws = world.ws
    elsewhere, secret = ws.add_channel("elsewhere"), ws.add_channel("secret", private=True)
    gone = ws.add_user("old", "Old", "old@acme.example", deleted=True)
    assert world.refused("chat.postMessage", channel=elsewhere.id, text="x") == "not_in_channel"
    assert world.refused("chat.postMessage", channel=secret.id, text="x") == "channel_not_found"
    assert world.refused("chat.postMessage", channel="C404", text="x") == "channel_not_found"
    assert world.refused("chat.postMessage", channel="U404", text="x") == "channel_not_found"
    assert world.refused("chat.postMessage", channel=gone.id, text="x") == "user_disabled"
    assert world.refused("chat.postMessage", text="x") == "channel_not_found"
    anywhere = world.client_with("chat:write", "chat:write.public")
    assert anywhere.chat_postMessage(channel=elsewhere.id, text="x")["ok"]
    ws.archive(world.channel.id)
    assert world.refused("chat.postMessage", channel=world.channel.id, text="x") == "is_archived"


def test_a_channel_may_refuse_posts_although_the_bot_is_in_it(world: World) -> None:
    for world.channel.refuses in ("restricted_action", "restricted_action_read_only_channel"):
        assert world.refused("chat.postMessage", channel=world.channel.id, text="x") == world.channel.refuses
        seen_by = world.refused("chat.postEphemeral", channel=world.channel.id, user=world.ana.id, text="x")
        assert seen_by == world.channel.refuses


def test_what_may_be_read_of_a_person_and_a_channel_follows_the_scopes(world: World) -> None:
    secret = world.ws.add_channel("secret", private=True, members=[world.ws.bot.id])
    bot = WebClient(world.ws.bot_token, base_url=world.slack.api_url, retry_handlers=[])
    assert world.refused("conversations.info", bot, channel=world.channel.id) == "missing_scope"
    world.ws.set_scopes(add=["channels:read"])
    assert bot.conversations_info(channel=world.channel.id)["channel"]["is_member"]
    assert bot.conversations_members(channel=world.channel.id)["members"] == world.channel.members
    assert world.refused("conversations.info", bot, channel=secret.id) == "missing_scope"
    world.ws.set_scopes(without=["channels:read"])
    assert world.refused("conversations.info", bot, channel=world.channel.id) == "missing_scope"
    told = world.client.users_info(user=world.ana.id, include_locale=True)["user"]
    assert (told["tz"], told["locale"], told["is_email_confirmed"], told["deleted"]) == ("UTC", "en-GB", True, False)
    world.ws.deactivate(world.ana.id)
    assert world.client.users_info(user=world.ana.id)["user"]["deleted"]
    assert world.refused("chat.postMessage", channel=world.ana.id, text="x") == "user_disabled"


def test_a_post_to_a_person_opens_the_direct_messages(world: World) -> None:
    answer = world.client.chat_postMessage(channel=world.ana.id, text="psst")
    assert answer["channel"].startswith("D")
    assert world.ws.channels[answer["channel"]].peer == world.ana.id
    # An update wants the conversation's own id.
    assert world.refused("chat.update", channel=world.ana.id, ts=answer["ts"], text="x") == "channel_not_found"


def test_an_update_needs_an_own_message_that_is_still_there(world: World) -> None:
    ts = world.post("one", blocks=[{"type": "divider"}])
    hers = world.ws.post(world.channel.id, world.ana.id, "hers")
    where: Json = {"channel": world.channel.id, "text": "x"}
    assert world.refused("chat.update", ts=hers.ts, **where) == "cant_update_message"
    assert world.refused("chat.delete", ts=hers.ts, channel=world.channel.id) == "cant_delete_message"
    assert world.refused("chat.update", ts=ts, **where | {"text": "x" * 4001}) == "msg_too_long"
    world.client.chat_update(ts=ts, **where)
    message = world.ws.message(world.channel.id, ts)
    assert message
    assert (message.text, message.blocks) == ("x", [])
    world.ws.archive(world.channel.id)
    assert world.refused("chat.update", ts=ts, **where) == "is_inactive"
    world.ws.archive(world.channel.id, archived=False)
    world.ws.delete_message(world.channel.id, ts)
    assert world.refused("chat.update", ts=ts, **where) == "message_not_found"


def test_an_ephemeral_message_has_one_reader_and_cannot_be_updated(world: World) -> None:
    ben = world.ws.add_user("ben", "Ben", "ben@acme.example")
    where: Json = {"channel": world.channel.id, "text": "x"}
    assert world.refused("chat.postEphemeral", user=ben.id, **where) == "user_not_in_channel"
    ts = world.client.chat_postEphemeral(user=world.ana.id, **where)["message_ts"]
    assert world.refused("chat.update", ts=ts, **where) == "message_not_found"


def test_a_refused_block_is_named_to_the_client(world: World) -> None:
    with pytest.raises(SlackApiError) as caught:
        world.post(blocks=[{"type": "divider"}, {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}])
    assert caught.value.response["error"] == "invalid_blocks"
    assert caught.value.response["response_metadata"]["messages"] == [
        "[ERROR] must be less than 151 characters [json-pointer:/blocks/1/text/text]"
    ]


def test_form_and_json_bodies_are_read_alike(world: World) -> None:
    form = {"channel": world.channel.id, "text": "x", "blocks": json.dumps([{"type": "divider"}])}
    assert world.client.api_call("chat.postMessage", data=form)["message"]["blocks"][0]["type"] == "divider"
    broken = world.client.api_call
    with pytest.raises(SlackApiError, match="invalid_blocks_format"):
        broken("chat.postMessage", data=form | {"blocks": "[{"})
    assert world.refused("chat.dance") == "unknown_method"


def test_a_trigger_is_good_once_and_for_three_seconds(world: World) -> None:
    views = world.ws.views
    fresh, late = views.new_trigger(world.ana.id), views.new_trigger(world.ana.id)
    assert world.refused("views.open", trigger_id=fresh, view={**MODAL, "title": None}) == "invalid_arguments"
    world.time.pass_by(3)
    world.client.views_open(trigger_id=fresh, view=MODAL)
    world.time.pass_by(0.1)
    assert world.refused("views.open", trigger_id=fresh, view=MODAL) == "exchanged_trigger_id"
    assert world.refused("views.open", trigger_id=late, view=MODAL) == "expired_trigger_id"
    assert world.refused("views.open", trigger_id="made up", view=MODAL) == "invalid_trigger_id"


def test_modals_stack_three_high(world: World) -> None:
    views = world.ws.views
    view_id = world.client.views_open(trigger_id=views.new_trigger(world.ana.id), view=MODAL)["view"]["id"]
    for _ in range(2):
        trigger = views.new_trigger(world.ana.id, view_id)
        view_id = world.client.views_push(trigger_id=trigger, view=MODAL)["view"]["id"]
    trigger = views.new_trigger(world.ana.id, view_id)
    assert world.refused("views.push", trigger_id=trigger, view=MODAL) == "push_limit_reached"


def test_an_update_of_a_view_needs_the_hash_of_what_it_replaces(world: World) -> None:
    trigger = world.ws.views.new_trigger(world.ana.id)
    view = world.client.views_open(trigger_id=trigger, view=MODAL)["view"]
    world.client.views_update(view_id=view["id"], hash=view["hash"], view=MODAL)
    stale = {"view_id": view["id"], "hash": view["hash"], "view": MODAL}
    assert world.refused("views.update", **stale) == "hash_conflict"
    world.slack.interactions.close(world.ana.id, view["id"])
    assert world.refused("views.update", view_id=view["id"], view=MODAL) == "not_found"
    home = world.client.views_publish(user_id=world.ana.id, view=HOME)["view"]
    world.client.views_publish(user_id=world.ana.id, view=HOME, hash=home["hash"])
    assert world.refused("views.publish", user_id=world.ana.id, view=HOME, hash=home["hash"]) == "hash_conflict"
    assert world.refused("views.publish", user_id=world.ana.id, view=MODAL) == "invalid_arguments"


def test_a_response_url_is_good_five_times_and_for_half_an_hour(world: World) -> None:
    def respond(url: str) -> tuple[int, str]:
        answer = WebhookClient(url, retry_handlers=[]).send(text="x")
        return answer.status_code, "ok" if answer.body == "ok" else json.loads(answer.body)["error"]

    responses = world.slack.responses
    url = responses.new_url(world.ana.id, world.channel.id)
    assert [respond(url) for _ in range(6)] == [(200, "ok")] * 5 + [(404, "used_url")]
    url = responses.new_url(world.ana.id, world.channel.id)
    world.time.pass_by(30 * 60)
    assert respond(url) == (200, "ok")
    world.time.pass_by(1)
    assert respond(url) == (404, "expired_url")


def test_a_rate_limit_says_when_to_come_back(world: World) -> None:
    faults = world.slack.faults
    faults.rate_limit("chat.postMessage", retry_after=7)
    with pytest.raises(SlackApiError) as caught:
        world.post()
    assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "7")
    faults.rate_limit("chat.postMessage", retry_after=0)
    world.client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=1))
    world.post("the retry gets through")
    assert [call.fault for call in faults.called("chat.postMessage")] == ["rate_limit", "rate_limit", ""]


def test_one_post_per_second_and_channel_when_the_switch_is_on(world: World) -> None:
    world.slack.faults.enforce_rate_limits = True
    world.post()
    assert world.refused("chat.postMessage", channel=world.channel.id, text="x") == "ratelimited"
    world.client.chat_postMessage(channel=world.ana.id, text="another channel")
    world.time.pass_by(1)
    world.post()


@pytest.mark.parametrize(("kind", "posted"), [("drop_before", 0), ("drop_after", 1)])
def test_a_connection_dropped_after_the_post_leaves_the_message(world: World, kind: str, posted: int) -> None:
    getattr(world.slack.faults, kind)("chat.postMessage")
    with pytest.raises((ConnectionResetError, urllib.error.URLError)):
        world.post()
    assert len(world.channel.messages) == posted
    world.post("and then all is well")


def test_faults_are_used_up_in_order(world: World) -> None:
    faults = world.slack.faults
    faults.refuse("chat.postMessage", "fatal_error")
    faults.server_error("chat.postMessage", times=2)
    faults.slow("*", 0.05)
    errors = []
    for _ in range(3):
        with pytest.raises(SlackApiError) as caught:
            world.post()
        errors.append((caught.value.response.status_code, caught.value.response.get("error")))
    assert errors[0] == (200, "fatal_error")
    assert [status for status, _ in errors[1:]] == [500, 500]
    world.post("slowly")
    assert faults.calls[-1].fault == "slow"
    assert [m.text for m in world.channel.messages] == ["slowly"]


def test_who_would_be_notified_is_known(world: World) -> None:
    quiet = world.ws.message(world.channel.id, world.post("&lt;!channel&gt; @here"))
    loud = world.ws.message(
        world.channel.id,
        world.post("<@U123|ana>", blocks=[{"type": "section", "text": {"type": "mrkdwn", "text": "<!channel>"}}]),
    )
    literal = [{"type": "header", "text": {"type": "plain_text", "text": "<!here>"}}]
    header = world.ws.message(world.channel.id, world.post("x", blocks=literal))
    assert quiet
    assert loud
    assert header
    assert [m.mentions for m in (quiet, loud, header)] == [set(), {"U123", "!channel"}, set()]


def test_lists_are_paged(world: World) -> None:
    for n in range(4):
        world.ws.add_user(f"p{n}", f"P {n}", f"p{n}@acme.example")
    pages = [len(page["members"]) for page in world.client.users_list(limit=4)]
    assert pages == [4, 2]
    reader = world.client_with("channels:read")
    assert [c["name"] for c in reader.conversations_list()["channels"]] == ["partners"]
    assert reader.conversations_members(channel=world.channel.id)["members"] == world.channel.members
    assert world.refused("conversations.list", reader, types="im") == "missing_scope"


def test_a_file_is_uploaded_in_three_steps(world: World) -> None:
    writer = world.client_with("files:write")
    answer = writer.files_upload_v2(channel=world.channel.id, filename="a.csv", content="a,b", title="A list")
    file = world.ws.files.get(answer["files"][0]["id"])
    assert (file.content, file.title, file.channels) == (b"a,b", "A list", [world.channel.id])
    assert [one["id"] for one in world.channel.messages[-1].files] == [file.id]
    assert world.refused("files.completeUploadExternal", writer, files=[{"id": "F404"}]) == "file_not_found"
    elsewhere = world.ws.add_channel("elsewhere")
    short = writer.files_getUploadURLExternal(filename="b.csv", length=3)
    sent = urllib.request.Request(short["upload_url"], b"too long")  # noqa: S310 - loopback
    urllib.request.urlopen(sent, timeout=10).close()  # noqa: S310
    for_both = {"files": [{"id": short["file_id"]}]}
    assert (
        world.refused("files.completeUploadExternal", writer, channel_id=elsewhere.id, **for_both) == "not_in_channel"
    )
    assert world.refused("files.completeUploadExternal", writer, **for_both) == "file_update_failed"


def test_a_file_is_given_only_to_a_token_that_may_read_files(world: World) -> None:
    file = world.ws.files.add("roster.csv", b"name\nAcme\n", world.ana.id)
    assert world.refused("files.info", file=file.id) == "missing_scope"
    reader = world.client_with("files:read")
    assert world.refused("files.info", reader, file="F404") == "file_not_found"
    url = reader.files_info(file=file.id)["file"]["url_private_download"]

    def fetched(token: str | None) -> bytes:
        headers = {"Authorization": f"Bearer {token}"}
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as found:  # noqa: S310
            content: bytes = found.read()
            return content

    assert fetched(reader.token) == file.content
    assert b"<!doctype html>" in fetched(world.client.token).lower()  # a page that asks to sign in, and no error


def page(world: World, path: str, body: Json | None = None) -> Json:
    url = f"{world.slack.page_url}{path}"
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        found: Json = json.load(answer)
        return found


def test_the_page_sees_what_its_person_may_see(world: World) -> None:
    ben = world.ws.add_user("ben", "Ben", "ben@acme.example")
    world.ws.im(world.ana.id)
    world.post("to all")
    world.client.chat_postEphemeral(channel=world.channel.id, user=world.ana.id, text="to Ana")
    mine = page(world, f"ui/state?user={world.ana.id}")
    assert [(c["name"], c["kind"], c["unread"]) for c in mine["channels"]] == [
        ("partners", "channel", 2),
        ("App", "im", 0),
    ]
    assert mine["channels"][1]["peer"] == mine["bot"]["id"]
    assert mine["connected"] is False
    assert page(world, f"ui/state?user={ben.id}")["channels"] == []
    messages = page(world, f"ui/messages?user={world.ana.id}&channel={world.channel.id}")["messages"]
    assert [(m["text"], m["ephemeral"], m["username"]) for m in messages] == [
        ("to all", False, "App"),
        ("to Ana", True, "App"),
    ]
    assert page(world, f"ui/messages?user={ben.id}&channel={world.channel.id}")["error"] == "channel_not_found"
    page(world, "ui/read", {"user": world.ana.id, "channel": world.channel.id})
    assert page(world, f"ui/state?user={world.ana.id}")["channels"][0]["unread"] == 0


def test_the_page_is_told_when_something_changes(world: World) -> None:
    before = world.ws.revision
    assert page(world, f"ui/changes?user={world.ana.id}&after={before - 1}") == {"revision": before}
    sent = page(world, "ui/message", {"user": world.ana.id, "channel": world.channel.id, "text": "<b> & co"})
    assert sent["ok"]
    assert page(world, f"ui/changes?user={world.ana.id}&after={before}")["revision"] > before
    assert world.channel.messages[-1].text == "&lt;b&gt; &amp; co"


def test_the_page_shows_threads_homes_and_modals(world: World) -> None:
    ts = world.post("parent")
    world.post("reply", thread_ts=ts)
    where = f"user={world.ana.id}&channel={world.channel.id}"
    assert [(m["text"], m["reply_count"]) for m in page(world, f"ui/messages?{where}")["messages"]] == [("parent", 1)]
    thread = page(world, f"ui/messages?{where}&thread_ts={ts}")["messages"]
    assert [m["text"] for m in thread] == ["parent", "reply"]
    assert page(world, f"ui/home?user={world.ana.id}") == {"view": None}
    world.client.views_publish(user_id=world.ana.id, view=HOME)
    assert page(world, f"ui/home?user={world.ana.id}")["view"]["blocks"][0]["type"] == "divider"
    world.client.views_open(trigger_id=world.ws.views.new_trigger(world.ana.id), view=MODAL)
    [view] = page(world, f"ui/modals?user={world.ana.id}")["views"]
    assert page(world, "ui/close", {"user": world.ana.id, "view_id": view["id"]}) == {"ok": True}
    assert page(world, "ui/submit", {"user": world.ana.id, "view_id": view["id"]})["ok"] is False


def test_the_demo_may_add_pages_of_its_own() -> None:
    demo = Blueprint("demo", __name__, url_prefix="/demo")
    demo.post("/hello")(lambda: {"ok": True, "hello": "there"})
    with SlackServer(Workspace(), blueprints=[demo]) as slack:
        answer = WebClient(base_url=slack.page_url).api_call("demo/hello")
        assert answer["hello"] == "there"
