"""The shutdowns of a programme with their ids, for those who keep them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import tables
from models.cadence import Shutdown


@dataclass(frozen=True, slots=True)
class KeptShutdown:
    id: int
    shutdown: Shutdown


def kept_shutdowns(session: Session, workspace_id: int, *, entered_by: datetime | None = None) -> list[KeptShutdown]:
    """Those that are in force, by their days; of these only what was entered by an instant, if one is given."""
    query = (
        select(tables.Shutdown)
        .where(tables.Shutdown.workspace_id == workspace_id, tables.Shutdown.ended_at.is_(None))
        .order_by(tables.Shutdown.from_on)
    )
    rows = session.scalars(query if entered_by is None else query.where(tables.Shutdown.set_at <= entered_by))
    return [KeptShutdown(row.id, Shutdown(row.from_on, row.until_on, row.reason)) for row in rows]
