"""The schema and the engine: the same on SQLite and PostgreSQL, and never different from what the code says."""

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from models.db import at_a_glance, make_engine, make_sessions, take_time
from models.tables import Base
from tests.databases import ROOT, Database, Databases, alembic_config, engine_for, opened


def test_the_migrations_build_exactly_the_tables_that_the_code_describes(database: Database) -> None:
    command.check(alembic_config(database.url))
    found = set(inspect(database.engine).get_table_names())
    engine = {name for name in found if name.startswith("procrastinate_")}
    assert found - engine == {*Base.metadata.tables, "alembic_version"}
    assert bool(engine) == (database.backend == "postgresql"), "one machine needs no queue"


def test_the_migrations_can_be_taken_back_and_done_again(database: Database) -> None:
    command.downgrade(alembic_config(database.url), "base")
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    command.upgrade(alembic_config(database.url), "head")
    command.check(alembic_config(database.url))


def test_what_one_test_stores_the_next_does_not_see(databases: Databases) -> None:
    with opened(databases) as first, first.engine.begin() as connection:
        connection.execute(text("CREATE TABLE footprint (id INTEGER)"))
    with opened(databases) as second:
        assert "footprint" not in inspect(second.engine).get_table_names()


def test_an_engine_never_travels_to_another_server() -> None:
    one, other = (f"postgresql+psycopg://name@/one?host=/nowhere/{number}" for number in (1, 2))
    with engine_for(one) as first:
        pass
    with engine_for(other) as second, engine_for(one.replace("/one", "/two")) as third:
        assert second is not first
        assert third is first


def test_the_classes_of_statements_are_made_before_there_are_threads() -> None:
    program = (
        "import models.db; from sqlalchemy.sql.annotation import annotated_classes as made; "
        "print(sorted(one.__name__ for one, kept in made.items() if '_traverse_internals' in kept.__dict__))"
    )
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(f"'{name}'" in told for name in ("Insert", "Update", "Delete")), told


def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    with database.sessions.begin() as writer:
        writer.execute(text("UPDATE alembic_version SET version_num = 'written'"))
        with database.reading.begin() as reader:
            assert reader.scalar(text("SELECT version_num FROM alembic_version")) != "written"


@pytest.mark.postgres
@pytest.mark.parametrize("databases", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_connections_that_died_while_they_rested_are_made_anew(database: Database) -> None:
    engine = make_engine(database.url, rested_seconds=0)
    with ExitStack() as stack:
        held = [stack.enter_context(engine.connect()) for _ in range(3)]
        pids = [one.scalar(text("SELECT pg_backend_pid()")) for one in held]
    with database.engine.connect() as killer:
        for pid in pids:
            killer.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    for _ in pids:
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT pg_backend_pid()")) not in pids
    engine.dispose()


@pytest.mark.postgres
@pytest.mark.parametrize("databases", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_whoever_freezes_amid_a_transaction_keeps_its_locks_from_nobody_for_long(database: Database) -> None:
    engine = make_engine(database.url, abandoned_seconds=0.2)
    with engine.connect() as frozen:
        frozen.execute(text("UPDATE alembic_version SET version_num = 'frozen'"))
        with database.sessions.begin() as session:  # waits for the lock, and gets it
            session.execute(text("UPDATE alembic_version SET version_num = 'later'"))
        with pytest.raises(DBAPIError):
            frozen.execute(text("SELECT 1"))
        frozen.invalidate()
    with engine.connect() as anew:
        assert anew.scalar(text("SELECT version_num FROM alembic_version")) == "later"
    engine.dispose()


@pytest.mark.postgres
@pytest.mark.parametrize("databases", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_a_reader_who_turns_pages_slowly_is_not_taken_for_frozen(database: Database) -> None:
    engine = make_engine(database.url, abandoned_seconds=0.05)
    with make_sessions(engine, reading=True)() as session:
        take_time(session)
        time.sleep(0.3)
        assert session.scalar(text("SELECT 1")) == 1
    engine.dispose()


def test_a_look_at_a_row_begins_no_transaction_on_a_server(database: Database) -> None:
    with at_a_glance(database.reading)() as glance, database.sessions.begin() as writer:
        before = glance.scalar(text("SELECT count(*) FROM workspace"))
        writer.execute(text("SELECT 1"))
        within = glance.connection().connection.dbapi_connection
        if database.backend == "postgresql":
            assert within.info.transaction_status.name == "IDLE"  # type: ignore[union-attr]  # psycopg's own
        assert before == 0
    with database.sessions() as session:
        assert session.connection().get_isolation_level() != "AUTOCOMMIT", "the next one has a transaction again"


def test_a_private_server_dies_with_the_process_that_started_it() -> None:
    program = "from tests.postgres_server import PostgresServer as S; s = S(); print(s.folder, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        folder = Path(starter.stdout.readline().strip())
        server = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        starter.kill()
    give_up_at = time.monotonic() + 60
    while folder.exists() and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)
