"""What reading Gmail costs: units and requests counted at the wire, two hundred mailboxes at once, CPU per message.

Everything is the product's own, against the stand-in in this process. CPU is that of the reading thread alone.
"""

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import httplib2
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.http import BatchHttpRequest

from jobs.mailbox.gmail import GmailMailbox
from jobs.mailbox.gmail_api import MESSAGE_FIELDS, GmailApi, calls_of
from jobs.mailbox.gmail_quota import Pace, Project
from jobs.mailbox.google_auth import consented
from jobs.rounds import Rounds
from models.actions.mailboxes import put_mailbox
from models.actions.programme import the_workspace
from models.clock import SystemClock
from models.message import WANTED_HEADERS
from models.queries.mail import mailboxes
from models.queries.programme import Programme, programmes
from models.settings import load_settings
from models.vault import Vault
from tests.benchmarks._area import Area, held
from tests.databases import Database, SqliteDatabases, opened
from tests.gmail_world import NOW, UNPACED, MovingClock, World, world_of
from tests.sandbox.gmail import GmailServer, hanging

LATENCY = 0.1  # seconds, of every answer
MAILBOXES = 200
HUNG = 8
GIVE_UP = 120.0  # seconds
LISTED = 10_000
MESSAGES, ROUNDS, BATCH = 200, 5, 20
HEADERS = {
    "From": '"Kim Lee" <kim.lee@globex.example>',
    "To": "Ana Silva <ana@acme.example>, Ben Ode <ben@acme.example>",
    "Subject": "Re: the plan for next quarter",
    "Date": "Mon, 23 Nov 2026 08:59:00 +0000",
    "Message-ID": "<CAF3b2c1d0e9f8a7b6c5d4e3f2a1b0@mail.globex.example>",
    "In-Reply-To": "<a1b2c3d4e5f60718293a4b5c6d7e8f90@acme.example>",
    "References": "<a1b2c3d4e5f60718293a4b5c6d7e8f90@acme.example>",
    "Content-Type": 'multipart/alternative; boundary="000000000000a1b2c3"',
    "Authentication-Results": "mx.example; dkim=pass header.i=@globex.example; spf=pass; dmarc=pass (p=NONE)",
}


def exactly(area: Area, what: str, measured: float, unit: str, target: float) -> None:
    area.row(what, measured, unit, target=f"= {target:g}")


def at_most(area: Area, what: str, measured: float, unit: str, target: float) -> None:
    area.row(what, measured, unit, target=f"≤ {target:g}")


def run(options: Mapping[str, str], area: Area) -> None:
    """SIZE: how many mailboxes."""
    with reading() as world:
        costs(area, world)
    with reading() as world:
        walks(area, world)
    many(area, int(options.get("SIZE", MAILBOXES)))
    with reading() as world:
        cpu(area, world)


@contextmanager
def reading() -> Iterator[World]:
    clock = MovingClock()
    with GmailServer(now=clock.now) as server:
        yield world_of(server, clock)


def spent(world: World, read: Callable[[], object]) -> tuple[int, int]:
    """(requests, units) of a poll. A batch is one request; tokens were there before."""
    world.server.forget_calls()
    read()
    return sum(call.batch is None or call.method == "batch" for call in world.server.calls), world.server.units()


def costs(area: Area, world: World) -> None:
    world.poll()
    requests, units = spent(world, world.poll)
    exactly(area, "idle poll", requests, "requests", 1)
    exactly(area, "  its units", units, "units", 2)
    world.deliver("one")
    requests, units = spent(world, world.poll)
    exactly(area, "a new message, beside the poll", units - 2, "units", 20)
    for number in range(100):
        world.deliver(f"{number}")
    requests, units = spent(world, world.poll)
    exactly(area, "a hundred new messages, beside the poll", requests - 1, "requests", 100 / 20)
    exactly(area, "  its units", units - 2, "units", 100 * 20)


def walks(area: Area, world: World) -> None:
    ages = [number * timedelta(days=200) / LISTED for number in range(LISTED)]
    for number, age in enumerate(ages):
        world.deliver(f"{number}", at=NOW - age)
    _, units = spent(world, world.poll)
    kept = len(world.ledger.messages)
    bound = LISTED // 500 * (5 + 20) + 9 * 20
    about = f"{LISTED:,} messages, {kept:,} of them kept"
    at_most(area, f"first walk: {about}, beside 20 each", units - 20 * kept, "units", bound)

    # Every page of the listing, nothing to fetch: what finding alone can cost.
    ledger = world.ledger
    ledger.seen = dict.fromkeys(world.store.message_ids, "human")
    ledger.cursor, ledger.last_ok_at, ledger.since = None, None, NOW - timedelta(days=900)
    uncapped = world.provider(cap=2 * LISTED)
    _, units = spent(world, lambda: ledger.poll(uncapped))
    at_most(area, f"finding through all {LISTED:,}", units, "units", bound)

    for number in range(300):
        world.deliver(f"missed {number}", at=NOW + timedelta(minutes=number))
    world.clock.at += timedelta(days=1)
    world.store.expire_history()
    fetched = len(ledger.messages)
    _, units = spent(world, world.poll)
    missed = len(ledger.messages) - fetched
    exactly(area, "after a 404: messages that had been missed", missed, "messages", 300)
    at_most(area, "  beside 20 each", units - 20 * missed, "units", bound)
    _, units = spent(world, world.poll)
    exactly(area, "  the next poll", units, "units", 2)


