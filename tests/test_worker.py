"""Many machines: workers share the mailboxes of all workspaces, and any of them may die, freeze or come back late.

On PostgreSQL only. What one turn at a mailbox does is tested in test_rounds.py; here it is who takes it, and when.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from jobs.fleet import Fleet
from jobs.mailbox.base import Mailbox, Page
from jobs.worker import Worker
from models.actions.mailboxes import put_mailbox
from models.actions.programme import add_workspace
from models.clock import Clock, SystemClock
from models.queries.mail import MailboxFacts
from models.queries.programme import programmes
from models.settings import Settings, load_settings
from models.tables import Mailbox as MailboxRow
from models.tables import Touch, Workspace
from models.vault import Vault, new_key
from tests.capture_world import Between, Office, letter, office
from tests.cast import DANA, MONDAY, PRIYA, TOMAS, put_cast
from tests.databases import Database
from tests.sandbox.gmail import hanging, too_many_requests
from tests.sandbox.gmail.server import GmailServer
from tests.test_rounds import Proxy

PATIENCE = 120  # seconds after which a test gives up; longer than a transaction may lie frozen on a server
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.parametrize("databases", ["postgresql"], indirect=True, scope="session"),
]


class Gate(threading.Event):
    """Knows that somebody stands in front of it."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.reached.set()
        return super().wait(timeout)


def until(seen: Callable[[], Any]) -> None:
    give_up_at = time.monotonic() + PATIENCE
    while not seen():
        if time.monotonic() > give_up_at:
            pytest.fail("it never came")
        time.sleep(0.01)


class Watched(Proxy):
    """Counts the passes that went to their end, and how many there were at once."""

    def __init__(self, mailbox: Any) -> None:
        super().__init__(mailbox)
        self.passes, self.now, self.most, self._lock = 0, 0, 0, threading.Lock()

    def pages(self, *arguments: Any, **options: Any) -> Iterator[Page]:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            yield from super().pages(*arguments, **options)
            self.passes += 1
        finally:
            with self._lock:
                self.now -= 1


class World:
    """The office, read by workers. A mailbox that a test put in `mailboxes` is read in place of the real one."""

    def __init__(self, work: Office) -> None:
        self.work = work
        self.mailboxes: dict[str, Mailbox] = {}
        self.settings = load_settings(CADENCE_DATABASE_URL=work.database.url)

    @property
    def _parts(self) -> tuple[Settings, Any, Any, Vault, Clock]:
        database = self.work.database
        return self.settings, database.sessions, database.reading, Vault(()), self.work.clock

    def build(self, facts: MailboxFacts, *_: object) -> Mailbox:
        return self.mailboxes.get(facts.address) or self.work.providers[facts.address]

    @contextmanager
    def worker(self, **options: Any) -> Iterator[Worker]:
        made = Worker(*self._parts, build=self.build, **({"concurrency": 2} | options))
        made.start()
        try:
            yield made
        finally:
            assert made.stop()

    def fleet(self) -> Fleet:
        return Fleet(*self._parts, worker=False)

    def offer(self) -> None:
        self.fleet().begin([self.work.cast.programme])

    def watched(self, person: Any) -> Watched:
        mailbox = Watched(self.work.providers[person.email])
        self.mailboxes[person.email] = mailbox
        return mailbox

    def jobs(self) -> list[tuple[str, str, bool]]:
        """(queue, status, whether it waits for its hour) of each turn."""
        with self.work.database.reading() as session:
            rows = session.execute(
                text(
                    "SELECT queue_name, status::text, coalesce(scheduled_at > now(), false) FROM procrastinate_jobs "
                    "WHERE task_name = 'cadence.turn' ORDER BY id"
                )
            )
            return [(queue, status, bool(waits)) for queue, status, waits in rows]


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    """Dana's and Priya's mailboxes, both read once while empty, and due again."""
    with office(database, (DANA, PRIYA)) as work:
        for person in (DANA, PRIYA):
            work.read(person)
        work.server.forget_calls()
        work.clock.at += 5 * MINUTE
        yield World(work)


