"""Rounds over many mailboxes, with the real provider and the database: who is read, who is not, and who waits for whom.

Numbers are capture.md's statements. How turns are taken is tested in test_lanes.py.
"""

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from jobs.lanes import Lane
from jobs.mailbox.base import Mailbox, NeedsAuth, Page
from jobs.rounds import Rounds
from jobs.turns import Turns
from models.actions.mailboxes import pause_mailbox, remove_mailbox
from models.actions.people import PersonRow
from models.queries.mail import MailboxFacts
from models.settings import load_settings
from models.vault import Vault
from tests.capture_world import Between, Office, letter, office
from tests.cast import DANA, PRIYA, TOMAS
from tests.databases import Database
from tests.sandbox.gmail import hanging, too_many_requests

PATIENCE = 30  # seconds after which a test gives up; nothing is measured by it
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Proxy:
    """A mailbox to which a test adds something."""

    def __init__(self, mailbox: Any) -> None:
        self.mailbox = mailbox

    def pages(self, *arguments: Any, **options: Any) -> Iterator[Page]:
        yield from self.mailbox.pages(*arguments, **options)

    def fetch(self, provider_ids: Sequence[str]) -> Page:
        answer: Page = self.mailbox.fetch(provider_ids)
        return answer

    def recent(self, since: Any, unseen: Any) -> Iterator[Sequence[str]]:
        yield from self.mailbox.recent(since, unseen)

    def check(self) -> str:
        return str(self.mailbox.check())


class Counting(Proxy):
    """Counts the passes that went to their end."""

    passes = 0

    def pages(self, *arguments: Any, **options: Any) -> Iterator[Page]:
        yield from super().pages(*arguments, **options)
        self.passes += 1


class World:
    """The office, read by rounds. A mailbox that a test put in `mailboxes` is read in place of the real one."""

    def __init__(self, work: Office) -> None:
        self.work = work
        self.mailboxes: dict[str, Mailbox] = {}
        self.built: list[str] = []

    def build(self, facts: MailboxFacts, *_: object) -> Mailbox:
        self.built.append(facts.address)
        return self.mailboxes.get(facts.address) or self.work.providers[facts.address]

    @contextmanager
    def rounds(self, **options: Any) -> Iterator[Rounds]:
        database, vault = self.work.database, Vault(())
        lanes: dict[str, Any] = {"build": self.build, "short": Lane(1, 0.2), "long": Lane(1, 60.0)}
        made = Rounds(load_settings(), database.sessions, database.reading, vault, self.work.clock, **(lanes | options))
        yield made
        made.stop()

    def until(self, rounds: Rounds, seen: Callable[[], bool]) -> None:
        """One round after the other, until it is seen."""
        for _ in range(PATIENCE * 50):
            rounds.begin([self.work.cast.programme])
            if seen():
                return
            threading.Event().wait(0.02)
        pytest.fail("it never came")

    def counted(self, person: Any) -> Counting:
        mailbox = Counting(self.work.providers[person.email])
        self.mailboxes[person.email] = mailbox
        return mailbox


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    """Dana's and Priya's mailboxes, both read once while empty."""
    with office(database, (DANA, PRIYA)) as work:
        for person in (DANA, PRIYA):
            work.read(person)
        work.server.forget_calls()
        yield World(work)


def test_what_is_asked_for_every_poll_counts_no_ledger(world: World) -> None:
    asked: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    dana, engine = world.counted(DANA), world.work.database.engine
    event.listen(engine, "before_cursor_execute", listen)
    with world.rounds() as rounds:
        world.until(rounds, lambda: dana.passes >= 2)
    event.remove(engine, "before_cursor_execute", listen)
    assert any("UPDATE mailbox" in one for one in asked)
    assert not [one for one in asked if "FROM seen " in one and "count(" in one]