@dataclass
class Fleet:
    """Mailboxes of one domain, read by a service account into one database."""

    server: GmailServer
    database: Database
    clock: MovingClock
    rounds: Rounds
    programme: Programme

    def seconds(self, addresses: Sequence[str]) -> float:
        """From the beginning of a round until these have been read."""
        self.clock.at += timedelta(minutes=5)
        self.server.forget_calls()
        began = time.perf_counter()
        self.rounds.begin([self.programme])
        self.wait_for(addresses)
        return time.perf_counter() - began

    def wait_for(self, addresses: Sequence[str]) -> None:
        until = time.perf_counter() + GIVE_UP
        while lacking := set(addresses) - self.read_since(self.clock.at):
            if time.perf_counter() > until:
                raise SystemExit(f"{len(lacking)} mailboxes were never read")
            time.sleep(0.02)

    def read_since(self, at: datetime) -> set[str]:
        with self.database.reading() as session:
            boxes = mailboxes(session, self.programme.workspace_id)
        return {box.address for box in boxes if box.last_ok_at is not None and box.last_ok_at >= at}


def many(area: Area, size: int) -> None:
    addresses = [f"person{number}@lantern.example" for number in range(size)]
    with tempfile.TemporaryDirectory() as folder, GmailServer() as server:
        key_file = Path(folder) / "key.json"
        key_file.write_text(json.dumps(server.service_account()), encoding="utf-8")
        databases = SqliteDatabases(Path(folder) / "databases")
        with opened(databases) as database:
            settings = load_settings(GMAIL_API_URL=server.api_url, GOOGLE_SERVICE_ACCOUNT_FILE=str(key_file))
            with database.sessions.begin() as session:
                workspace_id = the_workspace(session, NOW)
                for address in addresses:
                    server.mailbox(address)
                    put_mailbox(session, workspace_id, "bench", address, "gmail", NOW)
            with database.reading() as session:
                [programme] = programmes(session, settings)
            clock = MovingClock()
            made = Rounds(settings, database.sessions, database.reading, Vault(()), clock)
            fleet = Fleet(server, database, clock, made, programme)
            fleet.seconds(addresses)  # the first walk, and the first comparison
            server.latency = LATENCY
            idle = min(fleet.seconds(addresses) for _ in range(3))
            about = f"{size} idle mailboxes at {LATENCY * 1000:.0f} ms an answer"
            at_most(area, about, idle, "s", 60)
            exactly(area, "  units of the round", server.units(), "units", 2 * size)

            made.stop()
            fleet.rounds = Rounds(settings, database.sessions, database.reading, Vault(()), clock)
            again = fleet.seconds(addresses)
            at_most(area, "  after a restart, each with a new token", again, "s", 60)

            gate = threading.Event()
            for address in addresses[:HUNG]:
                server.fail("history.list", hanging(gate), mailbox=address, times=None)
            hung = fleet.seconds(addresses[HUNG:])
            at_most(area, f"  while {HUNG} of them do not answer, the others", hung, "s", 60)
            gate.set()
            fleet.wait_for(addresses)
            fleet.rounds.stop()


def cpu(area: Area, world: World) -> None:
    keys = [world.store.deliver(HEADERS, NOW, ["INBOX"]) for _ in range(MESSAGES)]
    credentials = consented(json.dumps(world.server.authorized_user(world.store.address)))
    GmailMailbox(credentials, api_url=world.server.api_url).check()  # a token, and the client's description read
    http = AuthorizedHttp(credentials, http=httplib2.Http())
    service = calls_of(world.server.api_url)

    def raw(messages: Callable[[], Any]) -> None:
        for start in range(0, len(keys), BATCH):
            answers: dict[str, Any] = {}
            batch = BatchHttpRequest(
                batch_uri=f"{world.server.api_url}/batch/gmail/v1",
                callback=lambda key, answer, _error, answers=answers: answers.update({key: answer}),
            )
            for key in keys[start : start + BATCH]:
                request = messages().get(
                    userId="me",
                    id=key,
                    format="metadata",
                    metadataHeaders=list(WANTED_HEADERS),
                    fields=MESSAGE_FIELDS,
                )
                batch.add(request, request_id=key)
            batch.execute(http=http)

    def ours() -> None:
        pace = Pace(UNPACED, Project(UNPACED))
        with GmailApi(credentials, world.server.api_url, SystemClock(), time.sleep, pace) as gmail:
            assert len(gmail.fetch(keys).messages) == len(keys)

    ways: dict[str, Callable[[], None]] = {
        "floor": lambda: raw(lambda: service.messages),
        "ours": ours,
        "rebuilt": lambda: raw(lambda: service.users.messages()),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    memory: dict[str, float | None] = {}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            with held() as found:
                began = time.thread_time()
                way()
                taken[name].append((time.thread_time() - began) / len(keys) * 1e6)
            memory.setdefault(name, found.megabytes)
    floor, mine, rebuilt = (median(taken[name]) for name in ways)
    what = "CPU of a message, from the batch to our message"
    area.row(what, mine, "µs", floor=floor, memory=memory["ours"], target="≤ 1.25 ×")
    area.row("  the resource built anew each time", rebuilt, "µs", floor=floor, memory=memory["rebuilt"])
    print("Floor: the client's own batch, with a resource that is kept.")
