"""What any bytes are put through, and what must hold of the answers. A target fails by raising; it knows no fuzzer.

Each reads its bytes as its part of Cadence would get them from outside: a header value, a header block, a file, an
answer on the wire. A finding becomes a test of its own where the code's other tests are.
"""

import imaplib
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from imapclient.response_parser import parse_fetch_response

from jobs.mailbox import gmail_message, graph_message
from jobs.mailbox.base import Page, ProviderError
from jobs.mailbox.imap_answers import has_calendar, listed_of, row_of, words
from jobs.mailbox.mbox import MboxFile, fields_of, message_of
from models.addresses import addresses_in, normal_address, normal_domain, plain_addresses
from models.headers import date_of, decode_words, message_id, message_ids, subject_key
from models.matching import Decision, Roster, decide, references_of
from models.message import WANTED_HEADERS, Folder, Message
from models.verdict import Verdict

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
US = "dana@lantern.example"
ROSTER = Roster(people={US: 1}, contacts={"ceo@partner.example": 2}, domains={"acme.example": 1})
EVIL = "x@evil.example"
UNREADABLE = (imaplib.IMAP4.error, ValueError, TypeError, IndexError, AttributeError, RecursionError)
"""What jobs/mailbox/imap_session.py takes for an answer that cannot be read."""


def text_of(raw: bytes) -> str:
    """UTF-8 and lone surrogates as JSON can carry them; otherwise a character for each byte."""
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def header_values(raw: bytes) -> None:
    value = text_of(raw)
    found = addresses_in([value])
    for email in found.emails:
        assert normal_address(email) == email, "an address has one spelling"
    plain = plain_addresses(value)
    if plain is not None:
        assert tuple(dict.fromkeys(one.email for one in plain)) == found.emails, "the fast path agrees"
    domain = normal_domain(value)
    assert domain is None or normal_domain(domain) == domain, "a domain has one spelling"
    at = date_of(value)
    assert at is None or at.tzinfo is UTC
    for text in (decode_words(value), subject_key(value)):
        assert "\n" not in text
    for one in (message_id(value), *message_ids([value])):
        assert one.isprintable()
        assert one == one.strip("<> "), "an id can be stored and compared"
    names = sorted({name.lower() for name in WANTED_HEADERS})
    for name in names:
        decided(Message("p", (("From", EVIL), (name, value)), NOW))


def display_names(raw: bytes) -> None:
    """Whatever stands before the bracket, quoted or bare, the mail is the bracket's."""
    name = text_of(raw)
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    for author in (f"{name} <{EVIL}>", f'"{quoted}" <{EVIL}>'):
        assert not decided(Message("p", (("From", author), ("To", US)), NOW)).touches, author
    assert addresses_in([f'"{quoted}" <{EVIL}>']).emails == (EVIL,)
    addressed = Message("p", (("From", US), ("To", f'"{quoted}" <{EVIL}>')), NOW)
    assert not decided(addressed).touches, "nor does a recipient's name"


def header_blocks(raw: bytes) -> None:
    """A whole mail, as an mbox and IMAP hand it over."""
    message = message_of(b"", raw)
    decided(message)
    for folder in (Folder.INBOX, Folder.SENT):
        decided(Message("p", tuple(fields_of(raw)), NOW, folder))