def test_however_many_offer_and_however_many_work_a_mailbox_is_read_once_when_it_is_due(world: World) -> None:
    dana, priya = world.watched(DANA), world.watched(PRIYA)
    with world.worker(), world.worker():
        for rounds in range(1, 4):
            offering = [threading.Thread(target=world.offer) for _ in range(4)]
            for thread in offering:
                thread.start()
            for thread in offering:
                thread.join()
            until(lambda: not world.jobs())
            assert (dana.passes, priya.passes) == (rounds, rounds)
            world.offer()
            assert not world.jobs(), "nothing is due yet"
            world.work.clock.at += 5 * MINUTE
    assert (dana.most, priya.most) == (1, 1)


def test_a_job_that_was_offered_before_access_was_lost_reads_nothing(world: World) -> None:
    dana = world.watched(DANA)
    world.offer()
    with world.work.database.sessions.begin() as session:
        session.get_one(Workspace, world.work.cast.workspace_id).access_lost_at = MONDAY
    with world.worker():
        until(lambda: not world.jobs())
    assert dana.passes == 0
    assert not world.work.server.calls


def test_a_job_waits_for_the_one_that_reads_its_mailbox_and_jobs_do_not_pile_up(world: World) -> None:
    gate, dana = threading.Event(), world.watched(DANA)
    world.work.server.fail("history.list", hanging(gate), mailbox=DANA.email, times=1)
    with world.worker(), world.worker():
        world.offer()
        until(lambda: dana.now == 1)
        world.work.clock.at += HOUR
        for _ in range(3):
            world.offer()
        until(lambda: world.jobs() == [("polls-gmail", "doing", False)])
        gate.set()
        until(lambda: not world.jobs())
    assert dana.most == 1


def test_backfills_and_a_provider_that_does_not_answer_delay_no_poll_of_another(world: World) -> None:
    work, gate = world.work, threading.Event()
    work.connect(TOMAS)
    priya = world.watched(PRIYA)

    class Hanging(Proxy):
        def pages(self, *arguments: Any, **options: Any) -> Iterator[Page]:
            assert gate.wait(PATIENCE)
            yield from super().pages(*arguments, **options)

    for person in (TOMAS, DANA):
        world.mailboxes[person.email] = Hanging(work.providers[person.email])
    with work.database.sessions.begin() as session:  # Dana's is at another provider, whose server is out of order
        session.execute(text("UPDATE mailbox SET provider = 'imap' WHERE address = :her"), {"her": DANA.email})
    hang = [("polls-imap", "doing", False), ("walks", "doing", False)]
    with world.worker(concurrency=1):
        for rounds in range(1, 4):
            world.offer()
            until(partial(lambda done: priya.passes == done and sorted(world.jobs()) == hang, rounds))
            work.clock.at += 5 * MINUTE
        gate.set()
        until(lambda: not world.jobs())


def test_a_mailbox_whose_provider_asks_for_patience_gets_its_next_job_for_then(world: World) -> None:
    work = world.work
    work.server.fail("history.list", too_many_requests(retry_after="600"), mailbox=DANA.email, times=None)
    priya = world.watched(PRIYA)
    with world.worker():
        for rounds in range(1, 4):
            world.offer()
            until(partial(lambda done: priya.passes == done and world.jobs() == [("walks", "todo", True)], rounds))
            work.clock.at += timedelta(seconds=280)
    assert len(work.server.calls_of("history.list", DANA.email)) == 1
    with work.database.reading() as session:
        seconds = session.scalar(
            text("SELECT extract(epoch FROM scheduled_at - now()) FROM procrastinate_jobs WHERE queue_name = 'walks'")
        )
    assert 500 < float(seconds or 0) <= 600


