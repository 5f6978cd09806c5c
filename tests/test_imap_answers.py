"""The fast readings of IMAP answers, against the client's own parser: where both answer they agree."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from imapclient.exceptions import ProtocolError
from imapclient.response_parser import parse_fetch_response

from jobs.mailbox.imap_answers import Row, has_calendar, plain_rows, row_of, with_calendar

FIELDS = b"BODY[HEADER.FIELDS (FROM TO X-MS-EXCHANGE-INBOX-RULES-LOOP)]"

dates = st.sampled_from(
    [
        b"17-Jul-2026 02:44:25 -0700",
        b" 7-Jul-2026 02:44:25 +0530",
        b"01-Jan-1970 00:00:00 +0000",
        b"31-Feb-2026 10:00:00 +0000",
        b"17-Jul-2026 24:60:60 +0000",
        b"17-Foo-2026 02:44:25 +0000",
        b"01-Jan-0026 02:44:25 +0000",
        b"17-Jul-2026 02:44:25",
        b"Fri, 17 Jul 2026 02.44.25 +0200",
        b"",
    ]
)
flags = st.lists(st.sampled_from([b"\\Seen", b"\\Draft", b"\\DRAFT", b"$Junk", b"NonJunk", b"a]b", b'"q"']), max_size=3)
words = st.one_of(
    st.integers(1, 9).map(lambda uid: b"UID %d" % uid),
    flags.map(lambda some: b"FLAGS (%b)" % b" ".join(some)),
    dates.map(lambda at: b'INTERNALDATE "%b"' % at),
    st.just(b"MODSEQ (12)"),
)
blocks = st.sampled_from([b"From: a@b.example\r\n\r\n", b"\r\n", b"", b") {3}\r\nabc", b"Subject: \xff\x00\r\n\r\n"])


@st.composite
def answers(draw: st.DrawFn) -> list[Any]:
    lines: list[Any] = []
    for number in draw(st.lists(st.integers(1, 5), max_size=4)):
        before = (
            [b"UID %d" % number, *draw(st.lists(words, max_size=3))] if draw(st.booleans()) else draw(st.lists(words))
        )
        block = draw(blocks)
        size = len(block) + draw(st.sampled_from((0, 0, 0, 1)))
        lines.append((b" ".join([b"%d (" % number + (before or [b""])[0], *before[1:], FIELDS, b"{%d}" % size]), block))
        lines.append(draw(st.sampled_from((b")", b")", b")", b" UID 7)", b" FLAGS (\\Draft))"))))
        lines.extend(draw(st.sampled_from(([], [], [], [b"1 (FLAGS (\\Seen))"], [b"2 (UID 2 FLAGS (\\Draft))"]))))
    return lines


def careful(lines: list[Any]) -> dict[int, Row] | None:
    try:
        told = parse_fetch_response(lines, normalise_times=False, uid_is_key=False)
    except (ProtocolError, ValueError, TypeError):
        return None
    return {one[b"UID"]: row for one in told.values() if b"UID" in one and (row := row_of(one)) is not None}


@given(answers())
def test_headers_read_fast_are_those_that_the_client_reads(lines: list[Any]) -> None:
    rows = plain_rows(lines)
    assert rows is None or rows == careful(lines)


def test_what_dovecot_answers_is_read_fast() -> None:
    head = b'4 (UID 9 FLAGS (\\Answered \\Seen) INTERNALDATE "02-Nov-2026 11:00:00 +0100" ' + FIELDS + b" {8}"
    lines = [(head, b"To: a\r\n\r\n"[:8]), b")"]
    rows = plain_rows(lines)
    assert rows is not None
    assert rows == careful(lines)
    assert rows[9].flags == {"\\answered", "\\seen"}


def test_an_answer_without_messages_is_read_fast() -> None:
    assert plain_rows([]) == {}


parts = st.sampled_from(
    [
        b'("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 5 1 NIL NIL NIL NIL)',
        b'("TEXT" "CALENDAR" ("method" "REQUEST") NIL NIL "7bit" 5 1 NIL NIL NIL NIL)',
        b'("application" "ics" ("name" "invite.ics") NIL NIL "base64" 500 NIL NIL NIL NIL)',
        b'("image" "png" ("name" "graphics.png") NIL NIL "base64" 500 NIL NIL NIL NIL)',
        b'("image" "png" ("name" "UID 3") NIL NIL "base64" 500 NIL NIL NIL NIL)',
    ]
)


@st.composite
def structures(draw: st.DrawFn) -> list[Any]:
    lines: list[Any] = []
    for number in draw(st.lists(st.integers(1, 5), max_size=4, unique=True)):
        told = b"".join(draw(st.lists(parts, min_size=1, max_size=3)))
        told = b'BODYSTRUCTURE (%b "mixed" ("boundary" "b") NIL NIL NIL)' % told
        uid = b"UID %d" % (number + 10)
        form = draw(st.integers(0, 4))
        if form == 0:
            lines += [b"%d (%b)" % (number, told), b"%d (%b)" % (number, uid)]
        elif form == 1:
            lines.append(b"%d (%b %b)" % (number, told, uid))
        elif form == 2 and b'"CALENDAR"' in told:
            before, _, after = told.partition(b'"CALENDAR"')
            lines += [(b"%d (%b %b{8}" % (number, uid, before), b"calendar"), after + b")"]
        else:
            lines.append(b"%d (%b %b)" % (number, uid, told))
    return lines


def invited(lines: list[Any]) -> set[int]:
    told = parse_fetch_response(lines, normalise_times=False, uid_is_key=False)
    return {one[b"UID"] for one in told.values() if b"UID" in one and has_calendar(one.get(b"BODYSTRUCTURE"))}


@given(structures())
def test_no_calendar_is_lost_among_structures_that_are_not_read(lines: list[Any]) -> None:
    assert invited(with_calendar(lines)) == invited(lines)
