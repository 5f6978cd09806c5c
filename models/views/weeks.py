"""Coverage at the weekly reads, as `models.queries.trend` has it: snapshots, and between them the stored tally."""

from typing import Any

from sqlalchemy import ColumnElement, Date, Integer, and_, cast, exists, func, literal, select, union_all
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import aliased
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from models.cadence import State
from models.queries.clocks import IN_TIME, MISSED
from models.tables import PartnerClock, Read, ReadLine, Tier, WeekTally
from models.views.common import COVERED, ELIGIBLE, View, number_where
from models.weeks import ON_TIME_WEEKS


class monday(FunctionElement[Any]):  # SQL functions are written small
    """The Monday of a week number: `models.weeks.monday_of`."""

    type = Date()
    inherit_cache = True


class week_number(FunctionElement[Any]):
    """The number of a Monday: `models.weeks.week_number`."""

    type = Integer()
    inherit_cache = True


@compiles(monday, "sqlite")
def _(element: monday, compiler: SQLCompiler, **kw: Any) -> str:
    return f"date('0001-01-01', ({compiler.process(element.clauses, **kw)} * 7) || ' days')"


@compiles(monday, "postgresql")
def _(element: monday, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(DATE '0001-01-01' + {compiler.process(element.clauses, **kw)} * 7)"


@compiles(week_number, "sqlite")
def _(element: week_number, compiler: SQLCompiler, **kw: Any) -> str:
    day = compiler.process(element.clauses, **kw)
    return f"(CAST(julianday({day}) - julianday('0001-01-01') AS INTEGER) / 7)"


@compiles(week_number, "postgresql")
def _(element: week_number, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(({compiler.process(element.clauses, **kw)} - DATE '0001-01-01') / 7)"


def coverage_week() -> View:
    line, one, held = ReadLine, WeekTally, aliased(Read)
    where = {
        "covered": line.state.in_(COVERED),
        "eligible": line.state.in_(ELIGIBLE),
        "reply_backed": and_(line.state.in_(ELIGIBLE), line.reply_backed),
        **{str(state): line.state == str(state) for state in (State.OVERDUE, State.NEW, State.BLIND, State.PAUSED)},
    }
    kinds = {
        "covered": ["covered", "covered answered"],
        "eligible": ["covered", "covered answered", "overdue", "overdue answered"],
        "reply_backed": ["covered answered", "overdue answered"],
        "overdue": ["overdue", "overdue answered"],
        **{str(state): [str(state)] for state in (State.NEW, State.BLIND, State.PAUSED)},
    }
    snapshots = (
        select(
            Read.workspace_id,
            Read.week,
            week_number(Read.week).label("number"),
            literal("snapshot").label("source"),
            Read.at.label("as_of"),
            line.tier_rank,
            *(number_where(condition).label(name) for name, condition in where.items()),
        )
        .join(line, line.read_id == Read.id)
        .where(line.tier_rank.is_not(None))
        .group_by(Read.workspace_id, Read.week, Read.at, line.tier_rank)
    )
    judged = select(func.max(PartnerClock.computed_at)).where(PartnerClock.workspace_id == one.workspace_id)
    reconstructed = (
        select(
            one.workspace_id,
            monday(one.week).label("week"),
            one.week.label("number"),
            literal("reconstructed").label("source"),
            judged.scalar_subquery().label("as_of"),
            one.tier_rank,
            *(number_where(one.kind.in_(wanted), one.number).label(name) for name, wanted in kinds.items()),
        )
        .where(one.kind.not_in([IN_TIME, MISSED]))
        .where(~exists().where(held.workspace_id == one.workspace_id, week_number(held.week) == one.week))
        .group_by(one.workspace_id, one.week, one.tier_rank)
    )
    lines = union_all(snapshots, reconstructed).cte("lines")
    days = lines.c
    weeks = select(days.workspace_id, days.week, days.number, days.source, days.as_of).distinct().cte("weeks")

    def windows(*kinds: str) -> ColumnElement[int]:
        ended = select(func.coalesce(func.sum(WeekTally.number), 0)).where(
            WeekTally.workspace_id == weeks.c.workspace_id,
            WeekTally.tier_rank == Tier.rank,
            WeekTally.kind.in_(kinds),
            WeekTally.week.between(weeks.c.number - ON_TIME_WEEKS, weeks.c.number - 1),
        )
        return cast(ended.correlate(weeks, Tier).scalar_subquery(), Integer)

    return (
        select(
            weeks.c.workspace_id.label("programme_id"),
            weeks.c.week,
            Tier.rank.label("tier_rank"),
            Tier.name.label("tier"),
            *(func.coalesce(days[name], 0).label(name) for name in kinds),
            windows(IN_TIME).label("on_time"),
            windows(IN_TIME, MISSED).label("on_time_of"),
            weeks.c.source,
            weeks.c.as_of,
        )
        .select_from(weeks)
        .join(Tier, Tier.workspace_id == weeks.c.workspace_id)
        .outerjoin(
            lines,
            and_(days.workspace_id == weeks.c.workspace_id, days.number == weeks.c.number, days.tier_rank == Tier.rank),
        )
    )