def test_a_first_walk_goes_on_in_turns_and_whoever_is_free_takes_the_next(world: World) -> None:
    work = world.work
    work.connect(TOMAS)
    old = [work.receive(letter("a@b.example", TOMAS.email), by=TOMAS, at=work.clock.at - n * HOUR) for n in range(45)]
    world.mailboxes[TOMAS.email] = work.provider(TOMAS, chunk=10)
    with world.worker(turn=0.0), world.worker(turn=0.0):
        world.offer()
        until(lambda: work.facts(TOMAS).last_ok_at is not None)
    assert sorted(work.asked_for(TOMAS)) == sorted(old), "each once"


def test_a_worker_that_comes_back_late_stores_nothing_and_moves_no_cursor_back(world: World) -> None:
    work = world.work
    thawed, fetched = threading.Event(), threading.Event()
    work.receive(letter("wile@acme.example", DANA.email, message_id="once"))

    def freeze() -> None:  # between the fetching of a page and its storing
        fetched.set()
        assert thawed.wait(PATIENCE)

    frozen = Between(work.provider(DANA), [freeze])
    reading = threading.Thread(target=work.poll, args=(DANA, frozen))
    reading.start()
    assert fetched.wait(PATIENCE)
    work.receive(letter("wile@acme.example", DANA.email, message_id="later"))
    with world.worker():
        world.offer()
        until(lambda: len(work.touches()) == 2)
        until(lambda: not world.jobs())
    after, version = work.facts(DANA).cursor, work.facts(DANA).cursor_version
    thawed.set()
    reading.join(PATIENCE)
    assert (work.facts(DANA).cursor, work.facts(DANA).cursor_version) == (after, version)
    assert sorted(one[3] for one in work.touches()) == ["later", "once"]
    assert work.sightings() == 2


def test_a_stop_waits_for_no_server_that_does_not_answer_and_leaves_its_mailbox_to_others(world: World) -> None:
    gate = Gate()
    world.work.server.fail("history.list", hanging(gate), mailbox=DANA.email, times=1)
    with world.worker(drain=0.1):
        world.offer()
        assert gate.reached.wait(PATIENCE)
    with world.work.database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM procrastinate_workers")) == 0, "it has taken its leave"
    dana = world.watched(DANA)
    with world.worker():
        world.offer()
        until(lambda: dana.passes == 1)
    version = world.work.facts(DANA).cursor_version
    gate.set()
    until(lambda: not any(thread.name == "turn" for thread in threading.enumerate()))
    assert world.work.facts(DANA).cursor_version == version, "what was left behind stores nothing"


