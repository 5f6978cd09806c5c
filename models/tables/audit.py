"""Who changed what, which Slack deliveries were already taken, and which jobs of a day have run."""

from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.db import Base
from models.tables.columns import At, Id


class AuditEntry(Base):
    """One change: who, when, what, before, after. Only ever added to."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_subject", "workspace_id", "subject"),)
    id: Mapped[Id]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspace.id"))
    at: Mapped[At]
    actor: Mapped[str]  # person:4, or the part of Cadence that acted: capture, sweep, command line
    action: Mapped[str]
    subject: Mapped[str]  # partner:7
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class SlackDelivery(Base):
    """Slack delivers at least once: an event or a click that stands here was already taken."""

    __tablename__ = "slack_delivery"
    key: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[At]


class JobRun(Base):
    """A job of a period runs once: who inserts the row runs it."""

    __tablename__ = "job_run"
    __table_args__ = (UniqueConstraint("workspace_id", "job", "period"),)
    id: Mapped[Id]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspace.id"))
    job: Mapped[str]
    period: Mapped[str]
    at: Mapped[At]
