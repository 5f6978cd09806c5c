"""What the IMAP tests share: one account at the stand-in, read by one provider. It judges no mail."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.mailbox.base import Page
from jobs.mailbox.imap import ImapMailbox
from jobs.mailbox.imap_access import access_of
from tests.gmail_world import ANA, Ledger, MovingClock
from tests.sandbox.imap import ImapStandIn

SECRET = json.dumps({"password": "secret"})


@dataclass(slots=True)
class ImapWorld:
    server: ImapStandIn
    clock: MovingClock
    ledger: Ledger
    mailbox: ImapMailbox

    def deliver(self, subject: str, *, at: datetime | None = None, folder: str = "INBOX", **more: Any) -> int:
        headers = {"From": "Kim Lee <kim@globex.example>", "To": ANA, "Subject": subject, "X-Secret": "not asked for"}
        return self.server.deliver(headers | more.pop("headers", {}), at or self.clock.now(), folder, **more)

    def poll(self) -> list[Page]:
        return self.ledger.poll(self.mailbox)

    def commands(self) -> list[str]:
        """What was asked since it was last forgotten, without the coming and going."""
        return [line for line in self.server.log if line.split()[0] not in ("CAPABILITY", "AUTHENTICATE", "LOGOUT")]


def imap_mailbox(
    port: int, clock: MovingClock, address: str = ANA, *, secret: str = SECRET, context: Any = None, **options: Any
) -> ImapMailbox:
    stored: Mapping[str, Any] = {"host": "127.0.0.1", "port": port, "tls": False} | options
    return ImapMailbox(access_of(address, secret, stored), clock=clock, context=context)


def imap_world(server: ImapStandIn, clock: MovingClock) -> ImapWorld:
    return ImapWorld(server, clock, Ledger(clock), imap_mailbox(server.port, clock))
