"""The shutdowns of a programme with their ids, for those who keep them."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import tables
from models.cadence import Shutdown


@dataclass(frozen=True, slots=True)
class KeptShutdown:
    id: int
    shutdown: Shutdown


def kept_shutdowns(session: Session, workspace_id: int) -> list[KeptShutdown]:
    """Those that are in force, by their days."""
    rows = session.scalars(
        select(tables.Shutdown)
        .where(tables.Shutdown.workspace_id == workspace_id, tables.Shutdown.ended_at.is_(None))
        .order_by(tables.Shutdown.from_on)
    )
    return [KeptShutdown(row.id, Shutdown(row.from_on, row.until_on, row.reason)) for row in rows]
