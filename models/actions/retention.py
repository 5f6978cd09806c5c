"""Erases by age, a page at a time: each page is one transaction with its own audit entry, so none needs the next."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.orm import Session

from models.actions.clocks import facts_changed
from models.actions.write import CLOCK, audit
from models.queries import retention
from models.tables import AuditEntry, Seen, Sighting, Touch, Workspace

ROWS = 500  # of one statement: databases limit the number of its parameters


def erase_touches(
    session: Session, workspace_id: int, partner_ids: Collection[int], before: datetime, now: datetime
) -> int:
    """Of these partners; from the first one on, no figure is given for an instant before `before`."""
    # Capture takes the same lock for a page, so that no mail is stored between looking and erasing.
    session.execute(select(Workspace.id).where(Workspace.id == workspace_id).with_for_update(key_share=True)).one()
    ids = retention.old_touches(session, partner_ids, before)
    if not ids:
        return 0
    session.execute(
        update(Workspace)
        .where(Workspace.id == workspace_id)
        .where(or_(Workspace.touches_kept_from.is_(None), Workspace.touches_kept_from < before))
        .values(touches_kept_from=before)
    )
    for start in range(0, len(ids), ROWS):
        some = ids[start : start + ROWS]
        session.execute(delete(Sighting).where(Sighting.touch_id.in_(some)))
        session.execute(delete(Touch).where(Touch.id.in_(some)))
    facts_changed(session, workspace_id, partner_ids)
    _note(session, workspace_id, "touches", len(ids), before, now)
    return len(ids)


def erase_seen(session: Session, workspace_id: int, before: datetime, limit: int, now: datetime) -> int:
    rows = session.execute(
        select(Seen.mailbox_id, Seen.provider_id).where(retention.old_seen(workspace_id, before)).limit(limit)
    ).all()
    for start in range(0, len(rows), ROWS):
        some = rows[start : start + ROWS]
        for mailbox_id in {row.mailbox_id for row in some}:
            ids = [row.provider_id for row in some if row.mailbox_id == mailbox_id]
            session.execute(delete(Seen).where(and_(Seen.mailbox_id == mailbox_id, Seen.provider_id.in_(ids))))
    if rows:
        _note(session, workspace_id, "ledger", len(rows), before, now)
    return len(rows)


def erase_audit(session: Session, workspace_id: int, before: datetime, limit: int, now: datetime) -> int:
    ids = session.scalars(
        select(AuditEntry.id).where(retention.old_audit(workspace_id, before)).order_by(AuditEntry.id).limit(limit)
    ).all()
    for start in range(0, len(ids), ROWS):
        session.execute(delete(AuditEntry).where(AuditEntry.id.in_(ids[start : start + ROWS])))
    if ids:
        _note(session, workspace_id, "audit", len(ids), before, now)
    return len(ids)


def _note(session: Session, workspace_id: int, kind: str, count: int, before: datetime, now: datetime) -> None:
    after = {"erased": count, "before": before.isoformat()}
    audit(session, workspace_id, CLOCK, "erase by age", kind, now, after=after)
