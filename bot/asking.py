"""Look-ups in Slack, which change nothing, and why a call was refused. The answers are for the caller to judge."""

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

NO_SUCH_ROUTE = (404, 405)
log = structlog.get_logger(__name__)


def ask(client: WebClient, method: str, **params: str) -> SlackResponse:
    """One look-up. The stock client GETs; Slack takes POST as well, and other servers of its Web API only that."""
    try:
        return client.api_call(method, http_verb="GET", params=params)
    except SlackApiError as error:
        if getattr(error.response, "status_code", None) not in NO_SUCH_ROUTE:
            raise
    return client.api_call(method, data=params)


def is_shared(client: WebClient, channel: str) -> bool:
    """Whether Slack says that other companies are in this channel: there nothing of a programme is posted.

    Slack tells it only to an app with the scope `channels:read`, of private channels `groups:read`; without an answer
    the administrator's choice stands.
    """
    try:
        about = ask(client, "conversations.info", channel=channel).get("channel") or {}
    except (SlackApiError, OSError):
        return False
    shared = bool(about.get("is_ext_shared") or about.get("is_pending_ext_shared"))
    if shared:
        log.error("read.not_posted", channel=channel, detail="the channel is shared with another company")
    return shared


def refusal(error: SlackApiError) -> str:
    """Slack's reason in its own word. Where there is none, or a page in its place, something else answered."""
    reason = str(error.response.get("error") or "")
    return reason if reason and " " not in reason else "no reason given: does SLACK_API_URL end in /api/?"
