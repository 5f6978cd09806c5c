"""One stand-in mailbox: messages that lie in folders and keep an immutable id. It knows nothing of HTTP."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import getaddresses
from typing import Any

from tests.sandbox.graph.schema import WELL_KNOWN_FOLDERS

Headers = Sequence[tuple[str, str | None]] | Mapping[str, str | None]
RECIPIENTS = {"toRecipients": "To", "ccRecipients": "Cc", "bccRecipients": "Bcc", "replyTo": "Reply-To"}


class NotFound(Exception):
    """There is no such message under this id."""


@dataclass(slots=True)
class StoredMessage:
    number: int
    headers: tuple[tuple[str, str], ...]
    at: datetime
    folder: str
    kind: str = "message"
    moves: int = 0
    entered: int = 0  # the mailbox's count of changes when it came to its folder
    marked: int = 0  # … and when it was last read or flagged
    left: list[tuple[str, int]] = field(default_factory=list)

    @property
    def immutable_id(self) -> str:
        return f"AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A-{self.number:05}="

    @property
    def mutable_id(self) -> str:
        """Changes whenever the message is moved."""
        return f"AAMkAGI1AAAoZ-{self.folder}-{self.moves}-{self.number:05}="

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass(slots=True)
class GraphMailboxStore:
    """All calls are safe from any thread. The switches make it answer as Exchange is known to."""

    address: str
    now: Callable[[], datetime]
    replay: int = 0  # so many messages of before `$filter`'s instant stand again at the head of a page
    shuffled: bool = False  # `$orderby` is not obeyed
    received_lack: frozenset[str] = frozenset()  # header names that internetMessageHeaders leaves out, lower case
    shows_headers: bool = True  # whether Mail.ReadBasic shows internetMessageHeaders
    missing_folders: frozenset[str] = frozenset()
    tells_types: bool = True  # whether a listing shows what is no plain message; asked for alone it always does
    closes_after: int | None = None  # a filtered walk of a folder ends after so many
    hidden: set[int] = field(default_factory=set)  # numbers of messages that delta leaves out
    changes: int = 0
    parents: dict[str, str] = field(default_factory=dict)  # own folder → the one it lies in
    _messages: dict[int, StoredMessage] = field(default_factory=dict)
    _count: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def deliver(
        self, headers: Headers, at: datetime | None = None, folder: str = "inbox", *, kind: str = "message"
    ) -> str:
        """A message arrives, or lies in sentitems; answers its immutable id. `kind` is its type, as `eventMessage`."""
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        with self._lock:
            self._count += 1
            told = tuple((name, value) for name, value in pairs if value is not None)
            at = (at or self.now()).astimezone(UTC)
            self.changes += 1
            message = StoredMessage(self._count, told, at, folder, kind, entered=self.changes)
            self._messages[self._count] = message
            return message.immutable_id

    def move(self, immutable_id: str, folder: str, *, at: datetime | None = None) -> None:
        """Into another folder. With `at` a draft is sent: it is received then."""
        with self._lock:
            message = self.get(immutable_id, immutable=True)
            self.changes += 1
            message.left.append((message.folder, self.changes))
            message.folder, message.moves, message.at = folder, message.moves + 1, at or message.at
            message.entered = self.changes

    def mark(self, immutable_id: str) -> None:
        """Somebody reads or flags it."""
        with self._lock:
            self.changes += 1
            self.get(immutable_id, immutable=True).marked = self.changes

    def make_folder(self, name: str, inside: str | None = None) -> None:
        with self._lock:
            self.parents[name] = inside or ""

    def folders_in(self, parent: str | None) -> list[str]:
        """The names of the folders at the top, or inside of one."""
        with self._lock:
            used = {message.folder for message in self._messages.values()}
        names = dict.fromkeys([*WELL_KNOWN_FOLDERS, *self.parents, *sorted(used)])
        return [one for one in names if one not in self.missing_folders and self.parents.get(one, "") == (parent or "")]

    def folder_named(self, folder_id: str) -> str:
        """The name behind an id, or behind a well-known name."""
        names = [*WELL_KNOWN_FOLDERS, *self.parents, *{message.folder for message in self._messages.values()}]
        for name in names:
            if folder_id in (self._parent(name), name if name in WELL_KNOWN_FOLDERS else None):
                if name in self.missing_folders:
                    break
                return name
        raise NotFound

    def folder(self, name: str) -> dict[str, Any]:
        return {"id": self._parent(name), "childFolderCount": len(self.folders_in(name))}

    def delete(self, immutable_id: str) -> None:
        with self._lock:
            del self._messages[self.get(immutable_id, immutable=True).number]

    def get(self, message_id: str, *, immutable: bool) -> StoredMessage:
        with self._lock:
            for message in self._messages.values():
                if message_id == (message.immutable_id if immutable else message.mutable_id):
                    return message
        raise NotFound

    def window(self, since: datetime) -> list[StoredMessage]:
        """Every message received since then, oldest first, whatever folder it lies in."""
        with self._lock:
            found = sorted(self._messages.values(), key=lambda message: (message.at, message.number))
        return [message for message in found if message.at >= since]

    def before(self, since: datetime) -> list[StoredMessage]:
        with self._lock:
            found = sorted(self._messages.values(), key=lambda message: (message.at, message.number))
        return [message for message in found if message.at < since]

    def folder_id(self, name: str) -> str:
        if name not in WELL_KNOWN_FOLDERS or name in self.missing_folders:
            raise NotFound
        return f"AQMkAGI1AAAuAAAD-{name}"

    def resource(
        self, message: StoredMessage, select: Sequence[str], *, immutable: bool, alone: bool = False
    ) -> dict[str, Any]:
        """The message as Graph shows it: `id` and what was selected."""
        shown: dict[str, Any] = {"@odata.etag": 'W/"CQAAABYAAA"'}
        if message.kind != "message" and (alone or self.tells_types):
            shown["@odata.type"] = f"#microsoft.graph.{message.kind}"
        every: dict[str, Callable[[], Any]] = {
            "id": lambda: message.immutable_id if immutable else message.mutable_id,
            "internetMessageId": lambda: next(iter(message.header("Message-ID")), None),
            "subject": lambda: next(iter(message.header("Subject")), ""),
            "receivedDateTime": lambda: _instant(message.at),
            "sentDateTime": lambda: _instant(message.at),
            "isDraft": lambda: message.folder == "drafts",
            "parentFolderId": lambda: self._parent(message.folder),
            "from": lambda: _one(message.header("From")),
            "sender": lambda: _one(message.header("Sender") or message.header("From")),
        }
        for name in ("id", *select):
            if name == "internetMessageHeaders":
                if pairs := self._own_headers(message):
                    shown[name] = [{"name": key, "value": value} for key, value in pairs]
            elif name in RECIPIENTS:
                shown[name] = list(_recipients(message.header(RECIPIENTS[name])))
            elif name in every:
                shown[name] = every[name]()
        return shown

    def _parent(self, folder: str) -> str:
        try:
            return self.folder_id(folder)
        except NotFound:
            return f"AQMkAGI1AAAuAAAD-own-{folder}"

    def _own_headers(self, message: StoredMessage) -> list[tuple[str, str]]:
        """None on what this mailbox wrote: it never came over the wire."""
        if message.folder in ("sentitems", "drafts", "outbox"):
            return []
        return [(name, value) for name, value in message.headers if name.lower() not in self.received_lack]


def _instant(at: datetime) -> str:
    """Whole seconds: the store keeps finer times than it shows."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _recipients(values: Sequence[str]) -> Iterator[dict[str, Any]]:
    for name, address in getaddresses(list(values)):
        if address:
            yield {"emailAddress": {"name": name or address, "address": address}}


def _one(values: Sequence[str]) -> dict[str, Any] | None:
    return next(_recipients(values), None)
