"""The version before works on the schema of the version after: each step of the schema only adds.

What the version before knows of the schema is read from the database before the step, and is what speaks after it.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Column, Connection, MetaData, Table

from models.schema import require_head
from tests.cast import MONDAY
from tests.databases import Database, alembic_config, migrate

NEVER_CHANGED = {"read", "read_line"}  # the newest schema refuses to change what was held
ENGINE = "procrastinate_"  # the queue's own tables, which only its library writes
UNTOUCHED = {"alembic_version"}


def value_of(column: Column[Any], number: int) -> Any:
    """Something of the column's kind, another one for each number."""
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return False
    if isinstance(kind, sa.Integer):
        return number
    if isinstance(kind, sa.DateTime):
        return MONDAY
    if isinstance(kind, sa.Date):
        return date.fromordinal(MONDAY.toordinal() + 7 * number)
    if isinstance(kind, JSON):
        return {}
    if isinstance(kind, sa.LargeBinary):
        return bytes([number % 256])
    if isinstance(kind, sa.Float | sa.Numeric):
        return float(number)
    return f"{column.name} {number}"


class Before:
    """The schema as one version knows it, and what that version does with it."""

    def __init__(self, connection: Connection) -> None:
        self.known = MetaData()
        self.known.reflect(connection)
        self.tables = [
            table
            for table in self.known.sorted_tables
            if table.name not in UNTOUCHED and not table.name.startswith(ENGINE)
        ]

    def insert(self, connection: Connection, number: int) -> dict[str, dict[str, Any]]:
        """A row in each table that hangs together with the rows of the same number."""
        rows: dict[str, dict[str, Any]] = {}
        for table in self.tables:
            rows[table.name] = row = {column.name: value_of(column, number) for column in table.columns}
            for column in table.columns:
                for key in column.foreign_keys:
                    parent = rows.get(key.column.table.name)
                    row[column.name] = parent[key.column.name] if parent else None
                    if key.column.table is table:
                        row[column.name] = None if column.nullable else row.get(key.column.name)
            connection.execute(table.insert(), [row])
        return rows

    def found(self, connection: Connection, rows: Mapping[str, Mapping[str, Any]]) -> set[str]:
        """Tables whose row is still there, as far as its key says."""
        return {table.name for table in self.tables if connection.execute(self._row(table, rows)).first() is not None}

    def change(self, connection: Connection, rows: Mapping[str, Mapping[str, Any]]) -> None:
        for table in self.tables:
            if table.name not in NEVER_CHANGED:
                which = [column == rows[table.name][column.name] for column in table.primary_key]
                values = {name: value for name, value in rows[table.name].items() if not table.c[name].primary_key}
                if values:
                    changed = connection.execute(table.update().where(*which).values(values))
                    assert changed.rowcount == 1, table.name

    def delete(self, connection: Connection, rows: Mapping[str, Mapping[str, Any]]) -> None:
        """The leaves: whatever nothing else points to."""
        pointed_to = {key.column.table.name for table in self.tables for key in table.foreign_keys}
        for table in self.tables:
            if table.name not in NEVER_CHANGED | pointed_to:
                which = [column == rows[table.name][column.name] for column in table.primary_key]
                assert connection.execute(table.delete().where(*which)).rowcount == 1, table.name

    def _row(self, table: Table, rows: Mapping[str, Mapping[str, Any]]) -> sa.Select[Any]:
        return table.select().where(*(column == rows[table.name][column.name] for column in table.primary_key))


def revisions(database: Database) -> list[str]:
    script = ScriptDirectory.from_config(alembic_config(database.url))
    return [step.revision for step in script.walk_revisions()][::-1]


def test_each_step_leaves_what_the_version_before_says_and_stores_valid(database: Database) -> None:
    command.downgrade(alembic_config(database.url), "base")
    steps = revisions(database)
    migrate(database.url, steps[0])
    for number, step in enumerate(steps[1:], start=1):
        with database.engine.begin() as connection:
            before = Before(connection)
            old = before.insert(connection, 100 * number)
        migrate(database.url, step if step != steps[-1] else "head")
        with database.engine.begin() as connection:
            assert before.found(connection, old) == {table.name for table in before.tables}, step
            new = before.insert(connection, 100 * number + 1)
            before.change(connection, new)
            before.delete(connection, new)
            only_adds(before, Before(connection), step)
    require_head(database.engine)


def only_adds(before: Before, after: Before, step: str) -> None:
    """What no single row shows: a type that became narrower, a column that must not be left out any more."""
    for table in before.tables:
        for column in table.columns:
            now = after.known.tables[table.name].columns[column.name]
            assert str(now.type) == str(column.type), f"{step} changes the type of {column}"
            assert now.nullable or not column.nullable, f"{step} wants {column}, which the version before may leave out"


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE {0} ADD COLUMN wanted INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE {0} ADD COLUMN optional INTEGER",
    ],
)
def test_what_a_step_may_add_is_no_trouble(database: Database, change: str) -> None:
    with database.engine.begin() as connection:
        before = Before(connection)
        connection.execute(sa.text(change.format("installation")))
        before.insert(connection, 7)


def test_a_step_that_renames_or_demands_would_be_caught(database: Database) -> None:
    """The test's own test."""
    with database.engine.begin() as connection:
        before = Before(connection)
    for change in (
        "ALTER TABLE installation RENAME COLUMN key TO owner",
        "ALTER TABLE job_run RENAME TO run",
    ):
        with database.engine.connect() as connection:
            connection.execute(sa.text(change))
            with pytest.raises(sa.exc.DBAPIError):
                before.insert(connection, 9)
            connection.rollback()
