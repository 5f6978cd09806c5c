"""What every view is written with. It knows no view."""

from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, case, cast, false, func, literal, true
from sqlalchemy.orm import QueryableAttribute

from models.cadence import State

View = Select[*tuple[Any, ...]]
COVERED = [str(state) for state in State if state.covered]
ELIGIBLE = [str(state) for state in State if state.eligible]


def true_where(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """True or false, where a bare condition could also be unknown."""
    return case((condition, true()), else_=false())


def number_where(condition: ColumnElement[bool], number: QueryableAttribute[int] | None = None) -> ColumnElement[int]:
    return cast(
        func.coalesce(func.sum(case((condition, literal(1) if number is None else number), else_=0)), 0), Integer
    )
