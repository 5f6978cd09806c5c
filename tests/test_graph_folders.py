"""A Microsoft 365 mailbox that may not be listed as a whole, read by folders. Numbers are capture.md's statements."""

import itertools
from collections.abc import Iterator
from datetime import timedelta

import pytest

from jobs.mailbox.base import NeedsAuth, Paused, ProviderError
from jobs.mailbox.graph_cursor import Cursor
from models.message import Folder
from tests.gmail_world import ANA, DAY, NOW, MovingClock
from tests.graph_world import SECOND, GraphWorld, graph_mailbox, graph_world
from tests.sandbox.gmail.faults import Fault
from tests.sandbox.graph import GraphServer, forbidden, gone, lost_state, server_error, throttled, window_refused

MINUTE = timedelta(minutes=1)
REFUSALS = [window_refused(400), window_refused(403), window_refused(501)]


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def server(clock: MovingClock) -> Iterator[GraphServer]:
    with GraphServer(now=clock.now) as running:
        yield running


@pytest.fixture
def world(server: GraphServer, clock: MovingClock) -> GraphWorld:
    """Nothing is read yet, and the listing of the whole mailbox is refused."""
    made = graph_world(server, clock)
    server.fail("messages.list", window_refused(), times=None)
    return made


@pytest.fixture
def polled(world: GraphWorld) -> GraphWorld:
    """A mailbox whose first walk is behind it; the calls of it are forgotten."""
    world.deliver("before")
    world.poll()
    world.clock.at += MINUTE
    world.server.forget_calls()
    world.ledger.messages.clear()
    return world


def links(world: GraphWorld) -> dict[str, str]:
    place = Cursor.load(world.ledger.cursor)
    assert place is not None
    assert place.links is not None
    return dict(place.links)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_mailbox_that_may_not_be_listed_is_read_by_its_folders(
    server: GraphServer, clock: MovingClock, refusal: Fault
) -> None:
    world = graph_world(server, clock)
    server.fail("messages.list", refusal, times=None)
    world.store.make_folder("projects")
    world.store.make_folder("acme", inside="projects")
    world.store.make_folder("old", inside="deleteditems")
    places = ("inbox", "sentitems", "archive", "projects", "acme", "drafts", "junkemail", "deleteditems", "old")
    for place in places:
        world.deliver(place, folder=place)
    assert world.mailbox.check() == ANA
    [*_, last] = world.poll()
    assert world.ledger.subjects == ["acme", "archive", "inbox", "projects", "sentitems"]
    assert {m.first("Subject"): m.folder for m in world.ledger.messages}["sentitems"] is Folder.SENT
    assert last.observed_from == world.ledger.since


def test_an_idle_pass_asks_each_folder_once_and_no_message_twice(polled: GraphWorld) -> None:
    for _ in range(2):
        polled.poll()
    assert not polled.asked_for()
    assert not polled.server.calls_of("messages.list"), "the refusal is remembered"
    assert set(polled.methods()) == {"mailFolders.list", "delta.changes"}
    assert len(polled.server.calls_of("delta.changes")) == 2 * len(links(polled))


def test_the_listing_of_the_whole_is_tried_again_every_day_and_taken_up_where_it_is_allowed(polled: GraphWorld) -> None:
    polled.server.heal()
    polled.deliver("still by folder")
    polled.poll()
    assert not polled.server.calls_of("messages.list")
    polled.clock.at += DAY
    polled.deliver("by the window")
    polled.poll()
    place = Cursor.load(polled.ledger.cursor)
    assert place is not None
    assert place.links is None
    assert polled.ledger.subjects == ["by the window", "still by folder"]


def test_access_that_is_withdrawn_altogether_needs_a_person(polled: GraphWorld) -> None:
    before = polled.ledger.cursor
    polled.server.outside.add(ANA)
    with pytest.raises(NeedsAuth, match=r"RBAC for Applications"):
        polled.poll()
    with pytest.raises(NeedsAuth):
        polled.mailbox.check()
    assert polled.ledger.cursor == before


@pytest.mark.parametrize("fault", [lost_state(410), lost_state(400), lost_state(404), gone(404)])
def test_18_a_folder_whose_state_is_lost_begins_again_at_the_watermark_without_doubles(
    polled: GraphWorld, fault: Fault
) -> None:
    before = Cursor.load(polled.ledger.cursor)
    assert before is not None
    keys = [polled.deliver(f"mail {number:03}") for number in range(20)]
    polled.server.fail("delta.changes", fault, times=None)
    polled.poll()
    assert sorted(message.provider_id for message in polled.ledger.messages) == keys
    since = f"receivedDateTime ge {before.watermark - 7 * DAY + MINUTE:%Y-%m-%dT%H:%M:%SZ}"
    assert {call.params["$filter"] for call in polled.server.calls_of("delta.list")} == {since}


