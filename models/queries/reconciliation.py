"""What the daily comparison asks of the ledger: which listed messages are accounted for, and which are not."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.queries.mail import CHUNK, unseen
from models.tables import PendingFetch, Seen


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Listed messages without a final verdict, in the order of the listing."""

    missing: tuple[str, ...] = ()  # neither in the ledger nor in the queue: polling has missed them
    unsure: tuple[str, ...] = ()  # with a verdict that can be taken back, unnoticed by us


def unsettled(session: Session, mailbox_id: int, provider_ids: Sequence[str]) -> Unsettled:
    """Those of the ids that capture still has to look at and would not by itself."""
    left = unseen(session, mailbox_id, provider_ids)
    keys, queued, noted = [key for key in provider_ids if key in left], set[str](), set[str]()
    for start in range(0, len(keys), CHUNK):
        some = keys[start : start + CHUNK]
        for table, found in ((PendingFetch, queued), (Seen, noted)):
            query = select(table.provider_id).where(table.mailbox_id == mailbox_id, table.provider_id.in_(some))
            found.update(session.scalars(query))
    open_keys = [key for key in keys if key not in queued]
    return Unsettled(
        missing=tuple(key for key in open_keys if key not in noted),
        unsure=tuple(key for key in open_keys if key in noted),
    )
