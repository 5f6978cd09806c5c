"""Writes of next steps: the new one supersedes the old, and the history stays."""

from datetime import date, datetime, timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from models.actions.outbox import want_redraw
from models.actions.write import audit
from models.queries.programme import Programme
from models.tables import NextStep


def set_next_step(
    session: Session,
    programme: Programme,
    partner_id: int,
    text: str,
    owner_id: int | None,
    due_on: date | None,
    set_by_id: int | None,
    actor: str,
    now: datetime,
) -> None:
    """The new next step; the one before it stays in the history."""
    before = end_next_step(session, partner_id, "superseded", now)
    session.add(
        NextStep(
            workspace_id=programme.workspace_id,
            partner_id=partner_id,
            text=text,
            owner_id=owner_id,
            due_on=due_on,
            set_by_id=set_by_id,
            set_at=now,
        )
    )
    after = {
        "text": text,
        "owner": owner_id,
        "due_on": due_on.isoformat() if due_on else None,
    }
    audit(
        session,
        programme.workspace_id,
        actor,
        "set next step",
        f"partner:{partner_id}",
        now,
        before={"text": before} if before else None,
        after=after,
    )
    want_redraw(session, programme.workspace_id, now - timedelta(days=7))


def end_next_step(session: Session, partner_id: int, reason: str, now: datetime) -> str | None:
    """Ends the current next step, if there is one, and answers its text."""
    return session.scalar(
        update(NextStep)
        .where(NextStep.partner_id == partner_id, NextStep.ended_at.is_(None))
        .values(ended_at=now, end_reason=reason)
        .returning(NextStep.text)
    )
