"""Holds the weekly read when it is due and puts it into the outbox. Sending is the outbox's, wording the views'.

The read and its messages commit together: a crash leaves both or neither, and the week's unique row admits one.
"""

from datetime import date, datetime, time, timedelta

import structlog
from sqlalchemy.orm import Session, sessionmaker

from bot.views.read import read_parts, unassigned_payload
from bot.views.reads_notice import missed_payload
from bot.views.trend import TREND_PART, TREND_WEEKS, trend_payload
from jobs.recovery import SWEEP
from models.actions import outbox, reads
from models.actions.setup import UNCHECKED
from models.actions.write import CLOCK, first_run
from models.clock import instant, local_day, week_of
from models.queries import reads as queries
from models.queries.programme import Programme, first_ran_at, people
from models.queries.trend import trend
from models.weekly_read import WeeklyRead

ASK_LEADS_AT = time(16, 0)
FIRST_ROUND = timedelta(minutes=15)  # a Cadence started just before the hour is still reading its mailboxes then
MISSED, LOOKS_BACK, WEEK = "missed read", 4, timedelta(weeks=1)
log = structlog.get_logger(__name__)


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


def note_missed(sessions: sessionmaker[Session], programme: Programme, now: datetime) -> list[date]:
    """Weeks that are wholly over without the read that was due: logged and told to the leads, once.

    Where the channel was in trouble the leads know that already. A channel that the settings name has no date of its
    own: for it only weeks after a first read can be missed.
    """
    if programme.channel is None or not programme.started:
        return []
    this, today = week_of(local_day(now, programme.zone)), local_day(now, programme.zone)
    with sessions.begin() as session:
        held = queries.weeks_held(session, programme.workspace_id)
        ran_at = first_ran_at(session, programme.workspace_id, SWEEP)
        begun_at = programme.started_at or (programme.created_at if held else None)
        if begun_at is None or ran_at is None:
            return []
        first = week_of(local_day(begun_at, programme.zone)) if programme.started_at else min(held)
        missed = []
        for back in range(LOOKS_BACK, 0, -1):
            week = this - back * WEEK
            due_at = queries.read_instant(programme, week)
            expected = week >= first and begun_at <= due_at and ran_at <= due_at + FIRST_ROUND
            if expected and week not in held:
                news = first_run(session, programme.workspace_id, MISSED, week.isoformat(), now)
                missed += [week] if news else []
        in_trouble = programme.channel_trouble not in (None, UNCHECKED)
        if missed and not in_trouble:
            subject = f"{MISSED} {missed[-1].isoformat()}"
            outbox.tell_leads(session, programme.workspace_id, subject, missed_payload(missed, today), now)
    if missed:
        why = programme.channel_trouble if in_trouble else "not running, or kept from posting"
        log.error("read.missed", weeks=[week.isoformat() for week in missed], reason=why)
    return missed


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
        drawn = None if calm(held.read) else trend_payload(trend(session, programme, now, TREND_WEEKS))
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
                    outbox.UNASSIGNED,
                    week.isoformat(),
                    0,
                    payload,
                    now,
                )
                asked += post_id is not None
    return asked
