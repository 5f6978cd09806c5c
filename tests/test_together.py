"""Those who wait for one lock are written in one transaction; nobody pays for another, and nobody waits for ever."""

import threading
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from bot.staff import Busy
from bot.together import Together
from models.actions.deliveries import first_deliveries
from models.tables import SlackDelivery
from tests.cast import MONDAY
from tests.databases import Database

PATIENCE = 20


class Held:
    """Writes names, each once. The first transaction waits until it may end; what each was asked is kept."""

    def __init__(self) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.batches: list[list[str]] = []

    def __call__(self, session: Session, asks: Sequence[str]) -> list[bool]:
        self.batches.append(list(asks))
        self.begun.set()
        assert self.may_end.wait(PATIENCE)
        if "poison" in asks:
            raise ValueError("nobody can write this")
        if "locked" in asks:
            raise OperationalError("insert", {}, Exception("canceling statement due to lock timeout"))
        new = first_deliveries(session, asks, MONDAY)
        return [ask in new for ask in asks]


class Burst:
    """One who is being written, and others who come meanwhile."""

    def __init__(self, together: Together, write: Held) -> None:
        self.together, self.write = together, write
        self.answers: dict[str, object] = {}
        self.threads: list[threading.Thread] = []

    def come(self, *names: str) -> None:
        for name in names:
            before = self.together.waiting("home")
            thread = threading.Thread(target=self._ask, args=(name,))
            self.threads.append(thread)
            thread.start()
            if len(self.threads) == 1:
                assert self.write.begun.wait(PATIENCE)
            else:
                until(lambda: self.together.waiting("home") > before or name in self.answers)  # noqa: B023  # looked at here

    def end(self) -> dict[str, object]:
        self.write.may_end.set()
        for thread in self.threads:
            thread.join(PATIENCE)
        return self.answers

    def _ask(self, name: str) -> None:
        try:
            self.answers[name] = self.together.write("home", name, self.write)
        except Exception as error:  # what each was told is looked at by the test
            self.answers[name] = error


def until(seen: Callable[[], bool]) -> None:
    for _ in range(PATIENCE * 100):
        if seen():
            return
        threading.Event().wait(0.01)
    pytest.fail("it never came")


def written(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(SlackDelivery)) or 0


def test_who_comes_meanwhile_is_written_by_the_next_transaction_with_all_who_wait(database: Database) -> None:
    burst = Burst(Together(database.sessions), write := Held())
    burst.come("Ann", "Ben", "Cleo", "Dan")
    assert burst.end() == dict.fromkeys(("Ann", "Ben", "Cleo", "Dan"), True)
    assert write.batches == [["Ann"], ["Ben", "Cleo", "Dan"]]
    assert written(database) == 4


def test_no_transaction_is_longer_than_it_may_be_and_nobody_is_forgotten(database: Database) -> None:
    burst = Burst(Together(database.sessions, most=2), write := Held())
    burst.come("Ann", "Ben", "Cleo", "Dan", "Eve", "Finn")
    assert set(burst.end().values()) == {True}
    assert write.batches == [["Ann"], ["Ben", "Cleo"], ["Dan", "Eve"], ["Finn"]]


def test_one_who_cannot_be_written_costs_the_others_nothing(database: Database) -> None:
    burst = Burst(Together(database.sessions), Held())
    burst.come("Ann", "Ben", "poison", "Cleo")
    told = burst.end()
    assert isinstance(told.pop("poison"), ValueError)
    assert told == dict.fromkeys(("Ann", "Ben", "Cleo"), True)
    assert written(database) == 3


def test_a_database_that_says_no_says_it_to_all_and_is_asked_once(database: Database) -> None:
    burst = Burst(Together(database.sessions), write := Held())
    burst.come("Ann", "locked", "Cleo", "Dan")
    told = burst.end()
    assert told.pop("Ann") is True
    assert sorted(type(said).__name__ for said in told.values()) == ["NotWritten", "NotWritten", "OperationalError"]
    assert write.batches == [["Ann"], ["locked", "Cleo", "Dan"]]
    assert written(database) == 1


def test_whose_turn_does_not_come_is_told_so_and_never_written(database: Database) -> None:
    burst = Burst(Together(database.sessions, patience=0.05), Held())
    burst.come("Ann", "Ben")
    until(lambda: "Ben" in burst.answers)
    assert isinstance(burst.end()["Ben"], Busy)
    assert burst.answers["Ann"] is True
    assert written(database) == 1


def test_the_same_click_twice_in_one_transaction_acts_once(database: Database) -> None:
    with database.sessions.begin() as session:
        assert first_deliveries(session, ["b", "a", "b"], MONDAY) == {"a", "b"}
    with database.sessions.begin() as session:
        assert first_deliveries(session, ["a", "c"], MONDAY) == {"c"}
