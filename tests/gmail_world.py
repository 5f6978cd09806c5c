"""What the Gmail tests share: a server, a clock that waiting moves, and a ledger that stores pages as capture does."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jobs.mailbox.base import Mailbox, Page
from jobs.mailbox.gmail import GmailMailbox
from jobs.mailbox.gmail_quota import Project, Quota
from jobs.mailbox.google_auth import consented, delegated
from models.message import Message
from tests.sandbox.gmail import GmailMailboxStore, GmailServer

ANA = "ana@acme.example"
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = timedelta(days=1)
UNPACED = Quota(units_per_second=None)


@dataclass(slots=True)
class MovingClock:
    """Stands still until somebody waits."""

    at: datetime = NOW
    waits: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.at

    def tick(self) -> float:
        return self.at.timestamp()

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += timedelta(seconds=seconds)


@dataclass(slots=True)
class Ledger:
    """Stores pages the way capture does: seen ids by verdict, the queue, the cursor, the last clean poll."""

    clock: MovingClock
    cursor: str | None = None
    last_ok_at: datetime | None = None
    since: datetime = NOW - 90 * DAY
    seen: dict[str, str] = field(default_factory=dict)
    pending: dict[str, str] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)

    def unseen(self, provider_ids: Sequence[str]) -> set[str]:
        return {key for key in provider_ids if self.seen.get(key) in (None, "draft", "spam")}

    def walk(self, mailbox: Mailbox) -> Iterator[Page]:
        return mailbox.pages(self.cursor, since=self.since, last_ok_at=self.last_ok_at, unseen=self.unseen)

    def poll(self, mailbox: Mailbox, *, stop_after: int | None = None) -> list[Page]:
        """One run; with `stop_after` it is killed after that many pages were stored."""
        stored: list[Page] = []
        pages = self.walk(mailbox)
        for page in pages:
            self.store(page)
            stored.append(page)
            if len(stored) == stop_after:
                break
        return stored

    def store(self, page: Page) -> None:
        self.pages.append(page)
        self.messages += page.messages
        verdicts = {message.provider_id: "human" for message in page.messages}
        verdicts |= dict.fromkeys(page.gone, "gone") | dict(page.set_aside)
        for key, verdict in verdicts.items():
            if self.seen.get(key) in (None, "draft", "spam"):
                self.seen[key] = verdict
            self.pending.pop(key, None)
        self.pending |= dict(page.failed)
        if page.cursor is not None:
            self.cursor = page.cursor
        if page.last:
            self.last_ok_at = self.clock.now()

    @property
    def subjects(self) -> list[str]:
        return sorted(message.first("Subject") for message in self.messages)


@dataclass(slots=True)
class World:
    """One mailbox at one server, read by one provider."""

    server: GmailServer
    clock: MovingClock
    ledger: Ledger
    mailbox: GmailMailbox

    @property
    def store(self) -> GmailMailboxStore:
        return self.server.mailbox(ANA)

    def deliver(
        self,
        subject: str,
        *,
        at: datetime | None = None,
        labels: Sequence[str] = ("INBOX",),
        listed_at: datetime | None = None,
    ) -> str:
        headers = {"From": "kim@globex.example", "To": ANA, "Subject": subject, "X-Secret": "not asked for"}
        return self.store.deliver(headers, at or self.clock.now(), labels, listed_at=listed_at)

    def poll(self) -> list[Page]:
        return self.ledger.poll(self.mailbox)

    def provider(self, **options: Any) -> GmailMailbox:
        """Another worker for the same mailbox, with its own token."""
        credentials = consented(json.dumps(self.server.authorized_user(ANA)))
        return provider(self.server, self.clock, credentials, **options)

    def fetched(self) -> list[str]:
        """The ids whose headers were asked for, in the order of the calls."""
        calls = self.server.calls_of("messages.get", ANA)
        return [call.path.rpartition("/")[2] for call in calls if call.params.get("format") == ["metadata"]]


def provider(server: GmailServer, clock: MovingClock, credentials: Any, **options: Any) -> GmailMailbox:
    settings: dict[str, Any] = {
        "api_url": server.api_url,
        "clock": clock,
        "wait": clock.wait,
        "tick": clock.tick,
        "quota": UNPACED,
        **options,
    }
    project = settings.pop("project", None) or Project(settings["quota"], clock.tick)
    return GmailMailbox(credentials, project=project, **settings)


def world_of(server: GmailServer, clock: MovingClock) -> World:
    credentials = consented(json.dumps(server.authorized_user(ANA)))
    return World(server, clock, Ledger(clock), provider(server, clock, credentials))


def delegated_provider(server: GmailServer, clock: MovingClock, folder: Path, address: str) -> GmailMailbox:
    key_file = folder / "key.json"
    key_file.write_text(json.dumps(server.service_account()), encoding="utf-8")
    return provider(server, clock, delegated(key_file, address))
