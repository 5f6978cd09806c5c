"""Turns Gmail's answers into our messages, believing only what has the right form. It calls nobody."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jobs.mailbox.base import Answered, ProviderError
from jobs.mailbox.gmail_errors import BadRequest, Gone
from models.message import Folder, Message

SET_ASIDE = {"DRAFT": "draft", "SPAM": "spam", "TRASH": "trash", "CHAT": "chat"}
SKIPPED = "skipped"  # in a category that the settings leave out; final, unlike a draft

Answer = Any  # the JSON of one message, or the ProviderError that came in its place


class Fetched(Answered):
    """The messages that were asked for, each put where its answer belongs. `skip` names categories to leave out."""

    __slots__ = ("skip",)

    def __init__(self, skip: Sequence[str] = ()) -> None:
        super().__init__()
        self.skip = skip

    def settle(self, key: str, answer: Answer) -> None:
        """Puts a message where its answer belongs."""
        if isinstance(answer, Gone):
            self.gone.append(key)
        elif isinstance(answer, BadRequest):
            self.failed.append((key, str(answer)))
        elif isinstance(answer, ProviderError):
            self.stopped = self.stopped or answer
        elif not isinstance(answer, dict):
            self.failed.append((key, "Gmail's answer is not an object"))
        elif verdict := set_aside(labels_of(answer), self.skip):
            self.set_aside.append((key, verdict))
        else:
            self.messages.append(message_of(key, answer))


def set_aside(labels: Sequence[str], skip: Sequence[str] = ()) -> str | None:
    """The verdict that labels alone give; such a message is not fetched. What we sent is never skipped."""
    verdict = next((verdict for label, verdict in SET_ASIDE.items() if label in labels), None)
    if verdict is None and "SENT" not in labels and any(f"CATEGORY_{name.upper()}" in labels for name in skip):
        return SKIPPED
    return verdict


def message_of(key: str, answer: Mapping[str, Any]) -> Message:
    """Whatever of the answer can be believed: a header without name or value is left out, and never an error."""
    labels, payload = labels_of(answer), answer.get("payload")
    headers = dicts(payload.get("headers")) if isinstance(payload, dict) else ()
    folder = Folder.SENT if "SENT" in labels else Folder.INBOX if labels else Folder.UNKNOWN
    return Message(
        provider_id=key,
        headers=tuple(
            (header["name"], _storable(header["value"]))
            for header in headers
            if isinstance(header.get("name"), str) and isinstance(header.get("value"), str)
        ),
        at=instant(answer.get("internalDate")),
        folder=folder,
    )


def labels_of(answer: Mapping[str, Any]) -> list[str]:
    labels = answer.get("labelIds")
    return [str(label) for label in labels] if isinstance(labels, list) else []


def instant(milliseconds: Any) -> datetime | None:
    try:
        value = int(milliseconds)
        return datetime.fromtimestamp(value / 1000, UTC) if value > 0 else None
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def number(value: object) -> str | None:
    """A history id: digits, however the server writes them."""
    return str(value) if str(value).isdecimal() else None


def dicts(values: Any) -> Iterator[dict[str, Any]]:
    return (value for value in values if isinstance(value, dict)) if isinstance(values, list) else iter(())


def _storable(value: str) -> str:
    """JSON can carry halves of surrogate pairs and NUL, and no database takes them."""
    return value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")
