"""How Cadence talks to its database: one Base, one engine factory, the same behaviour on SQLite and PostgreSQL.

Must not hold tables, queries or any knowledge of what is stored.
"""

import math
import sqlite3
import threading
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    DateTime,
    Dialect,
    Engine,
    MetaData,
    create_engine,
    delete,
    event,
    insert,
    table,
    text,
    update,
)
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    import psycopg  # which takes its time to load, on SQLite for nothing

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


PATIENCE_SECONDS = 30  # that a writer waits for another one on SQLite
POOL = 16
"""Connections to PostgreSQL that a process has at most, and keeps: to make one in a burst takes longer than to wait.
Whoever holds one therefore never asks for a second."""
ABANDONED_SECONDS = 60.0
"""Between two statements of a transaction on PostgreSQL. Whoever says nothing for longer was frozen amid it, and would
keep its locks from everybody else for as long as its machine stays up; the server ends that connection."""
RESTED_SECONDS = 1.0  # after which a connection to PostgreSQL may have died unseen


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


def _make_statement_classes() -> None:
    """SQLAlchemy makes the class behind an ORM's write at its first use, not safely for two threads at once.

    Who comes between sees it half made, and the process then compiles every such statement anew.
    """
    anything = table("anything")
    for statement in (insert(anything), update(anything), delete(anything)):
        statement._annotate({})


_make_statement_classes()


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. SQLite drops offsets without a word, so naive values are refused and all others stored as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"an instant needs a time zone: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def normal_url(url: str) -> str:
    """The URL with the driver that we ship: plain `postgresql://` and the old `postgres://` mean psycopg."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def libpq_url(url: str) -> str:
    """The same PostgreSQL for a library that speaks to it without SQLAlchemy."""
    return make_url(normal_url(url)).set(drivername="postgresql").render_as_string(hide_password=False)


def make_engine(
    url: str, *, rested_seconds: float = RESTED_SECONDS, abandoned_seconds: float = ABANDONED_SECONDS
) -> Engine:
    """An engine for `sqlite:///…` or `postgresql://…`; raises sqlalchemy.exc.ArgumentError on anything else.

    Its errors quote no values: those are people's addresses, and errors are logged.
    """
    parsed = make_url(normal_url(url))
    if parsed.get_backend_name() != "sqlite":
        # The last one given back is the next one used: it knows the statements, and has not rested for long.
        engine = create_engine(parsed, hide_parameters=True, pool_size=POOL, max_overflow=0, pool_use_lifo=True)
        event.listen(engine, "connect", partial(_prepare_postgresql, abandoned_seconds))
        event.listen(engine, "begin", _begin_postgresql)
        event.listen(engine, "checkin", _rests)
        event.listen(engine, "checkout", _Ping(engine.dialect, rested_seconds))
        return engine
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, hide_parameters=True, connect_args={"timeout": PATIENCE_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    queue = _Queue()
    event.listen(engine, "begin", queue.begin)
    event.listen(engine, "commit", queue.leave)
    event.listen(engine, "rollback", queue.leave)
    event.listen(engine, "checkin", queue.given_back)
    return engine


def make_sessions(engine: Engine, *, reading: bool = False) -> sessionmaker[Session]:
    """Sessions that write, or with `reading` sessions that only look.

    On SQLite a writing transaction takes the write lock at its start. Taking it half-way, after a read, fails at
    once when somebody else has written in between, and no time-out helps.
    """
    bind = engine.execution_options(reading=True) if reading else engine
    return sessionmaker(bind, expire_on_commit=False)


def in_haste(sessions: sessionmaker[Session], seconds: float) -> sessionmaker[Session]:
    """The same sessions for somebody who is waited for: a lock that is held longer than this is an error."""
    bind: Engine = sessions.kw["bind"]
    return sessionmaker(bind.execution_options(patience=seconds), expire_on_commit=False)


def at_a_glance(reading: sessionmaker[Session]) -> sessionmaker[Session]:
    """The same sessions to look up a row or two: PostgreSQL is not told of a transaction's begin and end."""
    bind: Engine = reading.kw["bind"]
    if bind.dialect.name != "postgresql":
        return reading
    return sessionmaker(bind.execution_options(isolation_level="AUTOCOMMIT"), expire_on_commit=False)


def take_time(session: Session) -> None:
    """For a transaction that holds no locks and goes on when a reader turns the page: nobody takes it for abandoned."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))


def _prepare_postgresql(abandoned_seconds: float, connection: "psycopg.Connection", _record: Any) -> None:
    """Said to the connection when it is made: PgBouncer refuses it among the words of a new connection."""
    connection.autocommit = True
    connection.execute(f"SET idle_in_transaction_session_timeout = '{abandoned_seconds * 1000:.0f}ms'")
    connection.autocommit = False


def _rests(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["rests_since"] = time.monotonic()


class _Ping:
    """Asks a connection whether it still lives, unless it has just been at work: that costs a click four answers."""

    def __init__(self, dialect: Dialect, rested_seconds: float) -> None:
        self._dialect, self._rested_seconds = dialect, rested_seconds

    def __call__(self, connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
        if time.monotonic() - record.info.get("rests_since", math.inf) < self._rested_seconds:
            return
        try:
            self._dialect.do_ping(connection)
        except self._dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error  # the others are as old: they are all made anew


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late; ours is in `_begin_sqlite`
    for pragma in (
        "foreign_keys=ON",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        f"busy_timeout={PATIENCE_SECONDS * 1000:.0f}",
    ):
        connection.execute(f"PRAGMA {pragma}")


class _Queue:
    """Writers of one process take turns at SQLite's only lock in the order in which they came.

    SQLite itself lets them look again and again, ever less often: under a burst somebody waits for seconds.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def begin(self, connection: Connection) -> None:
        options, known = connection.get_execution_options(), connection.info
        if options.get("reading", False):
            connection.exec_driver_sql("BEGIN")
            return
        patience, started = options.get("patience", PATIENCE_SECONDS), time.monotonic()
        known["turn"] = self._turn.acquire(timeout=patience)
        left = max(0.0, patience - (time.monotonic() - started))  # other processes do not queue here
        if known.get("patience", PATIENCE_SECONDS) != left:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={left * 1000:.0f}")
            known["patience"] = left
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except BaseException:
            self.leave(connection)
            raise

    def leave(self, connection: Connection) -> None:
        if connection.info.pop("turn", False):
            self._turn.release()

    def given_back(self, _connection: object, record: ConnectionPoolEntry) -> None:
        """Whoever forgot to end a transaction keeps nobody else waiting."""
        if record.info.pop("turn", False):
            self._turn.release()


def _begin_postgresql(connection: Connection) -> None:
    patience = connection.get_execution_options().get("patience")
    if patience is not None:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{patience * 1000:.0f}ms'")
