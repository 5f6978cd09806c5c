"""`cadence coverage`: covered of eligible per tier, both numbers always, and the weeks before."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import click

from bot import wording
from bot.cli.common import Desk, pass_desk, report_options
from bot.cli.reports import tell_unseen, when
from bot.cli.show import as_csv, as_json, as_table, heading, say, tell
from models.queries.reads import WeekCoverage, coverage_weeks, weekly_read
from models.weekly_read import Coverage, TierLine, WeeklyRead

TIERS = (
    *("tier", "rank", "window_days", "covered", "eligible", "coverage", "reply_backed"),
    *("due_soon", "overdue", "new", "blind", "paused"),
)
WEEKS = ("week", "tier", "covered", "eligible", "coverage", "source")


@click.command()
@click.option(
    "--weeks", type=click.IntRange(0, 520), help="How many weeks of history; with --csv, these and not the tiers."
)
@report_options
@pass_desk
def coverage(desk: Desk, weeks: int | None, form: str | None, as_of: date | None) -> None:
    """How many partners were written to in time, per tier."""
    now, programme = desk.at(as_of), desk.programme
    with desk.reading() as session:
        read = weekly_read(session, programme, now)
        past = coverage_weeks(session, programme, now, 4 if weeks is None else weeks)
    tiers = [_tier_record(line) for line in read.tiers]
    if form == "json":
        as_json({"as_of": now, "tiers": tiers, "untiered": read.untiered, "weeks": [_week_record(one) for one in past]})
    elif form == "csv" and weeks is not None:
        as_csv(WEEKS, [_week_record(one) for one in past])
    elif form == "csv":
        as_csv(TIERS, tiers)
    else:
        heading(desk, f"Coverage {when(desk, now)}")
        tier_table(desk, read)
        tell(desk, f"Together: {wording.counted(read.overall)}.")
        outside = wording.outside(read.paused, read.new, read.untiered, len(read.blind))
        if outside:
            tell(desk, f"{outside}.")
        tell_unseen(desk, read.blind, read.troubles)
        if past:
            say()
            _week_table(desk, past)


def tier_table(desk: Desk, read: WeeklyRead) -> None:
    rows = [
        [
            line.tier.name,
            wording.plural(line.tier.window_days, "day"),
            _both(line.coverage),
            _both(line.reply_backed),
            *(str(number) for number in (line.due_soon, line.overdue, line.new, line.blind, line.paused)),
        ]
        for line in read.tiers
    ]
    columns = ["Tier", "Window", "Covered", "By reply", "Soon", "Overdue", "New", "Blind", "Paused"]
    as_table(desk, columns, rows, right=[4, 5, 6, 7, 8])


def _both(coverage: Coverage) -> str:
    return wording.counted(coverage, "") if coverage.eligible else "–"


def _tier_record(line: TierLine) -> dict[str, Any]:
    return {
        "tier": line.tier.name,
        "rank": line.tier.rank,
        "window_days": line.tier.window_days,
        "covered": line.coverage.covered,
        "eligible": line.coverage.eligible,
        "coverage": line.coverage.share,
        "reply_backed": line.reply_backed.share,
        "due_soon": line.due_soon,
        "overdue": line.overdue,
        "new": line.new,
        "blind": line.blind,
        "paused": line.paused,
    }


def _week_record(one: WeekCoverage) -> dict[str, Any]:
    return {
        "week": one.week,
        "tier": one.tier.name,
        "covered": one.coverage.covered,
        "eligible": one.coverage.eligible,
        "coverage": one.coverage.share,
        "source": one.source,
    }


def _week_table(desk: Desk, past: Sequence[WeekCoverage]) -> None:
    """One line per week, one column per tier; what was not held as a read is said to be reconstructed."""
    names = list(dict.fromkeys(one.tier.name for one in sorted(past, key=lambda one: one.tier.rank)))
    cells: dict[date, dict[str, str]] = {}
    sources: dict[date, str] = {}
    for one in past:
        cells.setdefault(one.week, {})[one.tier.name] = _both(one.coverage)
        sources[one.week] = one.source
    rows = [[week.isoformat(), *(line.get(name, "") for name in names), sources[week]] for week, line in cells.items()]
    as_table(desk, ["Week", *names, "Source"], rows)
