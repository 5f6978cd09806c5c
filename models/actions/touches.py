"""Writes of touches and of what several mails say together: copies, mail merges, bounces.

Pages come in any order, newest first in a walk back, so nothing here may depend on which mail was stored first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, and_, or_, select, update
from sqlalchemy.orm import Session

from models.actions.clocks import facts_changed
from models.actions.write import CAPTURE, audit, insert_into
from models.keyed import digest
from models.matching import BROADCAST_PARTNERS, Decision
from models.tables import Bounce, Sighting, Touch, Workspace
from models.verdict import Verdict

SAME_MAIL = timedelta(seconds=120)
BROADCAST_SPAN = timedelta(hours=1)
BOUNCE_SPAN = timedelta(hours=24)
ROSTER_CHANGED = "no longer matched: the roster has changed"
LIST_COPY = "own list-unsubscribe"  # the verdict's rule for our own mail as a list handed it on

Key = tuple[int, str]  # partner, dedupe key: what makes a touch
Copy = tuple[dict[str, Any], Any]  # a mail on this page, and the touch that it is a copy of


@dataclass(frozen=True, slots=True)
class Captured:
    """What one page changed."""

    touches: int = 0
    partner_ids: frozenset[int] = frozenset()


def record_touches(
    session: Session,
    workspace_id: int,
    mailbox_id: int,
    decisions: Sequence[tuple[str, Decision]],
    now: datetime,
) -> Captured:
    """Stores the touches of (provider id, decision) pairs; what is there already gets one more sighting."""
    # One page of a programme at a time: two mailboxes may hold copies of one mail, or parts of one mail merge.
    digest_key = session.scalars(
        select(Workspace.digest_key).where(Workspace.id == workspace_id).with_for_update(key_share=True)
    ).one()
    rows = [row for _, decision in decisions for row in _rows(workspace_id, digest_key, decision, now)]
    provider_ids = {decision.dedupe_key: provider_id for provider_id, decision in decisions}
    twins = _twins(session, rows)
    fresh = sorted((row for row in rows if _key(row) not in twins), key=_key)
    added = _insert(session, fresh)
    copies = _copies(session, rows, twins)
    _sight(session, mailbox_id, copies, provider_ids)
    _match_again(session, copies)
    _believe_best_copy(session, copies)
    none = {digest(digest_key, kind, "") for kind in ("subject", "answer")}  # no subject tells of no mailing
    broadcast = _mark_broadcasts(session, workspace_id, [row for row in rows if row["subject_hmac"] not in none])
    bounced = _void_bounced(session, workspace_id, digest_key, [decision for _, decision in decisions], rows, now)
    partner_ids = frozenset(row["partner_id"] for row in rows) | broadcast | bounced
    facts_changed(session, workspace_id, partner_ids)
    return Captured(touches=added, partner_ids=partner_ids)


def void_touch(session: Session, workspace_id: int, touch: Touch, actor: str, reason: str, now: datetime) -> None:
    """Takes a touch out of every clock; the evidence stays."""
    if touch.voided_at is None:
        touch.voided_at, touch.void_reason = now, reason
        facts_changed(session, workspace_id, [touch.partner_id])
        after = {"voided": True, "reason": reason}
        audit(
            session, workspace_id, actor, "void touch", f"touch:{touch.id}", now, before={"voided": False}, after=after
        )


def _key(row: Mapping[str, Any]) -> Key:
    return row["partner_id"], row["dedupe_key"]


def _rows(workspace_id: int, key: bytes, decision: Decision, now: datetime) -> list[dict[str, Any]]:
    if not decision.touches:
        return []
    # Who writes back to some of those that a mailing reached, under its subject, writes no mailing.
    subject = digest(key, "answer" if decision.replies_to else "subject", decision.subject_key)
    content = digest(key, "content", decision.sender, decision.subject_key, *sorted(decision.recipients))
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


def _twins(session: Session, rows: Sequence[dict[str, Any]]) -> dict[Key, Key]:
    """Rows that are a stored or an earlier row's mail under another Message-ID: key → key of the one that stands."""
    if not rows:
        return {}
    stored = session.execute(
        select(Touch.partner_id, Touch.dedupe_key, Touch.content_hmac, Touch.at).where(
            Touch.partner_id.in_({row["partner_id"] for row in rows}),
            Touch.content_hmac.in_({row["content_hmac"] for row in rows}),
        )
    )
    known: dict[tuple[int, str], list[tuple[str, datetime]]] = {}
    for partner_id, dedupe_key, content, at in stored:
        known.setdefault((partner_id, content), []).append((dedupe_key, at))
    twins: dict[Key, Key] = {}
    for row in rows:
        same = known.setdefault((row["partner_id"], row["content_hmac"]), [])
        if any(other == row["dedupe_key"] for other, _ in same):
            continue
        near = [other for other, at in same if abs(at - row["at"]) <= SAME_MAIL]
        if near:
            twins[_key(row)] = (row["partner_id"], near[0])
        else:
            same.append((row["dedupe_key"], row["at"]))
    return twins


