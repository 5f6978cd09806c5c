"""Writes of a consent to have the own mailbox read: the ticket that begins it, and the question that is under way.

Each is good for one use within ten minutes. Somebody has the secret; here is its digest.
"""

from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_urlsafe

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from models.actions.installations import STATE_LIVES, state_digest
from models.tables import OAuthState

TICKET, QUESTION = "ticket", "mailbox"


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose mailbox, and at which provider (`gmail`, `graph`). `sealed` is what was put away with the question."""

    workspace_id: int
    person_id: int
    provider: str
    sealed: str | None = field(default=None, repr=False)


def new_ticket(session: Session, workspace_id: int, person_id: int, provider: str, now: datetime) -> str:
    """A ticket for this person, who alone is to see it. What has expired is swept away."""
    ticket = token_urlsafe(32)
    session.execute(delete(OAuthState).where(OAuthState.expires_at <= now))
    _put(session, TICKET, ticket, Asked(workspace_id, person_id, provider), now)
    return ticket


def whose_ticket(session: Session, ticket: str, now: datetime) -> Asked | None:
    """Whom it is for. It is not used up by looking: programs that check links do that, too."""
    row = session.scalar(
        select(OAuthState).where(
            OAuthState.digest == state_digest(ticket), OAuthState.purpose == TICKET, OAuthState.expires_at > now
        )
    )
    return None if row is None else _asked(row.workspace_id, row.person_id, row.provider, row.verifier)


def put_question(session: Session, ticket: str, state: str, sealed: str, now: datetime) -> bool:
    """Uses the ticket up and puts the question in its place; False when somebody was faster, or it has expired."""
    asked = _used_up(session, TICKET, ticket, now)
    if asked is None:
        return False
    _put(session, QUESTION, state, Asked(asked.workspace_id, asked.person_id, asked.provider, sealed), now)
    return True


def take_question(session: Session, state: str, now: datetime) -> Asked | None:
    """The question that this state belongs to; it is used up by asking."""
    return _used_up(session, QUESTION, state, now)


def _put(session: Session, purpose: str, secret: str, asked: Asked, now: datetime) -> None:
    session.add(
        OAuthState(
            digest=state_digest(secret),
            purpose=purpose,
            provider=asked.provider,
            workspace_id=asked.workspace_id,
            person_id=asked.person_id,
            verifier=asked.sealed,
            made_at=now,
            expires_at=now + STATE_LIVES,
        )
    )


def _used_up(session: Session, purpose: str, secret: str, now: datetime) -> Asked | None:
    """Of two who come at once the database lets one have it."""
    gone = session.execute(
        delete(OAuthState)
        .where(OAuthState.digest == state_digest(secret), OAuthState.purpose == purpose, OAuthState.expires_at > now)
        .returning(OAuthState.workspace_id, OAuthState.person_id, OAuthState.provider, OAuthState.verifier)
    ).first()
    return None if gone is None else _asked(*gone)


def _asked(workspace_id: int | None, person_id: int | None, provider: str | None, sealed: str | None) -> Asked | None:
    if workspace_id is None or person_id is None or provider is None:
        return None
    return Asked(workspace_id, person_id, provider, sealed)
