"""Mail files as programs really write them: every message is found, no sentence of a body becomes one."""

import email
import json
import mailbox
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.mailbox.base import Page, ProviderError
from jobs.mailbox.mbox import CHUNK, LONGEST_BLOCK, MboxFile
from models.matching import Roster, decide
from models.message import Folder, Message
from tests.benchmarks.verdict import corpus_messages
from tests.test_verdict import CORPUS

EVER = datetime(1970, 1, 1, tzinfo=UTC)
FROM = b"From x@y.example Thu Jan  1 00:00:00 2026\n"


def block(number: int = 1, extra: bytes = b"") -> bytes:
    return (
        b"From: al@acme.example\nTo: dana@lantern.example\nSubject: Mail %d\nMessage-ID: <m%d@acme.example>\n"
        b"Date: Mon, 02 Nov 2026 10:00:00 +0000\n%b\n" % (number, number, extra)
    )


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def pages(file: MboxFile, cursor: str | None = None) -> list[Page]:
    return list(file.pages(cursor, since=EVER, last_ok_at=None, unseen=set))


def messages(path: Path) -> list[Message]:
    return [message for page in pages(MboxFile(path)) for message in page.messages]


def subjects(path: Path) -> list[str]:
    return [message.first("Subject") for message in messages(path)]


def read_one(tmp_path: Path, headers: bytes, from_line: bytes = FROM) -> Message:
    (message,) = messages(write(tmp_path / "one.mbox", from_line + headers + b"\nBody\n"))
    return message


@pytest.mark.parametrize(
    "body",
    [
        b"From time to time we meet.\n",
        b"\nFrom the team:\nwith love\n",
        b"\nFrom the team:\nNote: we meet\n",
        b"\n>From Al Mon Jan  5 10:00:00 2026\nTo: x\n",
        b"text\nFrom Al\nTo: x\n",
        b"text\nFrom Al at 10:00\nTo: x\n",
        b"\n From x Mon Jan  5 10:00:00 2026\nTo: x\n",
        b"",
        b"no line end",
        b"\x00\xff" * 50,
        b"x" * (CHUNK + 17) + b"\n",
    ],
)
@pytest.mark.parametrize("crlf", [False, True])
def test_34_a_body_line_that_says_from_is_no_message(tmp_path: Path, body: bytes, crlf: bool) -> None:
    content = FROM + block(1) + body + b"\n\n" + FROM + block(2) + body
    path = write(tmp_path / "a.mbox", content.replace(b"\n", b"\r\n") if crlf else content)
    assert subjects(path) == ["Mail 1", "Mail 2"]


@pytest.mark.parametrize(
    "line",
    [
        b"From - Mon Nov  2 10:00:00 2026\n",
        b"From 1799999999999999999@xxx Mon Nov 02 10:00:00 +0000 2026\n",
        b"From MAILER-DAEMON Fri Jul  8 12:08:34 2011\n",
        b"From nobody\n",
        b"From \n",
        b"From a@b.example Mon Nov  2 10:00:00 2026 remote from x\n>From c@d.example\n",
    ],
)
def test_the_separators_of_many_programs_are_known(tmp_path: Path, line: bytes) -> None:
    path = write(tmp_path / "a.mbox", line + block(1) + b"Body\n\n" + line + block(2) + b"Body\n")
    assert subjects(path) == ["Mail 1", "Mail 2"]


def test_a_missing_blank_line_between_messages_is_forgiven_where_the_separator_is_beyond_doubt(tmp_path: Path) -> None:
    headers_only = block(1).rstrip(b"\n") + b"\n"
    path = write(tmp_path / "a.mbox", FROM + headers_only + FROM + block(2) + b"Body\n" + FROM + block(3))
    assert subjects(path) == ["Mail 1", "Mail 2", "Mail 3"]


def test_lines_before_the_first_message_may_be_blank_and_the_last_message_may_end_anywhere(tmp_path: Path) -> None:
    assert subjects(write(tmp_path / "a.mbox", b"\n\n" + FROM + b"Subject: Cut")) == ["Cut"]


