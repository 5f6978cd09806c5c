"""The product's tables by plain SQL, in one spelling for SQLite and PostgreSQL. Imports nothing of the product."""

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

Row = dict[str, Any]
CLOCKS_DIFFER = 240  # seconds between two machines' clocks in a run, at most


class Tables:
    """`tables["touch"]` is every row of it, read once. Instants are aware, days are dates, JSON is decoded.

    A table that is not there, as the queue's is on SQLite, has no rows.
    """

    def __init__(self, read: Callable[[str], list[Row]]) -> None:
        self._read = read
        self._known: dict[str, list[Row]] = {}

    def __getitem__(self, table: str) -> list[Row]:
        if table not in self._known:
            self._known[table] = self._read(table)
        return self._known[table]

    def by_id(self, table: str, key: str = "id") -> dict[Any, Row]:
        return {row[key]: row for row in self[table]}

    def of(self, table: str, workspace_id: int) -> list[Row]:
        return [row for row in self[table] if row["workspace_id"] == workspace_id]

    def teams(self) -> dict[str, Row]:
        """Slack's id of a workspace → its programme."""
        return {row["slack_team_id"]: row for row in self["workspace"]}


def sqlite_tables(connection: sqlite3.Connection) -> Tables:
    def read(table: str) -> list[Row]:
        kinds = {row[1]: row[2].upper() for row in connection.execute(f'PRAGMA table_info("{table}")')}
        if not kinds:
            return []
        names = ", ".join(f'"{name}"' for name in kinds)
        found = connection.execute(f'SELECT {names} FROM "{table}" ORDER BY 1, 2')  # noqa: S608  # names of our own tables
        return [
            {name: _native(value, kinds[name]) for name, value in zip(kinds, values, strict=True)} for values in found
        ]

    return Tables(read)


def postgres_tables(connection: psycopg.Connection[Any]) -> Tables:
    def read(table: str) -> list[Row]:
        cursor = connection.cursor(row_factory=dict_row)
        if cursor.execute("SELECT to_regclass(%s) AS it", [table]).fetchall()[0]["it"] is None:
            return []
        found = cursor.execute(sql.SQL("SELECT * FROM {} ORDER BY 1, 2").format(sql.Identifier(table)))
        return [{name: _utc(value) for name, value in row.items()} for row in found]

    return Tables(read)


def _utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _native(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind.startswith(("DATETIME", "TIMESTAMP")):
        at = datetime.fromisoformat(value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    if kind == "DATE":
        return date.fromisoformat(value)
    if kind == "JSON":
        return json.loads(value)
    return bool(value) if kind == "BOOLEAN" else value
