"""What people agreed to do: recovery episodes, the claims on them, and next steps."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.db import Base
from models.tables.columns import At, Id, Words, WorkspaceId


class Episode(Base):
    """From the day a partner becomes overdue until it is resolved. At most one open per partner: the index says so."""

    __tablename__ = "episode"
    __table_args__ = (
        Index(
            "uq_episode_open",
            "partner_id",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )
    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    partner_id: Mapped[int] = mapped_column(ForeignKey("partner.id"), index=True)
    opened_at: Mapped[At]
    closed_at: Mapped[At | None]
    outcome: Mapped[str | None]  # recovered, late_evidence, shutdown, paused, ended, re_tiered
    touch_id: Mapped[int | None] = mapped_column(ForeignKey("touch.id"))


class Claim(Base):
    """ "I take this recovery touch." At most one current holder per episode: the index says so."""

    __tablename__ = "claim"
    __table_args__ = (
        Index(
            "uq_claim_current",
            "episode_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    episode_id: Mapped[int] = mapped_column(ForeignKey("episode.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    at: Mapped[At]
    due_on: Mapped[date]
    assigned_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    accepted_at: Mapped[At | None]  # of one that was assigned: when its holder said yes; who presses Claim has said it
    ended_at: Mapped[At | None]
    end_reason: Mapped[str | None]  # released, declined, lapsed, reassigned, left, closed

    @property
    def taken_at(self) -> datetime | None:
        """When its holder took it on; None: somebody was asked and has not said yes."""
        return self.at if self.assigned_by_id is None else self.accepted_at


class NextStep(Base):
    """What was agreed next. Setting a new one supersedes the old row, so the history stays."""

    __tablename__ = "next_step"
    __table_args__ = (
        Index(
            "uq_next_step_current",
            "partner_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    partner_id: Mapped[int] = mapped_column(ForeignKey("partner.id"), index=True)
    text: Mapped[Words]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    due_on: Mapped[date | None]
    set_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    set_at: Mapped[At]
    ended_at: Mapped[At | None]
    end_reason: Mapped[str | None]  # superseded, done
