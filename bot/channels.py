"""Tries whether the bot may post in a channel, without anybody but the one who asked seeing it."""

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.asking import ask, refusal

log = structlog.get_logger(__name__)
SHARED = "shared"
ANNOUNCED = "I can post here. Only you see this line."
NO_VERDICT = ("ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout")


class NoVerdict(Exception):
    """Slack did not answer, so nobody knows."""


def refused_in(client: WebClient, channel: str, user_id: str) -> str | None:
    """Slack's word for why the bot cannot post in the channel, ours where other companies are in it; None: it can.

    What is tried is a message for this user alone: no permission to read channels is needed for it, and Slack judges
    it like a post. Whether a channel is shared or archived Slack tells only with
    `channels:read`, of a private one with `groups:read`.
    """
    try:
        about = ask(client, "conversations.info", channel=channel).get("channel") or {}
    except (SlackApiError, OSError) as error:
        log.info("channel.not_described", channel=channel, error=str(error)[:200])
        about = {}
    if about.get("is_ext_shared") or about.get("is_pending_ext_shared"):
        return SHARED
    if about.get("is_archived"):
        return "is_archived"
    try:
        client.chat_postEphemeral(channel=channel, user=user_id, text=ANNOUNCED)
    except SlackApiError as error:
        reason = refusal(error)
        if reason == "user_not_in_channel":  # so the bot is
            return None
        if reason in NO_VERDICT or int(getattr(error.response, "status_code", 0) or 0) in (429, 500, 502, 503, 504):
            raise NoVerdict(reason) from error
        return reason[:60]
    except OSError as error:
        raise NoVerdict("no answer") from error
    return None
