"""Which partners people want no nudges about."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.tables import MutedPartner, Partner


def muted_partners(session: Session, person_id: int) -> list[tuple[int, str]]:
    """Id and name of each, by name."""
    rows = session.execute(
        select(Partner.id, Partner.name)
        .join(MutedPartner, MutedPartner.partner_id == Partner.id)
        .where(MutedPartner.person_id == person_id)
        .order_by(Partner.name, Partner.id)
    )
    return [(row.id, row.name) for row in rows]


def muted_by(session: Session, workspace_id: int) -> set[tuple[int, int]]:
    """Of everybody: person and partner."""
    rows = session.execute(
        select(MutedPartner.person_id, MutedPartner.partner_id)
        .join(Partner, Partner.id == MutedPartner.partner_id)
        .where(Partner.workspace_id == workspace_id)
    )
    return {(row.person_id, row.partner_id) for row in rows}
