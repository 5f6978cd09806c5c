"""Writes of a mailbox's sealed secret by itself. Nothing is audited: nobody decided anything."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models.tables import Mailbox


def replace_credential(session: Session, mailbox_id: int, before: str, after: str) -> bool:
    """Puts one sealed secret in the place of another; False where another one stands there by now."""
    done = session.execute(
        update(Mailbox)
        .where(Mailbox.id == mailbox_id, Mailbox.credential == before)
        .values(credential=after)
        .returning(Mailbox.id),
        execution_options={"synchronize_session": False},
    )
    return done.first() is not None


def credential_of(session: Session, mailbox_id: int) -> str | None:
    """The sealed secret as it stands now."""
    return session.scalar(select(Mailbox.credential).where(Mailbox.id == mailbox_id))
