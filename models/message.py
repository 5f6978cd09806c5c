"""One mail as every provider hands it over: headers and the provider's own facts, never a body. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

WANTED_HEADERS = (
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Subject",
    "Return-Path",
    "Auto-Submitted",
    "X-Autoreply",
    "X-Autorespond",
    "X-Autoresponder",
    "Precedence",
    "X-Auto-Response-Suppress",
    "X-MS-Exchange-Inbox-Rules-Loop",
    "List-Id",
    "List-Unsubscribe",
    "Content-Type",
    "Content-Class",
    "X-Failed-Recipients",
    "X-Original-Sender",
    "X-Original-From",
    "Delivered-To",
    "X-Forwarded-For",
    "Resent-From",
    "Authentication-Results",
)
"""The header names that any provider may ask for. Nothing outside this list is ever requested or kept."""


class Folder(StrEnum):
    """Where the provider says the mail lies, as far as it matters to capture."""

    SENT = "sent"
    INBOX = "inbox"  # and every other place where received mail lives
    DRAFT = "draft"
    SPAM = "spam"
    TRASH = "trash"
    CHAT = "chat"
    UNKNOWN = "unknown"  # an mbox without labels: direction comes from the addresses


@dataclass(frozen=True, slots=True)
class Message:
    """Headers in their order, values undecoded and unfolded as the provider gave them; `at` is the provider's time.

    `at` is None where no believable time exists: the message is then counted as unparsed, never guessed.
    """

    provider_id: str
    headers: tuple[tuple[str, str], ...]
    at: datetime | None
    folder: Folder = Folder.UNKNOWN
    is_calendar: bool = False

    def first(self, name: str) -> str:
        """The first value of a header, or the empty string."""
        return next(self.all(name), "")

    def all(self, name: str) -> Iterator[str]:
        wanted = name.lower()
        return (value for key, value in self.headers if key.lower() == wanted)
