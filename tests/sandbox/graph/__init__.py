"""A stand-in for Microsoft Graph's mail API and Microsoft's login. It imports nothing of the product."""

from tests.sandbox.graph.faults import (
    busy,
    dropped,
    forbidden,
    gone,
    lost_state,
    server_error,
    throttled,
    unauthenticated,
    unreadable,
    window_refused,
)
from tests.sandbox.graph.mailboxes import GraphMailboxStore
from tests.sandbox.graph.schema import MESSAGE_PROPERTIES, READ_BASIC
from tests.sandbox.graph.server import Call, GraphServer

__all__ = [
    "MESSAGE_PROPERTIES",
    "READ_BASIC",
    "Call",
    "GraphMailboxStore",
    "GraphServer",
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
