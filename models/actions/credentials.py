"""Writes of a mailbox's sealed secret by itself. Nothing is audited: nobody decided anything."""

from sqlalchemy import update
from sqlalchemy.orm import Session

from models.tables import Mailbox


def replace_credential(session: Session, mailbox_id: int, before: str, after: str) -> None:
    """Puts one sealed secret in the place of another. A mailbox that was connected anew meanwhile keeps its own."""
    session.execute(
        update(Mailbox).where(Mailbox.id == mailbox_id, Mailbox.credential == before).values(credential=after)
    )
