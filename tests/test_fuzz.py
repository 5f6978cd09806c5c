"""Any bytes through every reader of what comes from outside: none raises, none is led by a name, none takes for ever.

The targets are those of `make fuzz`, which looks further and longer; here each gets a few hundred inputs.
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.mailbox import gmail_message, graph_message
from jobs.mailbox.mbox import fields_of
from models.message import Folder, Message
from tests.fuzz.targets import (
    EVIL,
    KEYS,
    NOW,
    SEEDS,
    TARGETS,
    decided,
    display_names,
    gmail_answers,
    graph_answers,
    header_blocks,
    header_values,
    imap_answers,
    mbox_files,
)

LINES = st.lists(st.sampled_from([piece for seeds in SEEDS.values() for seed in seeds for piece in seed.split(b"\n")]))
MIXED = st.lists(
    st.sampled_from([piece + b" " for seeds in SEEDS.values() for seed in seeds for piece in seed.split()])
    | st.sampled_from([b"\n", b"\r\n", b"\x00", b"\x01", b'"', b"<", b">", b"(", b"\\", b",", b";", b":", b"=?", b"?="])
    | st.binary(max_size=8),
    max_size=60,
).map(b"".join)
ANYTHING = st.binary(max_size=300) | MIXED | LINES.map(b"\n".join) | st.text(max_size=150).map(str.encode)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
PERSON = st.fixed_dictionaries({"emailAddress": st.fixed_dictionaries({"name": JSON, "address": JSON})})
HEADER = st.fixed_dictionaries({"name": st.sampled_from(["From", "to", "List-Id"]) | JSON, "value": JSON})
ANSWER = st.dictionaries(
    st.sampled_from(KEYS), JSON | PERSON | st.lists(PERSON | HEADER | JSON, max_size=3), max_size=len(KEYS)
)


@given(ANYTHING)
def test_no_header_value_makes_a_reader_raise_and_every_address_has_one_spelling(raw: bytes) -> None:
    header_values(raw)


@given(ANYTHING)
def test_39_nothing_before_the_bracket_ever_reaches_a_partner(raw: bytes) -> None:
    display_names(raw)


@given(ANYTHING)
def test_no_header_block_makes_a_decision_raise_or_rest_on_an_address_that_is_not_there(raw: bytes) -> None:
    header_blocks(raw)


@given(ANYTHING)
def test_no_file_makes_the_reader_raise_and_every_cursor_goes_on_where_it_stood(raw: bytes) -> None:
    mbox_files(raw)


@given(ANYTHING)
def test_no_answer_of_an_imap_server_makes_more_than_an_unreadable_answer(raw: bytes) -> None:
    imap_answers(raw)


@given(ANYTHING)
def test_no_bytes_make_the_reader_of_json_raise(raw: bytes) -> None:
    gmail_answers(raw)
    graph_answers(raw)


@given(ANSWER, st.lists(HEADER | JSON, max_size=4))
def test_no_json_whatever_makes_a_message_of_gmails_or_microsofts_raise(answer: dict[str, Any], headers: Any) -> None:
    gmail = gmail_message.message_of("p", answer | {"payload": {"headers": headers}})
    graph = graph_message.message_of("p", answer | {graph_message.HEADERS: headers}, {"s": "sentitems"})
    for message in (gmail, graph):
        decided(message)


def test_the_seeds_of_a_search_are_good_mail_for_their_target() -> None:
    assert set(SEEDS) == set(TARGETS)
    for name, seeds in SEEDS.items():
        for seed in seeds:
            TARGETS[name](seed)
    sent = Message("p", tuple(fields_of(SEEDS["header_blocks"][1])), NOW, Folder.SENT)
    assert {touch.matched for touch in decided(sent).touches} == {"al@acme.example", "ceo@partner.example"}


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "9999-12-31T24:00:00Z"])
def test_a_time_at_the_end_of_all_times_is_no_time(at: str) -> None:
    assert graph_message.message_of("p", {"receivedDateTime": at}, {}).at is None


HOSTILE = [
    b'"', b"<", b"(", b"\\", b"=?utf-8?q?", b"=?utf-8?q?a?= ", b"a@b,", b'"a" <a@b>, ', b":;", b"<a@", b"[", b"\n ",
    b"From a\nFrom: b\n\n", b"\nFrom ", b"Subject: x\n", b"re: ", b"auto: (", b"a @ 2020 (", b"/ is out of ", b"<>",
    b"((\"text\" \"calendar\")", b"1 (UID 1 ", b'{"payload":', b"[",
]  # fmt: skip


@pytest.mark.parametrize("filling", HOSTILE)
@pytest.mark.parametrize("name", TARGETS)
def test_twice_the_input_is_about_twice_the_work(name: str, filling: bytes) -> None:
    """Lines of our own code are counted, not seconds; what one pattern does inside shows in the suite's time limit."""
    small, large = (filling * (size // len(filling)) for size in (3_000, 6_000))
    few, many = (lines_run(TARGETS[name], raw) for raw in (small, large))
    assert many <= 3 * few + 2_000


def lines_run(target: Callable[[bytes], None], raw: bytes) -> int:
    ran = 0

    def count(frame: FrameType, event: str, _: object) -> Any:
        nonlocal ran
        ran += event == "line"
        return count

    target(raw)  # caches are filled, patterns compiled
    before = sys.gettrace()
    sys.settrace(count)
    try:
        target(raw + b" ")
    finally:
        sys.settrace(before)
    return ran


@pytest.mark.parametrize("filling", HOSTILE)
def test_a_header_of_a_million_characters_is_read_like_any_other(filling: bytes) -> None:
    value = (filling * (1_000_000 // len(filling))).decode()
    for name in ("From", "To", "Subject", "References", "Content-Type", "Auto-Submitted", "Date", "Return-Path"):
        decided(Message("p", (("From", EVIL), (name, value)), NOW))
