"""The monthly post for the leadership: the answer to `/cadence coverage` under a title. It names nobody."""

from zoneinfo import ZoneInfo

from bot import coverage_words, wording
from bot.views import kit
from bot.views.coverage import coverage_answer
from bot.views.kit import Payload
from models.clock import local_day
from models.queries.coverage import CoverageOverTime


def title(found: CoverageOverTime, zone: ZoneInfo) -> str:
    today = local_day(found.at, zone)
    return f"Cadence coverage, {wording.on_day(today, today)} {today.year}"


def told(found: CoverageOverTime, zone: ZoneInfo) -> list[str]:
    """The post as plain sentences."""
    notes = (coverage_words.outside(found), coverage_words.sources(found.weeks, mail=found.mail))
    return [f"{title(found, zone)}.", *coverage_words.page(found, zone), *filter(None, notes)]


def monthly_payload(found: CoverageOverTime, zone: ZoneInfo) -> Payload:
    return {
        "text": kit.words(" ".join(told(found, zone)), kit.MOST_TEXT - 10),
        "blocks": [kit.header(title(found, zone)), *coverage_answer(found, zone)["blocks"]],
    }
