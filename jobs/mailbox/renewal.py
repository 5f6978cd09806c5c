"""Keeps a mailbox's secret alive where its provider replaces it with use. It calls nobody."""

from typing import Protocol, runtime_checkable

from sqlalchemy.orm import Session, sessionmaker

from jobs.mailbox.base import Mailbox
from models.actions.credentials import credential_of, replace_credential
from models.queries.mail import MailboxFacts
from models.vault import Vault


@runtime_checkable
class Renewing(Protocol):
    """A mailbox whose secret ends with time, unless the one that replaces it is stored."""

    def renewed_secret(self) -> str | None: ...


def keep_renewed(sessions: sessionmaker[Session], vault: Vault, facts: MailboxFacts, mailbox: Mailbox) -> None:
    """Stores the secret that the mailbox has now, if it is time to. Call it after a pass.

    One that was connected anew meanwhile keeps its own; one whose old secret was only sealed anew gets this one.
    """
    secret = mailbox.renewed_secret() if isinstance(mailbox, Renewing) else None
    if secret is None or facts.credential is None:
        return
    sealed, before = vault.seal(facts.address, secret), facts.credential
    known = vault.open(facts.address, before)
    while True:
        with sessions.begin() as session:
            if replace_credential(session, facts.id, before, sealed):
                return
            there = credential_of(session, facts.id)
        if there is None or there == before or vault.open(facts.address, there) != known:
            return
        before = there
