"""What can be made to go wrong at Graph: scripted answers, as the Gmail stand-in has them, in Microsoft's words."""

from tests.sandbox.gmail.faults import Fault, Faults

__all__ = [
    "Fault",
    "Faults",
    "busy",
    "dropped",
    "forbidden",
    "gone",
    "lost_state",
    "server_error",
    "throttled",
    "unauthenticated",
    "unreadable",
    "window_refused",
]


def throttled(retry_after: str | None = None) -> Fault:
    return Fault(429, "TooManyRequests", "Too many requests.", retry_after)


def busy(status: int = 503, retry_after: str | None = None) -> Fault:
    """503 or 504."""
    return Fault(status, "serviceNotAvailable", "The service is temporarily unavailable.", retry_after)


def server_error(status: int = 500) -> Fault:
    return Fault(status, "ErrorInternalServerError", "An internal server error occurred. Try again later.")


def lost_state(status: int = 410) -> Fault:
    return Fault(status, "syncStateNotFound", "The sync state generation is not found; continuing would lose data.")


def unauthenticated() -> Fault:
    return Fault(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")


def forbidden() -> Fault:
    return Fault(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")


def window_refused(status: int = 400) -> Fault:
    """The listing of the whole mailbox by time of receipt is not to be had."""
    if status == 403:
        return forbidden()
    return Fault(status, "InefficientFilter", "The restriction or sort order is too complex for this operation.")


def gone(status: int = 404) -> Fault:
    return Fault(status, "ErrorItemNotFound", "The specified object was not found in the store.")


def dropped() -> Fault:
    """The connection breaks after the request was read."""
    return Fault(0)


def unreadable(body: str = '{"value": [{"id"') -> Fault:
    """A 200 with this body."""
    return Fault(200, body=body)
