"""Modals and Home tabs: trigger ids, the stack of three, hashes. Knows nothing of blocks beyond finding them by id."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.sandbox.slack.errors import SlackError

if TYPE_CHECKING:
    from tests.sandbox.slack.workspace import Workspace

Json = dict[str, Any]
STACK_LIMIT = 3
TRIGGER_SECONDS = 3.0


@dataclass(slots=True)
class Trigger:
    id: str
    user: str
    at: float
    view_id: str | None
    channel: str | None = None
    """Where the person was, for menus that begin with the conversation they were opened from."""
    used: bool = False


@dataclass(slots=True)
class View:
    id: str
    user: str
    content: Json
    hash: str
    root_id: str
    previous_id: str | None
    state: Json = field(default_factory=dict)
    """What the person filled in: block_id → action_id → value."""

    @property
    def external_id(self) -> str:
        return str(self.content.get("external_id") or "")


class Views:
    def __init__(self, workspace: "Workspace") -> None:
        self._workspace = workspace
        self.trigger_seconds = TRIGGER_SECONDS
        self._triggers: dict[str, Trigger] = {}
        self.stacks: dict[str, list[View]] = {}
        self.homes: dict[str, View] = {}

    def new_trigger(self, user_id: str, view_id: str | None = None, channel: str | None = None) -> str:
        ws = self._workspace
        with ws.lock:
            trigger = Trigger(f"{ws.new_id('9')}.{ws.team_id}.trigger", user_id, ws.timer(), view_id, channel)
            self._triggers[trigger.id] = trigger
            return trigger.id

    def _trigger(self, trigger_id: str) -> Trigger:
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self._workspace.timer() - trigger.at > self.trigger_seconds:
            raise SlackError("expired_trigger_id")
        return trigger

    def open(self, trigger_id: str, content: Json) -> View:
        """Opens a modal; on top of the one in which the trigger arose, if any."""
        with self._workspace.lock:
            trigger = self._trigger(trigger_id)
            return self._show(trigger, content, onto=trigger.view_id is not None)

    def push(self, trigger_id: str, content: Json) -> View:
        with self._workspace.lock:
            trigger = self._trigger(trigger_id)
            if trigger.view_id is None or not self.stacks.get(trigger.user):
                raise SlackError("invalid_trigger_id")
            return self._show(trigger, content, onto=True)

    def _show(self, trigger: Trigger, content: Json, *, onto: bool) -> View:
        if onto and len(self.stacks.get(trigger.user, ())) >= STACK_LIMIT:
            raise SlackError("push_limit_reached")
        self._check_external_id(content, None)
        trigger.used = True
        if not onto:
            self.stacks[trigger.user] = []
        return self.put_on_top(trigger.user, content, trigger.channel)

    def put_on_top(self, user_id: str, content: Json, channel: str | None = None) -> View:
        ws = self._workspace
        with ws.lock:
            stack = self.stacks.setdefault(user_id, [])
            if len(stack) >= STACK_LIMIT:
                raise SlackError("push_limit_reached")
            below = stack[-1] if stack else None
            view_id = ws.new_id("V")
            view = View(
                view_id,
                user_id,
                content,
                self._new_hash(),
                below.root_id if below else view_id,
                below.id if below else None,
            )
            view.state = initial_state(content, channel)
            stack.append(view)
            ws.touch()
            return view

    def find(self, view_id: str = "", external_id: str = "") -> View | None:
        with self._workspace.lock:
            everywhere = [v for stack in self.stacks.values() for v in stack] + list(self.homes.values())
            return next(
                (v for v in everywhere if v.id == view_id or (external_id and v.external_id == external_id)), None
            )

    def update(self, view: View, content: Json, expected_hash: str = "") -> View:
        with self._workspace.lock:
            if expected_hash and expected_hash != view.hash:
                raise SlackError("hash_conflict")
            self._check_external_id(content, view)
            view.content, view.hash = content, self._new_hash()
            # Slack keeps what was typed where block and element kept their ids, and forgets the rest.
            fresh = initial_state(content)
            for block_id, actions in fresh.items():
                kept = view.state.get(block_id, {})
                actions.update({action_id: kept[action_id] for action_id in actions if action_id in kept})
            view.state = fresh
            self._workspace.touch()
            return view

    def publish(self, user_id: str, content: Json, expected_hash: str = "") -> View:
        ws = self._workspace
        with ws.lock:
            home = self.homes.get(user_id)
            if home:
                return self.update(home, content, expected_hash)
            view_id = ws.new_id("V")
            home = View(view_id, user_id, content, self._new_hash(), view_id, None, initial_state(content))
            self.homes[user_id] = home
            ws.touch()
            return home

    def close(self, view: View, *, all_of_them: bool = False) -> list[View]:
        """Takes the view off the screen, or the whole stack. Returns what was closed, the topmost first."""
        with self._workspace.lock:
            stack = self.stacks.get(view.user, [])
            closed = [v for v in reversed(stack) if all_of_them or v is view]
            stack[:] = [v for v in stack if v not in closed]
            self._workspace.touch()
            return closed

    def _check_external_id(self, content: Mapping[str, Any], own: View | None) -> None:
        external_id = str(content.get("external_id") or "")
        other = self.find(external_id=external_id) if external_id else None
        if other and other is not own:
            raise SlackError("duplicate_external_id")

    def _new_hash(self) -> str:
        ws = self._workspace
        return f"{int(ws.clock().timestamp())}.{ws.new_id('h')}"

    def payload(self, view: View) -> Json:
        """The view as Slack sends it."""
        ws, content = self._workspace, view.content
        return {
            "id": view.id,
            "team_id": ws.team_id,
            "type": content["type"],
            "blocks": content.get("blocks", []),
            "private_metadata": content.get("private_metadata", ""),
            "callback_id": content.get("callback_id", ""),
            "state": {"values": view.state},
            "hash": view.hash,
            "title": content.get("title", {"type": "plain_text", "text": "View Title", "emoji": True}),
            "clear_on_close": bool(content.get("clear_on_close")),
            "notify_on_close": bool(content.get("notify_on_close")),
            "close": content.get("close"),
            "submit": content.get("submit"),
            "previous_view_id": view.previous_id,
            "root_view_id": view.root_id,
            "app_id": ws.app_id,
            "external_id": view.external_id,
            "app_installed_team_id": ws.team_id,
            "bot_id": ws.bot_id,
        }


def elements_with_ids(content: Mapping[str, Any]) -> list[tuple[str, Json]]:
    found = []
    for block in content.get("blocks", []):
        inside = (*block.get("elements", ()), block.get("accessory"), block.get("element"), *block.get("actions", ()))
        for element in inside:
            if isinstance(element, dict) and element.get("action_id"):
                found.append((block.get("block_id", ""), element))
    return found


STATE_KEYS = {
    "plain_text_input": "value",
    "email_text_input": "value",
    "url_text_input": "value",
    "number_input": "value",
    "rich_text_input": "rich_text_value",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
    "static_select": "selected_option",
    "external_select": "selected_option",
    "radio_buttons": "selected_option",
    "checkboxes": "selected_options",
    "multi_static_select": "selected_options",
    "multi_external_select": "selected_options",
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "conversations_select": "selected_conversation",
    "multi_conversations_select": "selected_conversations",
    "channels_select": "selected_channel",
    "multi_channels_select": "selected_channels",
    "file_input": "files",
}
"""Where each stateful element keeps what the person chose. Buttons and overflow menus keep nothing."""


def initial_state(content: Mapping[str, Any], channel: str | None = None) -> Json:
    """The state before anybody touched anything: initial values, and explicit nulls for what is empty."""
    state: Json = {}
    empty: Any
    for block_id, element in elements_with_ids(content):
        kind = element["type"]
        key = STATE_KEYS.get(kind)
        if key is None:
            continue
        empty = [] if key.endswith("s") else None
        if channel and element.get("default_to_current_conversation"):
            empty = [channel] if key.endswith("s") else channel
        initial = element.get("initial_value" if key.endswith("value") else key.replace("selected", "initial"), empty)
        state.setdefault(block_id, {})[element["action_id"]] = {"type": kind, key: initial}
    return state
