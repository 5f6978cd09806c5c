"""Makes mail follow the roster: what an address or a domain means now also holds for the mail that is there already.

Recent mail is put back into the queue of its mailbox and read again, without listing; touches that no longer match
are voided here. Standings follow by themselves. Nothing here asks a provider.
"""

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, and_, inspect, or_, select, update
from sqlalchemy.orm import Session

from models.actions.clocks import facts_changed
from models.actions.mail import fetch_again
from models.actions.mailboxes import own_mailboxes
from models.actions.touches import ROSTER_CHANGED
from models.actions.write import audit
from models.correspondence import LOOK_BACK
from models.keyed import address_hmac, organisation_hmac
from models.matching import Roster
from models.queries.mail import roster
from models.tables import Mailbox, SeenHint, Sighting, Touch, Workspace

ROWS = 200  # of one statement: databases limit the number of its parameters
_CHANGES = "changes of the roster"  # in `Session.info`: those that are being made, by programme


@dataclass(frozen=True, slots=True)
class Rematched:
    """What a change of the roster meant for the mail: messages to read again, touches voided and given."""

    widened: bool = False  # the roster knows an address or a domain that it did not
    again: int = 0
    voided: int = 0
    given: int = 0


@dataclass(slots=True)
class RosterChange:
    """A change of the roster that is being made. `mail` tells, once it is over, what it meant for the mail."""

    before: Roster
    mail: Rematched = field(default_factory=Rematched)


@contextmanager
def roster_change(session: Session, workspace_id: int, actor: str, now: datetime) -> Iterator[RosterChange]:
    """The one door: whoever writes who is who does it in here, and the mail follows when the change is complete.

    A change inside of another is part of it, so that an import of many partners reads their mail once, and a domain
    that one partner gives to the next is never nobody's.
    """
    changes: dict[int, RosterChange] = session.info.setdefault(_CHANGES, {})
    if workspace_id in changes:
        yield changes[workspace_id]
        return
    _take_turns(session, workspace_id)
    change = changes[workspace_id] = RosterChange(roster(session, workspace_id))
    try:
        yield change
        change.mail = _rematch(session, workspace_id, actor, change.before, now)
    finally:
        del changes[workspace_id]


def outdate_pages(session: Session, workspace_id: int) -> bytes:
    """From here on no page is stored that an older roster has judged; answers the programme's key.

    It also takes the lock that capture takes for a page.
    """
    return session.scalars(
        update(Workspace)
        .where(Workspace.id == workspace_id)
        .values(roster_version=Workspace.roster_version + 1)
        .returning(Workspace.digest_key)
    ).one()


def _take_turns(session: Session, workspace_id: int) -> None:
    """Lets no page of mail be stored until the change is complete.

    A page locks its mailbox, then the programme, then partners. In any other order the two could wait in a circle,
    and PostgreSQL would refuse one of them.
    """
    boxes = select(Mailbox.id).where(Mailbox.workspace_id == workspace_id).order_by(Mailbox.id)
    session.execute(boxes.with_for_update(key_share=True)).all()
    session.execute(select(Workspace.id).where(Workspace.id == workspace_id).with_for_update(key_share=True))


def _rematch(session: Session, workspace_id: int, actor: str, before: Roster, now: datetime) -> Rematched:
    """Compares the roster as it was with the one that is there now. Repeating it does nothing."""
    after = roster(session, workspace_id)
    if before == after:
        return Rematched()
    key = outdate_pages(session, workspace_id)  # so the hints are complete
    if before.people != after.people:
        own_mailboxes(session, workspace_id)
        facts_changed(session, workspace_id)
    again = _put_back(session, workspace_id, key, before, after, now)
    voided, given = _move_touches(session, workspace_id, before, after, now)
    if again or voided or given:
        told = {"read again": again, "touches voided": voided, "touches given": given}
        audit(session, workspace_id, actor, "rematch mail", "roster", now, after=told)
    widened = any(
        new.items() - old.items()
        for old, new in (
            (before.people, after.people),
            (before.contacts, after.contacts),
            (before.domains, after.domains),
        )
    )
    return Rematched(widened, again, voided, given)


