"""Writes of the leadership channel: whether the monthly post is on, and where it goes."""

from datetime import datetime

from sqlalchemy.orm import Session

from models.actions.write import audit
from models.tables import Workspace


def set_leaders_channel(session: Session, workspace_id: int, actor: str, channel: str | None, now: datetime) -> bool:
    """Sends the monthly post to this channel from now on, or nowhere; answers whether that is a change."""
    row = session.get_one(Workspace, workspace_id, with_for_update=True)
    before = row.leaders_channel_id
    if before == channel:
        return False
    row.leaders_channel_id, row.leaders_since = channel, now if channel else None
    subject = f"workspace:{workspace_id}"
    audit(
        session,
        workspace_id,
        actor,
        "set leaders channel",
        subject,
        now,
        before={"channel": before},
        after={"channel": channel},
    )
    return True


def move_leaders_channel(session: Session, workspace_id: int, actor: str, new: str, now: datetime) -> None:
    """The channel goes on under another id. That is no new beginning: this month's post may have been sent."""
    row = session.get_one(Workspace, workspace_id, with_for_update=True)
    before, row.leaders_channel_id = row.leaders_channel_id, new
    subject = f"workspace:{workspace_id}"
    audit(
        session,
        workspace_id,
        actor,
        "move leaders channel",
        subject,
        now,
        before={"channel": before},
        after={"channel": new},
    )