@pytest.mark.parametrize("waits_again", [False, True])
def test_the_job_of_a_dead_worker_is_put_back(world: World, waits_again: bool) -> None:
    work, dana = world.work, world.watched(DANA)
    world.offer()
    with work.database.sessions.begin() as session:
        session.execute(text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')"))
        session.execute(
            text(
                "UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM procrastinate_workers) "
                "WHERE lock = :lock"
            ),
            {"lock": f"mailbox:{work.facts(DANA).id}"},
        )
        if waits_again:
            session.execute(
                text(
                    "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args) "
                    "SELECT queue_name, task_name, lock, queueing_lock, args FROM procrastinate_jobs "
                    "WHERE status = 'doing'"
                )
            )
    with world.worker(heartbeat=0.2):
        until(lambda: dana.passes == 1)
        until(lambda: not world.jobs())
    assert dana.most == 1


def test_a_workspace_with_three_mailboxes_never_waits_for_five_thousand_of_another(database: Database) -> None:
    with database.sessions.begin() as session:
        many = add_workspace(session, MONDAY, "T0MANY")
        few = add_workspace(session, MONDAY, "T0FEW")
        rows = [(many, f"{number}@many.example", MONDAY - HOUR) for number in range(5_000)]
        rows += [(few, f"{number}@few.example", MONDAY) for number in range(3)]  # read last, so offered last
        session.execute(
            insert(MailboxRow),
            [
                {
                    "workspace_id": workspace_id,
                    "address": address,
                    "provider": "gmail",
                    "created_at": MONDAY,
                    "last_ok_at": last_ok_at,
                }
                for workspace_id, address, last_ok_at in rows
            ],
        )

    class Now:
        at = MONDAY

        def now(self) -> datetime:
            return self.at

    def taken(jobs: int) -> list[int]:
        """The workspaces of the next jobs, as procrastinate hands them out."""
        with database.sessions.begin() as session:
            fetch = text("SELECT (procrastinate_fetch_job_v2(NULL, NULL)).args ->> 'workspace_id'")
            return [int(session.scalars(fetch).one()) for _ in range(jobs)]

    clock = Now()
    settings = load_settings(CADENCE_DATABASE_URL=database.url)
    fleet = Fleet(settings, database.sessions, database.reading, Vault(()), clock, worker=False)
    with database.reading() as session:
        both = programmes(session, settings)
    fleet.begin(both)
    assert taken(100) == [many] * 100, "nobody else waits"
    clock.at += HOUR
    fleet.begin(both)
    assert sorted(taken(6)) == [many] * 3 + [few] * 3
    assert taken(10) == [many] * 10


def test_kill_and_freeze_amid_a_page_cost_no_mail_and_double_none(database: Database, tmp_path: Path) -> None:
    """Real processes: one is killed while it fetches a page, one is frozen and comes back when all is done."""
    key, now = new_key(), datetime.now(UTC)
    with GmailServer() as gmail:
        with database.sessions.begin() as session:
            programme = put_cast(session, started=now - timedelta(days=30), observed_until=None).programme
            sealed = Vault((key,)).seal(DANA.email, json.dumps(gmail.authorized_user(DANA.email)))
            put_mailbox(session, programme.workspace_id, "test", DANA.email, "gmail", now, sealed=sealed)
        box, gates = gmail.mailbox(DANA.email), [Gate(), Gate()]
        settings = load_settings(CADENCE_DATABASE_URL=database.url, CADENCE_POLL_SECONDS="1")
        fleet = Fleet(settings, database.sessions, database.reading, Vault(()), SystemClock(), worker=False)
        keep = {name: os.environ[name] for name in ("HOME", "PATH", "PYTHONPATH") if name in os.environ}
        env = keep | {
            "CADENCE_DATABASE_URL": database.url,
            "CADENCE_SECRET_KEYS": key,
            "CADENCE_POLL_SECONDS": "1",
            "GMAIL_API_URL": gmail.api_url,
        }
        command = [sys.executable, "-m", "bot", "worker", "--heartbeat", "0.3"]
        processes: list[subprocess.Popen[bytes]] = []

        def begin() -> subprocess.Popen[bytes]:
            processes.append(subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.DEVNULL))
            return processes[-1]

        def arrive(*numbers: int) -> None:
            for number in numbers:
                headers = letter("wile@acme.example", DANA.email, message_id=f"mail-{number}")
                box.deliver(headers, datetime.now(UTC), ["INBOX"])

        def known() -> list[str]:
            with database.reading() as session:
                return sorted(session.scalars(select(Touch.message_id)))

        def offered(seen: Callable[[], Any]) -> Callable[[], Any]:
            def look() -> Any:
                fleet.begin([programme])
                return seen()

            return look

        try:
            arrive(*range(5))
            gmail.fail("messages.get", hanging(gates[0]), times=1)
            first = begin()
            until(offered(gates[0].reached.is_set))
            second = begin()
            first.kill()
            until(offered(lambda: len(known()) == 5))
            arrive(*range(5, 10))
            gmail.fail("messages.get", hanging(gates[1]), times=1)
            until(offered(gates[1].reached.is_set))
            second.send_signal(signal.SIGSTOP)
            third = begin()
            until(offered(lambda: len(known()) == 10))
            second.send_signal(signal.SIGCONT)
            gates[1].set()
            third.kill()
            arrive(10)
            until(offered(lambda: len(known()) == 11))
            assert second.poll() is None, "it works on, as a new worker"
            second.send_signal(signal.SIGTERM)
            assert second.wait(10) == 0
        finally:
            for gate in gates:
                gate.set()
            for process in processes:
                process.kill()
                process.wait()
    assert known() == sorted(f"mail-{number}" for number in range(11))
    with database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM sighting")) == 11
