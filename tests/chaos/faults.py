"""What goes wrong, in an order that the seed decides: each kind is counted when it has happened."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from tests.chaos.fleet import Fleet, Member
from tests.chaos.life import Life
from tests.chaos.postgres import Postgres
from tests.chaos.town import Town
from tests.sandbox.gmail import faults as gmail
from tests.sandbox.graph import faults as graph

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CLOCK_EVERY = (1.4, 3.4)  # seconds between two steps of the clock
STEP = (6.0, 14.0)  # hours of a step
SKEW = 60.0  # seconds by which a process's clock may be wrong
LEAP = timedelta(days=8, hours=5)
LAST_CLICKS = 4.0  # seconds before a leap without a repeated click: what is older than a day may come twice
FROZEN = {True: (1.0, 5.0), False: (6.0, 16.0)}  # seconds: bots a little, workers until they are taken for dead
RENUMBERED_EVERY = 20.0  # seconds: some days of the town, because a folder that is numbered anew again and again rests
TIMED_OUT = 33.0  # seconds that a provider hangs: longer than anybody waits for it


class Chaos:
    """`start`; after `stop` all is well again. `done` counts the faults by kind."""

    def __init__(self, town: Town, fleet: Fleet, postgres: Postgres, life: Life, seed: int, seconds: float) -> None:
        self._town, self._fleet, self._postgres, self._life = town, fleet, postgres, life
        self._seed, self._seconds = seed, seconds
        self.done: Counter[str] = Counter()
        self._ending = threading.Event()
        self._gates: list[threading.Event] = []
        self._lock = threading.Lock()
        self._timers: list[threading.Thread] = []
        self._leapt = False
        self._renumbered = time.monotonic()
        plans: list[tuple[str, Callable[[random.Random], None], tuple[float, float]]] = [
            ("processes", self._process, (3.5, 8.0)),
            ("database", self._database, (7.0, 14.0)),
            ("providers", self._provider, (0.8, 2.2)),
            ("slack", self._slack, (0.9, 2.5)),
            ("clocks", self._clock, CLOCK_EVERY),
            ("crowd", self._crowd, (9.0, 16.0)),
            ("repeats", self._repeat, (0.6, 2.0)),
        ]
        self._threads = [threading.Thread(target=self._loop, args=plan, name=plan[0], daemon=True) for plan in plans]
        self._began = time.monotonic()

    def start(self) -> None:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """All faults end: what is frozen thaws, what is down comes back, clocks agree."""
        self._ending.set()
        for thread in self._threads:
            thread.join()
        for gate in self._gates:
            gate.set()
        for timer in self._timers:
            timer.join()
        self._town.gmail.heal()
        self._town.graph.heal()
        for server in self._town.imap.values():
            server.heal()
        self._town.slack.faults.clear()
        self._postgres.get_up()
        self._postgres.wait()
        for member in self._fleet.members:
            self._fleet.thaw(member)
            self._town.clock.skew(member.slot, 0.0)

    def _count(self, kind: str, times: int = 1) -> None:
        with self._lock:
            if times:
                self.done[kind] += times

    def _loop(self, name: str, step: Callable[[random.Random], None], every: tuple[float, float]) -> None:
        dice = random.Random(f"{self._seed} {name}")
        while not self._ending.wait(dice.uniform(*every)):
            step(dice)

    def _later(self, seconds: float, work: Callable[[], object]) -> None:
        """After so long, or when the faults end, whichever is first."""

        def run() -> None:
            self._ending.wait(seconds)
            work()

        thread = threading.Thread(target=run, daemon=True)
        self._timers.append(thread)
        thread.start()

    # --- kinds

    def _process(self, dice: random.Random) -> None:
        member = dice.choice(self._fleet.members)
        kind = "bot" if member.is_bot else "worker"
        if member.frozen:
            return
        if dice.random() < 0.55:
            self._count(f"kill -9 of a {kind}", self._fleet.kill(member))
        elif self._fleet.freeze(member):
            self._count(f"{kind} frozen and back")
            self._later(dice.uniform(*FROZEN[member.is_bot]), lambda: self._fleet.thaw(member))

    def _database(self, dice: random.Random) -> None:
        if dice.random() < 0.65:
            try:
                cut = self._postgres.drop_connections(dice.choice((0.2, 0.5, 1.0)))
            except psycopg.OperationalError:
                return
            self._count("PostgreSQL connection cut", cut)
            return
        self._postgres.knock_down()
        self._count("PostgreSQL restart")
        self._ending.wait(dice.uniform(0.0, 2.5))
        self._postgres.get_up()

    def _provider(self, dice: random.Random) -> None:
        which = dice.random()
        if which < 0.2:
            kind = self._imap(dice)
        elif which < 0.65:
            kind, fault, methods = dice.choice(self._gmail_faults(dice))
            self._town.gmail.fail(dice.choice(methods), fault, times=dice.randint(1, 4))
        else:
            kind, fault, methods = dice.choice(self._graph_faults(dice))
            self._town.graph.fail(dice.choice(methods), fault, times=dice.randint(1, 4))
        self._count(f"provider {kind}")

    def _gmail_faults(self, dice: random.Random) -> list[tuple[str, Any, tuple[str, ...]]]:
        every = ("history.list", "messages.get", "batch", "getProfile", "messages.list", "token")
        calls = every[:-1]
        until = self._town.clock.now() + timedelta(seconds=dice.uniform(1, 900))
        return [
            ("429", gmail.too_many_requests(retry_after=str(dice.randint(1, 5))), calls),
            ("429", gmail.rate_limited(until=until), calls),
            ("5xx", gmail.server_error(dice.choice((500, 502, 503))), every),
            ("connection dropped", gmail.dropped(), every),
            ("answer truncated", gmail.broken_json(), ("history.list", "messages.get", "batch", "messages.list")),
            ("history expired", gmail.expired_history(), ("history.list",)),
            ("token refused once", gmail.unauthenticated(), ("history.list", "messages.list")),
            ("time-out", gmail.hanging(self._gate(dice)), ("history.list", "batch", "messages.get")),
        ]

    def _graph_faults(self, dice: random.Random) -> list[tuple[str, Any, tuple[str, ...]]]:
        every = ("messages.list", "messages.next", "messages.get", "delta.list", "mailFolders.get")
        return [
            ("429", graph.throttled(str(dice.randint(1, 5))), every),
            ("5xx", graph.busy(503, str(dice.randint(1, 3))), every),
            ("5xx", graph.server_error(dice.choice((500, 502, 504))), every),
            ("connection dropped", graph.dropped(), (*every, "token")),
            ("answer truncated", graph.unreadable(), every),
            ("listing forgotten", graph.lost_state(), ("messages.next", "delta.changes")),
            ("token refused once", graph.unauthenticated(), ("messages.list",)),
            ("listing refused", graph.window_refused(), ("messages.list",)),
        ]

    def _imap(self, dice: random.Random) -> str:
        """What an IMAP server does wrong it does for a moment, to whoever comes; then it is well again."""
        server = dice.choice(list(self._town.imap.values()))
        faults = server.faults
        command = dice.choice(("AUTHENTICATE", "LOGIN", "LIST", "STATUS", "EXAMINE", "SEARCH", "FETCH"))
        kind = dice.choice(
            ("unavailable", "connection dropped", "answer truncated", "greeting refused", "slow", "anew")
        )
        if kind == "unavailable":
            faults.answers[command] = "NO [UNAVAILABLE] try again later"
        elif kind == "connection dropped":
            faults.drops[command] = dice.choice((0, 0, 1))
        elif kind == "answer truncated":
            faults.cuts = True
        elif kind == "greeting refused":
            faults.greeting = "* BYE too many connections"
        elif kind == "slow":
            faults.gates.append(self._gate(dice))
            return "time-out"
        elif time.monotonic() - self._renumbered > RENUMBERED_EVERY:
            self._renumbered = time.monotonic()
            with server.lock:
                server.hang_up()
                server.renumber(dice.choice(list(server.folders)))
            return "folder numbered anew"
        else:
            server.hang_up()
            kind = "connection dropped"
        self._later(dice.uniform(0.5, 4.0), server.heal)
        return kind

    def _gate(self, dice: random.Random) -> threading.Event:
        """Opens long after the product has lost patience, or sooner: then the answer was merely slow."""
        gate = threading.Event()
        self._gates.append(gate)
        self._later(TIMED_OUT if dice.random() < 0.5 else dice.uniform(1.0, 6.0), gate.set)
        return gate

    def _slack(self, dice: random.Random) -> None:
        faults = self._town.slack.faults
        method = dice.choice(("chat.postMessage", "chat.update", "chat.update", "views.open", "users.info", "*"))
        kind = dice.choice(("429", "429", "5xx", "dropped before", "dropped after accept", "slow"))
        if kind == "429":
            faults.rate_limit(method, retry_after=dice.randint(1, 4), times=dice.randint(1, 3))
        elif kind == "5xx":
            faults.server_error(method, status=dice.choice((500, 502, 503)))
        elif kind == "dropped before":
            faults.drop_before(method)
        elif kind == "dropped after accept":
            faults.drop_after(method)
        else:
            faults.slow(method, dice.uniform(0.5, 3.0))
        self._count(f"Slack {kind}")

    def _clock(self, dice: random.Random) -> None:
        with self._life.standing:
            self._step_clock(dice)

    def _step_clock(self, dice: random.Random) -> None:
        now = self._town.clock.now()
        self._life.note_time()
        if not self._leapt and time.monotonic() - self._began > self._seconds * 0.6:
            self._leapt = True
            self._ending.wait(LAST_CLICKS)
            self._town.move_to(now + LEAP)
            self._count("outage of a whole week")
        elif dice.random() < 0.12:
            self._town.move_to(now - timedelta(seconds=dice.uniform(5, 60)))
            self._count("clock step back")
        elif dice.random() < 0.2:
            member: Member = dice.choice(self._fleet.members)
            self._town.clock.skew(member.slot, dice.uniform(-SKEW, SKEW))
            self._count("clock of one process wrong")
        else:
            self._forward(dice, now)

    def _forward(self, dice: random.Random, now: datetime) -> None:
        """A step of some hours. Often it ends a moment before two reads are due at once, sometimes long after."""
        to = now + dice.uniform(*STEP) * HOUR
        due = next_reads(now)
        if now < due - timedelta(seconds=2) < to and dice.random() < 0.7:
            to = due - timedelta(seconds=1.5)
            self._count("two reads due at once")
        for sunday in (datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2027, 3, 28, 1, tzinfo=UTC)):
            if now < sunday <= to:
                self._count("daylight-saving change")
        self._town.move_to(to)
        self._count("clock step forward")

    def _crowd(self, dice: random.Random) -> None:
        if self._life.claim_at_once(dice) is not None:
            self._count("hundred claims at once")

    def _repeat(self, dice: random.Random) -> None:
        self._count("click delivered again", self._life.repeat_clicks(dice))


def next_reads(now: datetime) -> datetime:
    """When the reads of both programmes are due next: Monday 09:00 in London, which is 10:00 in Berlin."""
    zone = ZoneInfo("Europe/London")
    local = now.astimezone(zone)
    for ahead in range(9):
        day = (local + ahead * DAY).date()
        due = datetime(day.year, day.month, day.day, 9, tzinfo=zone).astimezone(UTC)
        if day.weekday() == 0 and due > now:
            return due
    raise AssertionError("a Monday is never further than a week")