def mbox_files(raw: bytes) -> None:
    """A file is read to its end, and from any cursor on nothing but the rest is read."""
    path = _scratch() / "some.mbox"
    path.write_bytes(raw)
    try:
        pages = list(_pages(path, None, 1))
    except ProviderError:
        return
    ids = [[message.provider_id for message in page.messages] for page in pages]
    assert pages[-1].last
    for page in pages:
        for message in page.messages:
            decided(message)
    for at in range(0, len(pages), max(1, len(pages) // 3)):
        rest = [message.provider_id for page in _pages(path, pages[at].cursor, 7) for message in page.messages]
        assert rest == [key for keys in ids[at + 1 :] for key in keys], "a cursor promises what was yielded before it"


def imap_answers(raw: bytes) -> None:
    """Lines of an answer to FETCH, cut into literals as imaplib cuts them, and a folder's line."""
    lines: list[Any] = []
    for line in raw.split(b"\x00"):
        head, literal, rest = line.partition(b"\x01")
        lines.append((head + b" {%d}" % len(rest), rest) if literal else head)
    try:
        answers = parse_fetch_response(lines, normalise_times=False, uid_is_key=False)
    except UNREADABLE as error:
        said = words(error)
        assert said.isprintable()
        assert len(said) <= 160
        return
    for told in answers.values():
        assert has_calendar(told.get(b"BODYSTRUCTURE")) in (True, False)
        row = row_of(told)
        if row is not None:
            decided(Message("p", tuple(fields_of(row.block)), row.at or NOW))
        for value in told.values():
            if not isinstance(value, datetime):  # the client gives none where a folder is named
                listed_of(value if isinstance(value, tuple | list) else None, value, value)


def gmail_answers(raw: bytes) -> None:
    answer = _json(raw)
    fetched = gmail_message.Fetched()
    fetched.settle("p", answer)
    assert fetched, "every answer has its place"
    _stored(fetched.messages)
    if isinstance(answer, dict):
        _stored([gmail_message.message_of("p", answer)])


def graph_answers(raw: bytes) -> None:
    item = _json(raw)
    if not isinstance(item, dict):
        return
    fetched = graph_message.Fetched()
    folders = {"s": "sentitems", "d": "drafts", "None": "junkemail"}
    fetched.settle("p", item, folders)
    assert fetched, "every answer has its place"
    _stored([*fetched.messages, graph_message.message_of("p", item, folders)])


TARGETS: dict[str, Callable[[bytes], None]] = {
    one.__name__: one
    for one in (
        header_values,
        display_names,
        header_blocks,
        mbox_files,
        imap_answers,
        gmail_answers,
        graph_answers,
    )
}

SEEDS: dict[str, Sequence[bytes]] = {
    "header_values": (
        b'"Lee, Al" <al@acme.example>, ceo@partner.example (boss); Team: a@b.c, d@e.f;',
        b"=?utf-8?q?R=C3=A9ponse_automatique?= =?iso-2022-jp?B?GyRCPCtGMDF+RXobKEI=?= : Re[2]: AW: x",
        b"Mon, 23 Nov 2026 09:00:00 +0000 (UTC)",
        b"<a@b> <c@d> \xff <@route:x@y> mailto:z@q.example",
        "müller@bücher.example".encode(),
    ),
    "display_names": (b"ceo@partner.example", b'"ceo@partner.example" <al@acme.example>,', b"=?utf-8?q?al=40acme?=("),
    "header_blocks": (
        b"From: Al <al@acme.example>\nTo: dana@lantern.example\nSubject: Automatic reply: =?utf-8?q?x?=\n"
        b"Date: Mon, 23 Nov 2026 09:00:00 +0000\nMessage-ID: <1@x>\nIn-Reply-To: <0@x>\nReturn-Path: <>\n",
        b"From: <dana@lantern.example>\r\nTo: al@acme.example,\r\n\tceo@partner.example\r\nX-Gmail-Labels: Sent\r\n",
        b"from: MAILER-DAEMON\ncontent-type: multipart/report; report-type=delivery-status\nlist-id: <l>\n",
    ),
    "mbox_files": (
        b"From x@y.example Mon Nov 23 08:00:00 2026\nFrom: al@acme.example\nSubject: a\n\nbody\nFrom here on\n\n"
        b"From 1@xxx Mon Nov 23 08:00:00 +0000 2026\r\nX-Gmail-Labels: Sent\r\nTo: b@c\r\n\r\nFrom x\r\nTo: y\r\n\r\n",
    ),
    "imap_answers": (
        b'1 (UID 7 FLAGS (\\Seen) INTERNALDATE "23-Nov-2026 09:00:00 +0000" BODY[HEADER.FIELDS (FROM)]\x01'
        b"From: al@acme.example\r\n\r\n\x00)",
        b'2 (UID 8 BODYSTRUCTURE (("text" "plain" NIL NIL NIL "7BIT" 3 1)("text" "calendar" NIL) "mixed"))',
    ),
    "gmail_answers": (
        b'{"id": "p", "labelIds": ["SENT"], "internalDate": "1795424400000", "payload": {"headers": '
        b'[{"name": "From", "value": "al@acme.example"}, {"name": "To", "value": "a\\ud800"}]}}',
    ),
    "graph_answers": (
        b'{"id": "p", "parentFolderId": "s", "isDraft": false, "receivedDateTime": "2026-11-23T09:00:00Z", "from": '
        b'{"emailAddress": {"name": "Al", "address": "al@acme.example"}}, "toRecipients": [], "subject": "x", '
        b'"internetMessageHeaders": [{"name": "Auto-Submitted", "value": "no"}], "@odata.type": "#x.eventMessage"}',
    ),
}
"""Where a search begins. Coverage, or chance, leads on from there."""


def decided(message: Message) -> Decision:
    """What holds of any decision: verdict and evidence can be stored, and a touch rests on an address that is there."""
    decision = decide(message, ROSTER, mailbox=US, captured_at=NOW, known_ids=frozenset(references_of(message)[:1]))
    assert decision.rule
    assert decision.verdict in Verdict
    assert decision.detail.isascii()
    assert decision.dedupe_key.isprintable()
    assert decision.at <= NOW or not decision.clamped
    stated = {email for name in ("From", "To", "Cc", "Bcc") for email in addresses_in(message.all(name)).emails}
    original = addresses_in((*message.all("X-Original-From"), *message.all("X-Original-Sender")))
    stated.update(original.emails, addresses_in(message.all("Reply-To")).emails)
    for touch in decision.touches:
        assert touch.matched in stated
        assert touch.matched == "ceo@partner.example" or touch.matched.rpartition("@")[2].endswith("acme.example")
    return decision


def _stored(messages: Sequence[Message]) -> None:
    for message in messages:
        decided(message)
        for _, value in message.headers:
            assert "\x00" not in value
            value.encode()


def _pages(path: Path, cursor: str | None, size: int) -> Iterator[Page]:
    return MboxFile(path, page=size).pages(cursor, since=EPOCH, last_ok_at=None, unseen=set)


@cache
def _scratch() -> Path:
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    return Path(tempfile.mkdtemp(prefix="cadence-fuzz-", dir=memory if os.access(memory, os.W_OK) else None))


def _json(raw: bytes) -> Any:
    """The bytes as JSON, and where they are none, keys and values that are like an answer's and hold the bytes."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return _like_an_answer(raw)


def _like_an_answer(raw: bytes) -> dict[str, Any]:
    """Byte by byte a small language: which key, then what kind of value, then the text up to the next zero byte."""
    answer: dict[str, Any] = {}
    for piece in raw.split(b"\x00")[:40]:
        if len(piece) < 2:
            continue
        key, text = KEYS[piece[0] % len(KEYS)], text_of(piece[2:])
        person = {"emailAddress": {"name": text, "address": text[:40]}}
        header = {"name": WANTED_HEADERS[len(piece) % len(WANTED_HEADERS)], "value": text}
        values: tuple[Any, ...] = (
            text,
            [text],
            None,
            len(text),
            {text: text},
            person,
            [person],
            [header, text],
            {"headers": [header]},
        )
        kinds: tuple[Any, ...] = (*values, True, -1.5, [], {}, math.inf, {"emailAddress": {"address": header}})
        answer[key] = kinds[piece[1] % len(kinds)]
    return answer


KEYS = (*graph_message.LISTED, graph_message.HEADERS, graph_message.TYPE, "labelIds", "internalDate", "payload")
