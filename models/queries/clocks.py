"""Which clocks can be trusted, and what they rest on. Making them anew is `models.actions.clocks`."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from models.clock import instant, local_day, week_of
from models.queries.programme import Programme
from models.tables import Partner, PartnerClock, Workspace
from models.weeks import monday_of, week_number


def basis(session: Session, programme: Programme) -> str:
    """What every clock of a programme rests on beside the partner's own facts. Read it before the facts."""
    version = session.scalars(select(Workspace.cadence_version).where(Workspace.id == programme.workspace_id)).one()
    shut = " ".join(f"{one.from_on}/{one.until_on}" for one in programme.shutdowns)
    return f"{programme.zone.key} {programme.read_at} {programme.policy} {version} {shut}"


def trusted(session: Session, programme: Programme, now: datetime) -> ColumnElement[bool]:
    """The clocks that tell the truth about `now`."""
    return and_(
        PartnerClock.workspace_id == programme.workspace_id,
        PartnerClock.changes == PartnerClock.judged,
        PartnerClock.basis == basis(session, programme),
        PartnerClock.computed_at <= now,
        or_(PartnerClock.valid_until.is_(None), PartnerClock.valid_until > now),
    )


def reaching(session: Session, programme: Programme, now: datetime) -> ColumnElement[bool]:
    """Of the trusted clocks those whose spans reach the last read."""
    return and_(trusted(session, programme, now), PartnerClock.week >= last_week(programme, now))


def outdated_partners(
    session: Session, programme: Programme, now: datetime, limit: int | None = None, *, spans: bool = True
) -> Sequence[int]:
    """Partners whose clocks do not tell about `now`, or whose `spans` do not reach the last read."""
    good = reaching(session, programme, now) if spans else trusted(session, programme, now)
    fine = select(PartnerClock.partner_id).where(good)
    query = select(Partner.id).where(Partner.workspace_id == programme.workspace_id, Partner.id.not_in(fine))
    return session.scalars(query.order_by(Partner.id).limit(limit)).all()


def last_week(programme: Programme, now: datetime) -> int:
    """The newest week whose read was due."""
    number = week_number(week_of(local_day(now, programme.zone)))
    return number if scheduled_at(programme, number) <= now else number - 1


def scheduled_at(programme: Programme, number: int) -> datetime:
    """When the read of a week was due."""
    day = monday_of(number) + timedelta(days=programme.read_at.weekday)
    return instant(day, programme.read_at.at, programme.zone)
