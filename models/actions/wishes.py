"""What a person wishes for the own nudges: hours, zone, holidays, rest, somebody to stand in, partners left out."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from models.actions.people import set_away
from models.actions.write import actor_of, audit, inserted, iso
from models.tables import MutedPartner, Person


@dataclass(frozen=True, slots=True)
class Wishes:
    """None in hours, zone and country: as it is for everybody."""

    nudges: bool
    work_from: int | None
    work_to: int | None
    timezone: str | None
    country: str | None
    snoozed_until: date | None
    away_until: date | None
    stand_in_id: int | None


def set_wishes(session: Session, workspace_id: int, person_id: int, wishes: Wishes, now: datetime) -> bool:
    """The person's own choice, audited as far as it changed; answers whether it did."""
    row, actor = session.get_one(Person, person_id), actor_of(person_id)
    names = ("nudges", "work_from", "work_to", "timezone", "country", "snoozed_until")
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name in names:
        old, new = getattr(row, name), getattr(wishes, name)
        if old != new:
            before[name], after[name] = _plain(old), _plain(new)
            setattr(row, name, new)
    if after:
        audit(session, workspace_id, actor, "set wishes", actor, now, before=before, after=after)
    away = set_away(session, workspace_id, actor, person_id, wishes.away_until, wishes.stand_in_id, now)
    return bool(after) or away


def mute(session: Session, workspace_id: int, person_id: int, partner_id: int, now: datetime) -> bool:
    """No nudges to this person about this partner; answers whether that is new."""
    row = {"person_id": person_id, "partner_id": partner_id, "muted_at": now}
    if inserted(session, MutedPartner, row) is None:
        return False
    actor = actor_of(person_id)
    audit(session, workspace_id, actor, "mute partner", f"partner:{partner_id}", now, after={"for": actor})
    return True


def unmute(session: Session, workspace_id: int, person_id: int, partner_id: int, now: datetime) -> bool:
    """Nudges about the partner again; answers whether there were none before."""
    mine = (MutedPartner.person_id == person_id, MutedPartner.partner_id == partner_id)
    if session.scalar(delete(MutedPartner).where(*mine).returning(MutedPartner.partner_id)) is None:
        return False
    actor = actor_of(person_id)
    audit(session, workspace_id, actor, "unmute partner", f"partner:{partner_id}", now, before={"for": actor})
    return True


def keep_muted(session: Session, workspace_id: int, person_id: int, partner_ids: Collection[int], now: datetime) -> int:
    """Unmutes all partners but these; answers how many."""
    muted = session.scalars(select(MutedPartner.partner_id).where(MutedPartner.person_id == person_id)).all()
    return sum(unmute(session, workspace_id, person_id, one, now) for one in muted if one not in partner_ids)


def _plain(value: object) -> object:
    return iso(value) if isinstance(value, date) else value
