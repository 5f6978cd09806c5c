"""Indexes into the facts, kept so that history is counted quickly: each can be made anew from the facts at any time.

Nothing is true because it stands here. A partner whose facts have changed is marked `stale` and judged from its facts.
"""

from datetime import date

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.db import Base
from models.tables.columns import At, Id, WorkspaceId


class Shutdown(Base):
    """Days on which the whole programme is shut, both included. One that was taken back keeps its row."""

    __tablename__ = "shutdown"
    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    from_on: Mapped[date]
    until_on: Mapped[date]
    reason: Mapped[str]
    set_at: Mapped[At]
    ended_at: Mapped[At | None]


class PartnerClock(Base):
    """Where a partner's clocks stood when they were last made. They tell the truth while `changes` equals `judged`.

    Whoever changes a fact counts `changes` up; whoever makes the clocks anew notes in `judged` how many it has seen.
    """

    __tablename__ = "partner_clock"
    partner_id: Mapped[int] = mapped_column(ForeignKey("partner.id", ondelete="CASCADE"), primary_key=True)
    workspace_id: Mapped[WorkspaceId]
    changes: Mapped[int]
    judged: Mapped[int]
    basis: Mapped[str] = mapped_column(default="")  # what the clocks rest on beside the partner's own facts
    computed_at: Mapped[At | None]
    valid_until: Mapped[At | None]  # when a fact that is known already takes effect
    week: Mapped[int] = mapped_column(default=0)  # the last week whose read the spans reach
    tier_rank: Mapped[int | None]
    owner_id: Mapped[int | None]
    ended: Mapped[bool] = mapped_column(default=False)
    paused_until: Mapped[date | None]
    touched: Mapped[bool] = mapped_column(default=False)
    last_touch_at: Mapped[At | None]
    last_heard_at: Mapped[At | None]
    soon_on: Mapped[date | None]  # the first day of due soon
    due_on: Mapped[date | None]
    late_on: Mapped[date | None]  # the first day that is overdue
    start_seen_on: Mapped[date | None]  # until when an owner whose mail was never seen excuses the partner
    backed_until: Mapped[date | None]


class WeekSpan(Base):
    """Weekly reads in a row, first and last included, at which a partner stood the same."""

    __tablename__ = "week_span"
    partner_id: Mapped[int] = mapped_column(ForeignKey("partner.id", ondelete="CASCADE"), primary_key=True)
    from_week: Mapped[int] = mapped_column(primary_key=True)
    until_week: Mapped[int]
    tier_rank: Mapped[int]
    kind: Mapped[str]  # as in the tally


class WeekWindow(Base):
    """The cadence windows of a partner that ended in a week, closed in time or missed."""

    __tablename__ = "week_window"
    partner_id: Mapped[int] = mapped_column(ForeignKey("partner.id", ondelete="CASCADE"), primary_key=True)
    week: Mapped[int] = mapped_column(primary_key=True)
    tier_rank: Mapped[int] = mapped_column(primary_key=True)
    in_time: Mapped[int]
    missed: Mapped[int]


class WeekTally(Base):
    """The sum of all spans and windows: how many partners of a tier stood how at the read of a week.

    It changes with them, in the transaction that makes a partner's clocks anew.
    """

    __tablename__ = "week_tally"
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspace.id"), primary_key=True)
    week: Mapped[int] = mapped_column(primary_key=True)
    tier_rank: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)  # covered, covered+reply, overdue, …, in_time, missed
    number: Mapped[int]


class PartnerStanding(Base):
    """How a partner stood at an instant, for tools that read the database: programs of ours judge the facts instead.

    `changes` and `cadence_version` say which facts it was judged from: while both are the newest, none has changed.
    """

    __tablename__ = "partner_standing"
    partner_id: Mapped[int] = mapped_column(ForeignKey("partner.id", ondelete="CASCADE"), primary_key=True)
    workspace_id: Mapped[WorkspaceId]
    as_of: Mapped[At]
    changes: Mapped[int]
    cadence_version: Mapped[int]
    state: Mapped[str]
    tier_rank: Mapped[int | None]
    window_days: Mapped[int | None]
    grace_days: Mapped[int | None]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    last_touch_at: Mapped[At | None]
    last_touch_by: Mapped[str | None]
    last_heard_at: Mapped[At | None]
    days_since: Mapped[int | None]
    due_on: Mapped[date | None]
    days_overdue: Mapped[int]
    reply_backed: Mapped[bool]
    reply_owed: Mapped[bool]
    unobserved: Mapped[bool]
