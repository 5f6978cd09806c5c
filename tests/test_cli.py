"""The command line as a whole: first steps, wrong use, wrong settings, and a database that does not play along."""

import os
import shlex
import signal
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from bot.cli.app import database_said
from models.settings import load_settings
from models.tables import Person, Tier
from models.vault import new_key
from tests.cast import ACME, GLOBEX, MONDAY, put_cast, put_touch
from tests.command_line import CommandLine
from tests.databases import Database

ROBIN_CSV = "email,name,role\nrobin@lantern.example,Robin Okafor,lead\n"


@pytest.fixture
def fresh(tmp_path: Path) -> CommandLine:
    """An installation of which nothing exists yet, in a folder with a space in its name."""
    return CommandLine(f"sqlite:///{tmp_path / 'a folder'}/cadence.db")


def test_migrate_makes_an_empty_database_ready_and_again_changes_nothing(fresh: CommandLine) -> None:
    assert "empty → " in fresh("migrate").out
    assert "is at head" in fresh("migrate").out
    assert [tier["name"] for tier in fresh("tiers", "--json").json] == ["Tier 1", "Tier 2", "Tier 3"]


def test_whatever_comes_before_migrate_is_told_to_migrate_and_makes_no_file(fresh: CommandLine, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text(ROBIN_CSV, encoding="utf-8")
    for command in (("people", "import", str(people)), ("overdue",), ("mailbox", "list"), ("capture",)):
        said = fresh(*command, status=1)
        assert said.out == ""
        assert said.err.count("\n") == 1
        assert "run `cadence migrate`" in said.err
    assert not (tmp_path / "a folder" / "cadence.db").exists()


def test_a_database_of_a_newer_cadence_is_refused_kindly(fresh: CommandLine, tmp_path: Path) -> None:
    fresh("migrate")
    with sqlite3.connect(tmp_path / "a folder" / "cadence.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for command in ("migrate", "overdue"):
        assert "install the newer one" in fresh(command, status=1).err


def test_the_leads_of_the_settings_are_leads_after_migrate(database: Database) -> None:
    with database.sessions.begin() as session:
        put_cast(session)
    run = CommandLine(database.url, env={"CADENCE_LEADS": "Dana.Kim@lantern.example, nova.star@lantern.example"})
    said = run("migrate")
    assert "dana@lantern.example is a lead now" in said.out  # by one of her aliases
    assert run("migrate").out.count("is a lead now") == 0
    with database.reading() as session:
        roles = {person.name: person.role for person in session.scalars(select(Person))}
    assert (roles["Dana Kim"], roles["Nova Star"], roles["Priya Nair"]) == ("lead", "lead", "manager")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("CADENCE_TIMEZONE", "Mars/Base"),
        ("CADENCE_READ_AT", "someday"),
        ("CADENCE_DATABASE_URL", "mysql://x"),
        ("GMAIL_API_URL", "gmail"),
        ("CADENCE_POLL_SECONDS", "soon"),
    ],
)
def test_a_wrong_setting_is_named_and_the_exit_is_2(database: Database, setting: str, value: str) -> None:
    said = CommandLine(database.url, env={setting: value})("overdue", status=2)
    assert setting in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_a_password_that_breaks_its_address_is_not_quoted(database: Database) -> None:
    url = "postgresql://dana:hu@sh:sh@db/cadence"
    said = CommandLine(database.url, env={"CADENCE_DATABASE_URL": url})("overdue", status=2)
    assert "CADENCE_DATABASE_URL" in said.err
    assert "%40" in said.err
    assert "sh@db" not in said.err


def test_leads_that_are_no_addresses_are_a_wrong_setting(fresh: CommandLine) -> None:
    assert "CADENCE_LEADS" in CommandLine(fresh.url, env={"CADENCE_LEADS": "robin"})("migrate", status=2).err


