"""Writes of next steps: the new one supersedes the old, and the history stays."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select, true, update
from sqlalchemy.orm import Session

from models.actions.outbox import want_redraw
from models.actions.write import actor_of, audit
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


@dataclass(frozen=True, slots=True)
class Finished:
    """`text` is what was done; None when there was nothing to finish. `newer`: the step was replaced by this one."""

    text: str | None
    newer: str | None = None


def finish_next_step(
    session: Session, programme: Programme, partner_id: int, person_id: int, now: datetime, *, step_id: int | None
) -> Finished:
    """It is done. With `step_id` only that one: an old button must not finish what was agreed since."""
    current = session.scalar(select(NextStep).where(NextStep.partner_id == partner_id, NextStep.ended_at.is_(None)))
    if current is None or current.workspace_id != programme.workspace_id:
        return Finished(None)
    if step_id is not None and current.id != step_id:
        return Finished(None, current.text)
    text = end_next_step(session, partner_id, "done", now, only=current.id)
    if text is None:  # somebody was faster
        return Finished(None)
    actor, subject = actor_of(person_id), f"partner:{partner_id}"
    audit(session, programme.workspace_id, actor, "finish next step", subject, now, before={"text": text})
    want_redraw(session, programme.workspace_id, now - timedelta(days=7))
    return Finished(text)


def end_next_step(
    session: Session, partner_id: int, reason: str, now: datetime, *, only: int | None = None
) -> str | None:
    """Ends the current next step, if there is one, and answers its text."""
    return session.scalar(
        update(NextStep)
        .where(NextStep.partner_id == partner_id, NextStep.ended_at.is_(None))
        .where(true() if only is None else NextStep.id == only)
        .values(ended_at=now, end_reason=reason)
        .returning(NextStep.text)
    )
