"""Slack delivers events and clicks at least once; the first of each key is the one that acts."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from models.actions.write import inserted, inserted_of
from models.tables import SlackDelivery

KEPT = timedelta(days=1)


def first_delivery(session: Session, key: str, now: datetime) -> bool:
    """Whether this event id or click is new. The row commits together with what it caused."""
    return inserted(session, SlackDelivery, {"key": key, "at": now}) is not None


def first_deliveries(session: Session, keys: Collection[str], now: datetime) -> set[str]:
    """Those of the keys that are new. In one order, so that two who bring the same ones never wait in a circle."""
    rows = [{"key": key, "at": now} for key in sorted(set(keys))]
    return {row.key for row in inserted_of(session, SlackDelivery, rows, "key")}


def forget_deliveries(session: Session, now: datetime) -> None:
    """Slack stops repeating after minutes; a day is ample."""
    session.execute(delete(SlackDelivery).where(SlackDelivery.at < now - KEPT))
