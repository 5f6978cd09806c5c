"""What was said in Slack: the weekly reads with their snapshot, the outbox and the nudges."""

from datetime import date
from typing import Any

from sqlalchemy import JSON, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.db import Base
from models.tables.columns import At, Id, Words, WorkspaceId


class Read(Base):
    """One weekly read. One per programme and week: the constraint says so, whatever restarts and replicas do."""

    __tablename__ = "read"
    __table_args__ = (UniqueConstraint("workspace_id", "week"),)
    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    week: Mapped[date]  # its Monday
    at: Mapped[At]
    policy: Mapped[str]
    timezone: Mapped[str | None]  # by whose calendar it was judged; reads of older versions do not say
    troubles: Mapped[list[dict[str, str]] | None] = mapped_column(JSON)  # mailboxes that needed attention then


class ReadLine(Base):
    """One partner as the read saw it. Written once, never changed, kept when touches are purged."""

    __tablename__ = "read_line"
    read_id: Mapped[int] = mapped_column(ForeignKey("read.id"), primary_key=True)
    partner_id: Mapped[int] = mapped_column(ForeignKey("partner.id"), primary_key=True, index=True)
    state: Mapped[str]
    tier_rank: Mapped[int | None]
    window_days: Mapped[int | None]
    grace_days: Mapped[int | None]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    last_touch_at: Mapped[At | None]
    last_touch_id: Mapped[int | None]  # follows its mail when two partners are merged; nothing else may change
    due_on: Mapped[date | None]
    days_overdue: Mapped[int]
    reply_backed: Mapped[bool]
    reply_owed: Mapped[bool]
    unobserved: Mapped[bool]
    quiet_chance: Mapped[float | None]  # of a partner that went quiet: how rare such a silence is, and the words
    quiet_words: Mapped[str | None]


class OutboxPost(Base):
    """A Slack message that is to exist once. A row first, then the call; an unanswered call leaves `unknown`."""

    __tablename__ = "outbox_post"
    __table_args__ = (UniqueConstraint("workspace_id", "channel", "kind", "period", "part"),)
    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    channel: Mapped[str]  # a channel id, or a user id for a direct message
    kind: Mapped[str]  # read, nudge, notice
    period: Mapped[str]  # the week or the day it belongs to
    part: Mapped[int] = mapped_column(default=0)
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)  # text and blocks as first sent
    status: Mapped[str] = mapped_column(default="pending", index=True)  # pending, sending, sent, unknown, failed, gone
    slack_channel: Mapped[str | None]  # where Slack put it: updates of a DM need the D… id
    ts: Mapped[str | None]
    created_at: Mapped[At]
    not_before: Mapped[At | None]
    attempts: Mapped[int] = mapped_column(default=0)
    taken_at: Mapped[At | None]
    error: Mapped[Words | None]
    redraw_wanted: Mapped[int] = mapped_column(default=0)  # rises with every change that the message should show
    redraw_done: Mapped[int] = mapped_column(default=0)
    redrawn_at: Mapped[At | None]
    rendered_hash: Mapped[str | None]


class Nudge(Base):
    """One transition somebody is told about, once. It waits until a DM carries it, or is dropped with a reason.

    Its words are made when it is told, from the facts of that moment.
    """

    __tablename__ = "nudge"
    __table_args__ = (UniqueConstraint("person_id", "kind", "subject", "transition"),)
    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    kind: Mapped[str]  # due_soon, overdue, claim_due, claim_lapsed, next_step_due, mailbox
    subject: Mapped[str]  # partner:7, mailbox:3
    transition: Mapped[str]  # what makes it this one and no other: the due day, the claim, the next step
    noticed_at: Mapped[At]
    outbox_post_id: Mapped[int | None] = mapped_column(ForeignKey("outbox_post.id"))
    dropped: Mapped[str | None]
