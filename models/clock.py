"""The only reader of the clock. Everything else is handed one `now` per decision and never asks again."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo


class Clock(Protocol):
    """Says what time it is: an aware UTC instant."""

    def now(self) -> datetime: ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def local_day(at: datetime, zone: ZoneInfo) -> date:
    """The calendar day of an instant in the programme's time zone."""
    return at.astimezone(zone).date()


def week_of(day: date) -> date:
    """The Monday of the day's week: the name of a week everywhere in Cadence."""
    return day - timedelta(days=day.weekday())


def instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The UTC instant of a local wall-clock time. One that a clock change skips is read with the offset before it."""
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
