"""Writes of the daily comparison: what was missed enters the queue, and when the mailbox was compared.

Must not take away a touch or a line of the ledger: a message that the provider no longer lists was still sent.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from models.actions.mail import RETRY_AFTER
from models.actions.write import CAPTURE, audit, insert_ignoring
from models.queries.reconciliation import Unsettled
from models.tables import Mailbox, PendingFetch

MISSED = "the provider lists it, but polling has not brought it"
CHUNK = 500


def reconciled(session: Session, workspace_id: int, mailbox_id: int, found: Unsettled, now: datetime) -> None:
    """The mailbox was compared now: queues what is unsettled, and what was given up before, for one more attempt."""
    _queue(session, mailbox_id, found.missing, now, missed=True)
    _queue(session, mailbox_id, found.unsure, now, missed=False)
    session.execute(
        update(PendingFetch)
        .where(PendingFetch.mailbox_id == mailbox_id, PendingFetch.dead_at.is_not(None))
        .values(dead_at=None, attempts=len(RETRY_AFTER), next_at=now)
    )
    session.execute(update(Mailbox).where(Mailbox.id == mailbox_id).values(reconciled_at=now))
    if found.missing:
        after = {"missed": len(found.missing)}
        audit(session, workspace_id, CAPTURE, "reconcile mailbox", f"mailbox:{mailbox_id}", now, after=after)


def _queue(session: Session, mailbox_id: int, provider_ids: Sequence[str], now: datetime, *, missed: bool) -> None:
    rows = [
        {
            "mailbox_id": mailbox_id,
            "provider_id": key,
            "reason": MISSED,
            "attempts": 0,
            "first_at": now,
            "next_at": now,
            "missed": missed,
        }
        for key in sorted(provider_ids)
    ]
    for start in range(0, len(rows), CHUNK):
        session.execute(insert_ignoring(session, PendingFetch, rows[start : start + CHUNK]))
