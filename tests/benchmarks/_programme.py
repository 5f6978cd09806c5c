"""A partner programme of any size in a fresh database: partners, managers and a year of mail, always the same.

Rows are written in bulk; what the product would have derived from them is left to the product.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select

from models.actions.people import PersonRow, put_person
from models.actions.programme import the_workspace
from models.cadence import Policy
from models.queries.programme import Programme
from models.settings import ReadAt
from models.tables import Mailbox, Observation, Partner, PartnerHistory, Person, Workspace
from models.tables import Tier as TierRow
from tests.databases import Database, Databases, PostgresDatabases, SqliteDatabases, opened
from tests.postgres_server import PostgresServer

NOW = datetime(2026, 11, 23, 9, 5, tzinfo=UTC)
ZONE = ZoneInfo("Europe/London")
MANAGERS = 20
ROWS = 5_000


@contextmanager
def makers(*kinds: str) -> Iterator[list[Databases]]:
    """Whoever makes databases of each kind: sqlite, postgresql."""
    with TemporaryDirectory() as folder:
        made: list[Databases] = []
        server = PostgresServer() if "postgresql" in kinds else None
        try:
            for kind in kinds:
                made.append(
                    PostgresDatabases(server.url)
                    if server is not None and kind == "postgresql"
                    else SqliteDatabases(Path(folder))
                )
            yield made
        finally:
            for one in made:
                one.close()
            if server is not None:
                server.close()


@contextmanager
def databases(*kinds: str) -> Iterator[list[Database]]:
    """An empty, migrated database of each kind."""
    with makers(*kinds) as made, _all_opened(made) as found:
        yield found


@contextmanager
def _all_opened(made: list[Databases]) -> Iterator[list[Database]]:
    if not made:
        yield []
        return
    with opened(made[0]) as first, _all_opened(made[1:]) as others:
        yield [first, *others]


def fill(database: Database, partners: int, touches_each: int = 100) -> Programme:
    """Partners of three tiers with `touches_each` touches over a year, half of them written by us."""
    dice = random.Random(partners)
    started = NOW - timedelta(weeks=54)
    with database.sessions.begin() as session:
        workspace_id = the_workspace(session, started)
        session.get_one(Workspace, workspace_id).timezone = ZONE.key
        for number in range(MANAGERS):
            email = f"manager{number}@lantern.example"
            put_person(
                session,
                workspace_id,
                "bench",
                PersonRow(email, f"Manager {number}", "manager", None, (), None),
                started,
            )
        session.flush()
        people = list(session.scalars(select(Person.id).order_by(Person.id)))
        tiers = list(session.scalars(select(TierRow.id).order_by(TierRow.rank)))
        boxes = [
            {
                "workspace_id": workspace_id,
                "address": f"manager{number}@lantern.example",
                "provider": "gmail",
                "owner_id": owner,
                "status": "active",
                "options": {},
                "cursor_version": 0,
                "created_at": started,
            }
            for number, owner in enumerate(people)
        ]
        session.execute(insert(Mailbox), boxes)
        for box in session.scalars(select(Mailbox.id)).all():
            session.add(Observation(mailbox_id=box, from_at=started, until_at=NOW, recorded_at=NOW, source="poll"))
    names = [f"Partner {number:06}" for number in range(partners)]
    windows = (7, 14, 30)
    with database.sessions.begin() as session:
        for start in range(0, partners, ROWS):
            some = names[start : start + ROWS]
            session.execute(
                insert(Partner),
                [
                    {
                        "workspace_id": workspace_id,
                        "name": name,
                        "name_key": name.lower(),
                        "tier_id": tiers[number % 3],
                        "owner_id": people[number % MANAGERS],
                        "status": "active",
                        "cadence_start_on": date(2025, 11, 10),
                        "created_at": started,
                    }
                    for number, name in enumerate(some, start)
                ],
            )
        rows = session.execute(select(Partner.id, Partner.tier_id, Partner.owner_id).order_by(Partner.id)).all()
        for start in range(0, partners, ROWS):
            session.execute(
                insert(PartnerHistory),
                [
                    {
                        "partner_id": row.id,
                        "from_at": started,
                        "tier_id": row.tier_id,
                        "owner_id": row.owner_id,
                        "status": "active",
                    }
                    for row in rows[start : start + ROWS]
                ],
            )
    waiting: list[tuple[object, ...]] = []
    for number, row in enumerate(rows):
        window = windows[number % 3]
        # Most partners are written to in time, some have weeks of silence.
        at, busy = NOW - timedelta(days=380 + dice.random() * 3), dice.choice((0.4, 0.6, 0.9, 1.3))
        mean = 380 / touches_each * 2
        for count in range(touches_each):
            ours = count % 2 == 0
            gap = dice.expovariate(1 / mean) if dice.random() > 0.05 else window * (0.8 + busy)
            at += timedelta(days=gap / 2)
            if at > NOW:
                at = NOW - timedelta(days=dice.random() * 380)
            key, theirs = f"{row.id}-{count}", f"hello@{row.id}.example"
            who = ("manager0@lantern.example", row.owner_id, "to") if ours else (theirs, None, "from")
            side = "outbound" if ours else "inbound"
            said = (key, f"<{key}@lantern.example>", at, at, False, side, "human", "written by a person")
            waiting.append((workspace_id, row.id, *said, *who, theirs, "domain", key, key))
        if len(waiting) >= ROWS or number == len(rows) - 1:
            _copy(database, waiting)
            waiting = []
    if database.backend == "postgresql":
        _analyze(database)
    return Programme(workspace_id, None, ZONE, None, ReadAt("mon 09:00"), Policy.OUTBOUND, started)


COLUMNS = (
    *("workspace_id", "partner_id", "dedupe_key", "message_id", "at", "captured_at", "clamped", "direction"),
    *("verdict", "rule", "by_address", "person_id", "field", "matched", "matched_by", "subject_hmac", "content_hmac"),
)


def _copy(database: Database, rows: list[tuple[object, ...]]) -> None:
    """Touches by the database's fastest way: a million of them are not what is measured."""
    names = ", ".join(COLUMNS)
    with database.engine.begin() as connection:
        raw: Any = connection.connection.dbapi_connection
        if database.backend == "postgresql":
            with raw.cursor() as cursor, cursor.copy(f"COPY touch ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        marks = ", ".join("?" for _ in COLUMNS)
        plain = [
            tuple(f"{one:%Y-%m-%d %H:%M:%S.%f}" if isinstance(one, datetime) else one for one in row) for row in rows
        ]
        raw.cursor().executemany(f"INSERT INTO touch ({names}) VALUES ({marks})", plain)  # noqa: S608 - our own names


def _analyze(database: Database) -> None:
    """What PostgreSQL does by itself after a while; the server of the tests does not."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
