"""One press, command, form or event from Slack, with what it takes to answer it."""

import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from slack_bolt import App, BoltContext
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient
from structlog.contextvars import bound_contextvars

from bot import ids
from bot.ids import Carried, OldButton
from bot.listeners.desk import Desk, Refused, Visitor
from bot.logs import new_id
from bot.outbox import TOO_RICH
from bot.staff import acknowledged, let_others_first
from bot.views import help as answers
from bot.views.kit import Payload, View
from models.queries.programme import Programme

log = structlog.get_logger(__name__)
LATE = ("expired_trigger_id", "exchanged_trigger_id", "trigger_expired", "trigger_exchanged", "invalid_trigger_id")
ANSWER_TRIES, ANSWER_SECONDS = 5, 0.2
CLOSED = ("not_found", "hash_conflict", "view_not_found")


class Late(Exception):
    """Slack does not open a modal any more: its three seconds are over."""


class Call:
    def __init__(self, desk: Desk, context: BoltContext, body: dict[str, Any]) -> None:
        self.desk, self._context, self.body = desk, context, body
        self.now = desk.clock.now()
        self.sharing = False  # whether everybody in the channel gets the answer
        self._visitor: Visitor | None = None
        self._answered = False

    @property
    def user_id(self) -> str | None:
        return self._context.user_id

    @property
    def team_id(self) -> str | None:
        return self._context.team_id

    @property
    def enterprise_id(self) -> str | None:
        return self._context.enterprise_id

    @property
    def happened_at(self) -> datetime:
        """When Slack says that an event came to be."""
        seconds = self.body.get("event_time")
        return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) else self.now

    @property
    def channel(self) -> str | None:
        return self._context.channel_id

    @property
    def client(self) -> WebClient:
        """Speaks to the Slack workspace this came from."""
        return self._context.client

    @property
    def action(self) -> Mapping[str, Any]:
        actions: list[Mapping[str, Any]] = self.body.get("actions") or [{}]
        return actions[0]

    @property
    def surface(self) -> str:
        """Where it happened: message, modal or home."""
        return str((self.body.get("view") or {}).get("type") or "message")

    def alone(self, payload: Payload) -> Payload:
        """An answer that is for nobody else's eyes, even where `share` was typed: it was not understood."""
        self.sharing = False
        return payload

    def ack(self, **answer: Any) -> None:
        self._context.ack(**answer)
        self._answered = True
        acknowledged()

    def let_go(self) -> None:
        """Acknowledges before Slack is called, which may take its time. A form's acknowledgement is its answer."""
        if not self._answered and self.body.get("type") in (None, "block_actions", "event_callback"):
            self.ack()

    def carried(self) -> Carried:
        """What the button or the chosen option carries; raises OldButton."""
        return ids.decode((self.action.get("selected_option") or self.action).get("value"))

    def beneath(self) -> Carried:
        """What the modal around it carries."""
        return ids.decode((self.body.get("view") or {}).get("private_metadata"))

    def key(self) -> str:
        """The same for every delivery of one click, form or event."""
        if self.body.get("event_id"):
            return f"event:{self.body['event_id']}"
        if self.body.get("type") == "view_submission":
            return f"form:{self.body['view']['id']}"
        team_id, action = self._context.team_id, self.action
        return f"click:{team_id}:{self.user_id}:{action.get('action_ts')}:{action.get('action_id')}"

    def visitor(self, *, acting: bool = False, leading: bool = False, address: str | None = None) -> Visitor:
        """Who it is; raises Refused unless they may do this."""
        if self._visitor is None:
            context, user = self._context, self.body.get("user")
            users_team = user.get("team_id") if isinstance(user, dict) else None
            team_id = users_team or context.actor_team_id
            self._visitor = self.desk.visitor(context.team_id, self.user_id, team_id, address, context.enterprise_id)
        if leading and not self._visitor.leads:
            raise Refused(f"Only a programme lead can do this. {self.desk.who_helps(self._visitor.programme)}")
        if acting and not self._visitor.may_act:
            raise Refused("You can read everything here; claims and next steps are for partner managers.")
        return self._visitor

    def forget(self) -> None:
        """What was known of the programme is known anew: it has just been changed."""
        self._visitor = None

    def home(self) -> Programme:
        """The programme of the Slack workspace that speaks, whoever in it does."""
        return self.desk.programme(self._context.team_id, self._context.enterprise_id)

    def tell(self, payload: Payload) -> None:
        """Says something to this user alone: by the request's own address, else as an ephemeral message."""
        self.let_go()
        let_others_first()
        respond = self._context.respond
        if self._context.response_url and respond is not None:
            try:
                answer = respond(
                    text=payload["text"], blocks=payload["blocks"], response_type="ephemeral", replace_original=False
                )
            except OSError as error:
                log.warning("slack.no_response", error=str(error))
            else:
                if answer.status_code == 200:
                    return
        if self.channel and self.user_id:
            self.whisper(self.channel, payload)

    def share(self, payload: Payload) -> bool:
        """Says something to everybody in the channel: at most once, and to this user alone when Slack takes it not.

        Answers False where everybody got the words and not the blocks: a chart, perhaps, that Slack does not draw.
        """
        address = WebhookClient(
            self._context.response_url or "", timeout=10, retry_handlers=[]
        )  # the stock ones repeat
        for blocks in (payload["blocks"], None):
            try:
                status = address.send(text=payload["text"], blocks=blocks, response_type="in_channel").status_code
            except (OSError, ValueError) as error:
                log.warning("slack.not_shared", error=str(error)[:200])
                break
            if status == 200:
                return blocks is not None
            log.warning("slack.not_shared", status=status)
            if not 400 <= status < 500:  # whoever does not say no may have taken it
                break
        self.tell(payload)
        return True

    def whisper(self, channel: str, payload: Payload) -> None:
        """What Slack finds too rich, a chart perhaps, it gets as text: that says the same."""
        self.let_go()
        blocks = payload["blocks"] or None
        try:
            self._context.client.chat_postEphemeral(
                channel=channel, user=self.user_id or "", text=payload["text"], blocks=blocks
            )
        except (SlackApiError, OSError) as error:
            log.warning("slack.not_told", error=str(error)[:200])
            if blocks and isinstance(error, SlackApiError) and error.response.get("error") in TOO_RICH:
                self.whisper(channel, {"text": payload["text"], "blocks": []})

    def open(self, view: View) -> str:
        """Opens a modal, above the one that is open if there is one; raises Late when Slack will not any more.

        Answers its id, by which it can be drawn anew.
        """
        self.let_go()
        trigger_id = self.body.get("trigger_id") or ""
        push = self.surface == "modal" and self.body.get("type") == "block_actions"
        client = self._context.client
        try:
            opened = (client.views_push if push else client.views_open)(trigger_id=trigger_id, view=view)
        except SlackApiError as error:
            if error.response.get("error") in LATE:
                raise Late from error
            raise
        return str((opened.get("view") or {}).get("id") or "")

    def redraw(self, view_id: str, view: View) -> None:
        """Draws a modal anew that was opened here. That it was closed in the meantime is no error."""
        try:
            self._context.client.views_update(view_id=view_id, view=view)
        except SlackApiError as error:
            if error.response.get("error") not in CLOSED:
                raise

    def update(self, view: View) -> None:
        """Draws the open modal anew. That it was closed in the meantime is no error."""
        around = self._around()
        self.let_go()
        try:
            self._context.client.views_update(view_id=around["id"], hash=around.get("hash"), view=view)
        except SlackApiError as error:
            if error.response.get("error") not in CLOSED:
                raise

    def _around(self) -> Mapping[str, Any]:
        """The window it was pressed in; raises OldButton where there is none, as in no message of ours."""
        around: Mapping[str, Any] | None = self.body.get("view")
        if not around:
            raise OldButton("it belongs into a window")
        return around

    def update_answered(self, view: View) -> None:
        """Draws the form anew that was submitted and answered with another view.

        That answer travels on its own, and drawn before it arrived, ours would disappear below it. As long as Slack
        takes the view by its old hash, the answer is not there.
        """
        around = self.body["view"]
        known: str | None = around.get("hash")
        try:
            for _ in range(ANSWER_TRIES):
                try:
                    drawn = self._context.client.views_update(view_id=around["id"], hash=known, view=view)
                except SlackApiError as error:
                    if error.response.get("error") != "hash_conflict":
                        raise
                    break
                known = (drawn.get("view") or {}).get("hash")
                time.sleep(ANSWER_SECONDS)
            self._context.client.views_update(view_id=around["id"], view=view)
        except SlackApiError as error:
            if error.response.get("error") not in CLOSED:
                raise

    def update_below(self, view: View) -> None:
        """Draws the page anew above which this form was opened. That it was closed in the meantime is no error."""
        self.let_go()
        self.redraw(self.body["view"].get("previous_view_id") or self.body["view"].get("root_view_id"), view)

    def publish(self, view: View, again: Callable[[], View] | None = None) -> None:
        """Draws the user's Home tab anew; once more, from the facts of then, when it has changed in the meantime."""
        self.let_go()
        user_id, client = self.user_id or "", self._context.client
        seen = self.body.get("view") or (self.body.get("event") or {}).get("view") or {}
        known = seen.get("hash") if seen.get("type") == "home" else None
        try:
            client.views_publish(user_id=user_id, view=view, hash=known)
        except SlackApiError as error:
            if error.response.get("error") != "hash_conflict":
                raise
            client.views_publish(user_id=user_id, view=again() if again else view)


