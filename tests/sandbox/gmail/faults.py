"""What can be made to go wrong: scripted answers that take the place of the right one for some calls."""

import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong answer. `status` 0 means that the connection is dropped without an answer.

    With a `gate` the answer is the right one, and comes when somebody opens it.
    """

    status: int
    reason: str = ""
    message: str = ""
    retry_after: str | None = None
    body: str | None = None  # sent as it is in place of Google's error object
    empty_history: bool = False
    gate: threading.Event | None = None


def too_many_requests(*, retry_after: str | None = None, until: datetime | None = None) -> Fault:
    """429, with a Retry-After header or the date in the message, as Gmail does it."""
    message = f"User-rate limit exceeded.  Retry after {until:%Y-%m-%dT%H:%M:%S}.000Z" if until else ""
    return Fault(429, "rateLimitExceeded", message or "Too many concurrent requests for user.", retry_after)


def rate_limited(
    reason: str = "userRateLimitExceeded", *, retry_after: str | None = None, until: datetime | None = None
) -> Fault:
    """403 with rateLimitExceeded, userRateLimitExceeded or quotaExceeded."""
    words = {
        "rateLimitExceeded": "Rate Limit Exceeded",
        "userRateLimitExceeded": "User Rate Limit Exceeded. Rate of requests for user exceed configured project quota.",
        "quotaExceeded": "The request cannot be completed because you have exceeded your quota.",
    }
    message = words.get(reason, reason)
    if until:
        message = f"{message}  Retry after {until:%Y-%m-%dT%H:%M:%S}.000Z"
    return Fault(403, reason, message, retry_after)


def server_error(status: int = 500, *, retry_after: str | None = None) -> Fault:
    reason, message = {
        500: ("backendError", "Internal error encountered."),
        503: ("backendError", "The service is currently unavailable."),
    }.get(status, ("backendError", "Backend Error"))
    return Fault(status, reason, message, retry_after)


def unauthenticated() -> Fault:
    return Fault(401, "authError", "Invalid Credentials")


def not_allowed(reason: str = "domainPolicy") -> Fault:
    return Fault(403, reason, "The domain administrators have disabled Gmail apps.")


def failed_precondition() -> Fault:
    return Fault(400, "failedPrecondition", "Precondition check failed.")


def gone(status: int = 404) -> Fault:
    return Fault(status, "notFound", "Requested entity was not found.")


def expired_history() -> Fault:
    return gone()


def dropped() -> Fault:
    """The connection breaks after the request was read."""
    return Fault(0)


def broken_json() -> Fault:
    """A 200 whose body is cut off."""
    return Fault(200, body='{"id": "18f0", "payl')


def page_without_history() -> Fault:
    """A history page that lists nothing yet has a nextPageToken; the page that was asked for follows."""
    return Fault(200, empty_history=True)


def hanging(gate: threading.Event) -> Fault:
    """The server takes the request and does not answer before the gate is opened."""
    return Fault(200, gate=gate)


def invalid_grant() -> Fault:
    """For the token endpoint: consent was withdrawn."""
    return Fault(400, body='{"error": "invalid_grant", "error_description": "Token has been expired or revoked."}')


@dataclass(slots=True)
class _Rule:
    fault: Fault
    mailbox: str | None
    method: str
    message_ids: frozenset[str]
    left: int | None
    skip: int

    def covers(self, mailbox: str | None, method: str, message_id: str | None) -> bool:
        return (
            self.method == method
            and (self.mailbox is None or self.mailbox == mailbox)
            and (not self.message_ids or message_id in self.message_ids)
        )


@dataclass(slots=True)
class Faults:
    """The rules in force, in the order in which they were given. Each call is judged by the first that covers it."""

    _rules: list[_Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self,
        fault: Fault,
        method: str,
        *,
        mailbox: str | None = None,
        message_ids: Collection[str] = (),
        times: int | None = 1,
        skip: int = 0,
    ) -> None:
        with self._lock:
            self._rules.append(_Rule(fault, mailbox, method, frozenset(message_ids), times, skip))

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def take(self, mailbox: str | None, method: str, message_id: str | None = None) -> Fault | None:
        with self._lock:
            for rule in self._rules:
                if not rule.covers(mailbox, method, message_id):
                    continue
                if rule.skip:
                    rule.skip -= 1
                    continue
                if rule.left is None:
                    return rule.fault
                if rule.left:
                    rule.left -= 1
                    return rule.fault
        return None
