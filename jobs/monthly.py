"""Posts the page about coverage in the channel of the leadership, once a month. It is off until a channel is named.

What goes out names no person and no partner. Sending is the outbox's, wording the views'.
"""

from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session, sessionmaker

from bot.views.monthly import monthly_payload
from models.actions import outbox
from models.cadence import Shutdown
from models.clock import instant, local_day
from models.queries.coverage import coverage_over_time
from models.queries.outbox import is_queued
from models.queries.programme import Programme

KIND = "monthly"
WEEKS = 13
CATCH_UP = timedelta(days=7)  # older, it is no news: the next month has its own


def due_at(programme: Programme, month: date) -> datetime | None:
    """The read's hour on the first working day of a month; None where the programme is shut for all of it."""
    day = first_working_day(month, programme.shutdowns)
    return None if day is None else instant(day, programme.read_at.at, programme.zone)


def first_working_day(month: date, shutdowns: tuple[Shutdown, ...]) -> date | None:
    """The first day from Monday to Friday in the month of this day that lies in no shutdown."""
    day = month.replace(day=1)
    while day.month == month.month:
        if day.weekday() < 5 and not any(one.from_on <= day <= one.until_on for one in shutdowns):
            return day
        day += timedelta(days=1)
    return None


def next_post_at(programme: Programme, now: datetime) -> datetime:
    """When the next post is due if nothing delays it."""
    month = local_day(now, programme.zone).replace(day=1)
    while True:
        at = due_at(programme, month)
        if at is not None and at > now:
            return at
        month = (month + timedelta(days=32)).replace(day=1)


def post_is_due(session: Session, programme: Programme, now: datetime) -> bool:
    """Whether this month's post should stand by now. An outage delays it by a week at most, then it is left out.

    Whoever switches it on in the middle of a month has been promised the next one.
    """
    month = local_day(now, programme.zone)
    at = due_at(programme, month)
    if programme.leaders_channel is None or programme.leaders_since is None or at is None:
        return False
    if not programme.leaders_since <= at <= now < at + CATCH_UP:
        return False
    return not is_queued(session, programme.workspace_id, KIND, _period(month))


def queue_post(sessions: sessionmaker[Session], programme: Programme, now: datetime) -> int | None:
    """Puts this month's post into the outbox; None when somebody was faster. Who asks has asked `post_is_due`."""
    if programme.leaders_channel is None:
        return None
    with sessions.begin() as session:
        found = coverage_over_time(session, programme, now, WEEKS)
        payload = monthly_payload(found, programme.zone)
        period = _period(local_day(now, programme.zone))
        return outbox.enqueue(session, programme.workspace_id, programme.leaders_channel, KIND, period, 0, payload, now)


def _period(day: date) -> str:
    return f"{day:%Y-%m}"