def _put_back(session: Session, workspace_id: int, key: bytes, before: Roster, after: Roster, now: datetime) -> int:
    """Queues what the changed names may concern: a few too many at most, since each is judged again."""
    addresses = {*_changed(before.contacts, after.contacts), *_changed(before.people, after.people)}
    exact = [
        and_(
            SeenHint.organisation_hmac == organisation_hmac(key, email),
            SeenHint.address_hmac == address_hmac(key, email),
        )
        for email in sorted(addresses)
    ]
    below = sorted({organisation_hmac(key, f"@{domain}") for domain in _changed(before.domains, after.domains)})
    conditions: list[ColumnElement[bool]] = [
        *(or_(*exact[start : start + ROWS]) for start in range(0, len(exact), ROWS)),
        *(SeenHint.organisation_hmac.in_(below[start : start + ROWS]) for start in range(0, len(below), ROWS)),
    ]
    hits = {
        (row.mailbox_id, row.provider_id)
        for condition in conditions
        for row in session.execute(
            select(SeenHint.mailbox_id, SeenHint.provider_id)
            .join(Mailbox, Mailbox.id == SeenHint.mailbox_id)
            .where(condition, SeenHint.at > now - LOOK_BACK)
            .where(Mailbox.workspace_id == workspace_id, Mailbox.status != "removed")
        )
    }
    fetch_again(session, hits, "the roster has changed", now)
    return len(hits)


def _move_touches(session: Session, workspace_id: int, before: Roster, after: Roster, now: datetime) -> tuple[int, int]:
    """Voids the touches of addresses that are no longer this partner's; the next one they belong to gets its own.

    That also holds for mail that no provider can be asked for again. A touch that was voided by an earlier change
    and matches once more is taken back. Answers how many were voided, and how many were given or taken back.
    """
    matched = session.scalars(select(Touch.matched).where(Touch.workspace_id == workspace_id).distinct())
    moved = sorted(email for email in matched if before.partner(email) != after.partner(email))
    voided = given = 0
    concerned: set[int] = set()
    for start in range(0, len(moved), ROWS):
        touches = session.scalars(
            select(Touch)
            .where(Touch.workspace_id == workspace_id, Touch.matched.in_(moved[start : start + ROWS]))
            .order_by(Touch.id)
        ).all()
        for touch in touches:
            target = after.partner(touch.matched)
            if target is not None:
                given += _give(session, touch, *target, now)
            if (target is None or target[0] != touch.partner_id) and touch.voided_at is None:
                touch.voided_at, touch.void_reason = now, ROSTER_CHANGED
                voided += 1
            concerned |= {touch.partner_id, *([] if target is None else [target[0]])}
    session.flush()
    facts_changed(session, workspace_id, concerned)
    return voided, given


def _give(session: Session, touch: Touch, partner_id: int, matched_by: str, now: datetime) -> bool:
    """Sees to it that the partner has this mail among its own; answers whether that is news."""
    there = session.scalar(select(Touch).where(Touch.partner_id == partner_id, Touch.dedupe_key == touch.dedupe_key))
    if there is not None:
        if there.matched == touch.matched:
            there.matched_by = matched_by
        if there.void_reason != ROSTER_CHANGED:
            return False
        there.matched, there.matched_by, there.field = touch.matched, matched_by, touch.field
        there.voided_at = there.void_reason = None
        return True
    same = {column.key: getattr(touch, column.key) for column in inspect(Touch).columns if column.key != "id"}
    copy = Touch(**(same | {"partner_id": partner_id, "matched_by": matched_by, "captured_at": now}))
    if copy.void_reason == ROSTER_CHANGED:
        copy.voided_at = copy.void_reason = None
    session.add(copy)
    session.flush()
    for seen in session.scalars(select(Sighting).where(Sighting.touch_id == touch.id)).all():
        session.add(Sighting(touch_id=copy.id, mailbox_id=seen.mailbox_id, provider_id=seen.provider_id))
    return True


def _changed(before: Mapping[str, Hashable], after: Mapping[str, Hashable]) -> set[str]:
    """The names that were added, removed, or given to somebody else."""
    return {name for name, _ in before.items() ^ after.items()}
