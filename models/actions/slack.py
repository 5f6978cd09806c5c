"""What Slack itself changes: a channel gets another id, an installation is taken away, a lead says what arrived."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from models.actions.write import audit
from models.tables import OutboxPost, Workspace

SLACK = "slack"


def move_channel(session: Session, workspace_id: int, old: str, new: str, now: datetime) -> None:
    """The programme's channel goes on under another id, as happens when it is shared or moved."""
    row = session.get_one(Workspace, workspace_id)
    row.channel_id = new
    subject, before, after = f"workspace:{workspace_id}", {"channel": old}, {"channel": new}
    audit(session, workspace_id, SLACK, "move channel", subject, now, before=before, after=after)


def it_arrived(session: Session, workspace_id: int, post_id: int, actor: str, now: datetime) -> bool:
    """Somebody has looked and the uncertain message is there. Without its address it cannot be redrawn."""
    return _decide(session, workspace_id, post_id, actor, ("unknown",), "gone", "confirm post", now)


def post_again(session: Session, workspace_id: int, post_id: int, actor: str, now: datetime) -> bool:
    """Somebody has looked and the message is not there: it is sent after all; a read where reads are posted now."""
    row, home = session.get(OutboxPost, post_id), session.get_one(Workspace, workspace_id)
    whole = row is not None and (row.workspace_id, row.kind, row.part) == (workspace_id, "read", 0)
    if row is not None and whole and home.channel_id is not None:
        session.execute(
            update(OutboxPost)
            .where(OutboxPost.workspace_id == workspace_id, OutboxPost.kind == row.kind)
            .where(OutboxPost.period == row.period, OutboxPost.status.in_(("failed", "pending", "unknown")))
            .values(channel=home.channel_id)
        )
    return _decide(session, workspace_id, post_id, actor, ("unknown", "failed"), "pending", "post again", now)


def _decide(
    session: Session,
    workspace_id: int,
    post_id: int,
    actor: str,
    was: tuple[str, ...],
    status: str,
    action: str,
    now: datetime,
) -> bool:
    moved = session.execute(
        update(OutboxPost)
        .where(OutboxPost.id == post_id, OutboxPost.workspace_id == workspace_id, OutboxPost.status.in_(was))
        .values(status=status, error=None)
        .returning(OutboxPost.id)
    ).first()
    if moved is not None:
        audit(session, workspace_id, actor, action, f"post:{post_id}", now, after={"status": status})
    return moved is not None
