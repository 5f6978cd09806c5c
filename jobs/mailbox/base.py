"""The seam between capture and the places where mail lives. A provider fetches; it never judges, matches or stores."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from models.message import Message

Unseen = Callable[[Sequence[str]], set[str]]
"""Given provider ids, those that the ledger has no final verdict for."""


@dataclass(frozen=True, slots=True)
class Page:
    """What is stored in one transaction: messages, what failed, what is gone, and the cursor that says so.

    `cursor` is opaque to everybody but the provider. `failed` ids enter the pending queue; `gone` ids get the
    verdict `gone`; `set_aside` maps ids that need no fetch (drafts, spam, chats) to the verdict they get.
    `observed_from` is set on the page that completes a walk: the mailbox is now known from there until now.
    """

    cursor: str | None
    messages: tuple[Message, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()  # (provider id, reason)
    gone: tuple[str, ...] = ()
    set_aside: tuple[tuple[str, str], ...] = ()  # (provider id, verdict: draft, spam, trash, chat)
    observed_from: datetime | None = None
    last: bool = False


@dataclass(slots=True)
class Answered:
    """What became of messages that were asked for. `stopped` says why some may be in none of the lists."""

    messages: list[Message] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)  # (provider id, reason)
    gone: list[str] = field(default_factory=list)
    set_aside: list[tuple[str, str]] = field(default_factory=list)  # (provider id, verdict)
    stopped: "ProviderError | None" = None

    def __bool__(self) -> bool:
        return bool(self.messages or self.failed or self.gone or self.set_aside)


class Mailbox(Protocol):
    """One mailbox at one provider. Network happens here and nowhere else in capture."""

    def pages(
        self, cursor: str | None, *, since: datetime, last_ok_at: datetime | None, unseen: Unseen
    ) -> Iterator[Page]:
        """Everything new since `cursor`, oldest page of work first, ending with a page marked `last`.

        With no cursor it walks back to `since`. With a cursor that the provider no longer knows it re-lists the gap
        back to a day before `last_ok_at`. Raises `Paused`, `NeedsAuth` or `ProviderError`; what was yielded stands.
        """
        ...

    def fetch(self, provider_ids: Sequence[str]) -> Page:
        """These messages again (the pending queue). `cursor` of the answer is None and is not stored."""
        ...

    def recent(self, since: datetime, unseen: Unseen) -> Iterator[Sequence[str]]:
        """The ids of everything the provider holds since then that `unseen` answers, by listing alone.

        What `pages` reads, and no more: this is the proof that it has left nothing out. Older ids do no harm.
        """
        ...

    def check(self) -> str:
        """One cheap authenticated call; answers the address the provider knows this mailbox by."""
        ...


class ProviderError(Exception):
    """The provider could not answer; the cursor stays. The text is for people and says what to do."""


class Paused(ProviderError):
    """The provider asked for patience: no call to this mailbox before `until`."""

    def __init__(self, until: datetime, reason: str) -> None:
        super().__init__(reason)
        self.until = until


class NeedsAuth(ProviderError):
    """Consent was withdrawn or never given. Somebody has to reconnect the mailbox; the cursor stays."""