def test_10_mailboxes_whose_server_does_not_answer_hold_up_nobody(world: World) -> None:
    gate, priya = threading.Event(), world.counted(PRIYA)
    world.work.server.fail("history.list", hanging(gate), mailbox=DANA.email, times=None)
    world.work.receive(letter("wile@acme.example", PRIYA.email, message_id="for-priya"), by=PRIYA)
    with world.rounds() as rounds:  # with one place for short turns
        world.until(rounds, lambda: priya.passes >= 5)
        assert world.work.facts(DANA).status == "active"
        assert not rounds.caught_up(), "Dana's mailbox is still being read"
        gate.set()
        world.until(rounds, rounds.caught_up)
    assert [one[3] for one in world.work.touches()] == ["for-priya"]


def test_10_a_paused_mailbox_takes_no_thread_and_is_read_when_its_pause_is_over(world: World) -> None:
    work, priya = world.work, world.counted(PRIYA)
    with work.database.sessions.begin() as session:
        pause_mailbox(session, work.facts(DANA).id, work.clock.now() + HOUR, "Gmail asked for patience")
    work.receive(letter("wile@acme.example", DANA.email, message_id="waits"))
    with world.rounds() as rounds:
        world.until(rounds, lambda: priya.passes >= 3)
        assert rounds.caught_up(), "a pause holds up no weekly read"
        assert world.built == [PRIYA.email]
        assert not work.server.calls_of("history.list", DANA.email)
        work.clock.at += HOUR
        world.until(rounds, lambda: bool(work.touches()))


def test_10_a_mailbox_that_is_paused_in_a_round_is_left_alone_in_the_next(world: World) -> None:
    work, priya = world.work, world.counted(PRIYA)
    work.server.fail("history.list", too_many_requests(retry_after="600"), mailbox=DANA.email, times=None)
    with world.rounds() as rounds:
        world.until(rounds, lambda: priya.passes >= 5 and work.facts(DANA).paused_until is not None)
    assert len(work.server.calls_of("history.list", DANA.email)) == 1


def test_a_failure_of_our_own_is_the_mailboxes_trouble_until_it_is_read_again(world: World) -> None:
    work, broken = world.work, threading.Event()
    broken.set()

    class Broken(Proxy):
        def pages(self, *arguments: Any, **options: Any) -> Iterator[Page]:
            if broken.is_set():
                raise KeyError("wile@acme.example")
            yield from super().pages(*arguments, **options)

    world.mailboxes[DANA.email] = Broken(work.providers[DANA.email])
    with world.rounds() as rounds:
        world.until(rounds, lambda: work.facts(DANA).status == "error")
        assert work.facts(DANA).error == "Cadence failed while reading it (KeyError): its log says where"
        assert work.facts(PRIYA).status == "active"
        broken.clear()
        world.until(rounds, lambda: work.facts(DANA).status == "active")
    assert work.facts(DANA).error is None


def test_a_mailbox_that_cannot_be_built_says_why(world: World) -> None:
    def refuse(facts: MailboxFacts, *_: object) -> Mailbox:
        if facts.address == DANA.email:
            raise NeedsAuth("its secret cannot be opened")
        return world.build(facts)

    with world.rounds(build=refuse) as rounds:
        world.until(rounds, lambda: world.work.facts(DANA).error == "its secret cannot be opened")


def test_5_a_first_walk_is_read_in_turns_and_what_is_new_comes_first(world: World) -> None:
    work = world.work
    work.connect(TOMAS)
    old = [work.receive(letter("a@b.example", TOMAS.email), by=TOMAS, at=work.clock.at - n * HOUR) for n in range(45)]
    new: list[str] = []

    def arrives() -> None:
        new.append(work.receive(letter("wile@acme.example", TOMAS.email, message_id="new"), by=TOMAS))

    reading = Between(work.provider(TOMAS, chunk=10), [lambda: None, arrives])
    world.mailboxes[TOMAS.email] = reading
    with world.rounds(turn=0.0) as rounds:
        world.until(rounds, lambda: work.facts(TOMAS).last_ok_at is not None)
    asked = work.asked_for(TOMAS)
    assert sorted(asked) == sorted([*old, *new]), "each once"
    assert asked.index(new[0]) == 20, "after the page during which it came, before the rest of the walk"
    assert len(work.server.calls_of("getProfile", TOMAS.email)) == 1, "one walk, not five"


