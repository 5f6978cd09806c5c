"""What the Microsoft tests share: one mailbox at one stand-in, read by one provider. It judges no mail."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from jobs.mailbox.base import Page
from jobs.mailbox.graph import GraphMailbox
from jobs.mailbox.microsoft_auth import AccessTokens, app_only, consented
from tests.gmail_world import ANA, Ledger, MovingClock
from tests.sandbox.graph import GraphMailboxStore, GraphServer

SECOND = timedelta(seconds=1)


@dataclass(slots=True)
class GraphWorld:
    server: GraphServer
    clock: MovingClock
    ledger: Ledger
    mailbox: GraphMailbox

    @property
    def store(self) -> GraphMailboxStore:
        return self.server.mailbox(ANA)

    def deliver(
        self,
        subject: str,
        *,
        at: datetime | None = None,
        folder: str = "inbox",
        headers: Sequence[tuple[str, str]] = (),
        kind: str = "message",
    ) -> str:
        pairs = [("From", "Kim Lee <kim@globex.example>"), ("To", ANA), ("Subject", subject), *headers]
        return self.store.deliver(pairs, at or self.clock.now(), folder, kind=kind)

    def poll(self) -> list[Page]:
        return self.ledger.poll(self.mailbox)

    def asked_for(self) -> list[str]:
        """The ids that were asked for alone, in the order of the calls."""
        return [call.path.rpartition("/")[2] for call in self.server.calls_of("messages.get", ANA)]

    def methods(self) -> list[str]:
        return [call.method for call in self.server.calls]


def app_tokens(server: GraphServer, secret: str | None = None) -> AccessTokens:
    tokens = server.tokens
    return app_only(tokens.tenant_id, tokens.client_id, secret or tokens.client_secret, server.url, server.url)


def person_tokens(server: GraphServer, address: str) -> AccessTokens:
    return consented(json.dumps(server.tokens.consent(address)), server.url, server.url)


def graph_mailbox(server: GraphServer, clock: MovingClock, address: str = ANA, **options: Any) -> GraphMailbox:
    settings: dict[str, Any] = {"api_url": server.url, "clock": clock, "wait": clock.wait}
    tokens = options.pop("tokens", None) or app_tokens(server)
    return GraphMailbox(tokens, address, **(settings | options))


def graph_world(server: GraphServer, clock: MovingClock) -> GraphWorld:
    server.mailbox(ANA)
    return GraphWorld(server, clock, Ledger(clock), graph_mailbox(server, clock))
