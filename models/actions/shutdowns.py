"""Writes of shutdowns: days on which the whole programme is shut and no window runs on."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.actions.clocks import facts_changed
from models.actions.write import audit
from models.cadence import Shutdown
from models.tables import Shutdown as ShutdownRow
from models.tables import Workspace

LONGEST_DAYS = 92


class WrongShutdown(Exception):
    """These days cannot be a shutdown; the text says why and what to do."""


def add_shutdown(session: Session, workspace_id: int, actor: str, wanted: Shutdown, now: datetime) -> int:
    """Shuts the programme on these days; raises WrongShutdown, and then changes nothing."""
    days = (wanted.until_on - wanted.from_on).days + 1
    if days < 1:
        raise WrongShutdown(f"{wanted.until_on} lies before {wanted.from_on}: give the first day, then the last one")
    if days > LONGEST_DAYS:
        raise WrongShutdown(
            f"{days} days are longer than a shutdown can be ({LONGEST_DAYS} days): pause partners instead"
        )
    if not wanted.reason.strip():
        raise WrongShutdown("a shutdown needs a reason that people can read, such as 'Christmas'")
    session.execute(select(Workspace.id).where(Workspace.id == workspace_id).with_for_update(key_share=True))
    other = session.scalars(
        select(ShutdownRow).where(
            ShutdownRow.workspace_id == workspace_id,
            ShutdownRow.ended_at.is_(None),
            ShutdownRow.from_on <= wanted.until_on,
            ShutdownRow.until_on >= wanted.from_on,
        )
    ).first()
    if other is not None:
        raise WrongShutdown(
            f"it overlaps with {other.reason} ({other.from_on} to {other.until_on}): take that back, or change the days"
        )
    row = ShutdownRow(
        workspace_id=workspace_id,
        from_on=wanted.from_on,
        until_on=wanted.until_on,
        reason=wanted.reason.strip(),
        set_at=now,
    )
    session.add(row)
    session.flush()
    after = {"from": str(row.from_on), "until": str(row.until_on), "reason": row.reason}
    audit(session, workspace_id, actor, "add shutdown", f"shutdown:{row.id}", now, after=after)
    facts_changed(session, workspace_id)
    return row.id


def end_shutdown(session: Session, workspace_id: int, actor: str, shutdown_id: int, now: datetime) -> bool:
    """Takes a shutdown back, as if it had never been; answers whether there was one."""
    row = session.scalars(
        select(ShutdownRow).where(
            ShutdownRow.workspace_id == workspace_id, ShutdownRow.id == shutdown_id, ShutdownRow.ended_at.is_(None)
        )
    ).first()
    if row is None:
        return False
    row.ended_at = now
    before = {"from": str(row.from_on), "until": str(row.until_on), "reason": row.reason}
    audit(session, workspace_id, actor, "take shutdown back", f"shutdown:{row.id}", now, before=before)
    facts_changed(session, workspace_id)
    return True
