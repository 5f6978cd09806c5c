"""How costs grow: idle polls over 10, 100 and 1,000 mailboxes; coverage, lists, Home and the read over partners.

Mailboxes are polled by a process of their own, one after the other, against the stand-ins for Gmail and Microsoft in
this one; CPU is that process's. The floor of a poll is the provider's one call with its own client. Partners have ten
touches each. SIZE is the largest number of either: without it 10,000 partners; SIZE=100000 takes a few minutes.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import text, update

from bot.app import build_app
from jobs.mailbox.gmail_cursor import Cursor
from models.actions.clocks import refresh_clocks
from models.actions.mailboxes import put_mailbox
from models.actions.programme import the_workspace
from models.queries import reads
from models.queries.trend import coverage_now
from models.tables import Mailbox
from tests.benchmarks._area import Area, timed
from tests.benchmarks._programme import NOW, _analyze, fill, makers
from tests.benchmarks.coverage import NOW_FLOOR, edges_of
from tests.benchmarks.slack import StandingClock, surface
from tests.databases import ROOT, Database, opened
from tests.sandbox.gmail import GmailMailboxStore, GmailServer
from tests.sandbox.graph import GraphServer

MAILBOXES = {"gmail": (10, 100, 1_000), "graph": (10, 100)}
PARTNERS, SIZE = (1_000, 10_000, 100_000), 10_000
POLLS = 200  # at least so many are measured
TOUCHES = 10
TARGETS = {("the read", 10_000): "≤ 1000", ("the read", 100_000): "≤ 10000"}  # ms
# The floor of a list or a read: every partner's clock, as the database hands it over.
CLOCKS = "SELECT * FROM partner_clock WHERE workspace_id = 1"

Server = GmailServer | GraphServer


def run(options: Mapping[str, str], area: Area) -> None:
    size = int(options.get("SIZE", SIZE))
    with makers("sqlite", "postgresql") as kinds:
        for made in kinds:
            for provider, steps in MAILBOXES.items():
                for count in upto(size, steps):
                    with opened(made) as database, served(provider) as (server, settings):
                        polled(area, database, provider, server, settings, count)
        for count in upto(size, PARTNERS):
            for made in kinds:
                with opened(made) as database:
                    asked(area, database, count)
    tell(area)


def upto(size: int, steps: tuple[int, ...]) -> list[int]:
    return [step for step in steps if step <= size] or [size]


@contextmanager
def served(provider: str) -> Iterator[tuple[Server, dict[str, str]]]:
    """A provider, and the settings by which Cadence finds it."""
    if provider == "gmail":
        with GmailServer() as gmail, TemporaryDirectory() as folder:
            key = Path(folder) / "key.json"
            key.write_text(json.dumps(gmail.service_account()), encoding="utf-8")
            yield gmail, {"GMAIL_API_URL": gmail.api_url, "GOOGLE_SERVICE_ACCOUNT_FILE": str(key)}
        return
    with GraphServer() as graph:
        tokens = graph.tokens
        yield (
            graph,
            {
                "GRAPH_API_URL": graph.url,
                "MICROSOFT_LOGIN_URL": graph.url,
                "MICROSOFT_TENANT_ID": tokens.tenant_id,
                "MICROSOFT_CLIENT_ID": tokens.client_id,
                "MICROSOFT_CLIENT_SECRET": tokens.client_secret,
            },
        )


def polled(
    area: Area, database: Database, provider: str, server: Server, settings: Mapping[str, str], count: int
) -> None:
    """Polls without anything new, after a pass that gets the tokens, and walks where that does not take minutes."""
    with database.sessions.begin() as session:
        workspace_id = the_workspace(session, NOW)
        for number in range(count):
            address = f"person{number}@lantern.example"
            box = server.mailbox(address)
            put_mailbox(session, workspace_id, "bench", address, provider, NOW)
        if isinstance(box, GmailMailboxStore):
            now, cursor = datetime.now(UTC), Cursor(str(box.history_id)).dump()
            session.execute(update(Mailbox).values(cursor=cursor, last_ok_at=now, reconciled_at=now))
    if database.backend == "postgresql":
        _analyze(database)
    rounds = -(-POLLS // count)
    polls = rounds * count
    with Child(database.url, settings) as child:
        first, asked_first = child.ask("1"), len(server.calls)
        server.forget_calls()
        told = child.ask(f"{rounds}")
        requests = len(server.calls)
        floor = child.ask(f"floor {min(polls, POLLS)}")["cpu"] / min(polls, POLLS)
    about = f"{count:,} mailboxes, {provider}, {database.backend}"
    each = told["cpu"] / polls
    area.row(f"CPU of an idle poll: {about}", each * 1000, "ms", floor=floor * 1000, memory=told["grew"])
    area.row("  requests", requests / polls, "requests", target="= 1")
    area.row("  SQL", told["statements"] / polls, "statements")
    if provider == "gmail":
        area.row("  the first one of a process, with a token", first["cpu"] / count * 1000, "ms", floor=floor * 1000)
        area.row("  requests of it", asked_first / count, "requests", target="= 2")
    grown(area, f"all idle polls, {provider}, {database.backend}", count, each * count)


class Child:
    def __init__(self, url: str, settings: Mapping[str, str]) -> None:
        values = [f"{name}={value}" for name, value in settings.items()]
        command = [sys.executable, "-m", "tests.benchmarks._growth_child", url, *values]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def ask(self, step: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(step + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("the process that polls has ended: see above")
        told: dict[str, Any] = json.loads(answer)
        return told


def asked(area: Area, database: Database, count: int) -> None:
    """What people ask of a programme of this size, by the listeners where there are some."""
    programme = fill(database, count, TOUCHES)
    refresh_clocks(database.sessions, database.reading, programme, NOW, limit=count)
    if database.backend == "postgresql":
        _analyze(database)
    with database.reading() as session:
        aggregate, _ = timed(lambda: session.execute(text(NOW_FLOOR), edges_of(database)).all())
        clocks, _ = timed(lambda: session.execute(text(CLOCKS)).all())

    def read() -> None:
        with database.reading() as session:
            reads.weekly_read(session, programme, NOW)

    def covered() -> None:
        with database.reading() as session:
            coverage_now(session, programme, NOW)

    with surface(database, programme) as bench:
        app = build_app(bench.settings, database.sessions, database.reading, StandingClock())
        with bench.serving(app):
            bench.home()
            works: dict[str, tuple[Callable[[], None], float]] = {
                "coverage now": (covered, aggregate),
                "overdue": (lambda: bench.command("overdue"), clocks),
                "Home": (bench.home, clocks),
                "the read": (read, clocks),
            }
            for name, (work, floor) in works.items():
                took, memory = timed(work)
                target = TARGETS.get((name, count), "")
                about = f"{name}: {count:,} partners, {database.backend}"
                area.row(about, took, "ms", floor=floor, memory=memory, target=target)
                if name == "the read" and memory is not None:
                    area.row("  memory", memory, "MB", target="≤ 400" if count == PARTNERS[-1] else "")
                grown(area, f"{name}, {database.backend}", count, took)


def grown(area: Area, name: str, count: int, took: float) -> None:
    area.details.setdefault(name, {})[count] = took


def tell(area: Area) -> None:
    for name, times in area.details.items():
        low, high = min(times), max(times)
        if high > low:
            print(f"{name}: × {high // low} take × {times[high] / times[low]:.1f}")
