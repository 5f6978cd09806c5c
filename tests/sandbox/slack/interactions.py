"""What a person does in Slack: types, presses, picks, submits. Knows what is delivered and what the answer shows."""

import re
from typing import TYPE_CHECKING, Any

from tests.sandbox.slack import fields, payloads, validate
from tests.sandbox.slack.delivery import Ack
from tests.sandbox.slack.errors import SlackError
from tests.sandbox.slack.files import LARGEST
from tests.sandbox.slack.views import View, elements_with_ids, initial_state
from tests.sandbox.slack.workspace import Channel, Message, User

if TYPE_CHECKING:
    from tests.sandbox.slack.server import Team

Json = dict[str, Any]
TROUBLE = "We had some trouble connecting. Try again?"


class Interactions:
    """Every method answers as the page's endpoints do: `{"ok": True, …}` or `{"ok": False, "error": …}`."""

    def __init__(self, team: "Team") -> None:
        self._team = team
        self._ws = team.workspace

    # --- writing

    def message(self, user_id: str, channel_id: str, text: str) -> Json:
        ws = self._ws
        user, channel = ws.users[user_id], self._channel(user_id, channel_id)
        if not text.strip():
            return _no("no_text")
        if text.startswith("/"):
            return self._command(user, channel, text)
        if channel.is_archived:
            return _no("This channel is archived.")
        if channel.kind == "im":
            app_home = ws.feature("features", "app_home", default={})
            if not app_home.get("messages_tab_enabled") or app_home.get("messages_tab_read_only_enabled"):
                return _no("Sending messages to this app has been turned off.")
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        message = ws.post(channel.id, user.id, self._mentions(escaped, with_names=False))
        self._team.delivery.message_posted(message)
        return {"ok": True, "ts": message.ts}

    def _command(self, user: User, channel: Channel, typed: str) -> Json:
        ws, team = self._ws, self._team
        name, _, text = typed.partition(" ")
        known = next((c for c in ws.commands if c["command"] == name), None)
        if known is None or ws.removed:
            return _no(f"{name} is not a valid command.")
        text = text.strip()
        if known.get("should_escape"):
            text = self._mentions(text, with_names=True)
        url = team.responses.new_url(user.id, channel.id)
        trigger = ws.views.new_trigger(user.id, channel=channel.id)
        ack = team.delivery.send("slash_commands", payloads.command(ws, user, channel, name, text, trigger, url))
        if not ack.ok:
            return _no(f"{name} failed: {self._silence(ack)}")
        try:
            reply = {"text": ack.body} if isinstance(ack.body, str) else ack.body
            if reply:
                team.responses.show(validate.check_reply(reply), user.id, channel.id)
        except SlackError as error:
            ws.refused.append(f"{name}: invalid_command_response: {error.body}")
            return _no(f'{name} failed with the error "invalid_command_response"')
        return {"ok": True}

    def _mentions(self, text: str, *, with_names: bool) -> str:
        """Typed @names and #channels become ids; longest names first, so that @ann-lee is not @ann."""
        found = {f"@{n}".lower(): (f"@{u.id}", u.name) for u in self._ws.users.values() for n in (u.name, u.real_name)}
        found |= {f"#{c.name}".lower(): (f"#{c.id}", c.name) for c in self._ws.channels.values() if c.name}
        names = "|".join(re.escape(key) for key in sorted(found, key=len, reverse=True))

        def replace(match: re.Match[str]) -> str:
            reference, name = found[match.group().lower()]
            return f"<{reference}|{name}>" if with_names else f"<{reference}>"

        return re.sub(rf"(?<![\w<])(?:{names})(?!\w)", replace, text, flags=re.IGNORECASE)

    # --- pressing and picking

    def action(
        self, user_id: str, container: Json, block_id: str, action_id: str, action: Json, values: Json | None = None
    ) -> Json:
        ws, team = self._ws, self._team
        if ws.removed or not ws.feature("settings", "interactivity", "is_enabled", default=False):
            return _no("This app is not configured to handle interactive responses.")
        user = ws.users[user_id]
        with ws.lock:
            source = self._source(user, container)
            element = fields.find(source.blocks if isinstance(source, Message) else source.content, block_id, action_id)
            if element is None:
                return _no("This control is no longer there.")
            pressed = fields.pressed(element, block_id, action, ws.new_ts())
            if isinstance(source, Message):
                state = fields.merged(source.blocks, initial_state({"blocks": source.blocks}), values, pressed)
            else:
                values = self._picked(user, source, values)
                state = source.state = fields.merged(source.content, source.state, values, pressed)
            place = self._place(source, state)
            if isinstance(source, Message):
                place["response_url"] = team.responses.new_url(user.id, source.channel, source)
            view_id = source.id if isinstance(source, View) and source.content["type"] == "modal" else None
            channel = source.channel if isinstance(source, Message) else None
            trigger = ws.views.new_trigger(user.id, view_id, channel)
            payload = payloads.block_actions(ws, user, trigger, pressed, place)
        ack = team.delivery.send("interactive", payload)
        return {"ok": True} if ack.ok else _no(self._silence(ack))

    def press(
        self, user_id: str, place: Message | View, action_id: str, value: str | None = None, action: Json | None = None
    ) -> Json:
        """The element found by its action_id (and by its value, where several rows have the same), pressed."""
        blocks = place.blocks if isinstance(place, Message) else place.content["blocks"]
        for block_id, element in elements_with_ids({"blocks": blocks}):
            if element["action_id"] == action_id and value in (None, element.get("value")):
                return self.action(user_id, _container(place), block_id, action_id, action or {})
        return _no("This control is no longer there.")

    def options(self, user_id: str, container: Json, block_id: str, action_id: str, value: str) -> Json:
        ws = self._ws
        user = ws.users[user_id]
        source = self._source(user, container)
        element = fields.find(source.blocks if isinstance(source, Message) else source.content, block_id, action_id)
        if element is None:
            return _no("This control is no longer there.")
        if len(value) < element.get("min_query_length", 3):
            return {"ok": True, "options": []}
        state = initial_state({"blocks": source.blocks}) if isinstance(source, Message) else source.state
        ids = {"block_id": block_id, "action_id": action_id}
        payload = payloads.block_suggestion(ws, user, ids, value, self._place(source, state))
        ack = self._team.delivery.send("interactive", payload)
        if not ack.ok:
            return _no(self._silence(ack))
        try:
            return {"ok": True, **validate.check_options(ack.body)}
        except SlackError as error:
            ws.refused.append(f"options of {action_id}: {error.body}")
            return _no("No results could be loaded.")

    # --- views

    def submit(self, user_id: str, view_id: str, values: Json | None = None) -> Json:
        ws = self._ws
        view = self._modal(user_id, view_id)
        values = self._picked(ws.users[user_id], view, values)
        view.state = fields.merged(view.content, view.state, values)
        missing = fields.complaints(view.content, view.state)
        if missing:
            return {"ok": False, "errors": missing}
        trigger = ws.views.new_trigger(user_id, view.id)
        payload = payloads.view_submission(ws, ws.users[user_id], view, trigger, self._response_urls(view))
        ack = self._team.delivery.send("interactive", payload)
        if not ack.ok:
            return _no(TROUBLE if ack.error != "dispatch_failed" else self._silence(ack))
        try:
            return self._answered(view, ack.body)
        except SlackError as error:
            ws.refused.append(f"view_submission {view.content.get('callback_id', '')}: {error.body}")
            return _no(TROUBLE)

    def _response_urls(self, view: View) -> list[Json]:
        """For menus of conversations that asked for one: where the app may answer."""
        urls = []
        for block_id, element in elements_with_ids(view.content):
            kind = element["type"].removesuffix("s_select")
            held = view.state.get(block_id, {}).get(element["action_id"], {})
            channel = held.get(f"selected_{kind}")
            if element.get("response_url_enabled") and channel in self._ws.channels:
                url = self._team.responses.new_url(view.user, channel)
                ids = {"block_id": block_id, "action_id": element["action_id"], "channel_id": channel}
                urls.append(ids | {"response_url": url})
        return urls

    def _answered(self, view: View, body: Any) -> Json:
        """Carries out the response_action of a submission's ack."""
        ws = self._ws
        wanted = body.get("response_action") if isinstance(body, dict) else None
        if wanted is None:
            if body:
                raise SlackError("invalid_response_action")
            ws.views.close(view)
        elif wanted == "clear":
            ws.views.close(view, all_of_them=True)
        elif wanted == "errors":
            inputs = {b["block_id"] for b in view.content["blocks"] if b["type"] == "input"}
            errors = body.get("errors")
            if not isinstance(errors, dict) or not errors or set(errors) - inputs:
                raise SlackError("invalid_errors", f"[ERROR] input blocks are {sorted(inputs)}, errors for {errors}")
            return {"ok": False, "errors": errors}
        elif wanted in ("update", "push"):
            content = validate.check_view(body.get("view"), "modal")
            content = {**content, "blocks": validate.with_ids(content["blocks"], ws.new_id(""))}
            if wanted == "update":
                ws.views.update(view, content)
            else:
                ws.views.put_on_top(view.user, content)
        else:
            raise SlackError("invalid_response_action")
        return {"ok": True}

    def close(self, user_id: str, view_id: str, *, clear: bool = False) -> Json:
        ws = self._ws
        view = self._modal(user_id, view_id)
        clear = clear or bool(view.content.get("clear_on_close"))
        for closed in ws.views.close(view, all_of_them=clear):
            if closed.content.get("notify_on_close"):
                self._team.delivery.send("interactive", payloads.view_closed(ws, ws.users[user_id], closed, clear))
        return {"ok": True}

    def open_home(self, user_id: str, tab: str = "home") -> Json:
        ws = self._ws
        event: Json = {"type": "app_home_opened", "user": user_id, "channel": ws.im(user_id).id, "tab": tab}
        home = ws.views.homes.get(user_id)
        if home and tab == "home":
            event["view"] = ws.views.payload(home)
        sent = self._team.delivery.event("app_home_opened", event | {"event_ts": ws.new_ts()})
        return {"ok": True, "sent": sent}

    # --- what is chosen from the workspace

    def upload(self, user_id: str, name: str, content: bytes) -> Json:
        """A person picks a file for a form; its payload stands in the form's state until it is submitted."""
        if not content:
            return _no("This file is empty.")
        if len(content) > LARGEST:
            return _no("This file is too large.")
        ws = self._ws
        return {"ok": True, "file": ws.files.payload(ws.files.add(name, content, ws.users[user_id].id))}

    def _picked(self, user: User, view: View, values: Json | None) -> Json | None:
        """Files, people and conversations that the page names, if they are there and this person may see them."""
        ws = self._ws
        checked: Json = {}
        for block_id, actions in (values or {}).items():
            for action_id, held in actions.items():
                held = dict(held)
                kind = str((fields.find(view.content, block_id, action_id) or {}).get("type"))
                if kind == "file_input":
                    held["files"] = [self._own_file(user, one) for one in held.get("files") or ()]
                for name, known in (("user", ws.users), ("conversation", ws.channels), ("channel", ws.channels)):
                    chosen = held.get(f"selected_{name}s") or [held.get(f"selected_{name}")]
                    if any(one and one not in known and one not in ws.users for one in chosen):
                        raise SlackError("This choice is no longer offered.")
                checked.setdefault(block_id, {})[action_id] = held
        return checked

    def _own_file(self, user: User, one: Any) -> Json:
        file = self._ws.files.get(str(one.get("id") if isinstance(one, dict) else one))
        if file.user != user.id:
            raise SlackError("file_not_found")
        return self._ws.files.payload(file)

    # --- finding things

    def _channel(self, user_id: str, channel_id: str) -> Channel:
        channel = self._ws.channels.get(channel_id)
        if channel is None or user_id not in channel.members:
            raise SlackError("channel_not_found")
        return channel

    def _modal(self, user_id: str, view_id: str) -> View:
        view = next((v for v in self._ws.views.stacks.get(user_id, ()) if v.id == view_id), None)
        if view is None:
            raise SlackError("This window is no longer open.")
        return view

    def _source(self, user: User, container: Json) -> Message | View:
        kind = container.get("type")
        if kind == "modal":
            return self._modal(user.id, str(container.get("view_id")))
        if kind == "home":
            home = self._ws.views.homes.get(user.id)
            if home is None:
                raise SlackError("This page is no longer there.")
            return home
        message = self._ws.message(str(container.get("channel")), str(container.get("ts")))
        if message is None or message.visible_to not in (None, user.id):
            raise SlackError("This message is no longer there.")
        return message

    def _place(self, source: Message | View, state: Json) -> Json:
        ws = self._ws
        if isinstance(source, View):
            return {"container": {"type": "view", "view_id": source.id}, "view": ws.views.payload(source)}
        channel = ws.channels[source.channel]
        place: Json = {"container": payloads.message_container(source)}
        place["channel"] = {"id": channel.id, "name": payloads.CHANNEL_NAMES.get(channel.kind, channel.name)}
        if source.visible_to is None:
            # Slack keeps no ephemeral messages, so it cannot send them along.
            place["message"] = payloads.message(ws, source)
        return place | {"state": {"values": state}}

    def _silence(self, ack: Ack) -> str:
        name = self._ws.bot.real_name
        if ack.error == "dispatch_failed":
            return f"{name} is not connected (dispatch_failed)"
        return f"{name} did not respond ({ack.error})"


def _container(place: Message | View) -> Json:
    if isinstance(place, Message):
        return {"type": "message", "channel": place.channel, "ts": place.ts}
    return {"type": place.content["type"], "view_id": place.id}


def _no(error: str) -> Json:
    return {"ok": False, "error": error}
