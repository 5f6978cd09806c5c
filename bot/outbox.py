"""The only place that posts and updates Slack messages: at most one post per row, redraws coalesced from the facts.

A post whose answer never came is `unknown` and is not repeated: nobody but a person can know whether it arrived.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry import RetryHandler
from sqlalchemy.orm import Session, sessionmaker
from structlog.contextvars import bound_contextvars

from bot import measures
from bot.views.kit import Payload
from bot.views.reads_notice import channel_payload, frozen_payload, plain_payload
from models.actions import outbox as actions
from models.actions.people import user_left
from models.clock import Clock
from models.queries import outbox as queries
from models.queries.outbox import Post

MAYBE_TAKEN = ("fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org")
TOO_RICH = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long")
CANNOT_CHANGE = (
    "cant_update_message",
    "channel_not_found",
    "edit_window_closed",
    "is_inactive",
    "message_not_found",
)
DEACTIVATED = "user_disabled"
FROZEN = ("cant_update_message", "edit_window_closed")
SAYS_NO = ("channel_not_found", "is_archived", "is_inactive", "not_in_channel")
REFUSED_REST = timedelta(minutes=1)  # an update that was refused is not asked for every two seconds
log = structlog.get_logger(__name__)

Render = Callable[[Session, Post, datetime], Payload | None]
"""Draws a stored message anew from the facts; None leaves it as it is."""


def posting_client(token: str, base_url: str) -> WebClient:
    """A client that never repeats a call: the stock one posts again after a dropped connection."""
    no_retries: list[RetryHandler] = []
    return WebClient(token=token, base_url=base_url, timeout=20, retry_handlers=no_retries)


def rest_channel(
    session: Session, workspace_id: int, channel: str, trouble: str, now: datetime, again: int | None = None
) -> None:
    """The weekly read rests until its channel is right, and the leads hear of it once. `again`: the post that waits."""
    if actions.rest_channel(session, workspace_id, channel, trouble, now):
        subject = f"channel {channel} {trouble} {now.isoformat(timespec='minutes')}"
        actions.tell_leads(session, workspace_id, subject, channel_payload(channel, trouble, again), now)


@dataclass(slots=True)
class Outbox:
    """Sends what is pending and redraws what has changed. One `pump` is one step; the loop is somebody else's."""

    sessions: sessionmaker[Session]
    reading: sessionmaker[Session]
    client: WebClient | Callable[[int], WebClient]  # or whoever speaks for a workspace
    clock: Clock
    render: Render
    posted_plain: Callable[[WebClient, Post, str, str], None] | None = None  # channel and ts: of its thread
    _resting_until: dict[str, datetime] = field(default_factory=dict)  # channel → no updates before
    _posts_rest_until: dict[int, datetime] = field(default_factory=dict)  # workspace → no posts before

    def pump(self, workspace_id: int) -> int:
        """Everything that is due now; answers how many messages were posted or updated."""
        now = self.clock.now()
        with self.reading() as session:
            posts = queries.due_posts(session, workspace_id, now)
            redraws = queries.due_redraws(session, workspace_id)
        done = 0
        for post in posts:
            if self._posts_rest_until.get(workspace_id, now) <= now:
                with bound_contextvars(post=post.id):
                    done += self.send(post)
        for post in redraws:
            with bound_contextvars(post=post.id):
                done += self.redraw(post)
        return done

    def send(self, post: Post) -> bool:
        """Takes the row, calls Slack, keeps the answer. Answers whether the message is known to be there."""
        thread_ts = post.payload.get("thread_ts")
        if post.part > 0 and post.kind == "read":
            status, thread_ts = self._parent(post)
            if thread_ts is None and status != "gone":  # "gone" without a ts: it arrived, nobody knows where
                return False  # its parent is not there yet
        with self.sessions.begin() as session:
            if not actions.take(session, post.id, self.clock.now()):
                return False  # somebody else has it
        return self._post(post, thread_ts, post.payload.get("blocks"))

    def redraw(self, post: Post) -> bool:
        """Draws the message from the facts of this moment; does nothing when it shows them already."""
        now = self.clock.now()
        if self._resting_until.get(post.slack_channel or "", now) > now:
            return False
        with self.sessions.begin() as session:
            taken = actions.take_redraw(session, post.id, now)
            if taken is None:
                return False
            payload = self.render(session, post, now)
            drawn = taken.stands if payload is None else fingerprint(payload)
            if payload is None or drawn == taken.stands:
                actions.redrawn(session, post.id, taken.wanted, drawn)
                payload = None
            else:
                actions.redrawing(session, post.id)
        if payload is None:
            measures.REDRAWS.add("unchanged")
        elif self._update(post, payload):
            measures.REDRAWS.add("drawn")
            with self.sessions.begin() as session:
                actions.redrawn(session, post.id, taken.wanted, drawn)
        else:
            measures.REDRAWS.add("refused")
            return False
        return True

    def _post(self, post: Post, thread_ts: str | None, blocks: Sequence[dict[str, Any]] | None) -> bool:
        text = post.payload["text"]
        try:
            answer = self._client(post).chat_postMessage(
                channel=post.channel, text=text, blocks=blocks, thread_ts=thread_ts, unfurl_links=False
            )
        except SlackApiError as error:
            return self._refused(post, thread_ts, blocks, error)
        except Exception as error:  # whatever cut the call short, Slack may have taken the message before
            measures.POSTS.add("unknown")
            log.warning("outbox.unknown", post=post.id, error=repr(error))
            with self.sessions.begin() as session:
                actions.unknown(session, post.id, f"no answer from Slack ({type(error).__name__})")
            return False
        with self.sessions.begin() as session:
            drawn = fingerprint({"text": text, "blocks": list(blocks or [])})
            remark = "shown as text: Slack refused its layout" if post.payload.get("blocks") and not blocks else None
            actions.sent(session, post.id, answer["channel"] or post.channel, answer["ts"], drawn, remark)
            if post.kind == "read":
                actions.channel_works(session, post.workspace_id, post.channel)
        measures.POSTS.add("plain" if post.payload.get("blocks") and not blocks else "sent")
        if self.posted_plain and not blocks and post.payload.get("blocks"):
            self.posted_plain(self._client(post), post, answer["channel"] or post.channel, thread_ts or answer["ts"])
        return True

    def _refused(
        self, post: Post, thread_ts: str | None, blocks: Sequence[dict[str, Any]] | None, error: SlackApiError
    ) -> bool:
        reason = _reason(error)
        if reason == "ratelimited":
            measures.POSTS.add("ratelimited")
            until = self._posts_rest_until[post.workspace_id] = self.clock.now() + _retry_after(error)
            with self.sessions.begin() as session:
                actions.put_back(session, post.id, until, reason)
            return False
        if reason in TOO_RICH and blocks:
            self._too_rich(post, blocks, reason)
            return self._post(post, thread_ts, None)
        with self.sessions.begin() as session:
            if reason in MAYBE_TAKEN or _status(error) >= 500:
                actions.unknown(session, post.id, reason)
            else:
                actions.failed(session, post.id, reason)
                if reason == DEACTIVATED:
                    user_left(session, post.workspace_id, post.channel, self.clock.now())
                if says_no(post, reason):
                    self._rest(session, post, reason, post.id)
        measures.POSTS.add("refused")
        log.warning("outbox.refused", post=post.id, kind=post.kind, error=reason)
        return False

    def _too_rich(self, post: Post, blocks: Sequence[dict[str, Any]], reason: str) -> None:
        """Somebody should know, but for a chart: not every Slack draws one, and its text says the same."""
        log.error("outbox.plain_fallback", post=post.id, error=reason)
        if not any(block["type"] == "data_visualization" for block in blocks):
            with self.sessions.begin() as session:
                told = plain_payload(post, reason)
                actions.tell_leads(session, post.workspace_id, f"plain {post.id}", told, self.clock.now())

    def _rest(self, session: Session, post: Post, reason: str, again: int | None) -> None:
        """Nothing more is held for a channel that takes nothing, and the leads hear of it once."""
        trouble = "is_archived" if reason == "is_inactive" else reason
        rest_channel(session, post.workspace_id, post.channel, trouble, self.clock.now(), again)

    def _frozen(self, session: Session, post: Post) -> None:
        """A read that cannot be changed any more says so itself, once for all its parts."""
        _, parent_ts = queries.parent(session, post)
        note = {**frozen_payload(), "thread_ts": parent_ts or post.ts}
        now = self.clock.now()
        actions.enqueue(session, post.workspace_id, post.channel, "frozen", post.period, 0, note, now)

    def _update(self, post: Post, payload: Payload) -> bool:
        try:
            self._client(post).chat_update(
                channel=post.slack_channel or post.channel,
                ts=post.ts or "",
                text=payload["text"],
                blocks=payload["blocks"],
            )
        except SlackApiError as error:
            reason = _reason(error)
            if reason == "ratelimited":
                self._resting_until[post.slack_channel or ""] = self.clock.now() + _retry_after(error)
            elif reason in CANNOT_CHANGE:
                with self.sessions.begin() as session:
                    actions.gone(session, post.id, reason)
                    if reason in FROZEN:
                        self._frozen(session, post)
                    elif says_no(post, reason):
                        self._rest(session, post, reason, None)
            elif reason in TOO_RICH and payload["blocks"]:
                self._too_rich(post, payload["blocks"], reason)
                return self._update(post, {"text": payload["text"], "blocks": []})
            elif reason not in MAYBE_TAKEN and _status(error) < 500:
                self._resting_until[post.slack_channel or ""] = self.clock.now() + REFUSED_REST
            log.warning("outbox.not_redrawn", post=post.id, error=reason)
            return False
        except Exception as error:  # an update is safe to repeat: the next pump tries again
            log.warning("outbox.not_redrawn", post=post.id, error=repr(error))
            return False
        return True

    def _client(self, post: Post) -> WebClient:
        return self.client if isinstance(self.client, WebClient) else self.client(post.workspace_id)

    def _parent(self, post: Post) -> tuple[str | None, str | None]:
        with self.reading() as session:
            return queries.parent(session, post)