def test_only_wanted_headers_are_kept_and_folds_survive(tmp_path: Path) -> None:
    message = read_one(
        tmp_path,
        b"X-Secret: s\nReceived: by x; y\nTO: a@x.example,\n\tb@y.example\nbroken line\nSubject : Late\nDate:\n",
    )
    assert message.headers == (("To", "a@x.example,\n\tb@y.example"), ("Subject", "Late"), ("Date", ""))


def test_bytes_that_are_no_utf8_are_read_as_latin_1(tmp_path: Path) -> None:
    assert read_one(tmp_path, b"Subject: J\xf6rg\n").first("Subject") == "Jörg"
    assert read_one(tmp_path, "Subject: Jörg\n".encode()).first("Subject") == "Jörg"


@pytest.mark.parametrize(
    ("headers", "from_line", "at"),
    [
        (b"Date: Mon, 02 Nov 2026 10:00:00 +0100\n", FROM, datetime(2026, 11, 2, 9, tzinfo=UTC)),
        (
            b"Received: from a\n\tby b; Tue, 3 Nov 2026 08:00:00 +0000\n"
            b"Received: by c; Sun, 1 Nov 2026 07:00:00 +0000\nDate: nonsense\n",
            FROM,
            datetime(2026, 11, 3, 8, tzinfo=UTC),
        ),
        (
            b"Received: by b; Tue, 3 Nov 2026 08:00:00 +0000\nDate: Mon, 02 Nov 2026 10:00:00 +0000\n",
            FROM,
            datetime(2026, 11, 2, 10, tzinfo=UTC),
        ),
        (b"To: a@b.example\n", FROM, None),
        (b"To: a@b.example\nDate: Thu, 01 Jan 1970 00:00:00 +0000\n", FROM, None),
        (
            b"To: a@b.example\n",
            b"From 1799999999999999999@xxx Mon Nov 02 10:00:00 -0500 2026\n",
            datetime(2026, 11, 2, 15, tzinfo=UTC),
        ),
        (b"To: a@b.example\n", b"From nobody\n", None),
    ],
)
def test_the_time_is_the_date_headers_then_the_servers_and_of_separators_only_takeouts_is_believed(
    tmp_path: Path, headers: bytes, from_line: bytes, at: datetime | None
) -> None:
    assert read_one(tmp_path, headers, from_line).at == at


@pytest.mark.parametrize(
    ("labels", "folder"),
    [
        (None, Folder.UNKNOWN),
        (b"Inbox,Important", Folder.INBOX),
        (b"Archived,Sent", Folder.SENT),
        (b"Sent,\n Opened", Folder.SENT),
        (b"=?UTF-8?Q?Gesendet,Ge=C3=B6ffnet?=", Folder.SENT),
        (b"=?UTF-8?Q?Brouillons?=", Folder.DRAFT),
        (b'Spam,"Unread"', Folder.SPAM),
        (b"Sent,Trash", Folder.TRASH),
        (b"Chat", Folder.CHAT),
        (b"Sent invoices", Folder.INBOX),
        (b"Inbox,Important,Opened,Category Updates", Folder.INBOX),
        (b"=?UTF-8?Q?Archiv=C3=A9s,Envoy=C3=A9?=", Folder.SENT),
        (b"=?UTF-8?Q?Messages_archiv=C3=A9s,Cat=C3=A9gorie=C2=A0:_E-mails_?=\n =?UTF-8?Q?personnels?=", Folder.INBOX),
        ("Входящие,Отправленные".encode(), Folder.SENT),
        ("下書き".encode(), Folder.DRAFT),
        (b'"Clients, Sent",Inbox', Folder.INBOX),
        (b'"Clients, Sent",Sent', Folder.SENT),
        (b"Clients/Sent,Inbox", Folder.INBOX),
        (b"Inbox\nX-Gmail-Labels: Sent", Folder.SENT),
        (b"", Folder.INBOX),
    ],
)
def test_gmails_labels_say_where_a_mail_lies(tmp_path: Path, labels: bytes | None, folder: Folder) -> None:
    extra = b"" if labels is None else b"X-Gmail-Labels: " + labels + b"\n"
    message = read_one(tmp_path, block(1, extra))
    assert message.folder is folder
    assert not message.first("X-Gmail-Labels")


