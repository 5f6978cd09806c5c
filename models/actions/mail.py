"""Writes of capture: one page of mail, all or nothing, and safe to repeat.

The unique keys absorb a page that is stored twice; the cursor's version refuses a worker that comes back late.
"""

import hashlib
import hmac
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from models.actions.write import CAPTURE, audit, insert_ignoring
from models.matching import Decision
from models.tables import Mailbox, PendingFetch, Seen, Sighting, Touch, Workspace

SAME_MAIL = timedelta(seconds=120)
BROADCAST_SPAN = timedelta(hours=1)
BROADCAST_PARTNERS = 10
BOUNCE_SPAN = timedelta(hours=24)
RETRY_AFTER = (
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=3),
    timedelta(hours=12),
    timedelta(hours=33),
)  # five attempts over 48 hours
NOT_FINAL = ("draft", "spam")


class StaleCursor(Exception):
    """Somebody else stored a page of this mailbox since ours was fetched. Ours is dropped; nothing is lost by it."""


@dataclass(frozen=True, slots=True)
class Captured:
    """What one page changed."""

    touches: int = 0
    partner_ids: frozenset[int] = frozenset()


def advance_cursor(session: Session, mailbox_id: int, from_version: int, cursor: str | None) -> int:
    """Moves the cursor if nobody else has; answers the new version. Do this first: it also takes the row's lock."""
    moved = session.execute(
        update(Mailbox)
        .where(
            Mailbox.id == mailbox_id,
            Mailbox.cursor_version == from_version,
            Mailbox.status != "removed",
        )
        .values(cursor=cursor, cursor_version=from_version + 1)
        .returning(Mailbox.cursor_version)
    ).first()
    if moved is None:
        raise StaleCursor(f"mailbox {mailbox_id} has moved on from version {from_version}")
    return from_version + 1


