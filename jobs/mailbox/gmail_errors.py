"""Reads Gmail's refusals: what may be tried again and when, what is gone, what needs a person. It calls nobody."""

import contextlib
import json
import logging
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException

from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from googleapiclient.errors import HttpError
from httplib2 import HttpLib2Error

from jobs.mailbox.base import NeedsAuth, ProviderError

PROJECT_REASONS = frozenset({"rateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"})
RATE_REASONS = PROJECT_REASONS | {"userRateLimitExceeded"}
RETRY_DATE = re.compile(r"retry after\s+(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)", re.IGNORECASE)
KNOWN_WORDS = re.compile(
    "Delegation denied|Mail service not enabled|The domain administrators have disabled Gmail apps|Invalid pageToken"
    "|Login Required|Invalid Credentials|Precondition check failed|Request had insufficient authentication scopes"
    "|Metadata scope does not support 'q' parameter|Too many concurrent requests for user",
    re.IGNORECASE,
)
BROKEN_LINE = (OSError, HTTPException, HttpLib2Error, TransportError)
"""What a call raises when the connection fails, from the socket up to google-auth."""

# Of a 403 Google's client logs the answer as it came, where it is no JSON. What an answer means we say ourselves.
logging.getLogger("googleapiclient.http").disabled = True


class Gone(ProviderError):
    """404 or 410: what was asked for is not there, or no longer."""


class BadRequest(ProviderError):
    """400: Gmail does not accept what it was asked."""


class TryAgain(ProviderError):
    """It may work later: after `seconds` if the server said so. `throttled` when we were too fast.

    `project_wide` when it was not this mailbox alone, but all of its project together.
    """

    def __init__(
        self, reason: str, seconds: float | None = None, *, throttled: bool = False, project_wide: bool = False
    ) -> None:
        super().__init__(reason)
        self.seconds, self.throttled, self.project_wide = seconds, throttled, project_wide


def judge(error: HttpError, now: datetime) -> ProviderError:
    """What an answer other than 200 means for the mailbox."""
    status = int(error.resp.status)
    reason, message = _said(error)
    words = f"Gmail answered {status}: {_repeatable(reason, message)}"
    throttled = status == 429 or (status == 403 and reason in RATE_REASONS)
    if throttled or (status >= 500 and status != 501) or status == 408 or reason == "failedPrecondition":
        # 429 is always about one user. Google's page says the same of userRateLimitExceeded alone, yet its servers
        # also answer rateLimitExceeded with "limit 'Queries per minute per user'": the words decide.
        project_wide = status == 403 and reason in PROJECT_REASONS and "user" not in message.lower()
        return TryAgain(words, _seconds(error, message, now), throttled=throttled, project_wide=project_wide)
    if status in (404, 410):
        return Gone(words)
    if status == 401:
        return NeedsAuth(f"{words}. Connect the mailbox again")
    if status == 403 and reason == "accessNotConfigured":
        return ProviderError(f"{words}. Turn on the Gmail API in the Google Cloud project")
    if status == 403:
        return NeedsAuth(f"{words}. Allow the scope gmail.metadata for this mailbox, then connect it again")
    return BadRequest(words)


def judge_token(error: GoogleAuthError) -> ProviderError:
    """What it means that no access token could be had."""
    words = _refusal(error)
    if isinstance(error, RefreshError) and not error.retryable:
        return NeedsAuth(f"Google gives no access ({words}): connect the mailbox again, or check the delegation")
    return TryAgain(f"Google's token server could not answer ({words})")


def broken_line(error: Exception) -> TryAgain:
    # What http.client could not read stands in its errors.
    said = "" if isinstance(error, HTTPException) else str(error)
    return TryAgain(f"Gmail could not be reached ({said or type(error).__name__})")


def _refusal(error: GoogleAuthError) -> str:
    """`invalid_grant: Token has been expired or revoked.`, without the second copy that google-auth appends."""
    said = error.args[0] if error.args else type(error).__name__
    return " ".join(str(said).split())[:200]


def _said(error: HttpError) -> tuple[str, str]:
    """The machine's reason and the words for people, in either form that Google uses; both may be empty."""
    try:
        body = json.loads(error.content)["error"]
        details = body.get("errors") or body.get("details") or [{}]
        reason = details[0].get("reason") or body.get("status", "")
        reason = _camel(reason) if "_" in reason else reason
        return str(reason), " ".join(str(body.get("message", "")).split())
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return "", ""


def _repeatable(reason: str, message: str) -> str:
    """What may be stored and shown: words that we know, else the machine's reason. Others can quote a mail."""
    if known := KNOWN_WORDS.search(message):
        return known[0]
    return reason if re.fullmatch(r"[A-Za-z]{2,60}", reason) else "no reason given"


def _camel(status: str) -> str:
    first, *rest = status.lower().split("_")
    return first + "".join(word.title() for word in rest)


def _seconds(error: HttpError, message: str, now: datetime) -> float | None:
    """How long to wait by Retry-After (seconds or a date) or by the date in the message; the later of the two."""
    waits = [_until(found[1], now) for found in RETRY_DATE.finditer(message)]
    header = str(error.resp.get("retry-after", "")).strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", header):
        waits.append(float(header))
    elif header:
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            waits.append((parsedate_to_datetime(header).astimezone(UTC) - now).total_seconds())
    known = [wait for wait in waits if wait is not None]
    return max(0.0, *known) if known else None


def _until(text: str, now: datetime) -> float | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
