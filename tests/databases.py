"""Databases for tests: each test gets a new one, copied from a template that Alembic has migrated.

Must not know what is stored.
"""

import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import NullPool

from models.db import make_engine, make_sessions, normal_url

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Database:
    """One migrated, empty database. Processes that a test starts reach it by `url`."""

    url: str
    engine: Engine
    sessions: sessionmaker[Session]
    reading: sessionmaker[Session]

    @property
    def backend(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name


class Databases(Protocol):
    """Copies of one migrated template; `close` removes the template."""

    def fresh(self) -> str:
        """The address of a new database."""

    def drop(self, url: str) -> None: ...

    def close(self) -> None: ...


@contextmanager
def opened(databases: Databases) -> Iterator[Database]:
    """A new database for the length of a `with` block."""
    url = databases.fresh()
    at_head.add(url)
    try:
        with engine_for(url) as engine:
            yield Database(url, engine, make_sessions(engine), make_sessions(engine, reading=True))
    finally:
        at_head.remove(url)
        databases.drop(url)


@contextmanager
def engine_for(url: str) -> Iterator[Engine]:
    """An engine of one's own that has compiled already what others have asked with it, of the same server."""
    idle = _idle.setdefault(make_url(url).set(database=""), [])
    traveller = idle.pop() if idle else _Traveller(url)
    try:
        yield traveller.to(url)
    finally:
        traveller.wait()
        travels_on = traveller.is_as_it_was()
        traveller.engine.dispose()
        if travels_on:
            idle.append(traveller)


LATE_SECONDS = 2.0
HEARD = ("before_cursor_execute", "after_cursor_execute", "begin", "commit", "rollback")


class _Traveller:
    """An engine that goes from one test's database to the next one's: to compile statements is half of a short test."""

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)
        event.listen(self.engine, "do_connect", self._there)
        self._listeners = self._heard()

    def to(self, url: str) -> Engine:
        self.engine.url = make_url(url)
        return self.engine

    def wait(self) -> None:
        """A thread behind a click may have its last look: what it gives back after the end would be a leak."""
        give_up_at = time.monotonic() + LATE_SECONDS
        while self.engine.pool.checkedout() and time.monotonic() < give_up_at:  # type: ignore[attr-defined]  # our pools count
            time.sleep(0.01)

    def is_as_it_was(self) -> bool:
        """Nobody has left a connection or a listener behind: else it does not travel on."""
        return not self.engine.pool.checkedout() and self._heard() == self._listeners  # type: ignore[attr-defined]  # our pools count

    def _heard(self) -> list[int]:
        return [len(list(getattr(self.engine.dispatch, name))) for name in HEARD]

    def _there(self, _dialect: object, _record: object, args: list[Any], values: dict[str, Any]) -> None:
        if args:
            args[0] = self.engine.url.database
        else:
            values["dbname"] = self.engine.url.database


_idle: dict[URL, list[_Traveller]] = {}
at_head: set[str] = set()
"""The addresses of the databases that are open in this process. Each was at head when it was made."""


def migrate(url: str, revision: str = "head") -> None:
    """What `alembic upgrade` does, in this process."""
    command.upgrade(alembic_config(url), revision)


def alembic_config(url: str) -> Config:
    config = Config(toml_file=str(ROOT / "pyproject.toml"))
    config.attributes["url"] = url
    return config


class SqliteDatabases:
    """Copies of one file. The last connection to leave it has emptied its write-ahead log into it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = folder / "template.db"
        migrate(f"sqlite:///{self._template}")

    def fresh(self) -> str:
        copy = self._folder / f"{secrets.token_hex(6)}.db"
        shutil.copyfile(self._template, copy)
        return f"sqlite:///{copy}"

    def drop(self, url: str) -> None:
        path = make_url(url).database or ""
        for suffix in ("", "-wal", "-shm"):
            Path(path + suffix).unlink(missing_ok=True)

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


class PostgresDatabases:
    """Copies of one template database on a running server, whose user may create databases."""

    def __init__(self, server_url: str) -> None:
        self._server = make_url(normal_url(server_url))
        # CREATE and DROP DATABASE refuse to run inside a transaction.
        self._admin = create_engine(self._server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        self._template = f"cadence_template_{secrets.token_hex(6)}"
        self._run(f"CREATE DATABASE {self._template} ENCODING 'UTF8' TEMPLATE template0")
        migrate(self._address(self._template))
        # Five times as fast for a small template; before PostgreSQL 15 the only way, and without a name.
        with self._admin.connect() as connection:
            version = connection.dialect.server_version_info or (0,)
        self._strategy = "STRATEGY FILE_COPY" if version >= (15,) else ""

    def fresh(self) -> str:
        name = f"cadence_test_{secrets.token_hex(6)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {self._template} {self._strategy}")
        return self._address(name)

    def drop(self, url: str) -> None:
        self._run(f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)")

    def close(self) -> None:
        self._run(f"DROP DATABASE IF EXISTS {self._template} WITH (FORCE)")
        self._admin.dispose()

    def _address(self, database: str) -> str:
        return self._server.set(database=database).render_as_string(hide_password=False)

    def _run(self, statement: str) -> None:
        with self._admin.connect() as connection:
            connection.execute(text(statement))