def _insert(session: Session, rows: Sequence[dict[str, Any]]) -> int:
    """Answers how many were new. RETURNING would say so too, with a statement of thousands of values for each page."""
    if not rows:
        return 0
    insert = insert_into(session, Touch).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    return cast(CursorResult[Any], session.execute(insert, rows)).rowcount


def _copies(session: Session, rows: Sequence[dict[str, Any]], twins: Mapping[Key, Key]) -> list[Copy]:
    """Each row with what is stored of its touch now, whoever stored it, in the order of keys."""
    if not rows:
        return []
    targets = {_key(row): twins.get(_key(row), _key(row)) for row in rows}
    found = session.execute(
        select(Touch.id, Touch.partner_id, Touch.dedupe_key, Touch.verdict, Touch.rule, Touch.void_reason).where(
            Touch.partner_id.in_({partner_id for partner_id, _ in targets.values()}),
            Touch.dedupe_key.in_({dedupe_key for _, dedupe_key in targets.values()}),
        )
    )
    stored = {(row.partner_id, row.dedupe_key): row for row in found}
    return [(row, stored[targets[_key(row)]]) for row in sorted(rows, key=_key) if targets[_key(row)] in stored]


def _sight(session: Session, mailbox_id: int, copies: Iterable[Copy], provider_ids: Mapping[str, str]) -> None:
    sightings = {touch.id: provider_ids[row["dedupe_key"]] for row, touch in copies}
    values = [
        {"touch_id": touch_id, "mailbox_id": mailbox_id, "provider_id": provider_id}
        for touch_id, provider_id in sorted(sightings.items())
    ]
    if values:
        session.execute(insert_into(session, Sighting).on_conflict_do_nothing(), values)


def _match_again(session: Session, copies: Iterable[Copy]) -> None:
    """Takes back what a change of the roster voided, where the mail matches its partner once more."""
    lost = {touch.id: row for row, touch in copies if touch.void_reason == ROSTER_CHANGED}
    for touch_id, row in lost.items():
        touch = session.get_one(Touch, touch_id)
        for name in ("direction", "by_address", "person_id", "matched", "matched_by", "field"):
            setattr(touch, name, row[name])
        touch.voided_at = touch.void_reason = None
    session.flush()


def _believe_best_copy(session: Session, copies: Iterable[Copy]) -> None:
    """A list or a forwarder marks the copy that it hands on; a copy that came straight says who wrote the mail."""
    human: dict[str, set[int]] = {}
    for row, touch in copies:
        marked = touch.verdict in (Verdict.BULK, Verdict.SUSPECT) or touch.rule == LIST_COPY
        if marked and row["verdict"] == Verdict.HUMAN:
            human.setdefault(row["rule"], set()).add(touch.id)
    for rule, ids in human.items():
        session.execute(update(Touch).where(Touch.id.in_(ids)).values(verdict=Verdict.HUMAN, rule=rule))


