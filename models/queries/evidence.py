"""What belongs to a touch as evidence beside its own row: who wrote it, where it was seen, how many it went to."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.tables import Mailbox, Sighting, Touch

CHUNK = 500
BROADCAST_SPAN = timedelta(hours=1)


def writer(touch: Touch, names: Mapping[int, str]) -> str:
    """Of an inbound touch `person_id` says whom of us it reached, so its writer is known by address only."""
    if touch.direction == "inbound" or touch.person_id is None:
        return touch.by_address
    return names.get(touch.person_id, touch.by_address)


def sightings(session: Session, touch_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The mailboxes that hold each of these touches."""
    found: dict[int, tuple[str, ...]] = {}
    for start in range(0, len(touch_ids), CHUNK):
        rows = session.execute(
            select(Sighting.touch_id, Mailbox.address)
            .join(Mailbox, Mailbox.id == Sighting.mailbox_id)
            .where(Sighting.touch_id.in_(touch_ids[start : start + CHUNK]))
            .order_by(Mailbox.address)
        )
        for touch_id, address in rows:
            found[touch_id] = (*found.get(touch_id, ()), address)
    return found


def reaches(session: Session, workspace_id: int, touches: Sequence[Touch]) -> dict[int, int]:
    """To how many partners each of these broadcasts went: one sender and subject, within an hour around it."""
    counted: dict[tuple[str, str, datetime], int] = {}
    found: dict[int, int] = {}
    for touch in touches:
        mail = (touch.by_address, touch.subject_hmac, touch.at)
        if mail not in counted:
            counted[mail] = session.scalars(
                select(func.count(Touch.partner_id.distinct())).where(
                    Touch.workspace_id == workspace_id,
                    Touch.by_address == touch.by_address,
                    Touch.subject_hmac == touch.subject_hmac,
                    Touch.verdict == "broadcast",
                    Touch.at.between(touch.at - BROADCAST_SPAN, touch.at + BROADCAST_SPAN),
                )
            ).one()
        found[touch.id] = counted[mail]
    return found
