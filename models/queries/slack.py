"""What the Slack surface asks before it believes an id that came back in a button."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.tables import MutedPartner, Partner, Read


def has_read(session: Session, workspace_id: int, read_id: int) -> bool:
    return session.scalar(select(Read.id).where(Read.id == read_id, Read.workspace_id == workspace_id)) is not None


def has_partner(session: Session, workspace_id: int, partner_id: int) -> bool:
    found = select(Partner.id).where(Partner.id == partner_id, Partner.workspace_id == workspace_id)
    return session.scalar(found) is not None


def is_muted(session: Session, person_id: int, partner_id: int) -> bool:
    """Whether the person wants no nudges about the partner."""
    return session.get(MutedPartner, (person_id, partner_id)) is not None
