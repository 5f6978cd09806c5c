"""Coverage over time in Slack: four sentences, a chart, and what the chart leaves out. The text says the same."""

from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

from bot import coverage_words, ids, wording
from bot.views import kit
from bot.views.kit import Block, Payload
from models.queries.coverage import CoverageOverTime
from models.queries.trend import TrendLine
from models.what_if import Outlook

# What Slack draws: docs.slack.dev/reference/block-kit/blocks/data-visualization-block
MOST_SERIES, MOST_CATEGORIES = 6, 20
LABEL, TITLE, AXIS = 20, 50, 50
STAR = "*"


def coverage_answer(found: CoverageOverTime, zone: ZoneInfo) -> Payload:
    """The page of a leader. No partner and no person is named."""
    said = coverage_words.page(found, zone)
    notes = [coverage_words.outside(found), coverage_words.sources(found.weeks, mail=found.mail)]
    told = [*said, *(one for one in notes if one)]
    chart, left_out = trend_chart(found.weeks)
    small = [one for one in (*notes, left_out) if one]
    return {
        "text": kit.words(" ".join(told), kit.MOST_TEXT - 10),
        "blocks": [
            kit.section("\n".join(kit.words(one, 700) for one in said)),
            *([chart] if chart else []),
            *([kit.context("\n".join(kit.words(one, 600) for one in small))] if small else []),
        ],
    }


def what_if_answer(outlook: Outlook) -> Payload:
    said, counted = coverage_words.what_if(outlook), coverage_words.counted_touches(outlook)
    return {
        "text": kit.words(" ".join([*said, counted]), kit.MOST_TEXT - 10),
        "blocks": [kit.section("\n".join(kit.words(one, 290) for one in said)), kit.context(kit.words(counted, 600))],
    }


def which_tier_answer() -> Payload:
    """To a what-if that names no tier and no days."""
    what_if = f"{ids.COMMAND} coverage what if tier 1 at 10 days"
    return kit.notice(f"Which tier, and at how many days? For example `{what_if}`, or `{what_if} and tier 2 at 21`.")


def trend_chart(lines: Sequence[TrendLine]) -> tuple[Block | None, str | None]:
    """A line per tier, in whole per cent as everywhere, and a word on what it leaves out; no chart below two weeks.

    Every line needs a value at every label, and "nobody was eligible" is no value. So weeks in which one of the lines
    has none are left out, and lines that would cost most of the weeks go first. Weeks before anybody had a figure cost
    nothing: a young programme has few.
    """
    figures = {(one.tier.rank, one.week): wording.percent(one.coverage) for one in lines}
    names = {one.tier.rank: one.tier.name for one in lines}
    all_weeks = sorted({one.week for one in lines})
    known = {rank: [week for week in all_weeks if figures.get((rank, week)) is not None] for rank in sorted(names)}
    ranks = [rank for rank in known if known[rank]][:MOST_SERIES]
    counted = len(set().union(*known.values()))
    while len(ranks) > 1 and len(_common(known, ranks)) < max(2, counted // 2):
        ranks.remove(min(reversed(ranks), key=lambda rank: len(known[rank])))
    weeks = _common(known, ranks) if ranks else []
    if len(weeks) < 2:
        return None, None
    shown = [weeks[at] for at in coverage_words.evenly(len(weeks), MOST_CATEGORIES)]
    made = {one.week: one.source == coverage_words.RECONSTRUCTED for one in lines}
    years = len({week.year for week in shown}) > 1
    labels = {week: _day(week, years=years) + (STAR if made[week] else "") for week in shown}
    block = line_chart(
        "Cadence coverage, in per cent",
        [(names[rank], [(labels[week], figures[rank, week] or 0) for week in shown]) for rank in ranks],
        x_label="Week of the read",
        y_label="Per cent of eligible partners covered",
    )
    return block, _left_out(
        len(names) - len(ranks), len(all_weeks), len(shown), starred=any(made[one] for one in shown)
    )


def line_chart(
    title: str, series: Sequence[tuple[str, Sequence[tuple[str, int]]]], *, x_label: str, y_label: str
) -> Block:
    """Slack's own JSON for a chart. Series must have different names, and a value for each label."""
    return {
        "type": "data_visualization",
        "title": kit.label(title, TITLE),
        "chart": {
            "type": "line",
            "series": [
                {"name": name, "data": [{"label": label, "value": value} for label, value in points]}
                for name, (_, points) in zip(_different([name for name, _ in series]), series, strict=True)
            ],
            "axis_config": {
                "categories": [label for label, _ in series[0][1]],
                "x_label": kit.label(x_label, AXIS),
                "y_label": kit.label(y_label, AXIS),
            },
        },
    }


def _common(known: dict[int, list[date]], ranks: Sequence[int]) -> list[date]:
    return sorted(set.intersection(*(set(known[rank]) for rank in ranks)))


def _day(week: date, *, years: bool) -> str:
    day = wording.on_day(week, week).split(" ", 1)[1]
    return f"{day} {week.year}" if years else day


def _different(names: Sequence[str]) -> list[str]:
    """Names that differ after they were cut too."""
    found: list[str] = []
    for number, name in enumerate(names, 1):
        cut = kit.label(name, LABEL)
        found.append(cut if cut not in found else f"{kit.label(name, LABEL - 5)} ({number})")
    return found


def _left_out(tiers: int, weeks: int, shown: int, *, starred: bool) -> str | None:
    said = []
    if starred:
        said.append(f"In the chart {STAR} means reconstructed.")
    if shown < weeks:
        said.append(f"The chart shows {shown} of {weeks} weeks.")
    if tiers:
        said.append(f"The chart leaves out {wording.plural(tiers, 'tier')}.")
    return " ".join(said) or None
