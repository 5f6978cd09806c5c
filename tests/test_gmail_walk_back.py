"""The bounded walk back of the Gmail provider: how far, in which order, and what a kill leaves behind."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.mailbox.base import Paused, ProviderError
from jobs.mailbox.gmail_cursor import Backfill, Cursor
from tests.gmail_world import ANA, DAY, NOW, MovingClock, World, world_of
from tests.sandbox.gmail import Fault, GmailServer, server_error, too_many_requests


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


def fill(world: World, count: int, *, newest: datetime = NOW, step: timedelta) -> list[str]:
    """Mails at even distances; the answer is newest first."""
    return [world.deliver(f"mail {number:04}", at=newest - number * step) for number in range(count)]


def test_the_cursor_is_pinned_before_anything_is_listed(world: World) -> None:
    fill(world, 3, step=DAY)
    world.poll()
    methods = [call.method for call in world.server.calls if call.method not in ("token", "batch", "messages.get")]
    assert methods == ["getProfile", "messages.list", "history.list"]


def test_mail_that_comes_while_the_walk_goes_on_is_captured_at_its_end(world: World) -> None:
    fill(world, 150, step=timedelta(hours=1))
    for number, page in enumerate(world.ledger.walk(world.mailbox)):
        if number == 0:
            world.deliver("meanwhile")
        world.ledger.store(page)
    assert "meanwhile" in world.ledger.subjects
    assert len(world.ledger.messages) == len(set(world.fetched())) == 151


def test_nothing_older_than_the_cut_off_and_its_margin_is_fetched(world: World) -> None:
    ids = fill(world, 300, step=DAY / 2)
    pages = world.poll()
    assert world.fetched() == ids[: 97 * 2 + 1]
    assert pages[-1].observed_from == NOW - 90 * DAY


def test_the_boundary_of_a_full_page_takes_at_most_ten_probes(world: World) -> None:
    fill(world, 1500, step=DAY / 4)
    world.poll()
    probes = [call for call in world.server.calls_of("messages.get") if call.params["format"] == ["minimal"]]
    assert len(probes) <= 2 + 9
    assert len(world.server.calls_of("messages.list")) == 2
    assert len(world.ledger.messages) == 97 * 4 + 1


def test_one_old_message_among_new_ones_does_not_end_the_walk(world: World) -> None:
    """Migrated mail can carry an old date among new neighbours: it takes two old probes in a row."""
    ids = fill(world, 499, step=timedelta(hours=1))
    world.deliver("migrated", at=NOW - 900 * DAY, listed_at=NOW - timedelta(hours=498, minutes=30))
    rest = fill(world, 100, newest=NOW - timedelta(hours=500), step=timedelta(hours=1))
    world.poll()
    assert {message.provider_id for message in world.ledger.messages} >= {*ids, *rest}
    assert len(world.fetched()) == 600


def test_the_cap_keeps_the_newest_and_says_from_when_the_mailbox_is_known(world: World) -> None:
    ids = fill(world, 60, step=DAY)
    pages = world.ledger.poll(world.provider(cap=25, chunk=10))
    assert world.fetched() == ids[:25]
    assert pages[-1].observed_from == NOW - 24 * DAY


def test_a_gap_is_listed_without_a_cap(world: World) -> None:
    world.poll()
    ids = fill(world, 30, step=timedelta(minutes=1))
    world.store.expire_history()
    world.ledger.poll(world.provider(cap=5))
    assert sorted(world.fetched()) == sorted(ids)


def test_5_a_killed_walk_resumes_at_its_page_and_fetches_no_seen_id(world: World) -> None:
    ids = fill(world, 1200, step=timedelta(hours=1))
    world.ledger.poll(world.mailbox, stop_after=7)  # in the middle of the second page
    cursor = json.loads(world.ledger.cursor or "")
    assert cursor["backfill"]["page"]
    pinned = cursor["history"]
    world.deliver("meanwhile")
    world.server.forget_calls()
    pages = world.ledger.poll(world.provider())
    assert len(world.server.calls_of("messages.list")) == 2
    assert world.server.calls_of("history.list")[0].params["startHistoryId"] == [pinned]
    assert not world.server.calls_of("getProfile")
    assert len(world.fetched()) == len(set(world.fetched())) == 501
    assert {message.provider_id for message in world.ledger.messages} >= set(ids)
    assert pages[-1].observed_from == world.ledger.since


def test_5_what_came_while_a_walk_rested_is_read_before_the_walk_goes_on(world: World) -> None:
    ids = fill(world, 45, step=timedelta(hours=1))
    world.ledger.poll(world.provider(chunk=10), stop_after=2)
    new = [world.deliver(f"new {number}") for number in range(3)]
    pages = world.ledger.poll(world.provider(chunk=10), stop_after=1)
    assert [message.provider_id for page in pages for message in page.messages] == new
    assert [page.last for page in pages] == [False], "the mailbox is not known yet"
    world.ledger.poll(world.provider(chunk=10))
    assert sorted(world.fetched()) == sorted([*ids, *new])
    assert len(world.server.calls_of("getProfile")) == 1


def test_5_a_walk_goes_on_though_the_history_is_forgotten_and_then_the_gap_is_listed(world: World) -> None:
    ids = fill(world, 45, step=timedelta(hours=1))
    world.ledger.poll(world.provider(chunk=10), stop_after=2)
    missed = world.deliver("missed")
    world.store.expire_history()
    pages = world.ledger.poll(world.provider(chunk=10))
    assert sorted(world.fetched()) == sorted([*ids, missed])
    assert pages[-1].last
    assert pages[-1].observed_from == world.ledger.since


def test_a_first_walk_that_is_listed_again_stays_as_short_as_it_was_to_be(world: World) -> None:
    fill(world, 60, step=DAY)
    world.ledger.poll(world.provider(cap=25, chunk=10), stop_after=2)
    world.store.expire_history()
    pages = world.ledger.poll(world.provider(cap=25, chunk=10))
    assert len(world.fetched()) == 25
    assert pages[-1].observed_from == NOW - 24 * DAY


@pytest.mark.parametrize("stored", [1, 2, 3, 4, 5, 6])
def test_5_a_walk_killed_after_any_page_completes_without_a_second_fetch(world: World, stored: int) -> None:
    fill(world, 45, step=timedelta(hours=1))
    world.ledger.poll(world.provider(chunk=10), stop_after=stored)
    pages = world.ledger.poll(world.provider(chunk=10))
    assert len(world.fetched()) == len(set(world.fetched())) == 45
    assert pages[-1].last
    assert json.loads(world.ledger.cursor or "")["backfill"] is None
    known = [page.observed_from for page in world.ledger.pages if page.last]
    assert known[0] == world.ledger.since


def test_5_refused_page_tokens_list_again_and_fetch_no_seen_id(world: World) -> None:
    fill(world, 700, step=timedelta(hours=1))
    world.ledger.poll(world.mailbox, stop_after=6)
    world.server.refuse_page_tokens()
    world.poll()
    assert len(world.fetched()) == len(set(world.fetched())) == 700


def test_page_tokens_that_are_always_refused_are_an_error_and_no_loop(world: World) -> None:
    fill(world, 600, step=timedelta(hours=1))
    world.server.fail("messages.list", Fault(400, "badRequest", "Invalid pageToken"), times=None)
    with pytest.raises(ProviderError, match="Invalid pageToken"):
        world.poll()


def test_a_walk_cut_short_by_throttling_goes_on_from_there(world: World) -> None:
    ids = fill(world, 60, step=timedelta(hours=1))
    world.server.fail("messages.get", too_many_requests(retry_after="600"), message_ids=ids[45:], skip=1)  # the probe
    with pytest.raises(Paused):
        world.poll()
    assert len(world.ledger.messages) == 59
    world.clock.at += timedelta(minutes=10)
    world.poll()
    assert len(world.ledger.messages) == 60
    assert not world.ledger.pending


def test_4_messages_that_do_not_come_in_a_walk_are_named_too(world: World) -> None:
    ids = fill(world, 30, step=timedelta(hours=1))
    world.server.fail("messages.get", server_error(), message_ids=[ids[7]], times=None)
    pages = world.poll()
    assert [key for page in pages for key, _ in page.failed] == [ids[7]]
    assert len(world.ledger.messages) == 29


def test_a_history_that_expires_while_the_walk_is_interrupted_is_listed_again(world: World) -> None:
    ids = fill(world, 250, step=timedelta(hours=1))
    world.ledger.poll(world.mailbox, stop_after=1)
    missed = world.deliver("missed")
    world.store.expire_history()
    pages = world.poll()
    assert sorted(world.fetched()) == sorted([*ids, missed])
    assert pages[-1].last


def test_a_cursor_that_nobody_can_read_is_a_gap(world: World) -> None:
    world.poll()
    world.deliver("missed")
    for broken in ("", "{}", "[1]", '{"history": "x", "backfill": null}', '{"history": 5, "backfill": {"since": 1}}'):
        assert Cursor.load(broken) is None
    long_ago = world.deliver("missed long ago", at=NOW - 200 * DAY)
    world.ledger.cursor, world.ledger.last_ok_at = "what is this", NOW - 250 * DAY
    world.ledger.poll(world.provider(cap=1))
    assert world.ledger.subjects == ["missed", "missed long ago"]
    assert long_ago in world.fetched()


def test_probes_of_messages_that_are_gone_fall_back_on_their_neighbours(world: World) -> None:
    ids = fill(world, 40, step=10 * DAY)
    world.server.fail("messages.get", Fault(404, "notFound", "gone"), message_ids=ids[-3:], times=None)
    world.poll()
    assert world.fetched() == ids[:10]


@given(
    st.builds(
        Cursor,
        st.integers(1, 10**18).map(str),
        st.none()
        | st.builds(
            Backfill,
            st.just(NOW - 90 * DAY),
            st.just(NOW - DAY),
            st.none() | st.integers(1, 5000),
            st.none() | st.text(max_size=20),
            st.integers(0, 5000),
            st.booleans(),
        ),
    )
)
def test_a_cursor_comes_back_as_it_was_stored(cursor: Cursor) -> None:
    assert Cursor.load(cursor.dump()) == cursor


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 200), max_size=30), st.integers(1, 7), st.integers(1, 8))
def test_kills_anywhere_lose_nothing_and_fetch_nothing_twice(ages: list[int], chunk: int, kill_after: int) -> None:
    clock = MovingClock()
    with GmailServer(now=clock.now) as server:
        world = world_of(server, clock)
        keys = {world.deliver(f"{age}", at=NOW - age * DAY): age for age in ages}
        for _ in range(50):
            pages = world.ledger.poll(world.provider(chunk=chunk), stop_after=kill_after)
            if pages[-1].last:
                break
        else:
            pytest.fail("the walk does not end")
        captured = {message.provider_id for message in world.ledger.messages}
        assert captured == {key for key, age in keys.items() if age <= 97}
        assert len(world.fetched()) == len(captured)
        assert server.units(ANA) < 20 * len(captured) + 2000