def says_no(post: Post, reason: str) -> bool:
    """Whether the read's channel takes no message at all, whatever the message is."""
    return post.kind == "read" and (reason in SAYS_NO or reason.startswith("restricted_action"))


def fingerprint(payload: Payload | dict[str, Any]) -> str:
    """Equal for messages that read the same; the revision in block ids does not count."""
    blocks = [{key: value for key, value in block.items() if key != "block_id"} for block in payload["blocks"]]
    return hashlib.sha256(json.dumps([payload["text"], blocks], sort_keys=True).encode()).hexdigest()[:32]


def _reason(error: SlackApiError) -> str:
    if _status(error) == 429:
        return "ratelimited"
    data = error.response.data if hasattr(error.response, "data") else error.response
    return str(data.get("error", "unknown_error")) if isinstance(data, dict) else "unknown_error"


def _status(error: SlackApiError) -> int:
    return int(getattr(error.response, "status_code", 0) or 0)


def _retry_after(error: SlackApiError) -> timedelta:
    headers = {str(key).lower(): value for key, value in dict(getattr(error.response, "headers", {}) or {}).items()}
    value = headers.get("retry-after", "30")
    seconds = value[0] if isinstance(value, list) else value
    return timedelta(seconds=int(seconds) if str(seconds).isdigit() else 30)
