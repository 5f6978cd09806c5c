"""Turns at many pieces of work: whatever hangs, fails or takes long, the others have their turns."""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from jobs.lanes import Lane, Lanes

PATIENCE = 30  # seconds after which a test gives up; nothing is measured by it
LANE_PATIENCE = 10.0
NEVER = 3600.0


@dataclass
class Workshop:
    """Work by name. `gates` holds turns until they are opened; `rests` are the answers of a work's next turns."""

    gates: dict[str, threading.Event] = field(default_factory=dict)
    rests: dict[str, list[float]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    taken: list[str] = field(default_factory=list)  # in the order in which turns began
    going_on: Counter[str] = field(default_factory=Counter)
    doubled: set[str] = field(default_factory=set)
    changed: threading.Condition = field(default_factory=threading.Condition)
    time: float = 0.0  # passes only when a test says so

    def turn(self, work: str) -> float | None:
        with self.changed:
            self.taken.append(work)
            self.going_on[work] += 1
            if self.going_on[work] > 1:
                self.doubled.add(work)
            self.changed.notify_all()
        gate = self.gates.get(work)
        if gate is not None:
            assert gate.wait(PATIENCE)
        with self.changed:
            self.going_on[work] -= 1
            self.changed.notify_all()
        if work in self.broken:
            raise KeyError(work)
        return self.rests[work].pop(0) if self.rests.get(work) else None

    def hold(self, *works: str) -> None:
        self.gates |= {work: threading.Event() for work in works}

    def release(self, *works: str) -> None:
        for work in works:
            self.gates.pop(work).set()

    def wait_for(self, **turns: int) -> None:
        """Until each has had so many turns."""
        with self.changed:
            assert self.changed.wait_for(
                lambda: all(self.taken.count(work) >= number for work, number in turns.items()), PATIENCE
            ), f"{turns} of {Counter(self.taken)}"


@pytest.fixture
def shop() -> Iterator[Workshop]:
    made = Workshop()
    yield made
    made.release(*made.gates)


def lanes_of(shop: Workshop, short: int = 2, long: int = 1) -> Lanes[str]:
    return Lanes(shop.turn, short=Lane(short, LANE_PATIENCE), long=Lane(long, LANE_PATIENCE), tick=lambda: shop.time)


def poll(lanes: Lanes[str], shop: Workshop, works: list[str], rounds: int) -> None:
    """So many rounds over these, each offered again as soon as its last turn is over."""
    before = Counter(shop.taken)
    for number in range(1, rounds + 1):
        for work in works:
            while not lanes.offer(work):
                with shop.changed:
                    shop.changed.wait(0.01)
        shop.wait_for(**{work: before[work] + number for work in works})


def test_as_many_that_hang_as_there_are_places_hold_up_nobody(shop: Workshop) -> None:
    lanes = lanes_of(shop, short=8)
    hanging, live = [f"hangs{number}" for number in range(8)], [f"live{number}" for number in range(20)]
    shop.hold(*hanging)
    for work in hanging:
        assert lanes.offer(work)
    shop.wait_for(**dict.fromkeys(hanging, 1))
    shop.time += LANE_PATIENCE
    poll(lanes, shop, live, rounds=3)
    assert all(shop.taken.count(work) == 1 and shop.going_on[work] == 1 for work in hanging)


def test_what_hung_takes_its_next_turn_among_the_long_and_comes_back_when_it_was_quick(shop: Workshop) -> None:
    lanes = lanes_of(shop, short=1, long=1)
    shop.hold("hangs")
    lanes.offer("hangs")
    shop.wait_for(hangs=1)
    assert lanes.offer("live")
    shop.time += LANE_PATIENCE - 1
    lanes.offer("another")
    assert shop.taken == ["hangs"], "there is one place, and it is still waited for"
    shop.time += 1
    lanes.offer("one more")
    shop.wait_for(**{"live": 1, "another": 1, "one more": 1})
    shop.release("hangs")
    shop.hold("walk")
    lanes.offer("walk", long=True)
    shop.wait_for(walk=1)
    while not lanes.offer("hangs"):
        pass
    poll(lanes, shop, ["live"], rounds=5)
    assert shop.taken.count("hangs") == 1, "it waits behind the walk"
    shop.release("walk")
    shop.wait_for(hangs=2)
    shop.hold("walk")
    while not lanes.offer("walk", long=True):
        pass
    shop.wait_for(walk=2)
    poll(lanes, shop, ["hangs"], rounds=3)


def test_long_work_takes_no_place_of_the_short_however_much_there_is(shop: Workshop) -> None:
    lanes = lanes_of(shop, short=1, long=3)
    walks = [f"walk{number}" for number in range(50)]
    shop.hold(*walks)
    for work in walks:
        lanes.offer(work, long=True)
    poll(lanes, shop, ["live"], rounds=5)
    assert shop.taken.count("live") == 5
    assert sum(shop.going_on.values()) == 3


def test_turns_go_round_so_that_nobody_finishes_before_others_have_begun(shop: Workshop) -> None:
    lanes = lanes_of(shop, long=1)
    shop.rests = {work: [0.0, 0.0] for work in "abc"}
    shop.hold("first")
    lanes.offer("first", long=True)
    for work in "abc":
        lanes.offer(work, long=True)
    shop.release("first")
    shop.wait_for(a=3, b=3, c=3)
    assert "".join(shop.taken[1:]) == "abcabcabc"


def test_work_that_waits_runs_or_rests_is_not_taken_up_twice(shop: Workshop) -> None:
    lanes = lanes_of(shop, short=1)
    shop.hold("runs")
    shop.rests["rests"] = [NEVER]
    assert lanes.offer("rests")
    poll(lanes, shop, ["live"], rounds=1)
    assert lanes.offer("runs")
    assert lanes.offer("waits")
    shop.wait_for(runs=1)
    assert [lanes.offer(work) for work in ("runs", "waits", "rests")] == [False, False, False]


def test_however_it_is_offered_no_work_has_two_turns_at_once(shop: Workshop) -> None:
    lanes = lanes_of(shop, short=3, long=2)
    shop.rests = {work: [0.0] * 10 for work in "abcdef"}

    def offer(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(300):
            shop.time += dice.random() * LANE_PATIENCE
            lanes.offer(dice.choice("abcdef"), long=dice.random() < 0.5)

    offering = [threading.Thread(target=offer, args=(seed,)) for seed in range(4)]
    for thread in offering:
        thread.start()
    for thread in offering:
        thread.join()
    shop.wait_for(**dict.fromkeys("abcdef", 1))  # the last offers may have come before the first turn
    assert lanes.stop(PATIENCE)
    assert set(shop.taken) == set("abcdef")
    assert not shop.doubled


def test_a_turn_that_fails_stops_nothing_and_is_offered_again(shop: Workshop) -> None:
    lanes = lanes_of(shop, short=1)
    shop.broken.add("broken")
    lanes.offer("broken")
    shop.wait_for(broken=1)
    poll(lanes, shop, ["live", "broken"], rounds=3)
    assert shop.taken.count("broken") == 4


def test_at_the_end_what_goes_on_is_waited_for_and_nothing_begins(shop: Workshop) -> None:
    lanes = lanes_of(shop, short=1)
    shop.hold("runs")
    shop.rests["rests"] = [0.0]
    lanes.offer("runs")
    lanes.offer("waits")
    shop.wait_for(runs=1)
    assert not lanes.stop(0.01), "it still runs"
    shop.release("runs")
    assert lanes.stop(PATIENCE)
    assert not lanes.offer("late")
    assert shop.taken == ["runs"]


def test_lanes_that_were_never_used_stop_at_once(shop: Workshop) -> None:
    assert lanes_of(shop).stop(PATIENCE)
