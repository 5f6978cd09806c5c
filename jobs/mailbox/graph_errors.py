"""What a refusal by Microsoft Graph means for a mailbox. It calls nobody."""

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from jobs.mailbox.base import NeedsAuth, ProviderError

THROTTLED = (408, 429, 503, 504)
WAIT_UNNAMED = 30.0  # seconds, where Microsoft says "later" and not when
LOST_STATE = frozenset({"syncstatenotfound", "syncstateinvalid", "resyncrequired"})
NO_MAILBOX = frozenset(
    {
        "errorinvaliduser",
        "mailboxnotenabledforrestapi",
        "mailboxnotsupportedforrestapi",
        "request_resourcenotfound",
        "resourcenotfound",
    }
)
HOW_TO_GRANT = (
    "An administrator has to give the app the role 'Application Mail.ReadBasic' with this mailbox in its scope "
    "(RBAC for Applications), or to consent to Mail.ReadBasic.All"
)


class Gone(ProviderError):
    """404: the message is not there, or no longer."""


class NoMailbox(ProviderError):
    """404: there is no such mailbox."""


class BadRequest(ProviderError):
    """Microsoft does not accept what it was asked."""


class Resync(ProviderError):
    """410 or a lost sync state: where a listing had come to is forgotten."""


class Forbidden(NeedsAuth):
    """403: the app may not ask for this."""


class Unauthenticated(NeedsAuth):
    """401: the access token is not taken."""


class TryAgain(ProviderError):
    """It may work later, after `seconds` if that is known. `mailbox_wide` when it is not about one message."""

    def __init__(self, reason: str, seconds: float | None = None, *, mailbox_wide: bool = False) -> None:
        super().__init__(reason)
        self.seconds, self.mailbox_wide = seconds, mailbox_wide


def judge(status: int, body: str, retry_after: str, now: datetime) -> ProviderError:
    """What an answer other than 200 means."""
    code = _code(body)
    words = f"Microsoft answered {status}: {code or 'no reason given'}"
    code = code.lower()
    if status in THROTTLED:
        return TryAgain(words, _seconds(retry_after, now) or WAIT_UNNAMED, mailbox_wide=True)
    if status >= 500 and status != 501:
        return TryAgain(words, _seconds(retry_after, now))
    if status == 410 or code in LOST_STATE:
        return Resync(words)
    if status == 401:
        return Unauthenticated(f"{words}. Connect the mailbox again")
    if status == 403:
        return Forbidden(f"{words}. {HOW_TO_GRANT}")
    if status == 404 and code in NO_MAILBOX:
        return NoMailbox(f"{words}. Connect the mailbox by the name that its owner signs in with")
    if status == 404:
        return Gone(words)
    return BadRequest(words)


def _code(body: str) -> str:
    """The machine's code, if it looks like one. Not the words beside it: they can quote a subject or an address."""
    try:
        code = str(json.loads(body)["error"].get("code") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return code if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{1,60}", code) else ""


def _seconds(text: str, now: datetime) -> float | None:
    """Retry-After as seconds or as a date."""
    text = text.strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text).astimezone(UTC) - now).total_seconds()) if text else None
    except (ValueError, TypeError, OverflowError):
        return None
