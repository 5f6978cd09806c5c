"""`cadence coverage`: covered of eligible per tier, both numbers always, the weeks before, and what if."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import click

from bot import coverage_words, wording
from bot.cli.chart import CHART_WEEKS, chart_file, save_chart
from bot.cli.common import Desk, note, pass_desk, report_options
from bot.cli.reports import tell_unseen, when
from bot.cli.show import as_csv, as_json, as_table, heading, say, tell
from models.cadence import State
from models.queries.coverage import CoverageOverTime, coverage_over_time
from models.queries.reads import troubles
from models.queries.recoveries import Recoveries, together
from models.queries.standings import standings
from models.queries.trend import TrendLine
from models.queries.what_if import what_if as outlook_of
from models.standing import sort_key
from models.weekly_read import Coverage, TierLine
from models.what_if import OtherTarget, Outlook, other_targets

TIERS = (
    *("tier", "rank", "window_days", "covered", "eligible", "coverage", "reply_backed"),
    *("due_soon", "overdue", "new", "blind", "paused", "reply_backed_partners"),
)
WEEKS = (
    *("week", "tier", "covered", "eligible", "coverage", "source", "rank", "window_days"),
    *("reply_backed", "reply_backed_partners", "on_time", "on_time_of", "overdue", "new", "blind", "paused"),
    *("opened", "claimed", "recovered", "lapsed", "days_to_recovery"),
)
WHAT_IF = (
    *("tier", "rank", "window_days", "grace_days", "covered", "eligible", "coverage", "new", "blind"),
    *("touches_per_week", "then_window_days", "then_grace_days", "then_covered", "then_eligible", "then_coverage"),
    *("then_new", "then_blind", "then_touches_per_week"),
)
TIER_ROOM = 14


class Targets(click.ParamType[tuple[OtherTarget, ...]]):
    name = "RANK=DAYS[+GRACE],…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[OtherTarget, ...]:
        try:
            return value if isinstance(value, tuple) else other_targets(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option(
    "--weeks", type=click.IntRange(0, 520), help="How many weeks of history; with --csv, these and not the tiers."
)
@click.option("--chart", metavar="FILE.png", callback=chart_file, help="Draw the weeks into a .png, .svg or .pdf.")
@click.option(
    "--what-if", "targets", type=Targets(), help="Under other windows, such as 1=10,2=21+3; with --csv, this."
)
@report_options
@pass_desk
def coverage(
    desk: Desk,
    weeks: int | None,
    chart: Path | None,
    targets: tuple[OtherTarget, ...] | None,
    form: str | None,
    as_of: date | None,
) -> None:
    """How many partners were written to in time, per tier."""
    if form == "csv" and weeks is not None and targets is not None:
        raise click.UsageError("--csv is one table: choose --weeks or --what-if.", click.get_current_context())
    if chart is not None and weeks == 0:
        raise click.UsageError("a chart needs --weeks of 1 or more.", click.get_current_context())
    now, programme = desk.at(as_of), desk.programme
    shown = weeks if weeks is not None else CHART_WEEKS if chart else 4
    with desk.reading() as session:
        found = coverage_over_time(session, programme, now, shown)
        troubled = troubles(session, programme, now)
        # Only people want names, and only where somebody is out of sight is every partner looked at.
        named = form is None and any(line.blind for line in found.tiers)
        blind = [one for one in standings(session, programme, now) if one.state is State.BLIND] if named else []
        outlook = None if targets is None else _outlook(desk, targets, found)
    if chart is not None:
        save_chart(chart, found.weeks, programme.zone)
        note(f"The chart is in {chart}. {coverage_words.picture(found.weeks, programme.zone)}")
    tiers, past = [tier_record(one) for one in found.tiers], [_week_record(one) for one in found.weeks]
    if form == "json":
        told = {
            "as_of": now,
            "tiers": tiers,
            "untiered": found.untiered,
            "weeks": past,
            "recoveries": _recoveries_record(found),
        }
        as_json(told if outlook is None else told | {"what_if": _outlook_record(outlook)})
    elif form == "csv" and outlook is not None:
        as_csv(WHAT_IF, _outlook_rows(outlook))
    elif form == "csv":
        as_csv(*((TIERS, tiers) if weeks is None else (WEEKS, past)))
    else:
        heading(desk, f"Coverage {when(desk, now)}")
        tier_table(desk, found.tiers)
        tell(desk, f"Together: {wording.counted(found.overall)}.")
        if outside := coverage_words.outside(found):
            tell(desk, outside)
        tell_unseen(desk, sorted(blind, key=sort_key), troubled)
        if outlook is not None:
            say()
            for sentence in (*coverage_words.what_if(outlook), coverage_words.counted_touches(outlook)):
                tell(desk, sentence)
        elif found.weeks:
            say()
            _week_table(desk, found)


def tier_table(desk: Desk, lines: Sequence[TierLine]) -> None:
    rows = [
        [
            line.tier.name,
            wording.plural(line.tier.window_days, "day"),
            _both(line.coverage),
            _both(line.reply_backed),
            *(str(number) for number in (line.due_soon, line.overdue, line.new, line.blind, line.paused)),
        ]
        for line in lines
    ]
    columns = ["Tier", "Window", "Covered", "By reply", "Soon", "Overdue", "New", "Blind", "Paused"]
    as_table(desk, columns, rows, right=[4, 5, 6, 7, 8])


def _outlook(desk: Desk, targets: tuple[OtherTarget, ...], found: CoverageOverTime) -> Outlook:
    try:
        with desk.reading() as session:
            return outlook_of(session, desk.programme, found.at, targets)
    except ValueError as error:
        raise click.BadParameter(str(error), click.get_current_context(), param_hint="--what-if") from error


def _both(coverage: Coverage) -> str:
    return wording.counted(coverage, "") if coverage.eligible else "–"


def _percent(coverage: Coverage) -> str:
    return f"{wording.percent(coverage)} %" if coverage.eligible else "–"


def tier_record(line: TierLine) -> dict[str, Any]:
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
        "reply_backed_partners": line.reply_backed.covered,
    }


def _week_record(one: TrendLine) -> dict[str, Any]:
    return {
        "week": one.week,
        "tier": one.tier.name,
        "covered": one.coverage.covered,
        "eligible": one.coverage.eligible,
        "coverage": one.coverage.share,
        "source": one.source,
        "rank": one.tier.rank,
        "window_days": one.tier.window_days,
        "reply_backed": one.reply_backed.share,
        "reply_backed_partners": one.reply_backed.covered,
        "on_time": one.on_time.covered,
        "on_time_of": one.on_time.eligible,
        "overdue": one.overdue,
        "new": one.new,
        "blind": one.blind,
        "paused": one.paused,
        **_happened(one.recoveries),
    }


def _recoveries_record(found: CoverageOverTime) -> dict[str, Any]:
    """Of all the weeks that are told of, together and by tier: a median of medians would be another number."""
    by_tier = found.recoveries
    names = {one.tier.rank: one.tier.name for one in found.weeks}
    tiers = [{"tier": names[rank], "rank": rank, **_happened(one)} for rank, one in by_tier.items()]
    return {**_happened(together(by_tier.values())), "tiers": tiers}


def _happened(one: Recoveries) -> dict[str, Any]:
    return {
        "opened": one.opened,
        "claimed": one.claimed,
        "recovered": one.recovered,
        "lapsed": one.lapsed,
        "days_to_recovery": one.days,
    }


def _outlook_record(outlook: Outlook) -> dict[str, Any]:
    now, then = outlook.touches_now, outlook.touches_then
    each_now, each_then = outlook.each(now), outlook.each(then)
    return {
        "tiers": _outlook_rows(outlook),
        "touches_per_week": float(now),
        "then_touches_per_week": float(then),
        "managers": outlook.owners,
        "touches_per_manager_week": None if each_now is None else float(each_now),
        "then_touches_per_manager_week": None if each_then is None else float(each_then),
    }


def _outlook_rows(outlook: Outlook) -> list[dict[str, Any]]:
    rows = []
    for one in outlook.tiers:
        row: dict[str, Any] = {"tier": one.now.tier.name, "rank": one.now.tier.rank}
        for before, under in (("", one.now), ("then_", one.then)):
            row |= {
                f"{before}window_days": under.tier.window_days,
                f"{before}grace_days": under.tier.grace_days,
                f"{before}covered": under.coverage.covered,
                f"{before}eligible": under.coverage.eligible,
                f"{before}coverage": under.coverage.share,
                f"{before}new": under.new,
                f"{before}blind": under.blind,
                f"{before}touches_per_week": float(under.touches),
            }
        rows.append(row)
    return rows


def _week_table(desk: Desk, found: CoverageOverTime) -> None:
    """One line per week and tier; what was not held as a read is said to be reconstructed."""
    rows = [
        [
            one.week.isoformat(),
            wording.plain(one.tier.name, TIER_ROOM),
            _both(one.coverage),
            _percent(one.reply_backed),
            _percent(one.on_time),
            str(one.overdue),
            one.source,
        ]
        for one in found.weeks
    ]
    as_table(desk, ["Week", "Tier", "Covered", "By reply", "On time", "Overdue", "Source"], rows, right=[3, 4, 5])
    if not found.mail:
        tell(desk, coverage_words.sources(found.weeks, mail=False) or "")
    if told := coverage_words.recoveries(found.weeks):
        tell(desk, told)
