"""The Microsoft 365 provider against the stand-in, over HTTP. Numbers are capture.md's statements."""

import json
import threading
import tracemalloc
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from jobs.mailbox.base import NeedsAuth, Paused, ProviderError
from jobs.mailbox.graph_cursor import Cursor
from models.message import Folder, Message
from tests.databases import ROOT
from tests.gmail_world import ANA, DAY, NOW, MovingClock
from tests.graph_schema import Schema
from tests.graph_world import SECOND, GraphWorld, graph_mailbox, graph_world
from tests.sandbox.gmail.faults import Fault
from tests.sandbox.graph import (
    MESSAGE_PROPERTIES,
    READ_BASIC,
    GraphServer,
    busy,
    dropped,
    forbidden,
    gone,
    lost_state,
    server_error,
    throttled,
    unauthenticated,
    unreadable,
    window_refused,
)

MINUTE = timedelta(minutes=1)
SCHEMA = ROOT.parent / "shared" / "specs" / "graph_v1.0_mail_subset.csdl.xml"
MEETINGS = ("eventMessage", "eventMessageRequest", "eventMessageResponse")
"""Requests and their updates, answers, and cancellations, which are plain eventMessages."""

SENT = [
    ("Message-ID", "<sent@acme.example>"),
    ("Cc", '"Lee, Kim" <kim@globex.example>'),
    ("Bcc", "boss@globex.example"),
]


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def server(clock: MovingClock) -> Iterator[GraphServer]:
    with GraphServer(now=clock.now) as running:
        yield running


@pytest.fixture
def world(server: GraphServer, clock: MovingClock) -> GraphWorld:
    return graph_world(server, clock)


@pytest.fixture
def polled(world: GraphWorld) -> GraphWorld:
    """A mailbox whose first walk is behind it; the calls of it are forgotten."""
    world.deliver("before")
    world.poll()
    world.server.forget_calls()
    world.ledger.messages.clear()
    return world


def at_once(world: GraphWorld, count: int, at: datetime = NOW) -> list[str]:
    """So many mails in one second, as an import makes them: keyset paging cannot part them."""
    return [world.deliver(f"mail {number:03}", at=at) for number in range(count)]


def only(messages: list[Message]) -> Message:
    [message] = messages
    return message


# --- where the listing has come to ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [410, 400, 404])
def test_18_a_lost_sync_state_begins_again_at_the_watermark(polled: GraphWorld, status: int) -> None:
    polled.deliver("mail")
    before = Cursor.load(polled.ledger.cursor)
    polled.server.fail("messages.list", lost_state(status))
    polled.poll()
    assert polled.ledger.subjects == ["mail"]
    assert before is not None
    since = f"receivedDateTime ge {before.watermark - 15 * MINUTE:%Y-%m-%dT%H:%M:%SZ}"
    assert [call.params["$filter"] for call in polled.server.calls_of("messages.list")] == [since] * 2


@pytest.mark.parametrize("fault", [lost_state(410), lost_state(400), gone(404), gone(410)])
def test_18_a_link_that_is_forgotten_midway_begins_again_without_doubles(polled: GraphWorld, fault: Fault) -> None:
    keys = at_once(polled, 450)
    polled.server.fail("messages.next", fault, skip=1)
    polled.poll()
    assert sorted(message.provider_id for message in polled.ledger.messages) == keys
    assert sorted(polled.asked_for()) == keys


def test_18_a_link_that_is_never_known_again_is_not_followed_again(polled: GraphWorld) -> None:
    keys = at_once(polled, 650)
    pages = polled.ledger.walk(polled.mailbox)
    for _ in range(2):
        polled.ledger.store(next(pages))
    polled.server.forget_links()
    for page in pages:
        polled.ledger.store(page)
    assert sorted(message.provider_id for message in polled.ledger.messages) == keys
    assert [call.status for call in polled.server.calls_of("messages.next")].count(410) == 1


def test_18_a_state_that_is_lost_again_and_again_is_an_error_and_no_loop(polled: GraphWorld) -> None:
    before = polled.ledger.cursor
    polled.server.fail("messages.list", lost_state(), times=None)
    with pytest.raises(ProviderError, match="again and again"):
        polled.poll()
    assert len(polled.server.calls_of("messages.list")) == 4
    assert polled.ledger.cursor == before


