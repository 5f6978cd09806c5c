"""What was ever agreed next with a partner, and what became of it."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from models.tables import NextStep, Person


@dataclass(frozen=True, slots=True)
class PastStep:
    """`ended` is None while it stands; else superseded or done."""

    text: str
    due_on: date | None
    owner: str | None
    set_by: str | None
    set_at: datetime
    ended_at: datetime | None
    ended: str | None


def step_history(session: Session, partner_id: int, limit: int) -> tuple[list[PastStep], int]:
    """The newest steps, and how many there are in all."""
    owner, setter = aliased(Person), aliased(Person)
    rows = session.execute(
        select(NextStep, owner.name.label("owner"), setter.name.label("setter"))
        .outerjoin(owner, owner.id == NextStep.owner_id)
        .outerjoin(setter, setter.id == NextStep.set_by_id)
        .where(NextStep.partner_id == partner_id)
        .order_by(NextStep.set_at.desc(), NextStep.id.desc())
        .limit(limit)
    ).all()
    count = session.scalar(select(func.count()).select_from(NextStep).where(NextStep.partner_id == partner_id)) or 0
    return [
        PastStep(
            row.NextStep.text,
            row.NextStep.due_on,
            row.owner,
            row.setter,
            row.NextStep.set_at,
            row.NextStep.ended_at,
            row.NextStep.end_reason,
        )
        for row in rows
    ], count
