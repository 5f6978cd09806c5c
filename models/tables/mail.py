"""What capture leaves behind: mailboxes, the ledger of what was seen, and touches with their evidence."""

from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.db import Base
from models.tables.columns import At, Id, Words, WorkspaceId


class Mailbox(Base):
    """One mailbox. `cursor_version` fences it: whoever stores a page must name the version it started from."""

    __tablename__ = "mailbox"
    __table_args__ = (UniqueConstraint("workspace_id", "address"),)
    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    address: Mapped[str]
    provider: Mapped[str]  # gmail, mbox (only ever imported), …
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    status: Mapped[str] = mapped_column(default="active")  # active, needs_auth, error, removed
    credential: Mapped[Words | None]  # sealed by models.vault
    options: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    cursor: Mapped[Words | None]
    cursor_version: Mapped[int] = mapped_column(default=0)
    paused_until: Mapped[At | None]
    last_ok_at: Mapped[At | None]
    reconciled_at: Mapped[At | None]  # when its ledger was last compared with what the provider lists
    error: Mapped[Words | None]
    lacking: Mapped[Words | None]  # what of it cannot be seen although it is read, such as a Sent folder
    created_at: Mapped[At]


class Observation(Base):
    """A stretch of time whose mail we know: a poll extends the current one, a backfill or an import adds its own."""

    __tablename__ = "observation"
    id: Mapped[Id]
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailbox.id", ondelete="CASCADE"), index=True)
    from_at: Mapped[At]
    until_at: Mapped[At]
    recorded_at: Mapped[At]
    source: Mapped[str]  # poll, import


class MailImport(Base):
    """How far the import of a file has come, so that a killed one goes on where it stopped."""

    __tablename__ = "mail_import"
    __table_args__ = (UniqueConstraint("mailbox_id", "identity"),)
    id: Mapped[Id]
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailbox.id", ondelete="CASCADE"))
    identity: Mapped[str]
    cursor: Mapped[Words | None]
    first_at: Mapped[At | None]
    last_at: Mapped[At | None]
    finished_at: Mapped[At | None]


class Seen(Base):
    """The ledger: every provider id that was dealt with, and how. No address, no subject."""

    __tablename__ = "seen"
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailbox.id", ondelete="CASCADE"), primary_key=True)
    provider_id: Mapped[str] = mapped_column(primary_key=True)
    verdict: Mapped[str]
    reason: Mapped[str | None]
    seen_at: Mapped[At]


class SeenHint(Base):
    """Whom a message of the last 90 days concerned, as keyed hashes: a partner who is added later finds it by them."""

    __tablename__ = "seen_hint"
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailbox.id", ondelete="CASCADE"), primary_key=True)
    provider_id: Mapped[str] = mapped_column(primary_key=True)
    address_hmac: Mapped[str] = mapped_column(primary_key=True)
    organisation_hmac: Mapped[str] = mapped_column(index=True)  # of a freemail address: the address's own
    outbound: Mapped[bool]
    human: Mapped[bool]
    at: Mapped[At]


class PendingFetch(Base):
    """A message that could not be fetched yet. It is retried, never skipped; `dead_at` says that we gave up."""

    __tablename__ = "pending_fetch"
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailbox.id", ondelete="CASCADE"), primary_key=True)
    provider_id: Mapped[str] = mapped_column(primary_key=True)
    attempts: Mapped[int] = mapped_column(default=1)
    first_at: Mapped[At]
    next_at: Mapped[At]
    reason: Mapped[Words]
    dead_at: Mapped[At | None]
    missed: Mapped[bool] = mapped_column(default=False)  # by polling: only the daily comparison found it


class Touch(Base):
    """One mail between our side and one partner, with the verdict and what matched. Whether it counts is derived."""

    __tablename__ = "touch"
    __table_args__ = (
        UniqueConstraint("partner_id", "dedupe_key"),
        Index("ix_touch_clock", "partner_id", "direction", "verdict", "at"),
        Index("ix_touch_broadcast", "workspace_id", "subject_hmac", "by_address", "at"),
        Index("ix_touch_message_id", "workspace_id", "message_id"),
    )
    id: Mapped[Id]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspace.id"))
    partner_id: Mapped[int] = mapped_column(ForeignKey("partner.id"))
    dedupe_key: Mapped[Words]
    message_id: Mapped[Words]
    at: Mapped[At]
    captured_at: Mapped[At]
    clamped: Mapped[bool] = mapped_column(default=False)  # said to be in the future: its time is when we saw it
    direction: Mapped[str]  # outbound, inbound
    verdict: Mapped[str]
    rule: Mapped[str]
    by_address: Mapped[str]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    matched: Mapped[str]
    matched_by: Mapped[str]  # contact, domain
    field: Mapped[str]  # from, to, cc, bcc
    subject_hmac: Mapped[str]
    content_hmac: Mapped[str]  # sender, recipients and subject: the same mail under another Message-ID
    voided_at: Mapped[At | None]
    void_reason: Mapped[str | None]


class Sighting(Base):
    """In which mailboxes a touch was seen. One mail in two mailboxes is one touch with two sightings."""

    __tablename__ = "sighting"
    touch_id: Mapped[int] = mapped_column(ForeignKey("touch.id", ondelete="CASCADE"), primary_key=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailbox.id", ondelete="CASCADE"), primary_key=True, index=True)
    provider_id: Mapped[str]


class Bounce(Base):
    """To whom a mail did not arrive, as a keyed hash: the mail itself may be read later than its bounce."""

    __tablename__ = "bounce"
    __table_args__ = (UniqueConstraint("workspace_id", "recipient_hmac", "at"),)
    id: Mapped[Id]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspace.id"))
    recipient_hmac: Mapped[str]
    at: Mapped[At]