def test_19_a_message_that_moves_away_and_back_is_captured(polled: GraphWorld) -> None:
    key = polled.deliver("wanderer")
    polled.store.move(key, "archive")
    polled.store.move(key, "inbox")
    polled.poll()
    assert polled.ledger.subjects == ["wanderer"]


def test_20_a_message_keeps_its_id_wherever_it_is_moved(polled: GraphWorld) -> None:
    key = polled.deliver("wanderer")
    for folder in ("archive", "inbox", "projects"):
        polled.poll()
        polled.store.move(key, folder)
        polled.clock.at += MINUTE
    polled.clock.at += DAY  # the rescan sees it once more
    polled.poll()
    assert [message.provider_id for message in polled.ledger.messages] == [key]
    assert polled.asked_for() == [key]


def test_20_without_the_preference_the_stand_in_gives_ids_that_change(world: GraphWorld) -> None:
    key = world.deliver("wanderer")
    message = world.store.get(key, immutable=True)
    before = message.mutable_id
    world.store.move(key, "archive")
    assert before != message.mutable_id
    assert message.immutable_id == key


def test_21_a_window_of_any_size_is_listed_to_its_end(polled: GraphWorld) -> None:
    keys = [polled.deliver(f"mail {number}", at=NOW + number * SECOND) for number in range(650)]
    polled.clock.at += DAY / 2
    polled.poll()
    assert len(polled.ledger.messages) == len(keys)
    assert not polled.server.calls_of("messages.next"), "the times bring us on, so no link is needed"


def test_21_more_mails_in_one_second_than_a_page_holds_are_read_by_links(polled: GraphWorld) -> None:
    keys = at_once(polled, 450)
    later = polled.deliver("later", at=NOW + 2 * SECOND)
    polled.poll()
    assert sorted(message.provider_id for message in polled.ledger.messages) == [*keys, later]
    assert polled.server.calls_of("messages.next")


def test_21_drafts_that_fill_pages_do_not_stop_the_walk(polled: GraphWorld) -> None:
    for _ in range(430):
        polled.deliver("draft", folder="drafts")
    polled.deliver("mail", at=NOW + SECOND)
    polled.poll()
    polled.poll()
    assert polled.ledger.subjects == ["mail"]


def test_21_a_killed_first_walk_goes_on_where_it_stopped(world: GraphWorld) -> None:
    keys = [world.deliver(f"mail {number}", at=NOW - number * timedelta(hours=4)) for number in range(520)]
    world.ledger.poll(world.mailbox, stop_after=1)
    assert len(world.ledger.messages) == 200
    pages = world.ledger.poll(graph_mailbox(world.server, world.clock))
    assert pages[-1].observed_from == world.ledger.since
    assert sorted(world.asked_for()) == keys


# --- what a message is made of --------------------------------------------------------------------------------------


def test_22_a_sent_message_is_made_of_its_properties_and_never_asked_for_headers(polled: GraphWorld) -> None:
    polled.store.deliver(
        [("From", f"Ana <{ANA}>"), ("To", "kim@globex.example"), ("Subject", "hi"), *SENT], NOW, "sentitems"
    )
    polled.poll()
    message = only(polled.ledger.messages)
    assert message.folder is Folder.SENT
    assert message.headers == (
        ("From", f'"Ana" <{ANA}>'),
        ("Sender", f'"Ana" <{ANA}>'),
        ("To", "kim@globex.example"),
        ("Cc", '"Lee, Kim" <kim@globex.example>'),
        ("Bcc", "boss@globex.example"),
        ("Subject", "hi"),
        ("Message-ID", "<sent@acme.example>"),
        ("Date", "Mon, 23 Nov 2026 09:00:00 +0000"),
    )
    assert message.at == NOW
    assert not polled.asked_for()


def test_22_headers_that_received_mail_lacks_come_from_its_properties(polled: GraphWorld) -> None:
    polled.store.received_lack = frozenset({"from", "to", "cc", "sender"})
    polled.deliver("mail", headers=[("Auto-Submitted", "auto-replied"), ("Message-ID", "<in@globex.example>")])
    polled.poll()
    message = only(polled.ledger.messages)
    assert message.first("From") == '"Kim Lee" <kim@globex.example>'
    assert message.first("To") == ANA
    assert message.first("Auto-Submitted") == "auto-replied"
    assert list(message.all("Message-ID")) == ["<in@globex.example>"]


