"""The connected mailboxes of a programme with how they are doing and what was seen in them."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.mailbox_health import Health
from models.queries.health import mailbox_healths
from models.queries.mail import MailboxFacts
from models.queries.programme import Programme
from models.tables import Mailbox, Sighting


def boxes_of(session: Session, programme: Programme, now: datetime) -> list[tuple[MailboxFacts, Health, int]]:
    """Mailbox, health, and how many mails with partners were seen in it; by address."""
    rows = session.execute(
        select(Sighting.mailbox_id, func.count().label("number"))
        .join(Mailbox, Mailbox.id == Sighting.mailbox_id)
        .where(Mailbox.workspace_id == programme.workspace_id)
        .group_by(Sighting.mailbox_id)
    )
    seen = {row.mailbox_id: row.number for row in rows}
    found = mailbox_healths(session, programme, now)
    return sorted(((box, health, seen.get(box.id, 0)) for box, health in found), key=lambda one: one[0].address)
