"""Coverage of the last weeks beneath the weekly read: Slack's own chart, and the same figures as text.

It stands in the thread, so that the message in the channel stays small. Where Slack draws no charts the text is posted.
"""

from collections.abc import Sequence

from bot import wording
from bot.views import kit
from bot.views.coverage import trend_chart
from bot.views.kit import Payload
from models.queries.trend import TrendLine

TREND_WEEKS = 13
TREND_PART = 9  # of a read's messages: behind every page of partners
MOST_TIERS = 12
NO_FIGURE = "–"


def trend_payload(lines: Sequence[TrendLine]) -> Payload | None:
    """None while there are no two weeks to compare."""
    chart, left_out = trend_chart(lines)
    if chart is None:
        return None
    weeks = sorted({one.week for one in lines})
    title = f"Cadence coverage, {len(weeks)} weekly reads from {wording.on_day(weeks[0], weeks[-1])}, in per cent"
    ranks = sorted({one.tier.rank for one in lines})
    told = [kit.words(_told(lines, rank), 220) for rank in ranks[:MOST_TIERS]]
    if len(ranks) > MOST_TIERS:
        told.append(f"and {len(ranks) - MOST_TIERS} more tiers")
    said = "\n".join(told)
    notes = [kit.context(kit.words(left_out, 300))] if left_out else []
    return {
        "text": "\n".join(filter(None, [f"{title}:", said, kit.words(left_out or "", 300)])),
        "blocks": [kit.section(f"*{title}*"), chart, kit.context(said), *notes],
    }


def _told(lines: Sequence[TrendLine], rank: int) -> str:
    """ "Tier 1: 62, 64, 71": its figures from the oldest week to the newest."""
    mine = sorted((one for one in lines if one.tier.rank == rank), key=lambda one: one.week)
    figures = [wording.percent(one.coverage) for one in mine]
    shown = ", ".join(NO_FIGURE if one is None else str(one) for one in figures)
    return f"{wording.name(mine[-1].tier.name)}: {shown}"
