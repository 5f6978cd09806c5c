"""One stand-in mailbox: messages with labels, and the history of what happened to them. It knows nothing of HTTP."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Headers = Sequence[tuple[str, str | None]] | Mapping[str, str | None]
HISTORY_STEP = 7  # history ids rise with gaps, as Gmail's do


class NotFound(Exception):
    """There is no such message, or the history no longer reaches back that far."""


@dataclass(slots=True)
class StoredMessage:
    id: str
    thread_id: str
    labels: list[str]
    at: datetime
    headers: tuple[tuple[str, str | None], ...]
    history_id: int
    number: int
    listed_at: datetime

    @property
    def position(self) -> tuple[datetime, int]:
        """Its place in the listing."""
        return self.listed_at, self.number

    @property
    def internal_date(self) -> str:
        return str(round(self.at.timestamp() * 1000))


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of the history. `kind` is Gmail's history type; `labels` are the message's labels at that moment."""

    id: int
    kind: str
    message_id: str
    thread_id: str
    labels: tuple[str, ...]
    changed: tuple[str, ...] = ()


@dataclass(slots=True)
class GmailMailboxStore:
    """All calls are safe from any thread. `history_with_labels = False` leaves labelIds out of the history."""

    address: str
    now: Callable[[], datetime]
    history_with_labels: bool = True
    _messages: dict[str, StoredMessage] = field(default_factory=dict)
    _records: list[Record] = field(default_factory=list)
    _history_id: int = 1000
    _oldest_history_id: int = 1000
    _deliveries: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def deliver(
        self,
        headers: Headers,
        at: datetime | None = None,
        labels: Iterable[str] = ("INBOX",),
        *,
        thread_id: str | None = None,
        listed_at: datetime | None = None,
    ) -> str:
        """A message arrives or is sent (labels SENT); answers its id. A header whose value is None lacks its value.

        `listed_at` puts it elsewhere in the listing than its date says, as migrated mail can stand.
        """
        pairs = tuple(headers.items()) if isinstance(headers, Mapping) else tuple(headers)
        with self._lock:
            self._deliveries += 1
            message_id = f"{0x18F0000000000000 + self._deliveries:x}"
            message = StoredMessage(
                id=message_id,
                thread_id=thread_id or message_id,
                labels=list(dict.fromkeys(labels)),
                at=(at or self.now()).astimezone(UTC),
                headers=pairs,
                history_id=0,
                number=self._deliveries,
                listed_at=(listed_at or at or self.now()).astimezone(UTC),
            )
            self._messages[message_id] = message
            self._note("messageAdded", message)
            return message_id

    def relabel(self, message_id: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        """Labels change, as when a draft is sent or spam is freed."""
        with self._lock:
            message = self._get(message_id)
            added = tuple(label for label in add if label not in message.labels)
            removed = tuple(label for label in remove if label in message.labels)
            message.labels = [label for label in message.labels if label not in removed] + list(added)
            if added:
                self._note("labelAdded", message, added)
            if removed:
                self._note("labelRemoved", message, removed)

    def delete(self, message_id: str) -> None:
        """The message is gone for good, not merely in the trash."""
        with self._lock:
            self._note("messageDeleted", self._get(message_id))
            del self._messages[message_id]

    def expire_history(self) -> None:
        """Every history id given out so far, also those on messages, is answered with 404 from now on."""
        with self._lock:
            self._history_id += HISTORY_STEP
            self._oldest_history_id = self._history_id
            self._records.clear()

    @property
    def history_id(self) -> int:
        with self._lock:
            return self._history_id

    @property
    def message_ids(self) -> tuple[str, ...]:
        """Every message, newest first."""
        return tuple(message.id for message in self.newest_first(with_spam_and_trash=True))

    def profile(self) -> dict[str, Any]:
        with self._lock:
            threads = {message.thread_id for message in self._messages.values()}
            return {
                "emailAddress": self.address,
                "messagesTotal": len(self._messages),
                "threadsTotal": len(threads),
                "historyId": str(self._history_id),
            }

    def get(self, message_id: str) -> StoredMessage:
        with self._lock:
            return self._get(message_id)

    def newest_first(
        self,
        *,
        labels: Iterable[str] = (),
        with_spam_and_trash: bool = False,
        after: tuple[datetime, int] | None = None,
    ) -> list[StoredMessage]:
        """Messages by falling date, from behind the position `after`, so that arrivals do not shift the pages."""
        wanted, hidden = set(labels), set() if with_spam_and_trash else {"SPAM", "TRASH"}
        with self._lock:
            chosen = [
                message
                for message in self._messages.values()
                if wanted <= set(message.labels)
                and not (hidden - wanted) & set(message.labels)
                and (after is None or message.position < after)
            ]
        return sorted(chosen, key=lambda message: message.position, reverse=True)

    def history(self, start: int, kinds: Iterable[str], label: str | None) -> tuple[list[Record], int]:
        """Records after `start` with the current history id; raises NotFound where the history does not reach."""
        wanted = set(kinds)
        with self._lock:
            if not self._oldest_history_id <= start <= self._history_id:
                raise NotFound
            records = [
                record
                for record in self._records
                if record.id > start
                and (not wanted or record.kind in wanted)
                and (label is None or label in record.labels or label in record.changed)
            ]
            return records, self._history_id

    def label_ids(self) -> list[str]:
        system = ["CHAT", "DRAFT", "IMPORTANT", "INBOX", "SENT", "SPAM", "STARRED", "TRASH", "UNREAD"]
        with self._lock:
            used = {label for message in self._messages.values() for label in message.labels}
        return [*system, *sorted(used - set(system))]

    def _get(self, message_id: str) -> StoredMessage:
        try:
            return self._messages[message_id]
        except KeyError:
            raise NotFound from None

    def _note(self, kind: str, message: StoredMessage, changed: tuple[str, ...] = ()) -> None:
        self._history_id += HISTORY_STEP
        message.history_id = self._history_id
        self._records.append(
            Record(self._history_id, kind, message.id, message.thread_id, tuple(message.labels), changed)
        )
