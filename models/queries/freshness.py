"""How old those views are that show what was noted or made at some moment, and how much has changed since."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.tables import PartnerStanding
from models.views import view


@dataclass(frozen=True, slots=True)
class Freshness:
    """`outdated` counts partners whose facts have changed since, or that were never judged."""

    partners: int
    standings_as_of: datetime | None  # of v_partner and v_coverage
    standings_outdated: int
    weeks_as_of: datetime | None  # of the reconstructed weeks in v_coverage_week
    weeks_outdated: int


def freshness(session: Session, workspace_id: int) -> Freshness:
    found = view("v_freshness")
    names = [found.c[name] for name in Freshness.__dataclass_fields__]
    return Freshness(*session.execute(select(*names).where(found.c.programme_id == workspace_id)).one())


def standings_as_of(session: Session, workspace_id: int) -> datetime | None:
    """When the oldest standing was noted."""
    noted = PartnerStanding.workspace_id == workspace_id
    return session.scalar(select(func.min(PartnerStanding.as_of)).where(noted))
