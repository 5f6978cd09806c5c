"""Slack delivers events and clicks at least once; the first of each key is the one that acts."""

from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from models.actions.write import inserted
from models.tables import SlackDelivery

KEPT = timedelta(days=1)


def first_delivery(session: Session, key: str, now: datetime) -> bool:
    """Whether this event id or click is new. The row commits together with what it caused."""
    return inserted(session, SlackDelivery, {"key": key, "at": now}) is not None


def forget_deliveries(session: Session, now: datetime) -> None:
    """Slack stops repeating after minutes; a day is ample."""
    session.execute(delete(SlackDelivery).where(SlackDelivery.at < now - KEPT))