def test_the_provider_id_is_stable_and_holds_nothing_of_the_mail(tmp_path: Path) -> None:
    one, other = read_one(tmp_path, block(1)), read_one(tmp_path, block(1, b"X-Gmail-Labels: Sent\n"))
    assert one.provider_id == other.provider_id
    assert len(one.provider_id) == 64
    assert read_one(tmp_path, block(2)).provider_id != one.provider_id


def test_pages_hold_two_hundred_messages_and_their_cursors_go_on_where_they_stopped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mbox", b"".join(FROM + block(n) + b"Body\n\n" for n in range(450)))
    file = MboxFile(path)
    all_pages = pages(file)
    assert [len(page.messages) for page in all_pages] == [200, 200, 50, 0]
    assert [page.last for page in all_pages] == [False, False, False, True]
    assert file.offset == file.total_bytes == path.stat().st_size
    for number, page in enumerate(all_pages):
        again = MboxFile(path)
        rest = [message for later in pages(again, page.cursor) for message in later.messages]
        assert rest == [message for later in all_pages[number + 1 :] for message in later.messages]


def test_progress_never_goes_back(tmp_path: Path) -> None:
    file = MboxFile(write(tmp_path / "a.mbox", b"".join(FROM + block(n) for n in range(450))))
    offsets = [file.offset for _ in file.pages(None, since=EVER, last_ok_at=None, unseen=set)]
    assert offsets == sorted(offsets)


def test_the_cursor_of_another_state_of_the_file_is_dropped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mbox", FROM + block(1))
    cursor = pages(MboxFile(path))[-1].cursor
    assert subjects(path) == ["Mail 1"]
    write(path, FROM + block(1) + b"\n" + FROM + block(2))
    again = [message for page in pages(MboxFile(path), cursor) for message in page.messages]
    assert [message.first("Subject") for message in again] == ["Mail 1", "Mail 2"]


def test_a_checkpoint_inside_of_what_was_written_over_starts_over(tmp_path: Path) -> None:
    head = FROM + block(0, b"X-Long: " + b"z" * 5_000 + b"\n") + b"\n"
    path = write(tmp_path / "a.mbox", head + b"".join(FROM + block(n) + b"Body\n\n" for n in range(1, 5)))
    cursor = pages(MboxFile(path, page=2))[0].cursor
    size = path.stat().st_size
    rest = FROM + block(7) + b"Another body\n\n"
    write(path, head + rest + b"\n" * (size - len(head + rest)))
    again = [message.first("Subject") for page in pages(MboxFile(path), cursor) for message in page.messages]
    assert again == ["Mail 0", "Mail 7"]


@pytest.mark.parametrize("cursor", ["", "{", "[]", "7", '{"offset": "x", "file": 1}', '{"offset": -1}', "null"])
def test_a_broken_cursor_starts_over(tmp_path: Path, cursor: str) -> None:
    path = write(tmp_path / "a.mbox", FROM + block(1))
    assert len(pages(MboxFile(path), cursor)[0].messages) == 1


def test_a_cursor_beyond_the_file_starts_over(tmp_path: Path) -> None:
    file = MboxFile(write(tmp_path / "a.mbox", FROM + block(1)))
    assert len(pages(file, json.dumps({"offset": 10**9, "file": file.identity}))[0].messages) == 1


def test_what_is_seen_or_too_old_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mbox", FROM + block(1) + b"\n" + FROM + block(2))
    seen = messages(path)[0].provider_id
    file = MboxFile(path)
    unseen = list(file.pages(None, since=EVER, last_ok_at=None, unseen=lambda ids: set(ids) - {seen}))
    assert [message.first("Subject") for message in unseen[0].messages] == ["Mail 2"]
    late = list(file.pages(None, since=datetime(2026, 12, 1, tzinfo=UTC), last_ok_at=None, unseen=set))
    assert late[0].messages == ()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"\x1f\x8b\x08\x00rest", "is compressed"),
        (b"PK\x03\x04rest", "is compressed"),
        (b"Subject: one mail\n\nBody\n", "is no mbox"),
        (b"%PDF-1.7\n", "is no mbox"),
    ],
)
def test_a_file_that_is_no_mbox_is_refused_in_one_line_that_says_what_to_do(
    tmp_path: Path, content: bytes, says: str
) -> None:
    with pytest.raises(ProviderError, match=says) as refused:
        MboxFile(write(tmp_path / "a.mbox", content))
    assert "\n" not in str(refused.value)
    assert ";" in str(refused.value)