Listen = Callable[[Call], None]


def answering(desk: Desk, listen: Listen) -> Callable[[BoltContext, dict[str, Any]], None]:
    """The listener as Bolt calls it. Refusals are answered in their own words; all else is for the error handler."""

    def listener(context: BoltContext, body: dict[str, Any]) -> None:
        call = Call(desk, context, body)
        if body.get("type") == "event_callback":
            acknowledged()  # Bolt has answered it
        with bound_contextvars(**named(context, body)):
            try:
                listen(call)
            except (Refused, OldButton, Late) as error:
                refuse(call, error)

    listener.__name__ = listen.__name__
    return listener


def named(context: BoltContext, body: Mapping[str, Any]) -> dict[str, str]:
    """What every log line of a request carries: which one it is, whose, and what was pressed. Ids, no names.

    An event has an id, which its repetitions share. Of a trigger a hash is enough: with itself a window can be opened.
    """
    trigger = str(body.get("trigger_id") or "")
    request = body.get("event_id") or (hashlib.sha256(trigger.encode()).hexdigest()[:12] if trigger else new_id())
    actions: list[Mapping[str, Any]] = body.get("actions") or [{}]
    facts = {
        "request": request,
        "team": context.team_id,
        "user": context.user_id,
        "kind": body.get("type") or body.get("command"),
        "action": actions[0].get("action_id") or (body.get("view") or {}).get("callback_id"),
    }
    return {name: str(value)[:100] for name, value in facts.items() if value}