def test_22_headers_outside_the_list_are_dropped_at_once(polled: GraphWorld) -> None:
    polled.deliver("mail", headers=[("X-Originating-IP", "192.0.2.1"), ("List-Id", "<a.b.example>")])
    polled.poll()
    message = only(polled.ledger.messages)
    assert message.first("List-Id") == "<a.b.example>"
    assert not message.first("X-Originating-IP")


def test_22_where_headers_are_refused_the_properties_must_do(polled: GraphWorld) -> None:
    polled.store.shows_headers = False
    polled.deliver("one", headers=[("Message-ID", "<one@globex.example>")])
    polled.deliver("two")
    polled.poll()
    polled.server.forget_calls()
    polled.deliver("three")
    polled.poll()
    assert polled.ledger.subjects == ["one", "three", "two"]
    assert {message.first("From") for message in polled.ledger.messages} == {'"Kim Lee" <kim@globex.example>'}
    assert not polled.asked_for(), "refused once is enough"


def test_22_a_queued_message_comes_without_headers_too(polled: GraphWorld) -> None:
    polled.store.shows_headers = False
    key = polled.deliver("mail")
    assert only(list(polled.mailbox.fetch([key]).messages)).first("Subject") == "mail"


def test_a_name_is_never_read_as_an_address_and_a_directory_path_is_left_out(polled: GraphWorld) -> None:
    people = [
        ("ceo@partner.example", "x@evil.example"),
        ('Q" <boss@partner.example>, ', "y@evil.example"),
        ("Old Colleague", "/O=EXCHANGELABS/OU=EXCHANGE/CN=RECIPIENTS/CN=OLD"),
        ("Broken", "z@evil.example, boss@partner.example"),
    ]
    recipients = [{"emailAddress": {"name": name, "address": address}} for name, address in people]
    item = {"id": "AAkA1", "receivedDateTime": "2026-11-23T08:59:59.1234567Z", "toRecipients": [*recipients, None, 7]}
    polled.server.fail("messages.list", Fault(200, body=_listing(item)))
    polled.server.fail("messages.get", Fault(200, body="{}"))
    polled.poll()
    message = only(polled.ledger.messages)
    assert message.first("To") == (
        '"ceo@partner.example" <x@evil.example>, "Q <boss@partner.example>," <y@evil.example>'
    )
    assert message.at == datetime.fromisoformat("2026-11-23T08:59:59.123456Z")


@pytest.mark.parametrize(
    "item",
    [
        '{"id": "AAkA1", "receivedDateTime": "soon", "from": [], "toRecipients": {}, "subject": 7}',
        '{"id": "AAkA1", "receivedDateTime": "0001-01-01T00:00:00Z", "subject": "half \\ud83d, nul \\u0000"}',
    ],
)
def test_an_answer_of_the_wrong_form_costs_only_its_own_message(polled: GraphWorld, item: str) -> None:
    polled.server.fail("messages.list", Fault(200, body=f'{{"value": [{item}, 3, null, {{"subject": "no id"}}]}}'))
    polled.server.fail("messages.get", Fault(200, body='{"internetMessageHeaders": [7, {"name": 1}]}'))
    polled.poll()
    message = only(polled.ledger.messages)
    assert message.at is None
    message.first("Subject").encode()


@pytest.mark.parametrize("tells_types", [True, False])
@pytest.mark.parametrize("refused", [False, True])
def test_meeting_mail_is_told_by_its_type(polled: GraphWorld, tells_types: bool, refused: bool) -> None:
    """Also where only the message that is asked for alone shows it, and where the mailbox is read by folders."""
    polled.store.tells_types = tells_types
    if refused:
        polled.server.fail("messages.list", window_refused(), times=None)
    for kind in MEETINGS:
        polled.deliver(kind, kind=kind)
    polled.deliver("mail", headers=[("Content-Type", "multipart/alternative")])
    polled.poll()
    told = {message.first("Subject"): message.is_calendar for message in polled.ledger.messages}
    assert told == dict.fromkeys(MEETINGS, True) | {"mail": False}


