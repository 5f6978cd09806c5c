"""Keeps a mailbox's secret alive where its provider replaces it with use. It calls nobody."""

from typing import Protocol, runtime_checkable

from sqlalchemy.orm import Session, sessionmaker

from jobs.mailbox.base import Mailbox
from models.actions.credentials import replace_credential
from models.queries.mail import MailboxFacts
from models.vault import Vault


@runtime_checkable
class Renewing(Protocol):
    """A mailbox whose secret ends with time, unless the one that replaces it is stored."""

    def renewed_secret(self) -> str | None: ...


def keep_renewed(sessions: sessionmaker[Session], vault: Vault, facts: MailboxFacts, mailbox: Mailbox) -> None:
    """Stores the secret that the mailbox has now, if it is time to. Call it after a pass."""
    secret = mailbox.renewed_secret() if isinstance(mailbox, Renewing) else None
    if secret is not None and facts.credential is not None:
        sealed = vault.seal(facts.address, secret)
        with sessions.begin() as session:
            replace_credential(session, facts.id, facts.credential, sealed)