@pytest.mark.parametrize("fault", [lost_state(410), lost_state(400), gone(404), gone(410)])
def test_18_a_state_that_is_lost_midway_doubles_nothing(world: GraphWorld, fault: Fault) -> None:
    keys = [world.deliver(f"mail {number:03}", at=NOW - number * MINUTE) for number in range(450)]
    world.server.fail("delta.next", fault, skip=1)
    world.poll()
    assert sorted(message.provider_id for message in world.ledger.messages) == keys
    assert sorted(world.asked_for()) == keys
    assert len(links(world)) > 1


def test_18_a_state_that_is_lost_again_and_again_is_an_error_and_no_loop(polled: GraphWorld) -> None:
    before = polled.ledger.cursor
    polled.server.fail("delta.changes", lost_state(), times=None)
    polled.server.fail("delta.list", lost_state(), times=None)
    with pytest.raises(ProviderError, match="again and again"):
        polled.poll()
    assert polled.ledger.cursor == before


def test_18_a_listing_that_ends_without_a_link_begins_again(polled: GraphWorld) -> None:
    polled.deliver("mail")
    polled.server.fail("delta.changes", Fault(200, body='{"value": []}'))
    polled.poll()
    assert polled.ledger.subjects == ["mail"]
    polled.server.fail("delta.changes", Fault(200, body='{"value": []}'), times=None)
    polled.server.fail("delta.list", Fault(200, body='{"value": []}'), times=None)
    with pytest.raises(ProviderError, match="again and again"):
        polled.poll()


def test_18_a_message_that_does_not_come_is_tried_once_though_the_walk_begins_again(world: GraphWorld) -> None:
    keys = [world.deliver(f"mail {number:03}", at=NOW - number * MINUTE) for number in range(250)]
    world.server.fail("messages.get", server_error(), message_ids=keys[-1:], times=None)
    world.server.fail("delta.next", lost_state())
    world.poll()
    assert list(world.ledger.pending) == keys[-1:]
    assert world.asked_for().count(keys[-1]) == 6


def test_18_the_link_of_a_folder_is_stored_after_every_page_that_it_promises(world: GraphWorld) -> None:
    keys = [world.deliver(f"mail {number:03}", at=NOW - number * MINUTE) for number in range(450)]
    pages = world.ledger.walk(world.mailbox)
    for page in itertools.islice(pages, 2):
        world.ledger.store(page)
    assert len(world.ledger.messages) == 400
    assert not links(world), "the folder is not read to its end"
    world.ledger.poll(graph_mailbox(world.server, world.clock))
    assert sorted(world.asked_for()) == keys
    assert sorted(message.provider_id for message in world.ledger.messages) == keys


def test_18_a_pause_midway_keeps_what_came_and_asks_for_nothing_before_its_end(polled: GraphWorld) -> None:
    keys = [polled.deliver(f"mail {number:02}") for number in range(40)]
    before = links(polled)
    polled.server.fail("messages.get", throttled("600"), message_ids=keys[30:], times=None)
    with pytest.raises(Paused):
        polled.poll()
    assert {message.provider_id for message in polled.ledger.messages} == set(keys[:30])
    polled.server.heal()
    polled.server.forget_calls()
    with pytest.raises(Paused):
        polled.poll()
    assert not polled.server.calls
    polled.clock.at += 10 * MINUTE
    polled.poll()
    assert sorted(message.provider_id for message in polled.ledger.messages) == keys
    assert links(polled).keys() == before.keys()


def test_19_a_message_that_moves_away_and_back_is_told_by_no_delta_and_captured_within_a_day(
    polled: GraphWorld,
) -> None:
    key = polled.deliver("wanderer")
    polled.store.move(key, "archive")
    polled.store.move(key, "inbox")
    polled.poll()
    assert polled.ledger.subjects == []
    listed = [one for page in polled.mailbox.recent(NOW - 2 * DAY, polled.ledger.unseen) for one in page]
    assert listed == [key], "the daily comparison sees it too"
    polled.clock.at += DAY
    polled.poll()
    assert polled.ledger.subjects == ["wanderer"]


def test_19_a_message_that_moves_from_folder_to_folder_is_captured_where_it_comes_to_rest(polled: GraphWorld) -> None:
    key = polled.deliver("wanderer")
    polled.store.make_folder("acme", inside="inbox")
    polled.store.move(key, "acme")
    polled.poll()
    assert polled.ledger.subjects == ["wanderer"]
    polled.store.move(key, "archive")
    polled.store.mark(key)
    polled.poll()
    assert polled.asked_for() == [key], "what is known by its lasting id is not asked for again"


def test_20_every_request_asks_for_lasting_ids(polled: GraphWorld) -> None:
    polled.deliver("mail")
    polled.poll()
    list(polled.mailbox.recent(NOW - 2 * DAY, polled.ledger.unseen))
    polled.mailbox.check()
    assert {call.immutable for call in polled.server.calls if call.mailbox} == {True}