def test_our_own_meeting_mail_is_told_by_its_type_though_it_is_never_asked_for_alone(polled: GraphWorld) -> None:
    polled.deliver("Lunch?", kind="eventMessageRequest", folder="sentitems")
    polled.poll()
    assert [message.is_calendar for message in polled.ledger.messages] == [True]
    assert not polled.asked_for()


def test_drafts_junk_and_the_bin_are_set_aside_and_asked_for_no_headers(polled: GraphWorld) -> None:
    verdicts = {"drafts": "draft", "outbox": "draft", "junkemail": "spam", "deleteditems": "trash"}
    keys = {polled.deliver(folder, folder=folder): verdict for folder, verdict in verdicts.items()}
    [page] = polled.poll()
    assert dict(page.set_aside) == keys
    assert not page.messages
    assert not polled.asked_for()


def test_a_mailbox_without_an_outbox_is_read(world: GraphWorld) -> None:
    world.store.missing_folders = frozenset({"outbox"})
    world.deliver("mail")
    world.deliver("draft", folder="drafts")
    world.poll()
    assert world.ledger.subjects == ["mail"]


def test_a_draft_that_is_sent_comes_once_as_sent(polled: GraphWorld) -> None:
    key = polled.deliver("soon", folder="drafts")
    polled.poll()
    polled.clock.at += 2 * DAY
    polled.store.move(key, "sentitems", at=polled.clock.at)
    polled.poll()
    polled.poll()
    assert [(message.provider_id, message.folder) for message in polled.ledger.messages] == [(key, Folder.SENT)]


# --- limits ---------------------------------------------------------------------------------------------------------


def test_23_no_more_than_two_requests_are_ever_in_flight(polled: GraphWorld) -> None:
    for number in range(30):
        polled.deliver(f"mail {number}")
    polled.server.seconds = 0.01
    polled.poll()
    assert len(polled.ledger.messages) == 30
    assert polled.server.most_at_once == 2
    assert {call.status for call in polled.server.calls} == {200}


