"""The stand-in workspace's page in a real browser, with a small Bolt app of its own: what it draws, keeps and says.

The story of the product itself is told in test_browser.py.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect, sync_playwright
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient

from tests import gallery
from tests.sandbox.slack import validate
from tests.sandbox.slack.server import SlackServer
from tests.sandbox.slack.workspace import Channel, User, Workspace

Json = dict[str, Any]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SWITCHES = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
NOW = datetime(2026, 6, 8, 8, 0, tzinfo=UTC)
MANIFEST: Json = {
    "display_information": {"name": "Parrot"},
    "features": {
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True},
        "bot_user": {"display_name": "parrot"},
        "slash_commands": [
            {"command": "/form", "description": "Opens a form", "usage_hint": "[title]"},
            {"command": "/deaf", "description": "Nobody answers"},
        ],
    },
    "oauth_config": {"scopes": {"bot": ["chat:write", "commands", "im:history"]}},
    "settings": {"interactivity": {"is_enabled": True}, "socket_mode_enabled": True},
}

expect.set_options(timeout=15_000)  # the machine may be busy with other tests

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: install Debian's package `chromium`"),
    pytest.mark.timeout(120),
]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def section(text: str, **more: Any) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def button(action_id: str, text: str, **more: Any) -> Json:
    return {"type": "button", "action_id": action_id, "text": plain(text), **more}


def asked(block_id: str, label: str, element: Json, **more: Any) -> Json:
    return {"type": "input", "block_id": block_id, "label": plain(label), "element": element, **more}


def option(text: str) -> Json:
    return {"text": plain(text), "value": text.lower()}


def form(note: str = "Say what was agreed.", *more: Json) -> Json:
    return {
        "type": "modal",
        "callback_id": "form",
        "title": plain("A form"),
        "submit": plain("Save"),
        "blocks": [
            section(note),
            asked("what", "What", {"type": "plain_text_input", "action_id": "text", "multiline": True}),
            asked("day", "Day", {"type": "datepicker", "action_id": "on"}, optional=True),
            asked("city", "City", {"type": "external_select", "action_id": "city", "min_query_length": 1}),
            asked(
                "kinds",
                "Kinds",
                {"type": "checkboxes", "action_id": "kinds", "options": [option("Red"), option("Blue")]},
                optional=True,
            ),
            asked(
                "live",
                "Live",
                {"type": "static_select", "action_id": "live", "options": [option("One"), option("Two")]},
                optional=True,
                dispatch_action=True,
            ),
            *more,
        ],
    }


def parrot(client: WebClient, told: list[Json]) -> App:
    app = App(client=client, signing_secret="not used by Socket Mode")

    @app.command("/form")
    def opened(ack: Any, body: Json) -> None:
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=form())

    @app.action("live")
    def live(ack: Any, body: Json) -> None:
        told.append(body)
        ack()
        client.views_update(view_id=body["view"]["id"], view=form("The form was drawn again."))

    @app.options("city")
    def cities(ack: Any, payload: Json) -> None:
        found = [one for one in ("Lisbon", "London", "Lagos") if one.lower().startswith(payload["value"].lower())]
        ack(options=[option(one) for one in found])

    @app.view("form")
    def saved(ack: Any, body: Json, view: Json) -> None:
        told.append(body)
        said = view["state"]["values"]["what"]["text"]["value"]
        if said == "worse":
            ack(response_action="errors", errors={"what": "Say something kinder."})
        elif said == "further":
            ack(response_action="push", view=form("One more, on top."))
        else:
            ack()

    @app.view("everything")
    def filled(ack: Any, body: Json) -> None:
        told.append(body)
        ack()

    @app.action("press")
    def pressed(ack: Any, body: Json) -> None:
        told.append(body)
        ack()

    return app


@dataclass
class World:
    slack: SlackServer
    ws: Workspace
    ana: User
    channel: Channel
    client: WebClient
    browser: Browser
    told: list[Json] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    def page(self, *, width: int = 1280, height: int = 900, hash: str = "", **more: Any) -> Page:
        page = self.browser.new_page(viewport={"width": width, "height": height}, **more)
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.on("request", lambda one: None if self._ours(one.url) else self.trouble.append(one.url))
        page.goto(f"{self.slack.page_url}?as={self.ana.id}#{hash or self.channel.id}")
        expect(page.locator(".message, .home, .empty").first).to_be_visible()
        return page

    def post(self, *blocks: Json, text: str = "A message") -> str:
        return str(self.client.chat_postMessage(channel=self.channel.id, text=text, blocks=[*blocks])["ts"])

    def update(self, ts: str, *blocks: Json) -> None:
        self.client.chat_update(channel=self.channel.id, ts=ts, text="A message", blocks=[*blocks])

    def form(self, page: Page) -> Page:
        box = page.get_by_label("Message, or a command that begins with a slash")
        box.fill("/form")
        box.press("Enter")  # completes the command …
        box.press("Enter") if box.input_value() else None  # … and sends it
        expect(page.get_by_role("dialog", name="A form")).to_be_visible()
        return page

    def _ours(self, url: str) -> bool:
        return url.startswith((self.slack.page_url, "data:"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*SWITCHES])
        yield browser
        browser.close()


@pytest.fixture
def world(browser: Browser) -> Iterator[World]:
    """The page, a channel, and the app connected; nothing may fail in the page or ask beyond the workspace."""
    ws = Workspace("Acme", manifest=MANIFEST, clock=lambda: NOW)
    ana = ws.add_user("ana", "Ana Ruiz", "ana@acme.example", title="Partner manager", tz="Asia/Tokyo")
    ws.add_user("ben", "Ben & <b>Co</b>", "ben@acme.example")
    channel = ws.add_channel("partners", members=[ws.bot.id, ana.id], topic="Our partners")
    with SlackServer(ws, ack_seconds=1.0) as slack:
        client = WebClient(ws.bot_token, base_url=slack.api_url)
        world = World(slack, ws, ana, channel, client, browser)
        handler = SocketModeHandler(parrot(client, world.told), ws.app_token)
        handler.connect()  # type: ignore[no-untyped-call]  # the SDK gives it no types
        assert slack.socket_mode.wait_for_connection()
        yield world
        handler.close()  # type: ignore[no-untyped-call]  # the SDK gives it no types
        for context in browser.contexts:
            context.close()
    assert world.trouble == []


def words(page: Page) -> str:
    return page.locator(".message .blocks").last.inner_text()


@pytest.mark.parametrize(
    ("written", "shown", "markup"),
    [
        (
            "*bold* _it_ ~gone~ `a*b`",
            "bold it gone a*b",
            "<strong>bold</strong> <em>it</em> <s>gone</s> <code>a*b</code>",
        ),
        ("snake_case_name 2*3*4", "snake_case_name 2*3*4", None),
        ("<script>alert(1)</script>", "<script>alert(1)</script>", None),
        ("&lt;!channel&gt; &lt;@U1&gt; a&amp;b", "<!channel> <@U1> a&b", None),
        ("<!channel>", "@channel", '<bdi class="mention loud">@channel</bdi>'),
        ("<javascript:alert(1)|click>", "<javascript:alert(1)|click>", None),
        ("&gt; said\nthen", "said\nthen", "<blockquote>said</blockquote>then"),
        ("```\n<b>*x*</b>\n```", "<b>*x*</b>", "<pre>&lt;b&gt;*x*&lt;/b&gt;\n</pre>"),
        (":wave: :nothing:", "👋 :nothing:", None),
    ],
)
def test_text_is_drawn_as_slack_would_and_never_as_markup(
    world: World, written: str, shown: str, markup: str | None
) -> None:
    world.ws.post(world.channel.id, world.ws.bot.id, written)
    page = world.page()
    assert words(page).strip() == shown
    if markup:
        assert markup in page.locator(".message .words").inner_html()
    else:
        assert page.locator(".message .words *").count() == 0


def test_people_are_mentioned_by_name_and_the_name_is_only_text(world: World) -> None:
    ben = next(one for one in world.ws.users.values() if one.name == "ben")
    world.post(section(f"Ask <@{ben.id}> in <#{world.channel.id}>"))
    assert words(world.page()) == "Ask @Ben & <b>Co</b> in #partners"


def test_dates_are_told_in_the_zone_of_whoever_looks_by_the_clock_of_the_workspace(world: World) -> None:
    at = int(NOW.timestamp())
    later = at + 86_400
    world.post(section(f"<!date^{at}^{{date_short_pretty}} at {{time}}|x>, <!date^{later}^{{date_pretty}}|y>"))
    assert words(world.page()) == "today at 17:00, tomorrow"


def test_every_block_is_drawn_and_one_that_is_unknown_says_so(world: World) -> None:
    cell = {"type": "raw_text", "text": "Acme"}
    item = {"type": "rich_text_section", "elements": [{"type": "text", "text": "listed", "style": {"bold": True}}]}
    listed = {"type": "rich_text_list", "style": "bullet", "elements": [item]}
    rows = [[{"type": "raw_text", "text": f"row {n}"}, {"type": "raw_number", "value": n}] for n in range(13)]
    chart = {
        "type": "line",
        "series": [{"name": "Seen", "data": [{"label": "May", "value": 3}, {"label": "Jun", "value": 5}]}],
    }
    world.ws.post(
        world.channel.id,
        world.ws.bot.id,
        "blocks",
        blocks=[
            {"type": "header", "block_id": "1", "text": plain("A header")},
            section("With fields", block_id="2", fields=[{"type": "mrkdwn", "text": "*one*"}, plain("two")]),
            {"type": "context", "block_id": "3", "elements": [plain("context")]},
            {"type": "rich_text", "block_id": "4", "elements": [listed]},
            {"type": "markdown", "block_id": "5", "text": "## Heading\n- **point**\n<script>x</script>"},
            {"type": "table", "block_id": "6", "rows": [[cell], [cell]]},
            {"type": "data_table", "block_id": "7", "caption": "Numbers", "page_size": 5, "rows": rows},
            {"type": "data_visualization", "block_id": "8", "title": "Chart", "chart": chart},
            {"type": "hologram", "block_id": "9"},
            {"type": "actions", "block_id": "10", "elements": [{"type": "lever", "action_id": "x"}]},
        ],
    )  # fmt: skip
    page = world.page()
    expect(page.get_by_role("heading", name="A header")).to_be_attached()
    expect(page.locator(".fields strong")).to_have_text("one")
    expect(page.get_by_role("listitem").locator("strong", has_text="listed")).to_be_attached()
    expect(page.get_by_text("<script>x</script>")).to_be_attached()
    expect(page.get_by_role("img", name="Chart: line chart")).to_be_attached()
    expect(page.get_by_text("Unsupported block “hologram”")).to_be_attached()
    expect(page.get_by_text("Unsupported element “lever”")).to_be_attached()
    page.get_by_role("button", name="Next rows").click()
    expect(page.get_by_text("Rows 6 to 10 of 12")).to_be_attached()


def rows_of(count: int, revision: int, claimed: frozenset[int] = frozenset()) -> list[Json]:
    return [
        section(
            f"*Partner {n}*{' is taken' if n in claimed else ''}",
            block_id=f"p{n}:r{revision}",
            **({} if n in claimed else {"accessory": button(f"press:{n}", "Take", accessibility_label=f"Take {n}")}),
        )
        for n in range(count)
    ]


def test_an_update_keeps_focus_scroll_and_half_typed_text(world: World) -> None:
    ts = world.post(*rows_of(30, 0))
    page = world.page()
    page.get_by_label("Message, or a command").fill("half a thought")
    page.get_by_role("button", name="Take 20", exact=True).focus()
    page.get_by_role("log", name="Messages").evaluate("log => { log.dataset.was = log.scrollTop; }")
    world.update(ts, *rows_of(30, 1, frozenset({3})))
    expect(page.get_by_text("Partner 3 is taken")).to_be_attached()
    expect(page.get_by_role("button", name="Take 20", exact=True)).to_be_focused()
    assert page.get_by_role("log", name="Messages").evaluate("log => log.scrollTop - log.dataset.was") == 0
    expect(page.get_by_label("Message, or a command")).to_have_value("half a thought")


def test_focus_never_slips_to_another_row_when_its_button_goes(world: World) -> None:
    ts = world.post(*rows_of(5, 0))
    page = world.page()
    page.get_by_role("button", name="Take 2", exact=True).focus()
    world.update(ts, *rows_of(5, 1, frozenset({2})))
    expect(page.locator(".section:focus")).to_contain_text("Partner 2 is taken")


def test_a_press_carries_the_block_ids_of_the_last_redraw(world: World) -> None:
    ts = world.post(section("Once", block_id="first", accessory=button("press", "Press")))
    page = world.page()
    world.update(ts, section("Once", block_id="second", accessory=button("press", "Press")))
    expect(page.get_by_text("(edited)")).to_be_visible()
    page.get_by_role("button", name="Press").click()
    wait(lambda: world.told)
    assert world.told[0]["actions"][0]["block_id"] == "second"


def test_a_reader_further_up_is_told_of_something_new_and_not_moved(world: World) -> None:
    world.post(*rows_of(30, 0))
    page = world.page()
    log, newer = page.get_by_role("log", name="Messages"), page.get_by_role("button", name="Something new")
    log.evaluate("log => { log.scrollTop = 0; }")
    world.post(section("The news"))
    newer.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("article").last).to_be_focused()
    expect(page.get_by_text("The news")).to_be_in_viewport()
    expect(newer).to_be_hidden()
    assert log.evaluate("log => log.scrollTop") > 0


def test_what_one_writes_oneself_is_shown_wherever_one_was_reading(world: World) -> None:
    world.post(*rows_of(30, 0))
    page = world.page()
    page.get_by_role("log", name="Messages").evaluate("log => { log.scrollTop = 0; }")
    box = page.get_by_label("Message, or a command")
    box.fill("My own words")
    box.press("Enter")
    expect(page.get_by_role("article").last).to_contain_text("My own words")
    expect(page.get_by_text("My own words")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Something new")).to_be_hidden()


def wait(seen: Callable[[], object]) -> None:
    """For what the app is told, which no change of the page shows."""
    until = time.monotonic() + 10
    while not seen():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)


def test_a_question_is_asked_before_the_press_counts(world: World) -> None:
    question = {
        "title": plain("Sure?"),
        "text": plain("It cannot be undone."),
        "confirm": plain("Do it"),
        "deny": plain("No"),
    }
    world.post(section("x", accessory=button("press", "Delete", style="danger", confirm=question)))
    page = world.page()
    page.get_by_role("button", name="Delete").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Delete")).to_be_focused()
    assert world.told == []
    page.keyboard.press("Enter")
    page.get_by_role("alertdialog", name="Sure?").get_by_role("button", name="Do it").click()
    wait(lambda: world.told)


def test_a_complaint_stands_at_its_field_and_takes_the_keyboard_there(world: World) -> None:
    page = world.form(world.page())
    what = page.get_by_role("textbox", name="What")
    expect(what).to_be_focused()
    page.get_by_role("button", name="Save").click()
    expect(what).to_be_focused()
    expect(what).to_have_attribute("aria-invalid", "true")
    expect(what).to_have_accessible_description("Please complete this required field.")
    what.fill("worse")
    expect(what).not_to_have_attribute("aria-invalid", "true")
    page.get_by_label("City").press_sequentially("li")
    page.get_by_role("option", name="Lisbon").click()
    page.get_by_role("button", name="Save").click()
    expect(what).to_have_accessible_description("Say something kinder.")
    expect(page.get_by_label("City")).to_have_value("Lisbon")
    what.fill("better")
    page.get_by_label("Day").fill("2026-06-12")
    page.get_by_label("Blue").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    values = world.told[-1]["view"]["state"]["values"]
    assert values["what"]["text"]["value"] == "better"
    assert values["day"]["on"]["selected_date"] == "2026-06-12"
    assert values["city"]["city"]["selected_option"]["value"] == "lisbon"
    assert [one["value"] for one in values["kinds"]["kinds"]["selected_options"]] == ["blue"]


def test_what_was_typed_stays_when_the_app_draws_the_form_again(world: World) -> None:
    page = world.form(world.page())
    page.get_by_role("textbox", name="What").fill("half a th")
    page.get_by_label("Live").select_option("two")
    expect(page.get_by_text("The form was drawn again.")).to_be_visible()
    expect(page.get_by_role("textbox", name="What")).to_have_value("half a th")
    assert world.told[0]["view"]["state"]["values"]["what"]["text"]["value"] == "half a th"


def test_one_form_on_another_goes_back_to_what_was_there(world: World) -> None:
    page = world.form(world.page())
    page.get_by_role("textbox", name="What").fill("further")
    page.get_by_label("City").press_sequentially("lon")
    page.keyboard.press("Enter")  # before the suggestions are there
    expect(page.get_by_label("City")).to_have_value("London")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("One more, on top.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(1)
    expect(page.get_by_role("textbox", name="What")).to_have_value("further")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_label("Message, or a command")).to_be_focused()


def everything() -> Json:
    three = [option("Red"), option("Green"), option("Blue")]
    public = {"include": ["public"]}
    typed = {"type": "plain_text_input", "action_id": "x"}
    inputs = [
        asked("line", "Line", typed),
        asked("lines", "Lines", {**typed, "multiline": True, "placeholder": plain("One a line")}, hint=plain("Paste")),
        asked("number", "Number", {"type": "number_input", "action_id": "x", "is_decimal_allowed": False}),
        asked("address", "Address", {"type": "email_text_input", "action_id": "x"}),
        asked("day", "Day", {"type": "datepicker", "action_id": "x"}),
        asked("hour", "Hour", {"type": "timepicker", "action_id": "x", "initial_time": "09:00"}),
        asked("one", "One of", {"type": "radio_buttons", "action_id": "x", "options": three}),
        asked("some", "Some of", {"type": "checkboxes", "action_id": "x", "options": three}),
        asked("menu", "Menu", {"type": "static_select", "action_id": "x", "options": three}),
        asked("who", "Who", {"type": "users_select", "action_id": "x"}),
        asked("where", "Where", {"type": "conversations_select", "action_id": "x", "filter": public}),
        asked("file", "File", {"type": "file_input", "action_id": "x", "filetypes": ["csv"], "max_files": 1}),
    ]
    return {
        "type": "modal",
        "callback_id": "everything",
        "title": plain("Everything"),
        "submit": plain("Save"),
        "blocks": inputs,
    }


def test_every_kind_of_input_is_filled_in_by_keyboard_and_told_as_slack_tells_it(world: World) -> None:
    elsewhere = world.ws.add_channel("elsewhere", members=[])
    world.ws.im(world.ana.id)
    page = world.page()
    world.ws.views.put_on_top(world.ana.id, validate.check_view(everything(), "modal"))
    dialog = page.get_by_role("dialog", name="Everything")
    press = page.keyboard.press
    for label, typed in (("Line", "one line"), ("Lines", "two"), ("Number", "7"), ("Address", "ana@acme.example")):
        expect(dialog.get_by_label(label, exact=True)).to_be_focused()
        page.keyboard.type(typed)
        if label == "Lines":
            press("Enter")
            page.keyboard.type("lines")
        press("Tab")
    dialog.get_by_label("Day", exact=True).fill("2026-06-12")  # Chromium's own picker, with stops inside
    dialog.get_by_label("Hour", exact=True).fill("10:30")
    dialog.get_by_role("radio", name="Red").focus()
    press("ArrowDown")
    press("Tab")
    press("Space")
    expect(dialog.get_by_role("checkbox", name="Red")).to_be_checked()
    dialog.get_by_label("Menu", exact=True).focus()
    page.keyboard.type("Blu")
    press("Tab")
    page.keyboard.type("Ben")
    press("Tab")
    options = dialog.get_by_label("Where", exact=True).locator("option").all_inner_texts()
    assert options == ["Choose one", "#partners", "#elsewhere"]  # also where nobody is yet, and no direct messages
    page.keyboard.type("#e")
    roster: FilePayload = {"name": "roster.csv", "mimeType": "text/csv", "buffer": b"name\nAcme\n"}
    dialog.get_by_label("File", exact=True).set_input_files(
        {"name": "roster.txt", "mimeType": "text/plain", "buffer": b"name"}
    )
    expect(dialog.get_by_role("button", name="Remove roster.txt")).to_be_visible()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_label("File", exact=True)).to_have_accessible_description("Please choose a file of type csv.")
    dialog.get_by_label("File", exact=True).set_input_files(roster)
    expect(dialog.get_by_role("button", name="Remove roster.csv")).to_be_visible()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    told = world.told[-1]["view"]["state"]["values"]
    values = {block: next(v for k, v in held["x"].items() if k != "type") for block, held in told.items()}
    ben = next(one for one in world.ws.users.values() if one.name == "ben")
    file = values.pop("file")[0]
    assert (file["name"], world.ws.files.get(file["id"]).content) == ("roster.csv", b"name\nAcme\n")
    assert values == {
        "line": "one line",
        "lines": "two\nlines",
        "number": "7",
        "address": "ana@acme.example",
        "day": "2026-06-12",
        "hour": "10:30",
        "one": option("Green"),
        "some": [option("Red")],
        "menu": option("Blue"),
        "who": ben.id,
        "where": elsewhere.id,
    }


def test_a_menu_begins_with_the_conversation_it_was_opened_from(world: World) -> None:
    menu = {"type": "conversations_select", "action_id": "x", "default_to_current_conversation": True}
    view = {**everything(), "blocks": [asked("where", "Where", {**menu, "response_url_enabled": True})]}
    trigger = world.ws.views.new_trigger(world.ana.id, channel=world.channel.id)
    world.client.views_open(trigger_id=trigger, view=view)
    dialog = world.page().get_by_role("dialog", name="Everything")
    expect(dialog).to_have_count(0)  # a page that is loaded anew closes what was open
    trigger = world.ws.views.new_trigger(world.ana.id, channel=world.channel.id)
    opened = world.client.views_open(trigger_id=trigger, view=view)["view"]
    assert opened["state"]["values"]["where"]["x"]["selected_conversation"] == world.channel.id
    assert world.slack.interactions.submit(world.ana.id, opened["id"]) == {"ok": True}
    assert world.told[-1]["response_urls"][0]["channel_id"] == world.channel.id


def test_files_of_a_message_are_shown_and_can_be_opened(world: World) -> None:
    world.ws.set_scopes(add=["files:write"])
    svg = "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='20'/>"
    for name, content in (("roster.csv", "name"), ("chart.svg", svg)):
        world.client.files_upload_v2(channel=world.channel.id, filename=name, content=content, title=f"The {name}")
    page = world.page()
    expect(page.get_by_role("img", name="The chart.svg")).to_be_visible()
    link = page.get_by_role("link", name="The roster.csv").get_attribute("href")
    assert page.request.get(f"{world.slack.page_url}{link}").text() == "name"


def test_the_keyboard_stays_in_a_form_whose_answer_takes_the_button_away(world: World) -> None:
    page = world.page()
    view = world.ws.views.put_on_top(world.ana.id, validate.check_view(everything(), "modal"))
    dialog = page.get_by_role("dialog", name="Everything")
    dialog.get_by_role("button", name="Save").focus()
    told = {**everything(), "blocks": [section("It is done.")]}
    del told["submit"]
    world.ws.views.update(view, validate.check_view(told, "modal"))
    expect(dialog.get_by_text("It is done.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_the_gallery_draws_messages_forms_and_homes_in_every_look(browser: Browser, tmp_path: Path) -> None:
    samples = [
        ("a message", {"text": "Hello", "blocks": [section("*Hello*")]}),
        ("a form", everything()),
        ("a home", {"type": "home", "blocks": [section("Home", accessory=button("press", "Press"))]}),
    ]
    drawn = list(gallery.sheets(browser, samples, tmp_path))
    assert [one.name for one in drawn] == [
        f"{look}-{scheme}-01.png" for look in ("wide", "phone") for scheme in ("light", "dark")
    ]
    assert all(one.stat().st_size > 10_000 for one in drawn)


def test_tab_stays_inside_a_form(world: World) -> None:
    page = world.form(world.page())
    for _ in range(14):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('[role=dialog]') !== null")


def test_a_command_that_fails_says_so_and_stays_in_the_box(world: World) -> None:
    page = world.page()
    box = page.get_by_label("Message, or a command")
    box.fill("/deaf now")
    box.press("Enter")
    expect(page.locator("#composer-note")).to_contain_text("parrot did not respond")
    expect(box).to_have_value("/deaf now")


def test_commands_are_suggested_with_what_they_do(world: World) -> None:
    page = world.page()
    box = page.get_by_label("Message, or a command")
    box.press_sequentially("/")
    expect(page.get_by_role("option", name="/form")).to_contain_text("Opens a form")
    box.press("ArrowDown")
    expect(page.get_by_role("option", name="/deaf")).to_have_attribute("aria-selected", "true")
    box.press("Tab")
    expect(box).to_have_value("/deaf ")


def test_a_thread_opens_beside_the_channel(world: World) -> None:
    ts = world.post(section("The parent"))
    world.client.chat_postMessage(channel=world.channel.id, text="A reply", thread_ts=ts)
    page = world.page()
    page.get_by_role("button", name="1 reply").click()
    expect(page.get_by_role("complementary", name="Thread")).to_contain_text("A reply")
    page.keyboard.press("Escape")
    expect(page.get_by_role("complementary", name="Thread")).to_have_count(0)
    expect(page.get_by_role("button", name="1 reply")).to_be_focused()


def test_it_says_when_the_app_is_not_there(browser: Browser) -> None:
    ws = Workspace("Acme", manifest=MANIFEST)
    ana = ws.add_user("ana", "Ana Ruiz", "ana@acme.example")
    channel = ws.add_channel("partners", members=[ws.bot.id, ana.id])
    with SlackServer(ws) as slack:
        page = browser.new_page()
        page.goto(f"{slack.page_url}?as={ana.id}#{channel.id}")
        expect(page.get_by_text("Parrot is not connected")).to_be_visible()
        expect(page.get_by_text("This is the beginning of #partners")).to_be_visible()
        expect(page.get_by_role("button", name="Story")).to_have_count(0)
        page.context.close()


def test_a_second_workspace_is_one_press_away_and_keeps_to_itself(world: World) -> None:
    globex = Workspace("Globex", manifest=MANIFEST, clock=lambda: NOW, series="B")
    hank = globex.add_user("hank", "Hank", "hank@globex.example")
    room = globex.add_channel("theirs", members=[globex.bot.id, hank.id])
    world.slack.add(globex)
    globex.post(room.id, globex.bot.id, "Only for Globex")
    page = world.page()
    page.get_by_role("link", name="Workspace Globex").click()
    expect(page.get_by_text("Only for Globex")).to_be_visible()
    expect(page.get_by_role("button", name="View as: Hank")).to_be_visible()
    expect(page.get_by_role("navigation").get_by_role("button", name="partners")).to_have_count(0)
    page.get_by_label("Message, or a command").fill("Hello from here")
    page.get_by_label("Message, or a command").press("Enter")
    expect(page.get_by_role("article").last).to_contain_text("Hello from here")
    assert [one.text for one in room.messages] == ["Only for Globex", "Hello from here"]


def test_viewing_as_another_person_shows_what_that_person_may_see(world: World) -> None:
    world.ws.im(world.ana.id)
    page = world.page()
    page.get_by_role("button", name="View as: Ana Ruiz").click()
    page.get_by_role("menuitemradio", name="Ben & <b>Co</b>").click()
    expect(page.get_by_role("button", name="View as: Ben & <b>Co</b>")).to_be_visible()
    expect(page.get_by_role("navigation").get_by_role("button", name="partners")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(world: World, scheme: str) -> None:
    page = world.page(color_scheme=scheme)
    pairs = ["ink/paper", "ink/soft", "ink/note", "dim/paper", "dim/soft", "dim/note", "accent/paper", "accent/tint",
             "on-accent/accent", "bad/paper", "bad/bad-soft", "side-ink/side", "on-amber/amber"]  # fmt: skip
    ratios: dict[str, float] = page.evaluate(CONTRAST, pairs)
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < 4.5} == {}


CONTRAST = """pairs => {
  const css = getComputedStyle(document.documentElement);
  const light = name => {
    const hex = css.getPropertyValue('--' + name).trim().slice(1);
    const [r, g, b] = [0, 2, 4].map(at => parseInt(hex.slice(at, at + 2), 16) / 255)
      .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return Object.fromEntries(pairs.map(pair => {
    const [one, other] = pair.split('/').map(light);
    return [pair, (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)];
  }));
}"""


def test_nothing_runs_off_a_phone(world: World) -> None:
    world.post(section("W" * 400), *rows_of(3, 0))
    page = world.page(width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("button", name="Channels and people").click()
    expect(page.get_by_role("navigation").get_by_role("button", name="partners")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Channels and people")).to_be_focused()
