"""What an IMAP server's answers say, believing only what has the right form. It calls nobody."""

import imaplib
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from imapclient.exceptions import ProtocolError

from jobs.mailbox.imap_folders import Listed


@dataclass(frozen=True, slots=True)
class Standing:
    """What a folder says of itself; None where the server does not."""

    uidvalidity: int | None
    uidnext: int | None
    messages: int | None


@dataclass(frozen=True, slots=True)
class Row:
    """One message as the server gave it."""

    block: bytes
    at: datetime | None
    flags: frozenset[str]


@dataclass(slots=True)
class Rows:
    """The answer to a fetch. What is in neither did not come at all."""

    found: dict[int, Row] = field(default_factory=dict)
    unreadable: dict[int, str] = field(default_factory=dict)


def uid_set(uids: Sequence[int]) -> str:
    """`1:3,7` for 1, 2, 3 and 7: a command line has its limits."""
    runs: list[list[int]] = []
    for uid in sorted(uids):
        if runs and uid == runs[-1][1] + 1:
            runs[-1][1] = uid
        else:
            runs.append([uid, uid])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in runs)


def has_calendar(structure: Any) -> bool:
    """Whether a part is text/calendar. A message inside the message is another one: a forwarded invitation is mail."""
    if not isinstance(structure, tuple | list) or not structure:
        return False
    if isinstance(structure[0], list):  # a multipart: its parts first
        return any(has_calendar(part) for part in structure[0])
    kind = [part.lower() for part in structure[:2] if isinstance(part, bytes)]
    return kind in ([b"text", b"calendar"], [b"application", b"ics"])


def words(error: Exception) -> str:
    """What was said, without the client's trimmings, short and on one line."""
    said = error.args[0] if error.args and isinstance(error.args[0], bytes) else str(error) or type(error).__name__
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        text = error.strerror or text
    if isinstance(error, ProtocolError) or "unexpected" in text:  # followed by what came, which can be of a mail
        return "an answer that cannot be read"
    text = _BYTES.sub(r"\2", text).rpartition(" => ")[2]
    return "".join(char if char.isprintable() else " " for char in text).strip(" .")[:160]


def code(error: Exception) -> str:
    """Of a refusal the server's own code, such as SERVERBUG, and no more: the words beside it can quote a mail."""
    if isinstance(error, OSError):
        return words(error)
    if found := _CODE.match(words(error)):
        return found[1].upper()
    return "the connection ended" if isinstance(error, imaplib.IMAP4.abort) else "no reason given"


def plain_rows(lines: Sequence[Any]) -> dict[int, Row] | None:
    """Headers by UID from an answer of the usual form, or None where it takes the client's own, careful parser.

    imaplib gives each message as what stands before the literal, the literal, and the closing parenthesis. The careful
    parser looks at each character, and the names of all the fields that we asked for stand before each literal.
    """
    rows: dict[int, Row] = {}
    heads, ends = lines[::2], lines[1::2]
    if len(heads) != len(ends) or any(end != b")" for end in ends):
        return None
    messages = set()  # by their number in the folder: what comes twice of one has to be put together
    for piece in heads:
        head = _HEAD.fullmatch(piece[0]) if isinstance(piece, tuple) else None
        if head is None or int(head["size"]) != len(piece[1]) or not head["uid"]:
            return None
        at = _plain_instant(head["at"]) if head["at"] else None
        if head["at"] and at is None:
            return None
        messages.add(head["number"])
        flags = frozenset((head["flags"] or b"").decode("ascii", "replace").lower().split())
        rows[int(head["uid"])] = Row(piece[1], at, flags)
    return rows if len(rows) == len(messages) == len(heads) else None


def with_calendar(lines: Sequence[Any]) -> list[Any]:
    """The part of an answer that tells structures in which a calendar may be; mostly nothing is left to be parsed."""
    if all(isinstance(line, bytes) for line in lines):
        some = [line for line in lines if _CALENDAR.search(line)]
        if all(_UID.match(line) for line in some):
            return some
    pieces = (piece for line in lines for piece in (line if isinstance(line, tuple) else (line,)))
    return list(lines) if any(_CALENDAR.search(piece) for piece in pieces if piece) else []


def row_of(told: Mapping[bytes, Any]) -> Row | None:
    """None where the headers are not among the answer: then the message did not come."""
    block = next((value for name, value in told.items() if name.startswith(b"BODY[HEADER")), b"missing")
    at, flags = told.get(b"INTERNALDATE"), told.get(b"FLAGS")
    if block is None:
        block = b""
    if not isinstance(block, bytes) or block == b"missing":
        return None
    names = {one.decode("ascii", "replace").lower() for one in flags or () if isinstance(one, bytes)}
    return Row(block, _instant(at), frozenset(names))


def _instant(at: Any) -> datetime | None:
    if not isinstance(at, datetime) or at.tzinfo is None:
        return None
    try:
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _plain_instant(at: bytes) -> datetime | None:
    parts = _DATE.fullmatch(at)
    if parts is None:
        return None
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = parts.groups()
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    try:
        local = datetime(
            int(year), _MONTHS.index(month.lower()) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
    except ValueError:
        return None
    return local + offset if sign == b"-" else local - offset


def listed_of(flags: Any, delimiter: Any, name: Any) -> Listed:
    marks = {one.decode("ascii", "replace").lower() for one in flags or () if isinstance(one, bytes)}
    parting = delimiter.decode("ascii", "replace") if isinstance(delimiter, bytes) else ""
    return Listed(name if isinstance(name, str) else str(name), parting, frozenset(marks))


def number(told: Mapping[Any, Any], name: bytes) -> int | None:
    value = told.get(name)
    return value if isinstance(value, int) and value >= 0 else None


_CODE = re.compile(r"\[([A-Za-z-]{2,30})[\] ]")
_BYTES = re.compile(r"\bb(['\"])(.*?)\1")
_HEAD = re.compile(
    rb"(?P<number>\d+) \((?:(?:UID (?P<uid>\d+)|FLAGS \((?P<flags>[^()\[\]\"{}]*)\)"
    rb'|INTERNALDATE "(?P<at>[^"\\]*)") )+BODY\[HEADER\.FIELDS \([A-Z -]*\)\] \{(?P<size>\d+)\}',
    re.IGNORECASE,
)
_DATE = re.compile(rb" ?(\d{1,2})-([A-Za-z]{3})-([12]\d{3}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_MONTHS = [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"]
_CALENDAR = re.compile(rb"calendar|ics", re.IGNORECASE)
_UID = re.compile(rb"\d+ \((?:.* )?UID \d+", re.IGNORECASE)
