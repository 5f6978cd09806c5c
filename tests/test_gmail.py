"""The Gmail provider against the stand-in, with the real Google client. Numbers are capture.md's statements."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from jobs.mailbox.base import NeedsAuth, Paused, ProviderError
from jobs.mailbox.gmail_api import calls_of
from jobs.mailbox.gmail_quota import Quota, quota_for
from jobs.mailbox.google_auth import consented
from models.message import WANTED_HEADERS, Folder
from tests.gmail_world import ANA, DAY, NOW, MovingClock, World, provider, world_of
from tests.sandbox.gmail import (
    METADATA_SCOPE,
    Fault,
    GmailServer,
    broken_json,
    dropped,
    failed_precondition,
    gone,
    invalid_grant,
    not_allowed,
    page_without_history,
    rate_limited,
    server_error,
    too_many_requests,
    unauthenticated,
)


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def server(clock: MovingClock) -> Iterator[GmailServer]:
    with GmailServer(now=clock.now) as running:
        yield running


@pytest.fixture
def world(server: GmailServer, clock: MovingClock) -> World:
    return world_of(server, clock)


@pytest.fixture
def polled(world: World) -> World:
    """A mailbox whose first walk is behind it; the calls of it are forgotten."""
    world.deliver("before")
    world.poll()
    world.server.forget_calls()
    world.ledger.messages.clear()
    return world


def test_1_an_expired_history_lists_the_gap_again_and_keeps_what_is_known(polled: World) -> None:
    missed = polled.deliver("missed")
    polled.store.expire_history()
    pages = polled.poll()
    assert polled.ledger.subjects == ["missed"]
    assert polled.fetched() == [missed]
    assert pages[-1].last
    assert pages[-1].observed_from == NOW - timedelta(hours=24)
    methods = [call.method for call in polled.server.calls if call.method not in ("messages.get", "batch", "token")]
    assert methods == ["history.list", "getProfile", "messages.list", "history.list"]


def test_1_the_gap_is_listed_back_to_a_day_before_the_last_clean_poll(polled: World) -> None:
    ledger = polled.ledger
    ledger.last_ok_at = NOW - 3 * DAY
    wanted = polled.deliver("in the gap", at=NOW - 4 * DAY + timedelta(minutes=1))
    too_old = [polled.deliver(f"old {number}", at=NOW - 40 * DAY) for number in range(3)]
    polled.store.expire_history()
    polled.poll()
    assert wanted in polled.fetched()
    assert not set(too_old) & set(polled.fetched())


def test_2_the_second_poll_after_recovery_is_incremental_though_every_message_is_old(polled: World) -> None:
    polled.store.expire_history()
    polled.poll()
    polled.server.forget_calls()
    polled.poll()
    assert [call.method for call in polled.server.calls] == ["history.list"]
    assert polled.server.units() == 2


def test_2_an_empty_mailbox_gets_a_real_cursor(world: World) -> None:
    pages = world.poll()
    assert pages[-1].last
    assert pages[-1].observed_from == world.ledger.since
    assert json.loads(pages[-1].cursor or "") == {"history": str(world.store.history_id), "backfill": None}
    world.server.forget_calls()
    world.deliver("first mail ever")
    world.poll()
    assert world.ledger.subjects == ["first mail ever"]
    assert not world.server.calls_of("messages.list")


def test_2_a_server_without_history_is_listed_anew_by_every_poll_and_never_in_a_loop(polled: World) -> None:
    polled.server.fail("history.list", gone(), times=None)
    for number in range(3):
        polled.deliver(f"mail {number}")
        polled.server.forget_calls()
        pages = polled.poll()
        assert pages[-1].last
        assert len(polled.server.calls_of("getProfile")) == 1
        assert len(polled.fetched()) == 1
    assert polled.ledger.subjects == ["mail 0", "mail 1", "mail 2"]


def test_2_a_first_walk_at_a_server_without_history_lists_once(world: World) -> None:
    world.server.fail("history.list", gone(), times=None)
    world.deliver("one")
    pages = world.poll()
    assert pages[-1].last
    assert pages[-1].observed_from == world.ledger.since
    assert len(world.server.calls_of("messages.list")) == 1


@pytest.mark.parametrize("fault", [gone(), Fault(501, "", ""), Fault(200, body="{}")])
def test_a_server_without_profiles_is_followed_from_its_newest_message(world: World, fault: Fault) -> None:
    world.server.fail("getProfile", fault, times=None)
    world.deliver("one")
    world.deliver("two")
    world.poll()
    world.server.forget_calls()
    world.deliver("three")
    world.poll()
    assert world.ledger.subjects == ["one", "three", "two"]
    assert not world.server.calls_of("messages.list")


def test_an_empty_mailbox_at_a_server_without_profiles_is_read_from_its_first_mail_on(world: World) -> None:
    world.server.fail("getProfile", gone(), times=None)
    world.poll()
    world.deliver("first mail ever")
    world.poll()
    assert world.ledger.subjects == ["first mail ever"]


def test_a_server_without_profiles_is_asked_for_the_mailbox_by_its_address(world: World) -> None:
    world.server.fail("getProfile", gone(), times=None)
    assert world.provider(address=ANA).check() == ANA
    with pytest.raises(ProviderError, match="Delegation denied"):
        world.provider(address="somebody@acme.example").check()


def test_3_three_mails_inside_the_gap_exist_afterwards(polled: World) -> None:
    for number in range(3):
        polled.deliver(f"gap {number}")
        polled.store.expire_history()
    polled.poll()
    assert polled.ledger.subjects == ["gap 0", "gap 1", "gap 2"]


def test_4_messages_that_do_not_come_are_named_with_the_cursor_that_passes_them(polled: World) -> None:
    keys = [polled.deliver(f"mail {number}") for number in range(160)]
    polled.server.fail("messages.get", server_error(500), times=None)
    pages = polled.poll()
    assert {key for page in pages for key, _ in page.failed} == set(keys)
    assert all("500" in reason for page in pages for _, reason in page.failed)
    assert pages[-1].last
    # The first batch is tried for as long as it takes; the others do not wait for the same trouble.
    assert sum(polled.clock.waits) < 40
    polled.server.heal()
    again = polled.mailbox.fetch(keys)
    assert again.cursor is None
    assert {message.provider_id for message in again.messages} == set(keys)


def test_4_one_bad_message_is_queued_and_the_others_are_captured(polled: World) -> None:
    keys = [polled.deliver(f"mail {number}") for number in range(30)]
    polled.server.fail("messages.get", server_error(500), message_ids=[keys[3]], times=None)
    polled.poll()
    assert list(polled.ledger.pending) == [keys[3]]
    assert len(polled.ledger.messages) == 29


def test_5_a_killed_history_backlog_resumes_and_fetches_no_message_twice(polled: World) -> None:
    keys = [polled.deliver(f"mail {number:03}") for number in range(250)]
    polled.ledger.poll(polled.provider(chunk=40), stop_after=3)
    assert len(polled.ledger.messages) == 120
    polled.ledger.poll(polled.provider(chunk=40))
    assert sorted(polled.fetched()) == sorted(keys)
    assert len(polled.ledger.messages) == 250


def test_5_every_cursor_promises_only_what_was_yielded_before_it(polled: World) -> None:
    keys = [polled.deliver(f"mail {number:03}") for number in range(120)]
    pages = list(polled.ledger.walk(polled.provider(chunk=25)))
    for number in range(len(pages)):
        ledger = polled.ledger
        ledger.cursor, ledger.seen, ledger.messages = pages[number].cursor, {}, []
        ledger.poll(polled.provider())
        before = {message.provider_id for page in pages[: number + 1] for message in page.messages}
        assert before | {message.provider_id for message in ledger.messages} == set(keys)
        assert not before & {message.provider_id for message in ledger.messages}


def test_6_drafts_and_spam_are_set_aside_without_a_fetch_and_never_fetched_by_the_next_run(polled: World) -> None:
    labels = {"DRAFT": "draft", "SPAM": "spam", "TRASH": "trash", "CHAT": "chat"}
    keys = {polled.deliver(label, labels=[label]): verdict for label, verdict in labels.items()}
    [page] = polled.poll()
    assert dict(page.set_aside) == keys
    polled.poll()
    assert polled.fetched() == []
    assert polled.ledger.seen.items() >= keys.items()


def test_8_only_the_throttled_parts_of_a_batch_are_asked_for_again(polled: World) -> None:
    keys = [polled.deliver(f"mail {number}") for number in range(20)]
    polled.server.fail("messages.get", too_many_requests(), message_ids=keys[5:9], times=4)
    polled.poll()
    assert len(polled.ledger.messages) == 20
    assert polled.fetched() == keys + keys[5:9]
    assert not polled.ledger.pending
    [wait] = polled.clock.waits
    assert 1 <= wait < 2


def test_8_waits_double_with_every_attempt(polled: World) -> None:
    polled.deliver("mail")
    polled.server.fail("messages.get", rate_limited("quotaExceeded"), times=5)
    polled.poll()
    assert [int(wait) for wait in polled.clock.waits] == [1, 2, 4, 8, 16]
    assert polled.ledger.subjects == ["mail"]


def test_8_a_mailbox_that_stays_throttled_is_paused_and_keeps_what_came(polled: World) -> None:
    keys = [polled.deliver(f"mail {number}") for number in range(40)]
    polled.server.fail("messages.get", rate_limited(), message_ids=keys[30:], times=None)
    before = polled.ledger.cursor
    with pytest.raises(Paused) as paused:
        polled.poll()
    assert paused.value.until == polled.clock.now() + timedelta(minutes=5)
    assert len(polled.ledger.messages) == 30
    assert polled.ledger.cursor == before
    polled.server.heal()
    polled.server.forget_calls()
    polled.clock.at = paused.value.until
    polled.poll()
    assert polled.fetched() == keys[30:]


def test_9_no_batch_has_more_than_twenty_parts(polled: World) -> None:
    for number in range(65):
        polled.deliver(f"mail {number}")
    polled.poll()
    assert [call.params["parts"] for call in polled.server.calls_of("batch")] == [["20"], ["20"], ["20"], ["5"]]


def test_10_a_date_to_retry_after_pauses_the_mailbox_until_then_and_no_call_is_made(polled: World) -> None:
    until = NOW + timedelta(minutes=12)
    polled.deliver("mail")
    polled.server.fail("history.list", rate_limited(until=until))
    with pytest.raises(Paused) as paused:
        polled.poll()
    assert paused.value.until == until
    calls = len(polled.server.calls)
    with pytest.raises(Paused):
        polled.poll()
    with pytest.raises(Paused):
        polled.mailbox.check()
    assert len(polled.server.calls) == calls
    polled.clock.at = until
    polled.poll()
    assert polled.ledger.subjects == ["mail"]


def test_10_a_date_to_retry_after_is_honoured_inside_a_batch(polled: World) -> None:
    keys = [polled.deliver(f"mail {number}") for number in range(5)]
    until = NOW + timedelta(hours=2)
    polled.server.fail("messages.get", too_many_requests(until=until), message_ids=keys[2:3])
    with pytest.raises(Paused) as paused:
        polled.poll()
    assert paused.value.until == until
    assert len(polled.ledger.messages) == 4


def test_10_a_short_retry_after_is_waited_for(polled: World) -> None:
    polled.server.fail("history.list", too_many_requests(retry_after="7"))
    polled.poll()
    assert polled.clock.waits == [7.0]


def test_10_a_pause_of_years_is_cut_to_a_day(polled: World) -> None:
    polled.server.fail("history.list", server_error(503, retry_after="999999999"))
    with pytest.raises(Paused) as paused:
        polled.poll()
    assert paused.value.until == NOW + DAY


def test_10_other_mailboxes_go_on(polled: World) -> None:
    other = "ben@acme.example"
    polled.server.mailbox(other).deliver({"Subject": "for Ben"})
    polled.server.fail("history.list", too_many_requests(retry_after="600"), mailbox=ANA)
    with pytest.raises(Paused):
        polled.poll()
    ben = provider(polled.server, polled.clock, consented(json.dumps(polled.server.authorized_user(other))))
    [*_, page] = ben.pages(None, since=NOW - DAY, last_ok_at=None, unseen=set)
    assert page.last


def test_11_no_request_carries_a_query_and_no_token_another_scope(polled: World) -> None:
    polled.deliver("mail")
    polled.store.expire_history()
    polled.poll()
    polled.mailbox.check()
    assert polled.server.calls
    assert not [call for call in polled.server.calls if "q" in call.params]
    assert {call.status for call in polled.server.calls} == {200, 404}
    tokens = polled.server.calls_of("token")
    assert {tuple(call.params["scope"]) for call in tokens} <= {(METADATA_SCOPE,)}
    for call in polled.server.calls_of("messages.get"):
        if call.params["format"] == ["metadata"]:
            assert call.params["metadataHeaders"] == list(WANTED_HEADERS)


def test_11_headers_outside_the_list_never_arrive(polled: World) -> None:
    polled.deliver("mail")
    polled.poll()
    [message] = polled.ledger.messages
    assert [name for name, _ in message.headers] == ["From", "To", "Subject"]


def test_12_a_page_without_history_does_not_end_the_paging(polled: World) -> None:
    polled.deliver("behind the empty page")
    polled.server.fail("history.list", page_without_history())
    pages = polled.poll()
    assert polled.ledger.subjects == ["behind the empty page"]
    assert [page.last for page in pages] == [True]


@pytest.mark.parametrize("status", [404, 410])
def test_13_a_message_that_is_gone_before_it_is_fetched_is_settled(polled: World, status: int) -> None:
    key = polled.deliver("gone")
    polled.deliver("stays")
    polled.server.fail("messages.get", gone(status), message_ids=[key], times=None)
    [page] = polled.poll()
    assert page.gone == (key,)
    assert not page.failed
    assert polled.ledger.subjects == ["stays"]


def test_the_cursor_moves_with_what_does_not_concern_us_and_so_stays_young(polled: World) -> None:
    polled.store.relabel(polled.store.message_ids[0], remove=["INBOX"])
    polled.poll()
    assert json.loads(polled.ledger.cursor or "")["history"] == str(polled.store.history_id)


def test_records_of_one_history_id_are_never_parted(polled: World) -> None:
    keys = [polled.deliver(f"mail {number}") for number in range(3)]
    until = polled.store.history_id
    records = [
        {"id": str(number), "messagesAdded": [{"message": {"id": key}}]}
        for number, key in zip((until - 1, until - 1, until), keys, strict=True)
    ]
    body = json.dumps({"history": records, "historyId": str(until)})
    polled.server.fail("history.list", Fault(200, body=body))
    pages = list(polled.ledger.walk(polled.provider(chunk=1)))
    assert [[message.provider_id for message in page.messages] for page in pages] == [keys[:2], keys[2:]]


def test_13_a_deleted_message_is_gone(polled: World) -> None:
    key = polled.deliver("gone")
    polled.store.delete(key)
    [page] = polled.poll()
    assert page.gone == (key,)


def test_14_history_without_labels_is_fetched_and_then_set_aside_by_its_labels(polled: World) -> None:
    polled.store.history_with_labels = False
    draft = polled.deliver("draft", labels=["DRAFT"])
    polled.deliver("mail")
    [page] = polled.poll()
    assert polled.ledger.subjects == ["mail"]
    assert page.set_aside == ((draft, "draft"),)


def test_15_a_draft_that_is_sent_comes_once_as_sent(polled: World) -> None:
    key = polled.deliver("soon", labels=["DRAFT"])
    polled.poll()
    polled.store.relabel(key, add=["SENT"], remove=["DRAFT"])
    polled.poll()
    polled.poll()
    assert [(message.provider_id, message.folder) for message in polled.ledger.messages] == [(key, Folder.SENT)]


def test_15_spam_that_is_freed_comes_once(polled: World) -> None:
    key = polled.deliver("not spam", labels=["SPAM"])
    polled.poll()
    polled.store.relabel(key, add=["INBOX"], remove=["SPAM"])
    polled.poll()
    polled.store.relabel(key, remove=["INBOX"])
    polled.store.relabel(key, add=["INBOX"])
    polled.poll()
    assert polled.fetched() == [key]
    assert [message.folder for message in polled.ledger.messages] == [Folder.INBOX]


def test_15_a_draft_written_and_sent_between_two_polls_comes_once(polled: World) -> None:
    key = polled.deliver("at once", labels=["DRAFT"])
    polled.store.relabel(key, add=["SENT"], remove=["DRAFT"])
    [page] = polled.poll()
    assert [message.provider_id for message in page.messages] == [key]
    assert not page.set_aside


def test_15_sent_mail_lies_in_sent_even_when_it_is_also_in_the_inbox(polled: World) -> None:
    polled.deliver("to myself and others", labels=["INBOX", "SENT"])
    polled.poll()
    assert [message.folder for message in polled.ledger.messages] == [Folder.SENT]


def test_16_one_malformed_header_does_not_fail_a_batch(polled: World) -> None:
    odd = [("From", "<<@@>"), ("To", None), ("Subject", "half \ud83d, nul \x00"), ("Date", "")]
    polled.store.deliver(odd)
    polled.deliver("fine")
    [page] = polled.poll()
    assert len(page.messages) == 2
    assert page.messages[0].headers == (("From", "<<@@>"), ("Subject", "half ?, nul \ufffd"), ("Date", ""))


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "null",
        '{"id": 7, "labelIds": "INBOX", "internalDate": "soon", "payload": []}',
        '{"payload": {"headers": [7, {"name": 3, "value": "x"}, {"value": "y"}]}}',
    ],
)
def test_16_an_answer_of_the_wrong_form_costs_only_its_own_message(polled: World, body: str) -> None:
    odd = polled.deliver("odd")
    polled.deliver("fine")
    polled.server.fail("messages.get", Fault(200, body=body), message_ids=[odd], times=None)
    [page] = polled.poll()
    assert "fine" in polled.ledger.subjects
    assert odd in {key for key, _ in page.failed} | {one.provider_id for one in page.messages if one.at is None}


def test_16_an_unreadable_part_is_asked_for_alone_and_then_queued(polled: World) -> None:
    odd = polled.deliver("odd")
    polled.deliver("fine")
    polled.server.fail("messages.get", broken_json(), message_ids=[odd], times=None)
    polled.poll()
    assert polled.ledger.subjects == ["fine"]
    assert list(polled.ledger.pending) == [odd]


def test_17_withdrawn_consent_keeps_the_cursor_and_the_gap_is_captured_after_it_is_given_again(polled: World) -> None:
    before = polled.ledger.cursor
    polled.server.tokens.revoke(ANA)
    polled.deliver("in the gap")
    with pytest.raises(NeedsAuth, match="invalid_grant"):
        polled.poll()
    assert polled.ledger.cursor == before
    polled.ledger.poll(polled.provider())
    assert polled.ledger.subjects == ["in the gap"]


def test_17_an_expired_access_token_is_refreshed_once_and_nobody_notices(polled: World) -> None:
    polled.server.tokens.expire_access()
    polled.deliver("mail")
    polled.poll()
    assert polled.ledger.subjects == ["mail"]
    assert len(polled.server.calls_of("token")) == 1


def test_17_a_401_that_survives_a_new_token_needs_a_person(polled: World) -> None:
    polled.server.fail("history.list", unauthenticated(), times=None)
    with pytest.raises(NeedsAuth):
        polled.poll()
    assert len(polled.server.calls_of("history.list")) == 2


def test_17_a_refused_token_says_so_in_one_line(polled: World) -> None:
    polled.server.fail("token", invalid_grant(), times=None)
    with pytest.raises(NeedsAuth) as refused:
        polled.provider().check()
    assert "invalid_grant: Token has been expired or revoked." in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("method", ["history.list", "messages.get"])
def test_17_a_domain_policy_needs_a_person_wherever_it_shows(polled: World, method: str) -> None:
    polled.deliver("mail")
    polled.server.fail(method, not_allowed(), times=None)
    with pytest.raises(NeedsAuth, match="disabled Gmail apps"):
        polled.poll()


@pytest.mark.parametrize("fault", [server_error(500), server_error(503), dropped(), failed_precondition()])
def test_a_server_that_stays_in_trouble_pauses_the_mailbox_and_keeps_the_cursor(polled: World, fault: Fault) -> None:
    before = polled.ledger.cursor
    polled.server.fail("history.list", fault, times=None)
    with pytest.raises(Paused):
        polled.poll()
    assert polled.ledger.cursor == before
    assert [int(wait) for wait in polled.clock.waits] == [1, 2, 4, 8, 16]


def test_a_batch_whose_connection_drops_is_sent_again(polled: World) -> None:
    for number in range(5):
        polled.deliver(f"mail {number}")
    polled.server.fail("batch", dropped(), times=2)  # httplib2 repeats the first by itself
    polled.poll()
    assert len(polled.ledger.messages) == 5


@pytest.mark.parametrize("fault", [gone(), Fault(405, "", ""), Fault(501, "", ""), Fault(200, body="<html>")])
def test_a_server_without_a_batch_endpoint_is_read_one_by_one(polled: World, fault: Fault) -> None:
    for number in range(45):
        polled.deliver(f"mail {number}")
    polled.server.fail("batch", fault, times=None)
    polled.poll()
    assert len(polled.ledger.messages) == 45
    assert not polled.ledger.pending
    assert len(polled.server.calls_of("batch")) == 1


def test_a_throttled_queue_keeps_what_came_and_leaves_the_rest_queued(polled: World) -> None:
    keys = [polled.deliver(f"mail {number}") for number in range(40)]
    polled.server.fail("messages.get", too_many_requests(retry_after="600"), message_ids=keys[20:], times=None)
    page = polled.mailbox.fetch(keys)
    assert len(page.messages) == 20
    assert not page.failed
    with pytest.raises(Paused):
        polled.mailbox.fetch(keys[20:])


def test_an_idle_poll_costs_two_units_and_a_new_mail_twenty(polled: World) -> None:
    polled.poll()
    assert polled.server.units() == 2
    polled.deliver("mail")
    polled.poll()
    assert polled.server.units() == 2 + 2 + 20


def test_the_bucket_holds_a_mailbox_below_six_thousand_units_a_minute(polled: World) -> None:
    for number in range(400):
        polled.deliver(f"mail {number}")
    mailbox = polled.provider(quota=Quota())
    started = polled.clock.now()
    polled.ledger.poll(mailbox)
    assert len(polled.ledger.messages) == 400
    calls = [call for call in polled.server.calls if call.units]
    spent = sum(call.units for call in calls)
    assert (polled.clock.now() - started).total_seconds() == pytest.approx((spent - 1200) / 80, abs=1)
    for first in calls:
        minute = [call.units for call in calls if first.at <= call.at < first.at + timedelta(minutes=1)]
        assert sum(minute) <= 6000


def test_google_is_paced_and_another_server_paces_us() -> None:
    assert quota_for("https://gmail.googleapis.com").units_per_second == 80
    assert quota_for("http://127.0.0.1:8080").units_per_second is None
    assert quota_for("http://127.0.0.1:8080", 25).units_per_second == 25
    assert quota_for("https://gmail.googleapis.com.evil.example").units_per_second is None


def test_the_clients_resource_objects_are_built_once_for_a_server() -> None:
    """Each costs 1.7 ms to build, a request from a kept one a tenth of that; `make bench ONLY=gmail` measures it."""
    first, again = (calls_of("https://gmail.googleapis.com") for _ in range(2))
    assert first.messages is again.messages
    assert first.history is again.history


def test_the_check_answers_the_address_that_gmail_knows(world: World) -> None:
    assert world.mailbox.check() == ANA
    assert world.server.units() == 1


def test_an_address_with_a_path_and_a_slash_is_understood(world: World) -> None:
    assert world.provider(api_url=f"{world.server.api_url}/").check() == ANA
    assert world.provider(api_url=f"{world.server.api_url}/gmail/v1/").check() == ANA


def test_times_are_gmails_own_in_utc(polled: World) -> None:
    at = NOW - timedelta(hours=5, milliseconds=250)
    polled.deliver("mail", at=at)
    polled.poll()
    assert [message.at for message in polled.ledger.messages] == [at]