def record_seen(
    session: Session,
    mailbox_id: int,
    verdicts: Iterable[tuple[str, str, str | None]],
    now: datetime,
) -> None:
    """Enters (provider id, verdict, reason) in the ledger. A draft or spam verdict may be replaced, others stand."""
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
    insert = (
        postgresql.insert(Seen) if session.get_bind().dialect.name == "postgresql" else sqlite.insert(Seen)
    ).values(rows)
    session.execute(
        insert.on_conflict_do_update(
            index_elements=["mailbox_id", "provider_id"],
            set_={
                "verdict": insert.excluded.verdict,
                "reason": insert.excluded.reason,
                "seen_at": now,
            },
            where=or_(Seen.verdict.in_(NOT_FINAL), Seen.reason == "no partner"),
        )
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
        session.execute(insert_ignoring(session, PendingFetch, rows))


def retry_failed(session: Session, mailbox_id: int, failed: Iterable[tuple[str, str]], now: datetime) -> list[str]:
    """Counts another failed attempt; answers the ids that are given up now."""
    dead = []
    for key, reason in failed:
        row = session.get(PendingFetch, (mailbox_id, key))
        if row is None:
            continue
        row.attempts, row.reason = row.attempts + 1, reason
        if row.attempts >= len(RETRY_AFTER):
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


def record_touches(
    session: Session,
    workspace_id: int,
    mailbox_id: int,
    decisions: Sequence[tuple[str, Decision]],
    now: datetime,
) -> Captured:
    """Stores the touches of (provider id, decision) pairs; what is there already gets one more sighting."""
    key = session.get_one(Workspace, workspace_id).digest_key
    rows = [row for _, decision in decisions for row in _rows(workspace_id, key, decision, now)]
    provider_ids = {decision.dedupe_key: provider_id for provider_id, decision in decisions}
    added: list[int] = []
    if rows:
        twins = _twins(session, rows)
        fresh = sorted(
            (row for row in rows if (row["partner_id"], row["dedupe_key"]) not in twins),
            key=lambda row: (row["partner_id"], row["dedupe_key"]),
        )
        if fresh:
            insert = insert_ignoring(session, Touch, fresh).returning(Touch.id)
            added = list(session.scalars(insert))
        _sight(session, mailbox_id, rows, twins, provider_ids)
    broadcast = _mark_broadcasts(session, workspace_id, rows)
    bounced = _void_bounced(session, workspace_id, [decision for _, decision in decisions], now)
    partner_ids = frozenset(row["partner_id"] for row in rows) | broadcast | bounced
    return Captured(touches=len(added), partner_ids=partner_ids)


def void_touch(
    session: Session,
    workspace_id: int,
    touch: Touch,
    actor: str,
    reason: str,
    now: datetime,
) -> None:
    """Takes a touch out of every clock; the evidence stays."""
    if touch.voided_at is None:
        touch.voided_at, touch.void_reason = now, reason
        audit(
            session,
            workspace_id,
            actor,
            "void touch",
            f"touch:{touch.id}",
            now,
            before={"voided": False},
            after={"voided": True, "reason": reason},
        )


def digest(key: bytes, *parts: str) -> str:
    """A keyed hash: equal things can be found again, nothing can be read back."""
    return hmac.new(key, "\0".join(parts).encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]


def _rows(workspace_id: int, key: bytes, decision: Decision, now: datetime) -> list[dict[str, Any]]:
    subject = digest(key, "subject", decision.subject_key)
    content = digest(
        key,
        "content",
        decision.sender,
        decision.subject_key,
        *sorted(decision.recipients),
    )
    return [
        {
            "workspace_id": workspace_id,
            "partner_id": draft.partner_id,
            "dedupe_key": decision.dedupe_key,
            "message_id": decision.message_id,
            "at": decision.at,
            "captured_at": now,
            "clamped": decision.clamped,
            "direction": str(draft.direction),
            "verdict": str(decision.verdict),
            "rule": decision.rule,
            "by_address": draft.by,
            "person_id": draft.person_id,
            "matched": draft.matched,
            "matched_by": str(draft.matched_by),
            "field": str(draft.field),
            "subject_hmac": subject,
            "content_hmac": content,
        }
        for draft in decision.touches
    ]


def _twins(session: Session, rows: list[dict[str, Any]]) -> dict[tuple[int, str], tuple[int, str]]:
    """Rows that are a stored or an earlier row's mail under another Message-ID: key → key of the one that stands."""
    stored = session.execute(
        select(Touch.partner_id, Touch.dedupe_key, Touch.content_hmac, Touch.at).where(
            Touch.partner_id.in_({row["partner_id"] for row in rows}),
            Touch.content_hmac.in_({row["content_hmac"] for row in rows}),
        )
    )
    known: dict[tuple[int, str], list[tuple[str, datetime]]] = {}
    for partner_id, dedupe_key, content, at in stored:
        known.setdefault((partner_id, content), []).append((dedupe_key, at))
    twins: dict[tuple[int, str], tuple[int, str]] = {}
    for row in rows:
        same = known.setdefault((row["partner_id"], row["content_hmac"]), [])
        if any(other == row["dedupe_key"] for other, _ in same):
            continue
        near = [other for other, at in same if abs(at - row["at"]) <= SAME_MAIL]
        if near:
            twins[row["partner_id"], row["dedupe_key"]] = (row["partner_id"], near[0])
        else:
            same.append((row["dedupe_key"], row["at"]))
    return twins


def _sight(
    session: Session,
    mailbox_id: int,
    rows: list[dict[str, Any]],
    twins: Mapping[tuple[int, str], tuple[int, str]],
    provider_ids: Mapping[str, str],
) -> None:
    keys = {(row["partner_id"], row["dedupe_key"]) for row in rows}
    targets = {key: twins.get(key, key) for key in keys}
    ids: dict[tuple[int, str], int] = {
        (row.partner_id, row.dedupe_key): row.id
        for row in session.execute(
            select(Touch.id, Touch.partner_id, Touch.dedupe_key).where(
                Touch.partner_id.in_({partner_id for partner_id, _ in targets.values()}),
                Touch.dedupe_key.in_({dedupe_key for _, dedupe_key in targets.values()}),
            )
        )
    }
    sightings = {ids[target]: provider_ids[key[1]] for key, target in sorted(targets.items()) if target in ids}
    if sightings:
        values = [
            {"touch_id": touch_id, "mailbox_id": mailbox_id, "provider_id": provider_id}
            for touch_id, provider_id in sorted(sightings.items())
        ]
        session.execute(insert_ignoring(session, Sighting, values))


def _mark_broadcasts(session: Session, workspace_id: int, rows: list[dict[str, Any]]) -> frozenset[int]:
    """A mail merge shows only across messages: one sender and subject to ten partners within an hour."""
    changed: set[int] = set()
    merges = {(row["by_address"], row["subject_hmac"], row["at"]) for row in rows if row["direction"] == "outbound"}
    for by_address, subject, at in sorted(merges):
        near = session.execute(
            select(Touch.id, Touch.partner_id, Touch.at)
            .where(
                Touch.workspace_id == workspace_id,
                Touch.by_address == by_address,
                Touch.subject_hmac == subject,
                Touch.direction == "outbound",
                Touch.at.between(at - BROADCAST_SPAN, at + BROADCAST_SPAN),
            )
            .order_by(Touch.at)
        ).all()
        for first in near:
            hour = [one for one in near if first.at <= one.at <= first.at + BROADCAST_SPAN]
            reached = len({one.partner_id for one in hour})
            if reached >= BROADCAST_PARTNERS:
                marked = session.scalars(
                    update(Touch)
                    .where(Touch.id.in_([one.id for one in hour]), Touch.verdict == "human")
                    .values(
                        verdict="broadcast",
                        rule=f"mail merge: one subject to {reached} partners within an hour",
                    )
                    .returning(Touch.partner_id)
                )
                changed.update(marked)
    return frozenset(changed)


def _void_bounced(session: Session, workspace_id: int, decisions: Sequence[Decision], now: datetime) -> frozenset[int]:
    """A bounce that names its recipient takes back the newest mail of the day before to that address."""
    partner_ids: set[int] = set()
    for decision in decisions:
        for address in decision.failed_recipients:
            touch = session.scalars(
                select(Touch)
                .where(
                    Touch.workspace_id == workspace_id,
                    Touch.matched == address,
                    Touch.direction == "outbound",
                    Touch.at.between(decision.at - BOUNCE_SPAN, decision.at),
                )
                .order_by(Touch.at.desc(), Touch.id.desc())
                .limit(1)
            ).first()
            if touch is not None:
                void_touch(session, workspace_id, touch, CAPTURE, f"bounced for {address}", now)
                partner_ids.add(touch.partner_id)
    return frozenset(partner_ids)
