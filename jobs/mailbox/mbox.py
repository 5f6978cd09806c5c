"""Reads an mbox file, a single .eml, or a folder of them, as Takeout unpacks: header blocks only, in constant memory.

Bodies are skipped as bytes and never decoded.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from jobs.mailbox.base import Page, ProviderError, Unseen
from jobs.mailbox.takeout import folder_of, separator_date
from models.headers import date_of, fingerprint
from models.matching import dedupe_key_of
from models.message import WANTED_HEADERS, Message

PAGE = 200
CHUNK = 1 << 20
LONGEST_BLOCK = 1 << 20  # bytes of one header block; what is longer is cut there
LARGEST_PAGE = 4 << 20  # bytes of header blocks: a page lies in memory

Found = tuple[int, bytes, bytes]  # (where the next message is looked for, From_ line, header block)


class MboxFile:
    """A file or a folder. `offset` of `total_bytes` shows progress; `identity` changes when the content does.

    A folder is read as one file: its .mbox and .eml files in the order of their names.
    """

    def __init__(self, path: Path | str, *, page: int = PAGE) -> None:
        self.path, self._page = Path(path), page
        self.offset = 0
        with self._readable("check the path"):
            self.total_bytes, self.identity = self._identified()

    def pages(
        self, cursor: str | None, *, since: datetime, last_ok_at: datetime | None, unseen: Unseen
    ) -> Iterator[Page]:
        """The messages from `cursor` on, in the file's order.

        The cursor of another file, or of another state of this one, is dropped: reading again costs time, going on
        in the middle of something else could lose mail.
        """
        self.offset = self._position(cursor)
        with self._readable("try again"):
            found = self._messages(self.offset)
            while messages := self._batch(found):
                wanted = unseen([message.provider_id for message in messages])
                kept = [m for m in messages if m.provider_id in wanted and (m.at is None or m.at >= since)]
                yield Page(cursor=self._cursor(), messages=tuple(kept))
            self.offset = self.total_bytes
            yield Page(cursor=self._cursor(), last=True)

    def _batch(self, found: Iterator[Found]) -> list[Message]:
        """A page's worth, and `offset` behind it; where headers are huge, fewer messages than usual."""
        messages: list[Message] = []
        size = 0
        for at, line, block in found:
            messages.append(message_of(line, block))
            self.offset, size = at, size + len(block)
            if len(messages) == self._page or size >= LARGEST_PAGE:
                break
        return messages

    @contextmanager
    def _readable(self, advice: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ProviderError(f"cannot read {self.path}: {error.strerror or error}; {advice}") from error

    def _identified(self) -> tuple[int, str]:
        """How many bytes there are, and a name for them that a killed import finds its checkpoint by."""
        if not self.path.is_dir():
            size, head = _size_and_head(self.path)
            if not _is_eml(self.path):
                _refuse(self.path, head)
            return size, hashlib.sha256(b"%d %b" % (size, head)).hexdigest()
        total, name = 0, hashlib.sha256()
        for path in _mail_files(self.path):
            size, head = _size_and_head(path)
            if size and not _is_eml(path):
                _refuse(path, head)
            total += size
            name.update(b"%b %d %b" % (os.fsencode(path.relative_to(self.path)), size, hashlib.sha256(head).digest()))
        if not total:
            raise ProviderError(f"{self.path} is a folder without .mbox or .eml files; name the mbox file itself")
        return total, name.hexdigest()

    def _cursor(self) -> str:
        return json.dumps({"offset": self.offset, "file": self.identity})

    def _position(self, cursor: str | None) -> int:
        try:
            state = json.loads(cursor or "{}")
            offset = int(state["offset"]) if state["file"] == self.identity else 0
        except (KeyError, TypeError, ValueError):
            return 0
        return offset if 0 <= offset <= self.total_bytes else 0

    def _messages(self, offset: int) -> Iterator[Found]:
        """From `offset` on; the files of a folder stand one behind the other."""
        before = 0
        for path in _mail_files(self.path) if self.path.is_dir() else (self.path,):
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if offset < before + size:
                    read = _eml if _is_eml(path) else _mbox
                    for at, line, block in read(file, max(offset - before, 0), size):
                        yield before + at, line, block
                before += os.fstat(file.fileno()).st_size
        if before < self.total_bytes:
            raise ProviderError(f"{self.path} became shorter while it was read; import it again")


def _mbox(file: BinaryIO, offset: int, size: int) -> Iterator[Found]:
    window = _Window(file, offset)
    at = window.separator(offset)
    if offset and at != offset:  # written over since the checkpoint, to the same size
        window = _Window(file, 0)
        at = window.separator(0)
    while at is not None:
        line, block, end = window.header(at)
        at = window.separator(end)
        yield (at if at is not None else size), line, block


def _eml(file: BinaryIO, _: int, size: int) -> Iterator[Found]:
    head = b"\n" + file.read(LONGEST_BLOCK).removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    end = _BLANK.search(head, 1)
    yield size, b"", head[1 : end.start() + 1 if end else len(head)]


class _Window:
    """A piece of the file that slides forward, so that a search may look a little back and ahead."""

    def __init__(self, file: BinaryIO, offset: int) -> None:
        self.file = file
        self.start = max(offset - 4, 0)  # of `data` in the file; four bytes back lie the blank line's ends
        file.seek(self.start)
        # Before the file's first byte stands a blank line, as it were: the first separator needs no other rule.
        self.data = b"\n\n" if not offset else b""
        self.start -= len(self.data)
        self.more = True

    def ensure(self, position: int, length: int) -> None:
        """Hold `length` bytes from `position`, if the file has them; what lies further back than four bytes may go."""
        while self.more and len(self.data) - (position - self.start) < length:
            piece = self.file.read(CHUNK)
            self.more = bool(piece)
            cut = max(position - self.start - 4, 0)
            self.data = self.data[cut:] + piece
            self.start += cut

    def separator(self, position: int) -> int | None:
        """Where the next From_ line starts, at or after `position`."""
        while True:
            self.ensure(position, 8)
            at = self.data.find(b"\nFrom ", max(position - self.start - 1, 0))
            if at < 0:
                if not self.more:
                    return None
                position = self.start + max(len(self.data) - 5, position - self.start)
                self.ensure(position, CHUNK)
                continue
            position = self.start + at + 1
            self.ensure(position, 4096)
            if _separates(self.data, position - self.start):
                return position
            position += 5

    def header(self, position: int) -> tuple[bytes, bytes, int]:
        """The From_ line at `position`, the header block below it, and where that ends."""
        length = 64 << 10
        while True:
            self.ensure(position, length)
            at = position - self.start
            top = self.data.find(b"\n", at) + 1 or len(self.data)
            blank = _BLANK.search(self.data, top - 1, at + length)
            end = blank.start() + 1 if blank else min(len(self.data), at + length)
            cut = self._separator_in(top, end)  # the blank line between two messages may be missing
            if blank or cut or not self.more or length >= LONGEST_BLOCK:
                end = cut or end
                return self.data[at:top], self.data[top:end], self.start + end
            length *= 4

    def _separator_in(self, top: int, end: int) -> int | None:
        """Where a From_ line starts among header lines of `data`."""
        found = self.data.find(b"\nFrom ", top, end)
        while found >= 0 and not _separates(self.data, found + 1, in_header=True):
            found = self.data.find(b"\nFrom ", found + 1, end)
        return found + 1 if found >= 0 else None


def _separates(data: bytes, at: int, *, in_header: bool = False) -> bool:
    """Whether the `From ` at `at` starts a message and is not a sentence of a body.

    It does when a blank line stands before it and a header below it. Where the line carries no date the header must
    be one that mail starts with. Where the blank line is missing both are asked for, but not between header lines:
    nothing else starts with `From ` there.
    """
    line = _FROM_LINE.match(data, at)
    name = _HEADER.match(data, line.end()) if line else None
    if line is None or name is None:
        return False
    dated = _DATED.search(line[0]) is not None
    usual = _USUAL.fullmatch(name[1]) is not None
    blank = data[at - 2 : at] == b"\n\n" or data[at - 3 : at] == b"\n\r\n"
    return (dated or usual) if blank or in_header else (dated and usual)


def message_of(from_line: bytes, block: bytes) -> Message:
    headers: list[tuple[str, str]] = []
    labels: list[str] = []
    for name, value in fields_of(block):
        if name == "X-Gmail-Labels":
            labels.append(value)
        else:
            headers.append((name, value))
    bare = Message("", tuple(headers), None)
    at = date_of(bare.first("Date")) or _received(block) or separator_date(_text(from_line))
    message = Message("", bare.headers, at, folder_of(labels))
    # The ledger keeps this id for every mail, also for mail that concerns nobody: hence no Message-ID in clear.
    return Message(fingerprint("mbox", dedupe_key_of(message)), bare.headers, at, message.folder)


def fields_of(block: bytes) -> Iterator[tuple[str, str]]:
    """The wanted headers, folds kept. A line that is no header is passed over: what follows it may still be one."""
    for match in _FIELD.finditer(block):
        name = _WANTED.get(match[1].lower())
        if name:
            yield name, _text(match[2]).strip(" \t\r\n")


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _received(block: bytes) -> datetime | None:
    """The topmost Received is the receiving server's own, the nearest thing to a provider's time."""
    match = _RECEIVED.search(block)
    return date_of(_text(match[1]).rpartition(";")[2]) if match else None


def _mail_files(folder: Path) -> Iterator[Path]:
    """Folder by folder in the order of names, so that a million files need no list of a million names."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    for name in names:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            yield from _mail_files(path)
        elif path.is_file() and (path.suffix.lower() in (".eml", ".mbox") or name == "mbox"):
            yield path


def _is_eml(path: Path) -> bool:
    return path.suffix.lower() == ".eml"


def _size_and_head(path: Path) -> tuple[int, bytes]:
    with path.open("rb") as file:
        return os.fstat(file.fileno()).st_size, file.read(4096)


def _refuse(path: Path, head: bytes) -> None:
    if not head.strip():
        raise ProviderError(f"{path} is empty; export the mailbox again")
    if head[:2] == b"\x1f\x8b" or head[:4] == b"PK\x03\x04":
        raise ProviderError(f"{path} is compressed; unpack it and name the .mbox file inside")
    if not re.match(rb"\s*From ", head):
        raise ProviderError(f'{path} is no mbox: its first line does not start with "From "; name an mbox file')


_WANTED = {name.lower().encode(): name for name in (*WANTED_HEADERS, "X-Gmail-Labels")}
_BLANK = re.compile(rb"\n\r?\n")
_FROM_LINE = re.compile(rb"From [^\r\n]*\r?\n(?:>From [^\r\n]*\r?\n)*")
_HEADER = re.compile(rb"([!-9;-~]+)[ \t]*:")
_DATED = re.compile(rb" \d{1,2}:\d\d(?::\d\d)?\b[^\r\n]*\b(?:19|20)\d\d\b")
_USUAL = re.compile(
    rb"(?:x|arc|dkim|content|resent|list|received|delivered|envelope|thread|original|auto|mail|feedback|domainkey)-.*"
    rb"|from|to|b?cc|date|subject|sender|received|return-path|reply-to|in-reply-to|references|message-id|mime-version"
    rb"|authentication-results|status|precedence|importance|priority|organi[sz]ation|user-agent|errors-to|comments"
    rb"|accept-language|disposition-notification-to|old-.*|apparently-to|lines|path|newsgroups|encoding|sensitivity",
    re.IGNORECASE,
)
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:((?:[^\n]*)(?:\n[ \t][^\n]*)*)", re.MULTILINE)
_RECEIVED = re.compile(rb"^received[ \t]*:((?:[^\n]*)(?:\n[ \t][^\n]*)*)", re.MULTILINE | re.IGNORECASE)
