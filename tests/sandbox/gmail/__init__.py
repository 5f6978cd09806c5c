"""A stand-in for Gmail's REST API and its token endpoint. It imports nothing of the product and keeps all in memory."""

from tests.sandbox.gmail.faults import (
    Fault,
    broken_json,
    dropped,
    expired_history,
    failed_precondition,
    gone,
    hanging,
    invalid_grant,
    not_allowed,
    page_without_history,
    rate_limited,
    server_error,
    too_many_requests,
    unauthenticated,
)
from tests.sandbox.gmail.mailboxes import GmailMailboxStore
from tests.sandbox.gmail.server import Call, GmailServer
from tests.sandbox.gmail.tokens import METADATA_SCOPE

__all__ = [
    "METADATA_SCOPE",
    "Call",
    "Fault",
    "GmailMailboxStore",
    "GmailServer",
    "broken_json",
    "dropped",
    "expired_history",
    "failed_precondition",
    "gone",
    "hanging",
    "invalid_grant",
    "not_allowed",
    "page_without_history",
    "rate_limited",
    "server_error",
    "too_many_requests",
    "unauthenticated",
]
