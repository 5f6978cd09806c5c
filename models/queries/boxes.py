"""The connected mailboxes of a programme with how they are doing and what was seen in them."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.mailbox_health import Health, health_of
from models.queries.mail import MailboxFacts, mailboxes
from models.queries.programme import Programme
from models.tables import Sighting


def boxes_of(
    session: Session, programme: Programme, now: datetime, wanted: Callable[[MailboxFacts], bool]
) -> list[tuple[MailboxFacts, Health, int]]:
    """Mailbox, health, and how many mails with partners were seen in it; by address.

    Of those that are wanted: what lies in the others is not counted, for it grows with every mail.
    """
    ids = [box.id for box in mailboxes(session, programme.workspace_id, ledger=False) if wanted(box)]
    if not ids:
        return []
    rows = session.execute(
        select(Sighting.mailbox_id, func.count().label("number"))
        .where(Sighting.mailbox_id.in_(ids))
        .group_by(Sighting.mailbox_id)
    )
    seen = {row.mailbox_id: row.number for row in rows}
    return [
        (box, health_of(box, now, programme.zone), seen.get(box.id, 0))
        for box in mailboxes(session, programme.workspace_id, only=ids)
    ]
