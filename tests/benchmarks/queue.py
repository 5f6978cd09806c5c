"""Many machines: how many polls one, two and four workers get through, and whether each mailbox keeps its interval.

Workers are processes; a provider is a stand-in that answers after 50 ms that there is nothing new. The floor is the
engine alone: procrastinate's own jobs that do nothing, with as many workers. SIZE=n mailboxes, polled at the rate at
which ten thousand are every ten minutes; without it 600. SIZE=10000 takes 25 minutes.
"""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from procrastinate import App, PsycopgConnector
from sqlalchemy import insert, text

from bot.cli.running import offered_every
from jobs.fleet import Fleet
from models.actions.programme import add_workspace
from models.clock import SystemClock
from models.db import libpq_url
from models.queries.programme import programmes
from models.settings import load_settings
from models.tables import Mailbox
from models.vault import Vault
from tests.benchmarks._area import Area, megabytes_of
from tests.benchmarks._programme import databases
from tests.databases import ROOT, Database

LATENCY = 0.05  # seconds
SIZE, RATE = 600, 10_000 / 600  # mailboxes; polls a second
WORKERS, KEEPING, CONCURRENCY = (1, 2, 4), 3, 8
ROUNDS = 2.2
BURST = 300  # jobs of each throughput row, at most
GIVE_UP = 600.0


def run(options: Mapping[str, str], area: Area) -> None:
    size = int(options.get("SIZE", SIZE))
    for workers in WORKERS:
        polls, floor, grew, whole = throughput(workers, min(size, BURST))
        area.row(f"polls of {workers} worker{'s'[: workers > 1]}", polls, "polls/s", floor=floor, memory=grew)
    area.row("  a worker's whole process", whole, "MB")
    print(f"Polls with {LATENCY * 1000:.0f} ms at the provider, {CONCURRENCY} at once a worker; floor: empty jobs.")
    keeping(area, size)


def throughput(workers: int, size: int) -> tuple[float, float, float, float]:
    """Polls a second, the floor, and the megabytes that a worker grew by and held at most."""
    with databases("postgresql") as [database]:
        floor = asyncio.run(empty_jobs(database, workers, size))
        fleet, known = filled(database, size, 3_600)
        with Workers(database, workers) as working:
            started = time.monotonic()
            fleet.begin(known)
            working.wait_for(size)
            last = max(at for polls in working.polls().values() for at in polls)
            return size / (last - started), floor, *working.megabytes()


async def empty_jobs(database: Database, workers: int, size: int) -> float:
    """Jobs a second of the engine alone, its workers in one process."""
    app = App(connector=PsycopgConnector(conninfo=libpq_url(database.url), max_size=4 + 2 * workers))

    @app.task(name="empty", queue="empty")
    async def empty() -> None:
        return None

    async with app.open_async():
        await empty.batch_defer_async(*({} for _ in range(size)))
        started = time.monotonic()
        await asyncio.gather(
            *(
                app.run_worker_async(wait=False, concurrency=CONCURRENCY, delete_jobs="always", queues=["empty"])
                for _ in range(workers)
            )
        )
        return size / (time.monotonic() - started)


def keeping(area: Area, size: int) -> None:
    """Mailboxes of two workspaces, one of them small, polled for a little more than two intervals."""
    interval = max(10, round(size / RATE))
    with databases("postgresql") as [database]:
        fleet, known = filled(database, size, interval)
        settings = load_settings(CADENCE_DATABASE_URL=database.url, CADENCE_POLL_SECONDS=str(interval))
        every = offered_every(database.engine, settings)
        with Workers(database, KEEPING) as working:
            started = time.monotonic()
            while time.monotonic() - started < ROUNDS * interval:
                fleet.begin(known)
                time.sleep(every)
            polls, ended = working.polls(), time.monotonic()
    first = [at[0] - started for at in polls.values()]
    gaps = [later - earlier for at in polls.values() for earlier, later in pairwise([*at, ended])]
    late = sum(gap > interval for gap in gaps) + size - len(polls)
    closed = [later - earlier for at in polls.values() for earlier, later in pairwise(at)]
    about = f"{size:,} mailboxes, {KEEPING} workers, every {interval} s"
    area.row(f"longest wait: {about}", max(gaps), "s", target=f"≤ {interval}")
    area.row("  from poll to poll, the median", median(closed), "s")
    area.row("  the first round", max(first), "s")
    area.row("  polls", sum(map(len, polls.values())), "polls")
    area.row("  polls that came late, or never", late, "polls", target="= 0")


def filled(database: Database, size: int, interval: int) -> tuple[Fleet, Any]:
    now = datetime.now(UTC)
    with database.sessions.begin() as session:
        workspaces = [add_workspace(session, now, f"T{number}") for number in range(2)]
        session.execute(
            insert(Mailbox),
            [
                {
                    "workspace_id": workspaces[number < size // 100],
                    "address": f"{number}@bench.example",
                    "provider": "gmail",
                    "cursor": "1",
                    "created_at": now,
                    "last_ok_at": now - timedelta(hours=2),
                    "reconciled_at": now,
                }
                for number in range(size)
            ],
        )
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
    settings = load_settings(CADENCE_DATABASE_URL=database.url, CADENCE_POLL_SECONDS=str(interval))
    with database.reading() as session:
        known = programmes(session, settings)
    return Fleet(settings, database.sessions, database.reading, Vault(()), SystemClock(), worker=False), known


class Workers:
    """So many worker processes, and what they say."""

    def __init__(self, database: Database, workers: int) -> None:
        command = [sys.executable, "-m", "tests.benchmarks._queue_worker", database.url, str(LATENCY), str(CONCURRENCY)]
        self._processes = [
            subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(workers)
        ]
        self._polls: dict[int, list[float]] = {}
        self._said = threading.Condition()
        self._ready: list[float] = []  # megabytes of each before it began

    def __enter__(self) -> "Workers":
        for process in self._processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            self._ready.append(self._status(process, "VmRSS"))
            threading.Thread(target=self._listen, args=(process.stdout,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._processes:
            process.wait()

    def _listen(self, lines: Iterator[str]) -> None:
        for line in lines:
            mailbox_id, at = line.split()
            with self._said:
                self._polls.setdefault(int(mailbox_id), []).append(float(at))
                self._said.notify_all()

    def wait_for(self, mailboxes: int) -> None:
        with self._said:
            assert self._said.wait_for(lambda: len(self._polls) >= mailboxes, GIVE_UP), "the workers are too slow"

    def polls(self) -> dict[int, list[float]]:
        with self._said:
            return {mailbox_id: sorted(at) for mailbox_id, at in self._polls.items()}

    def megabytes(self) -> tuple[float, float]:
        """By how much one of them grew, and what one held, at most."""
        most = [self._status(process, "VmHWM") for process in self._processes]
        return max(end - begin for end, begin in zip(most, self._ready, strict=True)), max(most)

    @staticmethod
    def _status(process: subprocess.Popen[str], name: str) -> float:
        return megabytes_of(name, Path(f"/proc/{process.pid}/status"))