def test_21_a_filtered_walk_that_ends_at_five_thousand_is_walked_again_without_the_filter(world: GraphWorld) -> None:
    for number in range(5_200):
        world.deliver("mail", at=NOW - number * SECOND, folder="sentitems")
    listed = [key for page in world.mailbox.recent(NOW - DAY, world.ledger.unseen) for key in page]
    assert len(set(listed)) == 5_200
    asked = [call.params.get("$filter") for call in world.server.calls_of("delta.list") if "sentitems" in call.path]
    assert [bool(one) for one in asked] == [True, False]


def test_21_a_filtered_walk_that_closes_early_is_found_out_by_counting(world: GraphWorld) -> None:
    world.store.closes_after = 30
    keys = [world.deliver(f"mail {number:02}", at=NOW - number * MINUTE) for number in range(50)]
    old = world.deliver("older than the window", at=NOW - 200 * DAY)
    world.poll()
    assert sorted(message.provider_id for message in world.ledger.messages) == keys
    assert old not in world.asked_for()


def test_21_where_counting_or_filtering_is_refused_too_the_walk_has_no_filter(world: GraphWorld) -> None:
    world.store.closes_after = 3
    world.server.fail("messages.count", forbidden(), times=None)
    keys = [world.deliver(f"mail {number}", at=NOW - number * MINUTE) for number in range(8)]
    world.poll()
    assert sorted(message.provider_id for message in world.ledger.messages) == keys


def test_21_a_folder_that_stays_short_is_an_error_that_holds_up_no_other_folder(world: GraphWorld) -> None:
    world.deliver("in", at=NOW - MINUTE)
    world.deliver("out", at=NOW - MINUTE, folder="sentitems")
    world.deliver("left out", at=NOW - MINUTE)
    world.deliver("ahead", at=NOW + MINUTE)
    world.store.hidden = {3}
    with pytest.raises(ProviderError, match="lists 1 of the 2 messages"):
        world.poll()
    assert world.ledger.subjects == ["ahead", "in", "out"], "what came after the walk began makes up for nothing"
    world.store.hidden = set()
    assert world.poll()[-1].last
    assert world.ledger.subjects == ["ahead", "in", "left out", "out"]


def test_21_mail_that_arrives_during_the_walk_is_not_taken_for_missing(world: GraphWorld) -> None:
    keys = [world.deliver(f"mail {number:03}", at=NOW - number * MINUTE) for number in range(250)]
    pages = world.ledger.walk(world.mailbox)
    world.ledger.store(next(pages))
    world.clock.at += MINUTE
    late = world.deliver("late")
    for page in pages:
        world.ledger.store(page)
    world.poll()
    assert sorted(message.provider_id for message in world.ledger.messages) == [*keys, late]
    assert {bool(call.params.get("$filter")) for call in world.server.calls_of("delta.list")} == {True}


def test_22_a_sent_mail_is_told_by_its_folder(polled: GraphWorld) -> None:
    polled.store.deliver([("From", ANA), ("To", "kim@globex.example"), ("Subject", "hi")], folder="sentitems")
    polled.poll()
    [message] = polled.ledger.messages
    assert (message.folder, message.first("To")) == (Folder.SENT, "kim@globex.example")


def test_24_a_message_that_is_only_marked_is_not_read_from_what_changed(polled: GraphWorld) -> None:
    key = polled.deliver("mail")
    polled.server.fail("messages.get", server_error(), message_ids=[key], times=None)
    polled.poll()
    assert list(polled.ledger.pending) == [key]
    polled.server.heal()
    polled.store.mark(key)
    polled.poll()
    assert polled.ledger.subjects == ["mail"]
    assert polled.ledger.messages[0].first("From") == "Kim Lee <kim@globex.example>"


def test_24_mail_that_is_imported_with_an_old_date_is_told_as_a_change(polled: GraphWorld) -> None:
    polled.deliver("of the last 90 days", at=NOW - 60 * DAY)
    old = polled.deliver("older", at=NOW - 200 * DAY)
    polled.poll()
    assert polled.ledger.subjects == ["of the last 90 days"]
    assert old not in polled.asked_for()


def test_a_folder_that_is_deleted_is_left_out_and_one_that_is_made_is_read(polled: GraphWorld) -> None:
    polled.store.make_folder("new")
    polled.deliver("in the new one", folder="new")
    polled.poll()
    assert polled.ledger.subjects == ["in the new one"]
    polled.store.missing_folders = frozenset({"new", "archive"})
    polled.deliver("mail")
    polled.poll()
    assert polled.ledger.subjects == ["in the new one", "mail"]
    assert not any("new" in folder for folder in links(polled))


def test_no_request_asks_for_more_than_ids_but_of_new_messages(polled: GraphWorld) -> None:
    key = polled.deliver("mail")
    polled.poll()
    polled.clock.at += DAY
    polled.poll()
    for call in polled.server.calls:
        selected = set(call.params.get("$select", "id").split(","))
        assert (
            selected <= {"id", "childFolderCount", "receivedDateTime"}
            or call.path.endswith(key)
            or (call.method == "messages.list")
        )