def test_23_two_who_read_one_mailbox_at_once_share_the_two_requests(polled: GraphWorld) -> None:
    keys = [polled.deliver(f"mail {number}") for number in range(12)]
    polled.server.seconds = 0.02
    others = [graph_mailbox(polled.server, polled.clock) for _ in range(3)]
    came: list[int] = []
    threads = [threading.Thread(target=lambda box=box: came.append(len(box.fetch(keys).messages))) for box in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert came == [12, 12, 12]
    assert polled.server.most_at_once == 2
    assert {call.status for call in polled.server.calls} == {200}


def test_23_the_concurrency_limit_is_waited_for_like_any_other(polled: GraphWorld) -> None:
    polled.deliver("mail")
    polled.server.fail("messages.get", Fault(429, "ApplicationThrottled", "MailboxConcurrency", "1"))
    polled.poll()
    assert polled.clock.waits == [1.0]
    assert polled.ledger.subjects == ["mail"]


@pytest.mark.parametrize("fault", [throttled(), busy(503), busy(504)])
def test_23_a_wait_that_is_not_named_is_half_a_minute(polled: GraphWorld, fault: Fault) -> None:
    polled.server.fail("messages.list", fault)
    polled.poll()
    assert polled.clock.waits == [30.0]


@pytest.mark.parametrize("method", ["messages.list", "messages.get", "mailFolders.get"])
def test_23_a_long_wait_pauses_the_mailbox_and_no_call_is_made_before_its_end(world: GraphWorld, method: str) -> None:
    world.deliver("mail")
    world.server.fail(method, throttled("600"))
    with pytest.raises(Paused) as paused:
        world.poll()
    assert paused.value.until == NOW + 10 * MINUTE
    calls = len(world.server.calls)
    with pytest.raises(Paused):
        world.poll()
    assert len(world.server.calls) == calls
    world.clock.at = paused.value.until
    world.poll()
    assert world.ledger.subjects == ["mail"]


def test_23_a_date_to_retry_after_is_understood_and_a_wait_of_years_is_cut_to_a_day(polled: GraphWorld) -> None:
    polled.server.fail("messages.list", throttled("Mon, 23 Nov 2026 09:00:20 GMT"))
    polled.server.fail("messages.list", busy(503, "999999999"))
    with pytest.raises(Paused) as paused:
        polled.poll()
    assert polled.clock.waits == [20.0]
    assert paused.value.until == polled.clock.now() + DAY


def test_23_a_pause_midway_keeps_what_came_and_the_old_cursor(polled: GraphWorld) -> None:
    keys = [polled.deliver(f"mail {number}") for number in range(40)]
    before = polled.ledger.cursor
    polled.server.fail("messages.get", throttled("600"), message_ids=keys[30:], times=None)
    with pytest.raises(Paused):
        polled.poll()
    assert {message.provider_id for message in polled.ledger.messages} == set(keys[:30])
    assert polled.ledger.cursor == before
    assert len(polled.asked_for()) <= 33, "and nothing more is asked for"
    polled.server.heal()
    polled.server.forget_calls()
    polled.clock.at += 10 * MINUTE
    polled.poll()
    assert sorted(polled.asked_for()) == keys[30:]
    assert len(polled.ledger.messages) == 40


def test_23_a_throttled_queue_keeps_what_came_and_leaves_the_rest_queued(polled: GraphWorld) -> None:
    keys = [polled.deliver(f"mail {number}") for number in range(10)]
    polled.server.fail("messages.get", throttled("600"), message_ids=keys[5:], times=None)
    page = polled.mailbox.fetch(keys)
    assert {message.provider_id for message in page.messages} == set(keys[:5])
    assert page.cursor is None
    assert not page.failed
    with pytest.raises(Paused):
        polled.mailbox.fetch(keys[5:])


@pytest.mark.parametrize("fault", [server_error(500), server_error(502), dropped(), unreadable(), unreadable("[]")])
def test_a_server_that_stays_in_trouble_pauses_the_mailbox_and_keeps_the_cursor(
    polled: GraphWorld, fault: Fault
) -> None:
    before = polled.ledger.cursor
    polled.server.fail("messages.list", fault, times=None)
    with pytest.raises(Paused) as paused:
        polled.poll()
    assert polled.ledger.cursor == before
    assert [int(wait) for wait in polled.clock.waits] == [1, 2, 4, 8, 16]
    assert paused.value.until == polled.clock.now() + 5 * MINUTE
    assert ANA not in str(paused.value)


def test_a_message_that_does_not_come_is_queued_and_the_others_are_captured(polled: GraphWorld) -> None:
    keys = [polled.deliver(f"mail {number}") for number in range(20)]
    polled.server.fail("messages.get", server_error(), message_ids=keys[3:13], times=None)
    polled.poll()
    assert sorted(polled.ledger.pending) == keys[3:13]
    assert len(polled.ledger.messages) == 10
    assert sum(polled.clock.waits) < 80, "the others do not wait for the same trouble"
    polled.server.heal()
    assert len(polled.mailbox.fetch(keys[3:13]).messages) == 10


def test_a_message_that_does_not_come_is_tried_on_one_page_only(polled: GraphWorld) -> None:
    keys = [polled.deliver(f"mail {number}", at=NOW + number * SECOND) for number in range(250)]
    at_the_seam = keys[198]  # the last of the first page, beside the mail from before, and the first of the second
    polled.server.fail("messages.get", server_error(), message_ids=[at_the_seam], times=None)
    polled.clock.at += DAY / 2
    polled.poll()
    assert list(polled.ledger.pending) == [at_the_seam]
    assert polled.asked_for().count(at_the_seam) == 6


@pytest.mark.parametrize("status", [404, 410])
def test_a_message_that_is_gone_before_it_is_fetched_is_settled(polled: GraphWorld, status: int) -> None:
    key = polled.deliver("gone")
    polled.deliver("stays")
    polled.server.fail("messages.get", gone(status), message_ids=[key], times=None)
    [page] = polled.poll()
    assert page.gone == (key,)
    assert polled.ledger.subjects == ["stays"]
    polled.store.delete(key)
    assert polled.mailbox.fetch([key]).gone == (key,)


# --- order and repetition -------------------------------------------------------------------------------------------


def test_24_items_that_come_again_are_not_doubled(polled: GraphWorld) -> None:
    polled.store.replay = 3
    keys = [polled.deliver(f"mail {number}", at=NOW + number * SECOND) for number in range(450)]
    polled.clock.at += MINUTE * 30
    polled.poll()
    polled.poll()
    assert sorted(message.provider_id for message in polled.ledger.messages) == keys
    assert sorted(polled.asked_for()) == keys


def test_24_items_out_of_order_are_all_captured_and_the_watermark_waits_for_the_end(polled: GraphWorld) -> None:
    polled.store.shuffled = True
    keys = [polled.deliver(f"mail {number}", at=NOW + number * SECOND) for number in range(450)]
    polled.clock.at += MINUTE * 30
    before = Cursor.load(polled.ledger.cursor)
    pages = polled.poll()
    assert sorted(message.provider_id for message in polled.ledger.messages) == keys
    marks = [Cursor.load(page.cursor) for page in pages]
    assert before is not None
    assert {mark.watermark for mark in marks[:-1] if mark} == {before.watermark}
    assert marks[-1] is not None
    assert marks[-1].watermark == NOW + 449 * SECOND


def test_24_mail_that_appears_behind_later_mail_is_found_by_the_overlap(polled: GraphWorld) -> None:
    polled.deliver("later", at=NOW + 10 * MINUTE)
    polled.clock.at += 10 * MINUTE
    polled.poll()
    polled.deliver("late", at=NOW)
    polled.poll()
    assert polled.ledger.subjects == ["late", "later"]


def test_24_mail_that_is_imported_or_freed_from_junk_is_found_within_a_day(polled: GraphWorld) -> None:
    freed = polled.deliver("freed", folder="junkemail", at=NOW)
    polled.clock.at += 5 * DAY
    polled.deliver("young")
    polled.poll()
    polled.deliver("imported", at=polled.clock.at - 3 * DAY)
    polled.store.move(freed, "inbox")
    polled.clock.at += 23 * 60 * MINUTE
    polled.poll()
    assert polled.ledger.subjects == ["young"]
    polled.clock.at += 60 * MINUTE
    polled.poll()
    assert polled.ledger.subjects == ["freed", "imported", "young"]


def test_24_a_mail_from_the_future_hides_nothing_that_comes_after_it(polled: GraphWorld) -> None:
    polled.deliver("from the future", at=NOW + 400 * DAY)
    polled.poll()
    polled.clock.at += DAY / 2
    polled.deliver("mail")
    polled.poll()
    assert polled.ledger.subjects == ["from the future", "mail"]


def test_35_the_comparison_lists_every_folder_to_the_end_and_asks_for_ids_alone(polled: GraphWorld) -> None:
    known = set(at_once(polled, 3))
    polled.poll()
    polled.server.forget_calls()
    missed = at_once(polled, 420, at=NOW - DAY)
    polled.store.move(missed[0], "projects")
    listed = [key for page in polled.mailbox.recent(NOW - 2 * DAY, polled.ledger.unseen) for key in page]
    assert sorted(listed) == missed
    assert not known & set(listed)
    assert {call.params["$select"] for call in polled.server.calls} == {"id"}


@pytest.mark.parametrize("fault", [lost_state(410), gone(404)])
def test_18_a_comparison_whose_link_is_forgotten_lists_again(polled: GraphWorld, fault: Fault) -> None:
    missed = at_once(polled, 420, at=NOW - DAY)
    polled.server.fail("messages.next", fault, skip=1)
    listed = [key for page in polled.mailbox.recent(NOW - 2 * DAY, polled.ledger.unseen) for key in page]
    assert sorted(set(listed)) == missed
    polled.server.fail("messages.next", fault, times=None)
    with pytest.raises(ProviderError, match="again and again"):
        list(polled.mailbox.recent(NOW - 2 * DAY, polled.ledger.unseen))


# --- what it costs, what it asks ------------------------------------------------------------------------------------


def test_an_idle_poll_is_one_request_and_a_new_mail_one_more(polled: GraphWorld) -> None:
    polled.poll()
    assert polled.methods() == ["messages.list"]
    polled.server.forget_calls()
    polled.deliver("in")
    polled.deliver("out", folder="sentitems")
    polled.poll()
    assert polled.methods() == ["messages.list", "messages.get"]


def test_a_first_walk_of_five_thousand_costs_a_listing_per_page_and_holds_a_page_in_memory(world: GraphWorld) -> None:
    """Only received mail is asked for its headers, each once."""
    for number in range(4_700):
        world.deliver("out", at=NOW - number * MINUTE, folder="sentitems")
    received = [world.deliver("in", at=NOW - number * MINUTE * 15) for number in range(300)]
    pages = world.ledger.walk(world.mailbox)
    world.ledger.store(next(pages))
    tracemalloc.start()
    before, grown = tracemalloc.get_traced_memory()[0], 0
    brought = len(world.ledger.pages[0].messages)
    for page in pages:
        world.ledger.seen |= {message.provider_id: "human" for message in page.messages}
        brought += len(page.messages)
        grown = max(grown, tracemalloc.get_traced_memory()[0] - before - 200 * len(world.ledger.seen))
    tracemalloc.stop()
    assert brought == 5_000
    assert len(world.server.calls_of("messages.list")) <= 5_000 // 199 + 1
    assert not world.server.calls_of("messages.next")
    assert sorted(world.asked_for()) == received
    assert len(world.server.calls) - len(received) <= 26 + 5 + 2, "besides: five folders, the login and its token"
    assert grown < 4_000_000, grown


def test_an_empty_mailbox_is_known_from_the_start_and_gets_a_real_cursor(world: GraphWorld) -> None:
    [page] = world.poll()
    assert (page.last, page.observed_from) == (True, world.ledger.since)
    world.clock.at += DAY / 2
    world.deliver("first mail ever")
    [page] = world.poll()
    assert page.observed_from is None
    assert world.ledger.subjects == ["first mail ever"]


@pytest.mark.parametrize("cursor", ["", "{}", "[]", '{"watermark": null, "known_from": null, "rescanned_at": null}'])
def test_a_cursor_that_cannot_be_read_lists_the_gap_again(polled: GraphWorld, cursor: str) -> None:
    polled.ledger.cursor, polled.ledger.last_ok_at = cursor, NOW - 3 * DAY
    polled.deliver("in the gap", at=NOW - 4 * DAY + MINUTE)
    polled.deliver("too old", at=NOW - 5 * DAY)
    pages = polled.poll()
    assert polled.ledger.subjects == ["in the gap"]
    assert pages[-1].observed_from == NOW - 4 * DAY


def test_no_request_asks_for_more_than_read_basic_shows(world: GraphWorld) -> None:
    at_once(world, 250)
    world.deliver("draft", folder="drafts")
    key = world.deliver("sent", folder="sentitems")
    world.poll()
    world.mailbox.fetch([key])
    world.mailbox.check()
    asked = [call for call in world.server.calls if call.mailbox]
    selected = {name for call in asked for name in call.params["$select"].split(",")}
    assert selected <= READ_BASIC
    assert {call.status for call in asked} == {200}


def test_the_token_goes_to_no_other_host(polled: GraphWorld, clock: MovingClock) -> None:
    elsewhere = '{"value": [], "@odata.nextLink": "http://127.0.0.1:1/v1.0/users/x/messages?$skiptoken=1"}'
    polled.server.fail("messages.list", unreadable(elsewhere))
    polled.server.fail("messages.next", unreadable('{"value": []}'))
    polled.poll()
    assert polled.methods() == ["messages.list", "messages.next"]


@pytest.fixture
def schema() -> Schema:
    if not SCHEMA.exists():
        pytest.skip("Microsoft's schema is not part of this repository")
    return Schema(SCHEMA)


@pytest.mark.corpus
def test_the_stand_ins_list_of_properties_is_microsofts(schema: Schema) -> None:
    assert set(schema.properties("message")) == MESSAGE_PROPERTIES


@pytest.mark.corpus
def test_what_is_asked_for_and_what_the_stand_in_answers_is_of_microsofts_schema(
    world: GraphWorld, schema: Schema
) -> None:
    answers = world.server.answers = []
    keys = [world.deliver(kind, kind=kind, headers=SENT) for kind in ("message", *MEETINGS)]
    world.deliver("sent", folder="sentitems", headers=[("Reply-To", "desk@globex.example")])
    world.deliver("no one", headers=[("From", "nobody")])
    world.poll()
    world.mailbox.check()
    world.server.fail("messages.list", window_refused(), times=None)
    world.clock.at += DAY
    world.poll()
    world.store.move(keys[0], "archive")
    world.poll()
    list(world.mailbox.recent(NOW - DAY, world.ledger.unseen))
    folders = [one for answer in answers for one in answer.get("value", []) if "childFolderCount" in one]
    messages = [one for answer in answers for one in answer.get("value", [answer]) if one not in folders]
    assert [said for one in folders for said in schema.complaints(one, "mailFolder")] == []
    assert [said for one in messages for said in schema.complaints(one, "message")] == []
    assert {one.get("@odata.type") for one in messages} >= {f"#microsoft.graph.{kind}" for kind in MEETINGS}
    assert any("@removed" in one for one in messages)
    assert any("internetMessageHeaders" in one for one in messages)
    asked = {name for call in world.server.calls if call.mailbox for name in call.params.get("$select", "").split(",")}
    assert asked - {""} <= set(schema.properties("message")) | set(schema.properties("mailFolder"))


@pytest.mark.corpus
def test_microsofts_schema_refuses_what_is_wrong(schema: Schema) -> None:
    wrong = {
        "@odata.type": "#microsoft.graph.eventMessageRequest",
        "id": 7,
        "from": {"emailAddress": {"adress": "x@y.example"}},
        "toRecipients": {"emailAddress": None},
        "receivedDateTime": "soon",
        "isDraft": "no",
        "sender": None,
    }
    assert len(list(schema.complaints(wrong, "message"))) == 5
    assert list(schema.complaints({"@odata.type": "#microsoft.graph.user"}, "message"))


@pytest.mark.corpus
def test_every_kind_of_meeting_mail_in_microsofts_schema_is_told_by_its_type(schema: Schema) -> None:
    assert {name for name in schema.kinds if schema.extends(name, "eventMessage")} == set(MEETINGS)


# --- access ---------------------------------------------------------------------------------------------------------


def test_the_check_answers_the_address_when_the_mailbox_can_be_listed(world: GraphWorld) -> None:
    assert world.mailbox.check() == ANA
    assert graph_mailbox(world.server, world.clock, api_url=f"{world.server.url}/v1.0/").check() == ANA


def test_a_mailbox_that_microsoft_does_not_know_is_named_as_such(world: GraphWorld) -> None:
    with pytest.raises(ProviderError, match=r"ErrorInvalidUser.*signs in with"):
        graph_mailbox(world.server, world.clock, "nobody@acme.example").check()


def test_a_mailbox_outside_the_apps_scope_needs_a_person_who_is_told_what_to_do(polled: GraphWorld) -> None:
    before = polled.ledger.cursor
    polled.server.outside.add(ANA)
    polled.deliver("mail")
    with pytest.raises(NeedsAuth, match=r"RBAC for Applications.*Mail\.ReadBasic\.All"):
        polled.poll()
    assert polled.ledger.cursor == before
    polled.server.outside.clear()
    polled.poll()
    assert polled.ledger.subjects == ["mail"]


def test_access_that_is_withdrawn_midway_is_not_taken_for_missing_headers(polled: GraphWorld) -> None:
    polled.deliver("mail")
    polled.server.fail("messages.get", forbidden(), times=2)
    with pytest.raises(NeedsAuth):
        polled.poll()
    polled.server.forget_calls()
    polled.poll()
    assert polled.asked_for(), "headers are asked for again"


def test_an_expired_access_token_is_replaced_and_nobody_notices(polled: GraphWorld) -> None:
    polled.server.tokens.expire_access()
    for number in range(10):
        polled.deliver(f"mail {number}")
    polled.poll()
    assert len(polled.ledger.messages) == 10
    assert len(polled.server.calls_of("token")) == 1


def test_a_401_that_survives_a_new_token_needs_a_person(polled: GraphWorld) -> None:
    polled.server.fail("messages.list", unauthenticated(), times=None)
    with pytest.raises(NeedsAuth, match="InvalidAuthenticationToken"):
        polled.poll()
    assert len(polled.server.calls_of("messages.list")) == 2


def _listing(*items: object) -> str:
    return json.dumps({"value": items})