@pytest.mark.parametrize(
    "arguments",
    [
        ("overdoe",),
        ("overdue", "--colour"),
        ("overdue", "--as-of", "yesterday"),
        ("overdue", "--as-of", "2026-13-01"),
        ("overdue", "--as-of", "0001-01-01"),
        ("coverage", "--weeks", "many"),
        ("partner",),
        ("tiers", "set", "0", "--window", "7"),
        ("tiers", "set", "9"),
        ("mailbox", "add", "--provider", "pigeon", "--address", "dana@lantern.example"),
        ("mailbox", "add", "--provider", "gmail", "--address", "dana"),
        ("capture", "--mbox", "mail.mbox"),
        ("read", "--post", "--as-of", "2026-11-23"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(database: Database, arguments: tuple[str, ...]) -> None:
    said = CommandLine(database.url)(*arguments, status=2)
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "--help" in said.err


def test_a_tier_is_added_and_changed(database: Database) -> None:
    run = CommandLine(database.url)
    assert "added" in run("tiers", "set", "4", "--name", "Friends", "--window", "60", "--grace", "3").out
    assert "unchanged" in run("tiers", "set", "4", "--window", "60").out
    assert "changed" in run("tiers", "set", "4", "--window", "45").out
    assert "another tier is called" in run("tiers", "set", "5", "--name", "friends", "--window", "9", status=2).err
    assert run("tiers", "--csv").out.splitlines()[-1] == "4,Friends,45,3"
    with database.reading() as session:
        assert session.scalar(select(Tier.window_days).where(Tier.rank == 4)) == 45
    earlier = run("tiers", "--json", "--as-of", (MONDAY - timedelta(days=1)).isoformat()).json
    assert earlier[-1]["window_days"] == 60  # before its first entry a tier is what it began as


def test_a_key_is_made_and_secrets_move_under_it(database: Database) -> None:
    run = CommandLine(database.url)
    key = run("secrets", "new-key").out.strip()
    assert load_settings(CADENCE_SECRET_KEYS=key).secret_keys == (key,)
    rotated = CommandLine(database.url, env={"CADENCE_SECRET_KEYS": f"{new_key()},{key}"})("secrets", "rotate")
    assert rotated.out == "secrets sealed with the first key: 0\n"
    assert CommandLine(database.url, env={"CADENCE_SECRET_KEYS": "short"})("secrets", "rotate", status=2).err


def test_a_locked_database_is_said_to_be_in_use() -> None:
    assert "in use by another process" in database_said(OperationalError("", {}, Exception("database is locked")))


def test_a_report_waits_for_nobody_who_writes(database: Database) -> None:
    with database.sessions.begin() as session:
        put_cast(session)
    with database.sessions.begin() as session:
        session.add(Person(workspace_id=1, email="new@lantern.example", name="New", role="viewer", created_at=MONDAY))
        session.flush()
        assert CommandLine(database.url)("overdue", "--json").json != []


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "no-database.db"
    path.write_text("this is a text and no database, whatever its name says" * 40, encoding="utf-8")
    said = CommandLine(f"sqlite:///{path}")("overdue", status=1)
    assert "not a database" in said.err
    assert said.err.count("\n") == 1


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    pytest.importorskip("psycopg")
    said = CommandLine("postgresql://cadence:hush@127.0.0.1:1/cadence")("overdue", status=1)
    assert "127.0.0.1" in said.err
    assert "hush" not in said.err
    assert said.err.count("\n") == 1


def test_a_file_that_cannot_be_read_is_named(database: Database, tmp_path: Path) -> None:
    run = CommandLine(database.url)
    assert "people.csv: No such file" in run("people", "import", str(tmp_path / "people.csv"), status=1).err
    assert "Is a directory" in run("partners", "import", str(tmp_path), status=1).err


def test_the_module_is_a_program_with_exit_codes(tmp_path: Path) -> None:
    environment = {**os.environ, "CADENCE_DATABASE_URL": f"sqlite:///{tmp_path}/cadence.db"}

    def cadence(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bot", *arguments],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
            check=False,
        )

    assert cadence("overdue").returncode == 1
    assert cadence("migrate").returncode == 0
    assert cadence("overdue").returncode == 0
    assert cadence("overdue", "--nonsense").returncode == 2


def test_a_pipe_whose_reader_leaves_ends_the_command_quietly(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session)
        for number in range(700):
            put_touch(session, cast, ACME if number % 2 else GLOBEX, MONDAY - timedelta(hours=number))
    program = f"{shlex.quote(sys.executable)} -m bot touches --json | head -n 1"
    environment = {**os.environ, "CADENCE_DATABASE_URL": database.url}
    found = subprocess.run(program, shell=True, capture_output=True, text=True, env=environment, check=False)  # noqa: S602  # a pipe is what is tried
    assert found.stdout == "[\n"
    assert found.stderr == ""


def test_an_interrupt_ends_the_command_with_a_word(tmp_path: Path) -> None:
    """The file is a pipe: once we have it open too, the command is inside of its work, waiting for more."""
    environment = {**os.environ, "CADENCE_DATABASE_URL": f"sqlite:///{tmp_path}/cadence.db"}
    CommandLine(environment["CADENCE_DATABASE_URL"])("migrate")
    pipe = tmp_path / "people.csv"
    os.mkfifo(pipe)
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"  # ignored in the background
        f"sys.argv = ['cadence', 'people', 'import', {str(pipe)!r}]; from bot.__main__ import main; main()"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process, pipe.open("wb"):
        process.send_signal(signal.SIGINT)
        _out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.strip() == "cadence: stopped; what was finished is kept"


def test_help_names_every_command(database: Database) -> None:
    said = CommandLine(database.url)("--help").out
    for command in ("migrate", "people", "partners", "tiers", "mailbox", "capture", "overdue", "why", "doctor"):
        assert f"\n  {command} " in said
    for command in ("people", "mailbox", "overdue", "read", "capture", "coverage"):
        assert "Usage:" in CommandLine(database.url)(command, "--help").out
