"""What every write shares: the audit entry, and an INSERT that lets the database say who was first."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Insert, Row, Table, inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from models.db import Base
from models.tables import AuditEntry, JobRun

COMMAND_LINE = "command line"
CAPTURE = "capture"
CLOCK = "clock"


class Change(StrEnum):
    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


def actor_of(person_id: int) -> str:
    return f"person:{person_id}"


def audit(
    session: Session,
    workspace_id: int,
    actor: str,
    action: str,
    subject: str,
    now: datetime,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """One entry beside the change it tells of, in the same transaction."""
    session.add(
        AuditEntry(
            workspace_id=workspace_id,
            at=now,
            actor=actor,
            action=action,
            subject=subject,
            before=dict(before) if before is not None else None,
            after=dict(after) if after is not None else None,
        )
    )


def insert_into(session: Session, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """INSERT in the dialect at hand, for what is to happen ON CONFLICT. Execute it with the rows beside it.

    Rows within the statement would have it compiled anew each time; and it is about the table, not about objects,
    whose bookkeeping costs more than the database.
    """
    return _insert(session.get_bind().dialect.name, table)


def _insert(dialect: str, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    target = cast(Table, table.__table__)
    return postgresql.insert(target) if dialect == "postgresql" else sqlite.insert(target)


def insert_ignoring(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> Insert:
    """INSERT … ON CONFLICT DO NOTHING in the dialect at hand. SQLAlchemy has no common word for it."""
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    return insert.values(list(rows)).on_conflict_do_nothing()


def inserted(session: Session, table: type[Base], row: Mapping[str, Any]) -> Any | None:
    """The key of this row if it was the first of its kind, else None. The database decides, so one caller wins."""
    return session.execute(_first_of_its_kind(session.get_bind().dialect.name, table), [dict(row)]).scalar()


def inserted_of(
    session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]], *columns: str
) -> Sequence[Row[*tuple[Any, ...]]]:
    """These columns of those rows that were the first of their kind."""
    insert = _first_of_its_kind(session.get_bind().dialect.name, table, columns)
    return session.execute(insert, [dict(row) for row in rows]).all() if rows else []


@lru_cache
def _first_of_its_kind(dialect: str, table: type[Base], columns: tuple[str, ...] = ()) -> ReturningInsert[Any]:
    """Made once: to put it together takes longer than the database does."""
    mapper = inspect(table)
    told = [mapper.columns[name] for name in columns] or mapper.primary_key
    return _insert(dialect, table).on_conflict_do_nothing().returning(*told)


def first_run(session: Session, workspace_id: int, job: str, period: str, now: datetime) -> bool:
    """Whether this job of this period is ours to run. The row commits together with what the job did."""
    row = {"workspace_id": workspace_id, "job": job, "period": period, "at": now}
    return inserted(session, JobRun, row) is not None


def plain(row: Any) -> dict[str, Any]:
    """A row as JSON can hold it."""
    values = {name: getattr(row, name) for name in row.__dataclass_fields__}
    return {
        name: iso(value) if isinstance(value, date) else list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
    }


def iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
