"""Who belongs to the programme: workspace, people, tiers and partners, with what was in force when."""

from datetime import date

from sqlalchemy import ForeignKey, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.db import Base
from models.tables.columns import At, Id, Words, WorkspaceId


class Workspace(Base):
    """One partner programme in one Slack workspace. Empty columns mean: what the settings say."""

    __tablename__ = "workspace"
    id: Mapped[Id]
    slack_team_id: Mapped[str | None] = mapped_column(unique=True)
    slack_enterprise_id: Mapped[str | None]  # of the organisation whose installation speaks for this workspace
    bot_user_id: Mapped[str | None]
    timezone: Mapped[str | None]
    channel_id: Mapped[str | None]
    leaders_channel_id: Mapped[str | None]  # where the monthly post goes; none is posted without
    leaders_since: Mapped[At | None]
    read_at: Mapped[str | None]
    when_empty: Mapped[str] = mapped_column(default="post", server_default="post")  # or skip: a read without gaps
    installed_by: Mapped[str | None]  # the Slack user whose installation this is, and who is led through the first run
    previewed_at: Mapped[At | None]
    started_at: Mapped[At | None]  # reads are posted from then on; a channel of the settings needs no start
    channel_trouble: Mapped[str | None]  # Slack's word for why the channel takes no message; the schedule rests
    channel_trouble_at: Mapped[At | None]
    touches_kept_from: Mapped[At | None]  # older touches were erased by age, but for those that later figures rest on
    access_lost_at: Mapped[At | None]  # Slack took the bot's access away: nothing is called, nothing runs
    access_lost_why: Mapped[str | None]
    policy: Mapped[str] = mapped_column(default="outbound")
    digest_key: Mapped[bytes] = mapped_column(LargeBinary)  # of models.keyed; never leaves the database
    roster_version: Mapped[int] = mapped_column(default=0)  # grows when an address or a domain changes hands
    cadence_version: Mapped[int] = mapped_column(default=0, server_default="0")  # grows when every clock may change
    created_at: Mapped[At]


class Person(Base):
    __tablename__ = "person"
    __table_args__ = (
        UniqueConstraint("workspace_id", "email"),
        UniqueConstraint("workspace_id", "slack_user_id"),
    )
    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    email: Mapped[str]
    name: Mapped[str]
    role: Mapped[str]  # lead, manager, viewer
    slack_user_id: Mapped[str | None]
    timezone: Mapped[str | None]
    nudges: Mapped[bool] = mapped_column(default=True)
    snoozed_until: Mapped[date | None]  # the last day without nudges
    away_until: Mapped[date | None]  # the last day away
    work_from: Mapped[int | None]  # hours of the own day in which nudges may come; empty: nine to five
    work_to: Mapped[int | None]
    country: Mapped[str | None]  # whose public holidays are kept, as ISO 3166 has it; empty: the one of the time zone
    left_at: Mapped[At | None]  # no longer in this Slack workspace: holds nothing and is told nothing
    created_at: Mapped[At]


class StandIn(Base):
    """Who gets a person's nudges while the person is away."""

    __tablename__ = "stand_in"
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    stand_in_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))


class MutedPartner(Base):
    """A partner about which a person wants no nudges."""

    __tablename__ = "muted_partner"
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    partner_id: Mapped[int] = mapped_column(ForeignKey("partner.id", ondelete="CASCADE"), primary_key=True, index=True)
    muted_at: Mapped[At]


class PersonAlias(Base):
    """Another address the person writes from."""

    __tablename__ = "person_alias"
    __table_args__ = (UniqueConstraint("workspace_id", "address"),)
    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    address: Mapped[str]


class Tier(Base):
    __tablename__ = "tier"
    __table_args__ = (UniqueConstraint("workspace_id", "rank"),)
    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    rank: Mapped[int]
    name: Mapped[str]
    window_days: Mapped[int]
    grace_days: Mapped[int] = mapped_column(default=0)


class TierHistory(Base):
    """What a tier asked for from an instant on, until the next row."""

    __tablename__ = "tier_history"
    id: Mapped[Id]
    tier_id: Mapped[int] = mapped_column(ForeignKey("tier.id"), index=True)
    from_at: Mapped[At]
    name: Mapped[str]
    window_days: Mapped[int]
    grace_days: Mapped[int]


MERGED = "merged"
"""Status of a partner whose facts are another one's now. Its row stays for the reads that were held with it."""


class Partner(Base):
    """An organisation we keep a relationship with. Tier, owner and status here are the newest row of its history."""

    __tablename__ = "partner"
    __table_args__ = (UniqueConstraint("workspace_id", "name_key"),)
    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    name: Mapped[str]
    name_key: Mapped[str]  # folded, so that one partner cannot be entered twice in two spellings
    tier_id: Mapped[int | None] = mapped_column(ForeignKey("tier.id"))
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    status: Mapped[str] = mapped_column(default="active")
    paused_until: Mapped[date | None]
    pause_reason: Mapped[str | None]
    cadence_start_on: Mapped[date]
    external_id: Mapped[str | None]
    created_at: Mapped[At]


class PartnerHistory(Base):
    """Tier, owner and status of a partner from an instant on, until the next row."""

    __tablename__ = "partner_history"
    id: Mapped[Id]
    partner_id: Mapped[int] = mapped_column(ForeignKey("partner.id"), index=True)
    from_at: Mapped[At]
    tier_id: Mapped[int | None] = mapped_column(ForeignKey("tier.id"))
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    status: Mapped[str]
    paused_until: Mapped[date | None]


class PartnerDomain(Base):
    __tablename__ = "partner_domain"
    __table_args__ = (UniqueConstraint("workspace_id", "domain"),)
    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    partner_id: Mapped[int] = mapped_column(ForeignKey("partner.id", ondelete="CASCADE"), index=True)
    domain: Mapped[str]


class PartnerContact(Base):
    __tablename__ = "partner_contact"
    __table_args__ = (UniqueConstraint("workspace_id", "address"),)
    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    partner_id: Mapped[int] = mapped_column(ForeignKey("partner.id", ondelete="CASCADE"), index=True)
    address: Mapped[Words]


class Forgotten(Base):
    """An address that was erased: only its keyed hash, so that mail which is read later does not bring it back."""

    __tablename__ = "forgotten"
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspace.id"), primary_key=True)
    address_hmac: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[At]