def test_a_missing_file_and_a_folder_without_mail_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="No such file"):
        MboxFile(tmp_path / "nowhere.mbox")
    with pytest.raises(ProviderError, match=r"without \.mbox or \.eml files"):
        MboxFile(tmp_path)


def test_a_folder_of_eml_files_is_read_in_the_order_of_their_names_and_can_be_resumed(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for number in range(205):
        write(tmp_path / "sub" / f"{number:04}.EML", block(number) + b"Body: x\n")
    write(tmp_path / "notes.txt", b"no mail")
    file = MboxFile(tmp_path)
    first, second, last = pages(file)
    assert [message.first("Subject") for message in first.messages[:2]] == ["Mail 0", "Mail 1"]
    assert (len(first.messages), len(second.messages), last.last) == (200, 5, True)
    assert pages(MboxFile(tmp_path), first.cursor)[0].messages == second.messages
    assert file.offset == file.total_bytes


def test_a_folder_as_takeout_unpacks_it_is_read_as_one_file_and_can_be_resumed(tmp_path: Path) -> None:
    (tmp_path / "Sent.mbox").mkdir()
    (tmp_path / ".hidden.mbox").write_bytes(b"no mail")
    write(tmp_path / "All mail-001.mbox", b"".join(FROM + block(n) + b"Body\n\n" for n in range(5)))
    write(tmp_path / "All mail-002.mbox", b"".join(FROM + block(n) + b"Body\n\n" for n in range(5, 8)))
    write(tmp_path / "Empty.mbox", b"")
    write(tmp_path / "One.eml", b"\xef\xbb\xbf\r\n" + block(8).replace(b"\n", b"\r\n") + b"Body: x\r\n")
    write(tmp_path / "Sent.mbox" / "mbox", FROM + block(9))
    whole = pages(MboxFile(tmp_path, page=2))
    numbers = [message.first("Subject") for page in whole for message in page.messages]
    assert numbers == [f"Mail {number}" for number in range(10)]
    for number, page in enumerate(whole):
        assert pages(MboxFile(tmp_path, page=2), page.cursor) == (whole[number + 1 :] or whole[-1:])


def test_one_eml_file_needs_no_folder(tmp_path: Path) -> None:
    assert subjects(write(tmp_path / "one.EML", block(1) + b"\nBody: x\n")) == ["Mail 1"]


def test_a_folder_that_holds_something_else_under_an_mbox_name_is_refused_by_that_name(tmp_path: Path) -> None:
    write(tmp_path / "a.mbox", FROM + block(1))
    write(tmp_path / "b.mbox", b"\x1f\x8b\x08\x00rest")
    with pytest.raises(ProviderError, match=r"b\.mbox is compressed"):
        MboxFile(tmp_path)


def test_a_file_in_a_folder_that_changed_makes_it_another_folder(tmp_path: Path) -> None:
    write(tmp_path / "a.mbox", FROM + block(1))
    before = MboxFile(tmp_path).identity
    assert MboxFile(tmp_path).identity == before
    write(tmp_path / "a.mbox", FROM + block(2))
    assert MboxFile(tmp_path).identity != before


def test_a_file_that_becomes_shorter_while_it_is_read_is_not_taken_for_read_to_the_end(tmp_path: Path) -> None:
    content = b"".join(FROM + block(n) + b"Body\n" * 100_000 + b"\n" for n in range(9))
    path = write(tmp_path / "a.mbox", content)
    reading = MboxFile(path, page=2).pages(None, since=EVER, last_ok_at=None, unseen=set)
    next(reading)
    with path.open("r+b") as file:
        file.truncate(len(content) // 2)
    with pytest.raises(ProviderError, match="became shorter while it was read; import it again"):
        list(reading)


def test_a_file_that_grows_while_it_is_read_gives_what_it_has(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mbox", b"".join(FROM + block(n) + b"Body\n" * 100_000 + b"\n" for n in range(9)))
    reading = MboxFile(path, page=2).pages(None, since=EVER, last_ok_at=None, unseen=set)
    next(reading)
    with path.open("ab") as file:
        file.write(FROM + block(9))
    assert [page.last for page in reading] == [False] * 4 + [True]


def test_a_page_of_huge_headers_is_a_small_page(tmp_path: Path) -> None:
    huge = b"X-Long: " + b"z" * (LONGEST_BLOCK // 2) + b"\n"
    path = write(tmp_path / "a.mbox", b"".join(FROM + block(n, huge) + b"\n" for n in range(20)))
    assert [len(page.messages) for page in pages(MboxFile(path))] == [8, 8, 4, 0]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = tmp_path / f"{count}.mbox"
        with path.open("wb") as out:
            for number in range(count):
                out.write(FROM + block(number) + b"A line of a body.\n" * 5_000 + b"\n")
        tracemalloc.start()
        for _ in MboxFile(path).pages(None, since=EVER, last_ok_at=None, unseen=set):
            pass
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(400) < 1.2 * peak(200)


LINES = st.lists(
    st.sampled_from(
        [b"", b"From x", b"From x Mon Jan  5 10:00:00 2026", b"To: a@b.example", b" fold", b"\xff\x00", b"From:"]
    )
)


@given(LINES)
def test_no_file_makes_the_reader_raise(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    messages(write(tmp_path_factory.getbasetemp() / "lines.mbox", FROM + b"\n".join(lines)))


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_raise(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    messages(write(tmp_path_factory.getbasetemp() / "bytes.mbox", FROM + b"To: " + raw))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_a_written_mailbox_is_read_as_the_standard_library_reads_it(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[int]
) -> None:
    texts = ["Hi\n", "Hi\n\nFrom me to you\n", "\n\n\n", "x" * 3000 + "\n"]
    path = tmp_path_factory.getbasetemp() / "written.mbox"
    path.unlink(missing_ok=True)
    box = mailbox.mbox(path)
    for number, body in enumerate(bodies):
        box.add(email.message_from_bytes(block(number) + texts[body].encode()))
    box.close()
    assert subjects(path) == [f"Mail {number}" for number in range(len(bodies))]


@pytest.mark.parametrize("beyond", range(-12, 13))
def test_a_separator_is_found_wherever_a_read_happens_to_end(tmp_path: Path, beyond: int) -> None:
    first = FROM + block(1)
    padding = b"y" * (CHUNK + beyond - len(first) - 2) + b"\n\n"
    path = write(tmp_path / "a.mbox", first + padding + FROM + block(2) + b"Body\n")
    assert len(first + padding) == CHUNK + beyond
    assert subjects(path) == ["Mail 1", "Mail 2"]


@pytest.mark.parametrize("size", [60_000, 70_000, 300_000, 3_000_000])
def test_a_header_block_of_any_size_hides_no_message(tmp_path: Path, size: int) -> None:
    long = block(1, b"X-Long: " + b"z" * size + b"\n")
    path = write(tmp_path / "a.mbox", FROM + long + b"Body\n\n" + FROM + block(2))
    assert subjects(path) == ["Mail 1", "Mail 2"]


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus of real mail beside the repository (../shared/corpora/mail)")
def test_real_headers_joined_to_an_mbox_come_out_as_they_went_in(tmp_path: Path) -> None:
    apart = [each.message for each in corpus_messages(CORPUS)]
    blocks = [each.block.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n" for each in corpus_messages(CORPUS)]
    line = b"From nobody Mon Nov 23 09:00:00 2026\n"
    path = write(tmp_path / "corpus.mbox", b"".join(line + each + b"\n" for each in blocks))
    together = messages(path)
    assert len(together) == len(apart)
    assert [each.headers for each in together] == [
        tuple((name, value.replace("\r\n", "\n")) for name, value in each.headers) for each in apart
    ]
    roster = Roster({"dana@lantern.example": 1}, {}, {"com": 1, "org": 2, "net": 3})
    for each in together:
        decide(each, roster, mailbox="dana@lantern.example", captured_at=EVER, known_ids=())
