"""A quarter as its page tells it: coverage over time, recoveries of the whole span, and what was not seen or counted.

It gathers what other queries count, and counts nothing itself.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from models import weekly_read as pure
from models.cadence import Policy, Shutdown
from models.clock import local_day
from models.queries.clocks import scheduled_at
from models.queries.coverage import CoverageOverTime, coverage_over_time
from models.queries.programme import Programme, tiers
from models.queries.reads import troubles
from models.queries.standings import standings
from models.weekly_read import WeeklyRead
from models.weeks import week_number


@dataclass(frozen=True, slots=True)
class Quarter:
    """`read` is the picture of all partners at `at`.

    `since` is the read before the first of the weeks, and None where no week is told of.
    """

    at: datetime
    coverage: CoverageOverTime
    read: WeeklyRead
    since: datetime | None
    policy: Policy
    shutdowns: tuple[Shutdown, ...]
    next_read_at: datetime

    @property
    def weeks(self) -> list[date]:
        return sorted({one.week for one in self.coverage.weeks})

    @property
    def until(self) -> datetime | None:
        """The last read that is told of."""
        return self.coverage.weeks[-1].at if self.coverage.weeks else None


def quarter(session: Session, programme: Programme, now: datetime, weeks: int) -> Quarter:
    """The last `weeks` weekly reads until `now`. Of any instant, also one before the installation."""
    found = coverage_over_time(session, programme, now, weeks)
    read = pure.weekly_read(
        standings(session, programme, now),
        tiers(session, programme.workspace_id, now).values(),
        now,
        programme.zone,
        troubles=troubles(session, programme, now),
    )
    this_week = week_number(read.week)
    due_at = scheduled_at(programme, this_week)
    since = None
    if found.weeks:
        since = scheduled_at(programme, week_number(found.weeks[0].week) - 1)
    first_on = local_day(since, programme.zone) if since else read.today
    return Quarter(
        at=now,
        coverage=found,
        read=read,
        since=since,
        policy=programme.policy,
        shutdowns=tuple(one for one in programme.shutdowns if one.until_on >= first_on),
        next_read_at=due_at if due_at > now else scheduled_at(programme, this_week + 1),
    )
