"""Holds the weekly read when it is due and puts it into the outbox. Sending is the outbox's, wording the views'.

The read and its messages commit together: a crash leaves both or neither, and the week's unique row admits one.
"""

from datetime import datetime, time, timedelta

from sqlalchemy.orm import Session, sessionmaker

from bot.views.read import read_parts, unassigned_payload
from bot.views.trend import TREND_PART, TREND_WEEKS, trend_payload
from jobs.recovery import SWEEP
from models.actions import outbox, reads
from models.actions.setup import UNCHECKED
from models.actions.write import CLOCK
from models.clock import instant, local_day, week_of
from models.queries import reads as queries
from models.queries.programme import Programme, first_ran_at, people
from models.queries.trend import trend
from models.weekly_read import WeeklyRead

ASK_LEADS_AT = time(16, 0)
FIRST_ROUND = timedelta(minutes=15)  # a Cadence started just before the hour is still reading its mailboxes then


def read_is_due(session: Session, programme: Programme, now: datetime) -> bool:
    """Whether this week's read should stand by now. An outage over Monday 09:00 delays it and never loses it.

    A week whose hour was over before Cadence first ran is not made up for: whoever sets it up on a Wednesday has been
    promised the next Monday, and a channel must not be surprised.
    """
    week, due_at = week_of(local_day(now, programme.zone)), due_in_week(programme, now)
    begun_at = programme.started_at or programme.created_at
    if programme.channel is None or not programme.started or not begun_at <= due_at <= now:
        return False
    if programme.channel_trouble not in (None, UNCHECKED):
        return False
    ran_at = first_ran_at(session, programme.workspace_id, SWEEP)
    return (
        ran_at is not None
        and ran_at <= due_at + FIRST_ROUND
        and queries.read_of_week(session, programme.workspace_id, week) is None
    )


def due_in_week(programme: Programme, now: datetime) -> datetime:
    """When the read of the current week is, or was, due."""
    return queries.read_instant(programme, week_of(local_day(now, programme.zone)))


def hold_and_post(
    sessions: sessionmaker[Session], programme: Programme, now: datetime, *, actor: str = CLOCK
) -> int | None:
    """Holds this week's read and queues its messages; None when somebody was faster or it was held before."""
    if programme.channel is None:
        return None
    with sessions.begin() as session:
        read_id = reads.hold_read(session, programme, now, actor)
        if read_id is None:
            return None
        held = queries.held_read(session, programme, read_id, now)
        if programme.when_empty == "skip" and calm(held.read):
            return read_id
        parts = dict(enumerate(read_parts(held, 0)))
        drawn = trend_payload(trend(session, programme, now, TREND_WEEKS)) if held.read.overdue else None
        if drawn is not None:
            parts[TREND_PART] = drawn
        week = held.read.week.isoformat()
        for part, payload in parts.items():
            outbox.enqueue(session, programme.workspace_id, programme.channel, "read", week, part, payload, now)
    return read_id


def calm(read: WeeklyRead) -> bool:
    """Whether a read has nothing that anybody should hear of: nobody slipped, and nobody was left unseen."""
    return not (read.overdue or read.blind or read.troubles)


def ask_leads(sessions: sessionmaker[Session], programme: Programme, now: datetime) -> int:
    """On the day of the read at 16:00 the leads get what nobody has taken yet; answers how many were asked."""
    today = local_day(now, programme.zone)
    week = week_of(today)
    if any(one.from_on <= today <= one.until_on for one in programme.shutdowns):
        return 0
    if today.weekday() != programme.read_at.weekday or now < instant(today, ASK_LEADS_AT, programme.zone):
        return 0
    asked = 0
    with sessions.begin() as session:
        read_id = queries.read_of_week(session, programme.workspace_id, week)
        if read_id is None:
            return 0
        held = queries.held_read(session, programme, read_id, now)
        payload = unassigned_payload(held)
        if payload is None:
            return 0
        for person in people(session, programme.workspace_id):
            if person.leads and person.slack_user_id:
                post_id = outbox.enqueue(
                    session,
                    programme.workspace_id,
                    person.slack_user_id,
                    "unassigned",
                    week.isoformat(),
                    0,
                    payload,
                    now,
                )
                asked += post_id is not None
    return asked
