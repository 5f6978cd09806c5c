"""Writes of how every partner stands, for tools that read the database. Judging is `models.standing`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from models.actions.write import insert_into
from models.queries.programme import Programme
from models.queries.standings import standings
from models.standing import Standing
from models.tables import Partner, PartnerClock, PartnerStanding, Workspace

AT_ONCE = 500


def note_standings(
    sessions: sessionmaker[Session], reading: sessionmaker[Session], programme: Programme, now: datetime
) -> int:
    """Notes every partner's standing of this instant in place of the last one; answers how many.

    Judging happens outside of the transaction that stores. What has changed is counted before the facts are read: a
    change that comes meanwhile makes the note look older than it is, never newer.
    """
    with reading() as session:
        ids = session.scalars(
            select(Partner.id).where(Partner.workspace_id == programme.workspace_id).order_by(Partner.id)
        ).all()
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        with reading() as session:
            rows = _judged(session, programme, some, now)
        with sessions.begin() as session:
            _store(session, rows)
    return len(ids)


def _judged(session: Session, programme: Programme, partner_ids: Sequence[int], now: datetime) -> list[dict[str, Any]]:
    workspace_id = programme.workspace_id
    version = session.scalars(select(Workspace.cadence_version).where(Workspace.id == workspace_id)).one()
    counted = select(PartnerClock.partner_id, PartnerClock.changes).where(PartnerClock.partner_id.in_(partner_ids))
    changes = {row.partner_id: row.changes for row in session.execute(counted)}
    noted = {"workspace_id": workspace_id, "as_of": now, "cadence_version": version}
    return [
        {**noted, "changes": changes.get(one.facts.partner_id, 0), **_standing(one)}
        for one in standings(session, programme, now, partner_ids=partner_ids)
    ]


def _store(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Several replicas may note at once: the last one stands."""
    insert = insert_into(session, PartnerStanding)
    new = {name: insert.excluded[name] for name in rows[0] if name != "partner_id"}
    session.execute(insert.on_conflict_do_update(index_elements=["partner_id"], set_=new), rows)


def _standing(one: Standing) -> dict[str, Any]:
    facts = one.facts
    return {
        "partner_id": facts.partner_id,
        "state": str(one.state),
        "tier_rank": facts.tier.rank if facts.tier else None,
        "window_days": facts.tier.window_days if facts.tier else None,
        "grace_days": facts.tier.grace_days if facts.tier else None,
        "owner_id": facts.owner.id if facts.owner else None,
        "last_touch_at": facts.last_touch_at,
        "last_touch_by": facts.last_touch_by,
        "last_heard_at": facts.last_heard_at,
        "days_since": one.days_since,
        "due_on": one.due_on,
        "days_overdue": one.days_overdue,
        "reply_backed": one.reply_backed,
        "reply_owed": one.reply_owed,
        "unobserved": one.unobserved,
    }