def _mark_broadcasts(session: Session, workspace_id: int, rows: Iterable[dict[str, Any]]) -> frozenset[int]:
    """A mail merge shows only across messages: one sender and subject to ten partners within an hour."""
    written: dict[tuple[str, str], list[datetime]] = {}
    for row in rows:
        if row["direction"] == "outbound":
            written.setdefault((row["by_address"], row["subject_hmac"]), []).append(row["at"])
    if not written:
        return frozenset()
    first, last = (pick(at for times in written.values() for at in times) for pick in (min, max))
    near: dict[tuple[str, str], list[tuple[int, int, datetime]]] = {}
    for touch_id, partner_id, at, by_address, subject in session.execute(
        select(Touch.id, Touch.partner_id, Touch.at, Touch.by_address, Touch.subject_hmac)
        .where(
            Touch.workspace_id == workspace_id,
            Touch.by_address.in_({by_address for by_address, _ in written}),
            Touch.subject_hmac.in_({subject for _, subject in written}),
            Touch.direction == "outbound",
            Touch.at.between(first - BROADCAST_SPAN, last + BROADCAST_SPAN),
        )
        .order_by(Touch.at)
    ):
        near.setdefault((by_address, subject), []).append((touch_id, partner_id, at))
    changed: set[int] = set()
    for mail in sorted(near.keys() & written.keys()):
        merged, reached = _merged(near[mail])
        if merged:
            marked = session.scalars(
                update(Touch)
                .where(Touch.id.in_(merged), Touch.verdict == Verdict.HUMAN)
                .values(verdict=Verdict.BROADCAST, rule=f"mail merge: one subject to {reached} partners within an hour")
                .returning(Touch.partner_id)
            )
            changed.update(marked)
    return frozenset(changed)


def _merged(touches: Sequence[tuple[int, int, datetime]]) -> tuple[set[int], int]:
    """Which of (touch, partner, time), by time, are one mail to many, and how many partners it reached."""
    merged: set[int] = set()
    reached = start = 0
    for end, (_, _, last) in enumerate(touches):
        while last - touches[start][2] > BROADCAST_SPAN:
            start += 1
        partners = len({partner_id for _, partner_id, _ in touches[start : end + 1]})
        if partners >= BROADCAST_PARTNERS:
            merged.update(touch_id for touch_id, _, _ in touches[start : end + 1])
            reached = max(reached, partners)
    return merged, reached


def _void_bounced(
    session: Session,
    workspace_id: int,
    digest_key: bytes,
    decisions: Iterable[Decision],
    rows: Iterable[dict[str, Any]],
    now: datetime,
) -> frozenset[int]:
    """A bounce that names its recipient takes back the newest mail of the day before to that address.

    The mail may be read after its bounce, so bounces are remembered, as keyed hashes since most concern no partner.
    """
    failed = {
        (address, decision.at)
        for decision in decisions
        if decision.verdict is Verdict.BOUNCE
        for address in decision.failed_recipients
    }
    written = {row["matched"] for row in rows if row["direction"] == "outbound"}
    names = {digest(digest_key, "recipient", address): address for address in written | {one for one, _ in failed}}
    values = [
        {"workspace_id": workspace_id, "recipient_hmac": digest(digest_key, "recipient", address), "at": at}
        for address, at in sorted(failed)
    ]
    if values:
        session.execute(insert_into(session, Bounce).on_conflict_do_nothing(), values)
    if not names:
        return frozenset()
    known = session.execute(
        select(Bounce.recipient_hmac, Bounce.at).where(
            Bounce.workspace_id == workspace_id, Bounce.recipient_hmac.in_(names)
        )
    )
    bounces: dict[str, list[datetime]] = {}
    for recipient, at in known:
        bounces.setdefault(names[recipient], []).append(at)
    changed: set[int] = set()
    for address, times in sorted(bounces.items()):
        changed |= _settle_bounces(session, workspace_id, address, times, now)
    return frozenset(changed)


def _settle_bounces(
    session: Session, workspace_id: int, address: str, times: Sequence[datetime], now: datetime
) -> set[int]:
    """Voids what each bounce takes back, and gives back what a newer mail shows to have arrived after all."""
    touches = session.scalars(
        select(Touch)
        .where(
            Touch.workspace_id == workspace_id,
            Touch.matched == address,
            Touch.direction == "outbound",
            or_(*(and_(Touch.at >= at - BOUNCE_SPAN, Touch.at <= at) for at in times)),
        )
        .order_by(Touch.at.desc(), Touch.dedupe_key)
    ).all()
    # A mail whose partner has changed has a touch at each.
    lost = {next((touch.dedupe_key for touch in touches if at - BOUNCE_SPAN <= touch.at <= at), None) for at in times}
    reason = f"bounced for {address}"
    changed = set()
    for touch in touches:
        if touch.dedupe_key in lost and touch.voided_at is None:
            void_touch(session, workspace_id, touch, CAPTURE, reason, now)
        elif touch.dedupe_key not in lost and touch.void_reason == reason:
            touch.voided_at = touch.void_reason = None
        else:
            continue
        changed.add(touch.partner_id)
    session.flush()
    return changed
