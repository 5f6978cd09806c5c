"""Which clocks can be trusted, and what they rest on. Making them anew is `models.actions.clocks`."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, String, and_, bindparam, cast, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from models.clock import instant, local_day, week_of
from models.db import UtcDateTime
from models.queries.programme import Programme
from models.tables import Partner, PartnerClock, WeekSpan, WeekWindow, Workspace
from models.weeks import monday_of, week_number

WEEKS_KEPT = 156
IN_TIME, MISSED = "in time", "missed"  # kinds of the tally that are cadence windows


def rests_on(programme: Programme) -> str:
    """What every clock of a programme rests on beside facts."""
    shut = " ".join(f"{one.from_on}/{one.until_on}" for one in programme.shutdowns)
    return f"{programme.zone.key} {programme.read_at} {programme.policy} {shut} "


def basis(session: Session, programme: Programme) -> str:
    """The same with the version of what concerns all partners. Read it before the facts."""
    version = session.scalars(select(Workspace.cadence_version).where(Workspace.id == programme.workspace_id)).one()
    return f"{rests_on(programme)}{version}"


def _trusted(programme: Any, rest: Any, now: Any) -> ColumnElement[bool]:
    version = select(cast(Workspace.cadence_version, String)).where(Workspace.id == programme).scalar_subquery()
    return and_(
        PartnerClock.workspace_id == programme,
        PartnerClock.changes == PartnerClock.judged,
        PartnerClock.basis == rest + version,
        PartnerClock.computed_at <= now,
        or_(PartnerClock.valid_until.is_(None), PartnerClock.valid_until > now),
    )


TRUSTED = _trusted(
    bindparam("programme", type_=Integer), bindparam("rest", type_=String), bindparam("now", type_=UtcDateTime)
)
"""The clocks that tell the truth, given the values of `trust`."""


def trust(programme: Programme, now: datetime) -> dict[str, Any]:
    return {"programme": programme.workspace_id, "rest": rests_on(programme), "now": now}


def _trusted_at(programme: Programme, now: datetime) -> ColumnElement[bool]:
    return _trusted(programme.workspace_id, literal(rests_on(programme)), now)


def reaching(programme: Programme, now: datetime) -> ColumnElement[bool]:
    """Of the trusted clocks those whose spans reach the last read."""
    return and_(_trusted_at(programme, now), PartnerClock.week >= last_week(programme, now))


def outdated_partners(
    session: Session, programme: Programme, now: datetime, limit: int | None = None, *, spans: bool = True
) -> Sequence[int]:
    """Partners whose clocks do not tell about `now`, or whose `spans` do not reach the last read."""
    good = reaching(programme, now) if spans else _trusted_at(programme, now)
    # Not NOT IN: what PostgreSQL cannot keep in its working memory it would read anew for each partner.
    fine = exists().where(PartnerClock.partner_id == Partner.id, good)
    query = select(Partner.id).where(Partner.workspace_id == programme.workspace_id, ~fine)
    return session.scalars(query.order_by(Partner.id).limit(limit)).all()


def stored_tally(session: Session, which: ColumnElement[bool]) -> dict[tuple[int, int, str], int]:
    """What the spans and windows of these partners' clocks add to the tally: (week, tier rank, kind) → how many."""
    some = select(PartnerClock.partner_id).where(which)
    found: Counter[tuple[int, int, str]] = Counter()
    spans = session.execute(
        select(WeekSpan.from_week, WeekSpan.until_week, WeekSpan.tier_rank, WeekSpan.kind, func.count())
        .where(WeekSpan.partner_id.in_(some))
        .group_by(WeekSpan.from_week, WeekSpan.until_week, WeekSpan.tier_rank, WeekSpan.kind)
    )
    for from_week, until_week, rank, kind, number in spans:
        for week in range(from_week, until_week + 1):
            found[week, rank, kind] += number
    windows = session.execute(
        select(WeekWindow.week, WeekWindow.tier_rank, func.sum(WeekWindow.in_time), func.sum(WeekWindow.missed))
        .where(WeekWindow.partner_id.in_(some))
        .group_by(WeekWindow.week, WeekWindow.tier_rank)
    )
    for week, rank, in_time, missed in windows:
        found[week, rank, IN_TIME] += in_time
        found[week, rank, MISSED] += missed
    return dict(found)


def last_week(programme: Programme, now: datetime) -> int:
    """The newest week whose read was due."""
    number = week_number(week_of(local_day(now, programme.zone)))
    return number if scheduled_at(programme, number) <= now else number - 1


def scheduled_at(programme: Programme, number: int) -> datetime:
    """When the read of a week was due."""
    day = monday_of(number) + timedelta(days=programme.read_at.weekday)
    return instant(day, programme.read_at.at, programme.zone)
