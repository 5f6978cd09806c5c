"""Turns Graph's answers into our messages, believing only what has the right form. It calls nobody."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from jobs.mailbox.base import Answered, ProviderError
from jobs.mailbox.graph_errors import BadRequest, Gone, TryAgain
from models.addresses import normal_address
from models.message import WANTED_HEADERS, Folder, Message

LISTED = (
    "id",
    "internetMessageId",
    "from",
    "sender",
    "replyTo",
    "toRecipients",
    "ccRecipients",
    "bccRecipients",
    "subject",
    "receivedDateTime",
    "sentDateTime",
    "isDraft",
    "parentFolderId",
)
"""What is asked of every message. Nothing of it is the body, or a part of it."""

HEADERS = "internetMessageHeaders"
TYPE = "@odata.type"
"""Told of what is no plain message: an invitation, an answer to one, an update, a cancellation."""
SET_ASIDE = {"drafts": "draft", "outbox": "draft", "junkemail": "spam", "deleteditems": "trash"}
SENT = "sentitems"
FOLDERS = (*SET_ASIDE, SENT)
"""The well-known names of the folders that decide something."""

ADDRESSES = (
    ("From", "from"),
    ("Sender", "sender"),
    ("Reply-To", "replyTo"),
    ("To", "toRecipients"),
    ("Cc", "ccRecipients"),
    ("Bcc", "bccRecipients"),
)
_WANTED = {name.lower() for name in WANTED_HEADERS}
_FIRST_YEAR = 1970  # Exchange writes the year 1 where it has no date

Answer = Any  # the JSON of one message, or the ProviderError that came in its place


class Fetched(Answered):
    """The messages that were asked for, each put where its answer belongs."""

    __slots__ = ()

    def settle(self, key: str, item: Answer, folders: Mapping[str, str]) -> None:
        """Puts a message where its answer belongs."""
        if isinstance(item, Gone):
            self.gone.append(key)
        elif isinstance(item, BadRequest) or (isinstance(item, TryAgain) and not item.mailbox_wide):
            self.failed.append((key, str(item)))
        elif isinstance(item, ProviderError):
            self.stopped = self.stopped or item
        elif verdict := set_aside(item, folders):
            self.set_aside.append((key, verdict))
        else:
            self.messages.append(message_of(key, item, folders))


def set_aside(item: Mapping[str, Any], folders: Mapping[str, str]) -> str | None:
    """The verdict that a message's place alone gives; `folders` maps ids to well-known names."""
    name = folders.get(str(item.get("parentFolderId")), "")
    return SET_ASIDE.get(name) or ("draft" if item.get("isDraft") is True else None)


def is_sent(item: Mapping[str, Any], folders: Mapping[str, str]) -> bool:
    return folders.get(str(item.get("parentFolderId"))) == SENT


def message_of(key: str, item: Mapping[str, Any], folders: Mapping[str, str]) -> Message:
    """The mail's own headers, and its properties where they lack one: sent mail has none, received mail lacks some."""
    own = [
        (header["name"], _storable(header["value"]))
        for header in dicts(item.get(HEADERS))
        if isinstance(header.get("name"), str)
        and isinstance(header.get("value"), str)
        and header["name"].lower() in _WANTED
    ]
    told = {name.lower() for name, _ in own}
    return Message(
        provider_id=key,
        headers=(*own, *(pair for pair in _from_properties(item) if pair[0].lower() not in told)),
        at=instant(item.get("receivedDateTime")) or instant(item.get("sentDateTime")),
        folder=Folder.SENT if is_sent(item, folders) else Folder.INBOX,
        is_calendar="eventmessage" in str(item.get(TYPE)).lower(),
    )


def instant(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(text))
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if at.year >= _FIRST_YEAR else None


def dicts(values: Any) -> Iterator[dict[str, Any]]:
    return (value for value in values if isinstance(value, dict)) if isinstance(values, list) else iter(())


def _from_properties(item: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for header, name in ADDRESSES:
        value = item.get(name)
        recipients: Sequence[Any] = value if isinstance(value, list) else [value]
        if line := ", ".join(written for one in recipients if (written := _address(one))):
            yield header, line
    for header, name in (("Subject", "subject"), ("Message-ID", "internetMessageId")):
        if isinstance(item.get(name), str):
            yield header, _storable(item[name])
    if sent := instant(item.get("sentDateTime")):
        yield "Date", format_datetime(sent)


def _address(recipient: Any) -> str | None:
    """`"Name" <address>`. What is no address is left out: Exchange also names people by directory paths."""
    entry = recipient.get("emailAddress") if isinstance(recipient, dict) else None
    address = normal_address(str(entry.get("address") or "")) if isinstance(entry, dict) else None
    if address is None or not isinstance(entry, dict):
        return None
    name = " ".join(re.sub(r'[\\"\x00-\x1f\x7f]', " ", _storable(str(entry.get("name") or ""))).split())
    return f'"{name}" <{address}>' if name and name.lower() != address else address


def _storable(value: str) -> str:
    """JSON can carry halves of surrogate pairs and NUL, and no database takes them."""
    return value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")