def test_a_first_walk_takes_no_place_of_the_mailboxes_that_are_polled(world: World) -> None:
    work, gate, priya = world.work, threading.Event(), world.counted(PRIYA)
    work.connect(TOMAS)
    work.server.fail("getProfile", hanging(gate), mailbox=TOMAS.email, times=None)
    with world.rounds(short=Lane(1, 3600.0)) as rounds:  # where a turn is always waited for
        world.until(rounds, lambda: priya.passes >= 5)
        gate.set()
        world.until(rounds, lambda: work.facts(TOMAS).last_ok_at is not None)


def test_a_mailbox_rests_outside_of_any_thread_while_its_quota_fills(world: World) -> None:
    work = world.work
    work.connect(TOMAS)
    for number in range(30):
        work.receive(letter("a@b.example", TOMAS.email), by=TOMAS, at=work.clock.at - number * HOUR)

    class Tired(Proxy):
        def rests_for(self) -> float:
            return 0.0 if not work.asked_for(TOMAS) else 3600.0

    world.mailboxes[TOMAS.email] = Tired(work.provider(TOMAS, chunk=10))
    priya, dana = world.counted(PRIYA), world.counted(DANA)
    with world.rounds() as rounds:
        world.until(rounds, lambda: min(priya.passes, dana.passes) >= 3 and len(work.asked_for(TOMAS)) >= 10)
        assert len(work.asked_for(TOMAS)) == 10
        assert not rounds.caught_up(), "it has not been read to its end"
        work.clock.at += 11 * MINUTE
        assert rounds.caught_up(), "and holds up the weekly read for minutes only"


def test_a_mailbox_whose_quota_is_used_up_is_not_begun(world: World) -> None:
    work, priya = world.work, world.counted(PRIYA)

    class UsedUp(Proxy):
        def rests_for(self) -> float:
            return 3600.0

    world.mailboxes[DANA.email] = UsedUp(work.providers[DANA.email])
    with world.rounds() as rounds:
        world.until(rounds, lambda: priya.passes >= 3)
    assert DANA.email in world.built
    assert not work.server.calls_of("history.list", DANA.email)


def test_only_what_the_list_names_is_read_though_the_delegation_reaches_further(world: World) -> None:
    work = world.work
    work.receive(letter("wile@acme.example", TOMAS.email, message_id="not-ours-to-read"), by=TOMAS)
    priya = world.counted(PRIYA)

    class Removed(Proxy):
        def pages(self, *arguments: Any, **options: Any) -> Iterator[Page]:
            yield from super().pages(*arguments, **options)
            with work.database.sessions.begin() as session:
                remove_mailbox(session, work.cast.workspace_id, "test", work.facts(DANA).id, work.clock.now(), False)

    world.mailboxes[DANA.email] = Removed(work.providers[DANA.email])
    with world.rounds() as rounds:
        world.until(rounds, lambda: work.facts(DANA).status == "removed")
        before = priya.passes
        world.until(rounds, lambda: priya.passes >= before + 3)
    assert len(work.server.calls_of("history.list", DANA.email)) == 1
    assert not [call for call in work.server.calls if call.mailbox == TOMAS.email]


def test_a_mailbox_keeps_its_client_while_it_is_read_and_no_longer_than_a_token_is_good(world: World) -> None:
    def reads(turns: Turns, *people: PersonRow) -> list[str]:
        world.built.clear()
        for person in people:
            assert turns.take(world.work.cast.programme, world.work.facts(person).id).well
        return [address.partition("@")[0] for address in world.built]

    database = world.work.database
    parts = load_settings(), database.sessions, database.reading, Vault(()), world.work.clock
    assert reads(Turns(*parts, build=world.build), DANA, PRIYA, DANA, PRIYA) == ["dana", "priya"]
    forgetful = Turns(*parts, build=world.build, keeps=0.0)
    client = world.counted(DANA)
    assert reads(forgetful, DANA, PRIYA, DANA) == ["dana", "priya", "dana"]
    held = weakref.ref(client)
    world.mailboxes.clear()
    del client
    reads(forgetful, PRIYA)
    assert held() is None, "nothing keeps what is not read any more"