def refuse(call: Call, error: Exception) -> None:
    """Tells why not, on the surface where it was asked."""
    if isinstance(error, Late):
        call.ack()
        late = "That took too long for Slack to open it. Nothing was changed: please try again."
        call.tell(_once_more(call) or answers.sorry(late))
        return
    sentence = str(error)
    if isinstance(error, OldButton):
        sentence = f"This button comes from an older message. {ids.COMMAND} overdue shows how things stand now."
    explain(call, sentence)


def _once_more(call: Call) -> Payload | None:
    """The same button once more; for an option of a row's menu, the button that does the same."""
    if not call.action:
        return None
    try:
        carried, action = call.carried(), str(call.action.get("action_id"))
    except OldButton:  # a choice that carries no id of ours, such as a person
        return None
    if call.action.get("selected_option"):
        if carried.verb is None or carried.partner is None:
            return None
        action, carried = ids.row(carried.verb, carried.partner), Carried(partner=carried.partner)
    return answers.late_modal_answer(action, carried)


def explain(call: Call, sentence: str) -> None:
    """Acknowledges and says one plain sentence where it was asked."""
    call.ack(**acknowledgement(call, sentence))
    try:
        say(call, sentence)
    except Late:  # not even a window opens any more: whoever pressed it sees that nothing has changed
        log.info("slack.not_told", error="too late for a window")


def acknowledgement(call: Call, sentence: str) -> dict[str, Any]:
    """What Slack is answered: a form shows the sentence, a menu nothing."""
    kind = call.body.get("type")
    if kind == "view_submission":
        return {"response_action": "update", "view": answers.note_modal(sentence)}
    return {"options": []} if kind == "block_suggestion" else {}


def say(call: Call, sentence: str) -> None:
    """Above the page on which it was pressed, or to this user in the channel."""
    if call.surface == "message":
        call.tell(answers.sorry(sentence))
    elif call.body.get("type") == "block_actions":
        call.open(answers.note_modal(sentence))


def on_action(app: App, desk: Desk, action: str, listen: Listen) -> None:
    app.action(ids.matches(action))(answering(desk, listen))
