"""Storing captured mail: the product's own door, a transaction a page, beside the same rows without any question asked.

What is measured is a pass over a mailbox whose pages are in memory and whose messages are judged already: the cursor,
the ledger, touches, sightings and hints of each page, and what has to be asked before. The floors write the very rows
that are there afterwards, with their ids, into an empty database: the driver's executemany and PostgreSQL's COPY, all
at once, and executemany with a commit for each page. SIZE is how many messages; a third of them are with partners.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import text

from jobs.capture import Capture, Outcome
from jobs.mailbox.base import Page, Unseen
from jobs.mailbox.mbox import MboxFile
from models.matching import Decision
from models.message import Message
from models.queries.mail import mailboxes
from models.queries.programme import programmes
from models.settings import Settings
from tests.benchmarks import _mail_file as mail_file
from tests.benchmarks._area import Area, held
from tests.benchmarks._mail_file_child import EVER
from tests.benchmarks._programme import makers
from tests.benchmarks.mbox import prepare
from tests.databases import Database, Databases, opened
from tests.gmail_world import MovingClock

SIZE = 10_000
UNIT = "rows/s"
TABLES = ("touch", "sighting", "seen", "seen_hint")

Rows = dict[str, tuple[list[str], list[tuple[Any, ...]]]]  # by table: columns, and values as the driver has them


def run(options: Mapping[str, str], area: Area) -> None:
    size = int(options.get("SIZE", SIZE))
    clock = MovingClock(mail_file.STARTED + timedelta(minutes=2 * size))
    with TemporaryDirectory(prefix="cadence-bench-") as folder, makers("sqlite", "postgresql") as kinds:
        path = mail_file.write(Path(folder) / "mail.mbox", size, bodies=False)
        pages = list(MboxFile(path).pages(None, since=EVER, last_ok_at=None, unseen=set))
        for made in kinds:
            measured(area, made, pages, clock)


def measured(area: Area, made: Databases, pages: Sequence[Page], clock: MovingClock) -> None:
    with opened(made) as database:
        prepare(database, "gmail")
        passing = Passing(database, pages, clock)
        empty = on_disk(database)
        with held() as memory:
            new = _seconds(passing)
        known = _seconds(passing)
        rows = stored(database)
        grown = {table: size - empty[table] for table, size in on_disk(database).items()}
    ways: dict[str, Callable[[Database], None]] = {
        "executemany": lambda database: inserted(database, rows),
        "executemany with a commit for each page": lambda database: inserted(database, rows, commits=len(pages)),
    }
    if database.backend == "postgresql":
        ways["COPY"] = lambda database: copied(database, rows)
    floors = {name: written(made, way) for name, way in ways.items()}
    repeated = written(made, ways["executemany"], twice=True)
    count = sum(len(values) for _, values in rows.values())
    messages = sum(len(page.messages) for page in pages)
    area.details[database.backend] = {"messages": messages} | {name: len(values) for name, (_, values) in rows.items()}
    what = f"{messages:,} messages, {count:,} rows, {database.backend}"
    area.row(f"new: {what}", count / new, UNIT, floor=count / floors["executemany"], memory=memory.megabytes)
    for name, seconds in list(floors.items())[1:]:
        area.row(f"  beside {name}", count / new, UNIT, floor=count / seconds)
    area.row("  in messages", messages / new, "messages/s")
    area.row("  on the disk, with indexes", sum(grown.values()) / messages, "bytes/mail")
    for table, size in grown.items() if len(grown) > 1 else ():
        area.row(f"    of it {table}", size / len(rows[table][1]), "bytes/row")
    area.row("  all of them known already", count / known, UNIT, floor=count / repeated)


@dataclass
class Passing:
    """One pass over the mailbox, each time it is called. It is the mailbox, too."""

    database: Database
    all_pages: Sequence[Page]
    clock: MovingClock

    def __post_init__(self) -> None:
        with self.database.reading() as session:
            [self.programme] = programmes(session, Settings())
        decided = [
            Capture(self.database.sessions, self.database.reading, self.clock).decide(
                self.programme, mail_file.OWNER, page
            )
            for page in self.all_pages
        ]
        self._decisions = {
            message.provider_id: decision
            for one in decided
            for message, decision in zip(one.page.messages, one.decisions, strict=True)
        }

    def __call__(self) -> None:
        with self.database.reading() as session:
            [box] = mailboxes(session, self.programme.workspace_id)
        parts = self.database.sessions, self.database.reading, self.clock
        report = Capture(*parts, deciding=self._decided).poll(self.programme, box, self)
        if report.outcome is not Outcome.DONE:
            raise SystemExit(report.detail)

    def _decided(self, message: Message, *_: object, **__: object) -> Decision:
        return self._decisions[message.provider_id]

    def pages(
        self, cursor: str | None, *, since: datetime, last_ok_at: datetime | None, unseen: Unseen
    ) -> Iterator[Page]:
        yield from self.all_pages

    def fetch(self, provider_ids: Sequence[str]) -> Page:
        raise AssertionError("nothing failed")

    def recent(self, since: datetime, unseen: Unseen) -> Iterator[Sequence[str]]:
        yield from ()

    def check(self) -> str:
        return ""


def stored(database: Database) -> Rows:
    """What a pass has left behind, in the order in which it may be written again."""
    found: Rows = {}
    with database.engine.connect() as connection:
        for table in TABLES:
            cursor = _raw(connection).cursor()
            cursor.execute(f"SELECT * FROM {table} ORDER BY 1")  # noqa: S608 - our own names
            found[table] = [column[0] for column in cursor.description], cursor.fetchall()
    return found


def on_disk(database: Database) -> dict[str, int]:
    """Bytes with indexes. SQLite tells of its whole file alone."""
    with database.reading() as session:
        if database.backend == "postgresql":
            sizes = {table: f"SELECT pg_total_relation_size('{table}')" for table in TABLES}
        else:
            sizes = {"all": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"}
        return {name: int(session.scalar(text(asks)) or 0) for name, asks in sizes.items()}


def inserted(database: Database, rows: Rows, commits: int = 1) -> None:
    mark = "%s" if database.backend == "postgresql" else "?"
    for part in range(commits):
        with database.engine.begin() as connection:
            for table, (columns, values) in rows.items():
                some = values[len(values) * part // commits : len(values) * (part + 1) // commits]
                marks = ", ".join([mark] * len(columns))
                _raw(connection).cursor().executemany(
                    f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT DO NOTHING",  # noqa: S608
                    some,
                )


def copied(database: Database, rows: Rows) -> None:
    with database.engine.begin() as connection:
        for table, (columns, values) in rows.items():
            with (
                _raw(connection).cursor() as cursor,
                cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as to,
            ):
                for row in values:
                    to.write_row(row)


def written(made: Databases, way: Callable[[Database], None], *, twice: bool = False) -> float:
    """Seconds into an empty database; `twice`: of the second time, when all is there."""
    with opened(made) as database:
        prepare(database, "gmail")
        if twice:
            way(database)
        return _seconds(lambda: way(database))


def _raw(connection: Any) -> Any:
    return connection.connection.dbapi_connection


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
