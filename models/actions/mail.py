"""Writes of capture beside the touches: the cursor, the ledger of what was seen, the queue of what did not come.

The unique keys absorb a page that is stored twice; the cursor's version refuses a worker that comes back late.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, update
from sqlalchemy.orm import Session

from models.actions.write import insert_into
from models.tables import Mailbox, PendingFetch, Seen
from models.verdict import NOT_FINAL

# Five attempts over 48 hours: at once, and 5 minutes, 1 hour, 12 hours and 48 hours after the first.
RETRY_AFTER = (timedelta(minutes=5), timedelta(minutes=55), timedelta(hours=11), timedelta(hours=36))


class StaleCursor(Exception):
    """Somebody else stored a page of this mailbox since ours was fetched. Ours is dropped; nothing is lost by it."""


def advance_cursor(session: Session, mailbox_id: int, from_version: int, cursor: str | None) -> int:
    """Moves the cursor if nobody else has; answers the new version. Do this first: it also takes the row's lock."""
    return _take(session, mailbox_id, from_version, {"cursor": cursor})


def hold_cursor(session: Session, mailbox_id: int, from_version: int) -> int:
    """The same fence for what moves no cursor: a mailbox that was removed or overtaken meanwhile stores nothing."""
    return _take(session, mailbox_id, from_version, {})


def _take(session: Session, mailbox_id: int, from_version: int, values: dict[str, Any]) -> int:
    taken = session.execute(
        update(Mailbox)
        .where(
            Mailbox.id == mailbox_id,
            Mailbox.cursor_version == from_version,
            Mailbox.status != "removed",
        )
        .values(cursor_version=from_version + 1, **values)
        .returning(Mailbox.cursor_version)
    ).first()
    if taken is None:
        raise StaleCursor(f"mailbox {mailbox_id} has moved on from version {from_version}")
    return from_version + 1


def record_seen(
    session: Session,
    mailbox_id: int,
    verdicts: Iterable[tuple[str, str, str | None]],
    now: datetime,
) -> None:
    """Enters (provider id, verdict, reason) in the ledger. One that is not final may be replaced, others stand."""
    rows = [
        {
            "mailbox_id": mailbox_id,
            "provider_id": key,
            "verdict": verdict,
            "reason": reason,
            "seen_at": now,
        }
        for key, (verdict, reason) in {key: (verdict, reason) for key, verdict, reason in verdicts}.items()
    ]
    if not rows:
        return
    rows.sort(key=lambda row: str(row["provider_id"]))
    insert = insert_into(session, Seen)
    session.execute(
        insert.on_conflict_do_update(
            index_elements=["mailbox_id", "provider_id"],
            set_={
                "verdict": insert.excluded.verdict,
                "reason": insert.excluded.reason,
                "seen_at": insert.excluded.seen_at,
            },
            where=or_(*(Seen.verdict == one for one in NOT_FINAL), Seen.reason == "no partner"),
        ),
        rows,
    )


def record_failed(session: Session, mailbox_id: int, failed: Iterable[tuple[str, str]], now: datetime) -> None:
    """Queues messages that could not be fetched, so that the cursor may pass them without losing them."""
    rows = [
        {
            "mailbox_id": mailbox_id,
            "provider_id": key,
            "reason": reason,
            "attempts": 1,
            "first_at": now,
            "next_at": now + RETRY_AFTER[0],
        }
        for key, reason in sorted(dict(failed).items())
    ]
    if rows:
        session.execute(insert_into(session, PendingFetch).on_conflict_do_nothing(), rows)


def fetch_again(session: Session, messages: Collection[tuple[int, str]], reason: str, now: datetime) -> None:
    """Queues (mailbox, provider id) that were read before; one that was given up gets its attempts anew."""
    rows = [
        {
            "mailbox_id": mailbox_id,
            "provider_id": provider_id,
            "reason": reason,
            "attempts": 0,
            "first_at": now,
            "next_at": now,
            "dead_at": None,
        }
        for mailbox_id, provider_id in sorted(messages)
    ]
    if not rows:
        return
    fresh = insert_into(session, PendingFetch)
    session.execute(
        fresh.on_conflict_do_update(
            index_elements=["mailbox_id", "provider_id"],
            set_={name: fresh.excluded[name] for name in ("reason", "attempts", "first_at", "next_at", "dead_at")},
        ),
        rows,
    )


def retry_failed(session: Session, mailbox_id: int, failed: Iterable[tuple[str, str]], now: datetime) -> list[str]:
    """Counts another failed attempt; answers the ids that are given up now."""
    dead = []
    for key, reason in failed:
        row = session.get(PendingFetch, (mailbox_id, key))
        if row is None or row.dead_at is not None:
            continue
        row.attempts, row.reason = row.attempts + 1, reason
        if row.attempts > len(RETRY_AFTER):
            row.dead_at = now
            dead.append(key)
        else:
            row.next_at = now + RETRY_AFTER[row.attempts - 1]
    return dead


def settle_pending(session: Session, mailbox_id: int, provider_ids: Collection[str]) -> None:
    """Takes fetched and vanished messages off the queue."""
    if provider_ids:
        session.execute(
            delete(PendingFetch).where(
                PendingFetch.mailbox_id == mailbox_id,
                PendingFetch.provider_id.in_(provider_ids),
            )
        )
