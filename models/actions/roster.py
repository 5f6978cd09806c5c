"""Writes to the roster: the workspace, people, tiers and partners, each change with its history row."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from models import tables
from models.actions.write import audit
from models.cadence import Status, Tier
from models.names import name_key
from models.tables import (
    Partner,
    PartnerContact,
    PartnerDomain,
    PartnerHistory,
    Person,
    PersonAlias,
    TierHistory,
)

DEFAULT_TIERS = (Tier(1, "Tier 1", 7), Tier(2, "Tier 2", 14), Tier(3, "Tier 3", 30))


class Change(StrEnum):
    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person as the roster should have it. None leaves what is there."""

    email: str
    name: str
    role: str
    slack_user_id: str | None = None
    aliases: tuple[str, ...] = ()
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class PartnerRow:
    """A partner as the roster should have it; `tier` is a rank, `since` the start of its cadence."""

    name: str
    tier: int | None
    owner_email: str | None
    domains: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    status: Status | None = None  # None leaves it
    since: date | None = None
    external_id: str | None = None


def the_workspace(session: Session, now: datetime) -> int:
    """The oldest workspace; the first call makes it, with the default tiers."""
    found = session.scalar(select(tables.Workspace.id).order_by(tables.Workspace.id).limit(1))
    return found if found is not None else add_workspace(session, now)


def add_workspace(session: Session, now: datetime, slack_team_id: str | None = None) -> int:
    workspace = tables.Workspace(slack_team_id=slack_team_id, digest_key=secrets.token_bytes(32), created_at=now)
    session.add(workspace)
    session.flush()
    for tier in DEFAULT_TIERS:
        set_tier(session, workspace.id, "installation", tier, now)
    return workspace.id


def link_workspace(session: Session, workspace_id: int, team_id: str, bot_user_id: str | None) -> None:
    """Remembers which Slack workspace this programme lives in."""
    workspace = session.get_one(tables.Workspace, workspace_id)
    workspace.slack_team_id, workspace.bot_user_id = team_id, bot_user_id


def set_tier(session: Session, workspace_id: int, actor: str, tier: Tier, now: datetime) -> Change:
    """Adds a tier or changes its target from now on; weeks that are past keep the target they had."""
    row = session.scalar(
        select(tables.Tier).where(tables.Tier.workspace_id == workspace_id, tables.Tier.rank == tier.rank)
    )
    before = Tier(row.rank, row.name, row.window_days, row.grace_days) if row else None
    if before == tier:
        return Change.UNCHANGED
    if row is None:
        row = tables.Tier(workspace_id=workspace_id, rank=tier.rank)
        session.add(row)
    row.name, row.window_days, row.grace_days = (
        tier.name,
        tier.window_days,
        tier.grace_days,
    )
    session.flush()
    session.add(
        TierHistory(
            tier_id=row.id,
            from_at=now,
            name=tier.name,
            window_days=tier.window_days,
            grace_days=tier.grace_days,
        )
    )
    after = _plain(tier)
    audit(
        session,
        workspace_id,
        actor,
        "set tier",
        f"tier:{tier.rank}",
        now,
        before=_plain(before) if before else None,
        after=after,
    )
    return Change.CHANGED if before else Change.ADDED


def put_person(session: Session, workspace_id: int, actor: str, wanted: PersonRow, now: datetime) -> Change:
    """Adds the person with this address or brings it to what is wanted."""
    row = session.scalar(select(Person).where(Person.workspace_id == workspace_id, Person.email == wanted.email))
    before = _person(session, row) if row else None
    if before:
        wanted = replace(
            wanted,
            slack_user_id=wanted.slack_user_id or before.slack_user_id,
            timezone=wanted.timezone or before.timezone,
        )
    if before == wanted:
        return Change.UNCHANGED
    if row is None:
        row = Person(workspace_id=workspace_id, email=wanted.email, created_at=now)
        session.add(row)
    row.name, row.role = wanted.name, wanted.role
    row.slack_user_id, row.timezone = wanted.slack_user_id, wanted.timezone
    session.flush()
    session.execute(delete(PersonAlias).where(PersonAlias.person_id == row.id))
    session.add_all(
        PersonAlias(workspace_id=workspace_id, person_id=row.id, address=address) for address in wanted.aliases
    )
    session.flush()
    audit(
        session,
        workspace_id,
        actor,
        "add person" if before is None else "change person",
        f"person:{row.id}",
        now,
        before=_plain(before) if before else None,
        after=_plain(wanted),
    )
    return Change.CHANGED if before else Change.ADDED


def put_partner(session: Session, workspace_id: int, actor: str, wanted: PartnerRow, now: datetime) -> Change:
    """Adds the partner of this name or brings it to what is wanted. The start of its cadence is kept when not given."""
    row = session.scalar(
        select(Partner).where(
            Partner.workspace_id == workspace_id,
            Partner.name_key == name_key(wanted.name),
        )
    )
    before = _partner(session, row) if row else None
    since = wanted.since or (row.cadence_start_on if row else now.date())
    wanted = replace(
        wanted,
        since=since,
        status=wanted.status or (before.status if before else None) or Status.ACTIVE,
        external_id=wanted.external_id or (before.external_id if before else None),
        domains=tuple(sorted(set(wanted.domains))),
        contacts=tuple(sorted(set(wanted.contacts))),
    )
    if before == wanted:
        return Change.UNCHANGED
    tier_id, owner_id = _tier_id(session, workspace_id, wanted.tier), _owner_id(session, workspace_id, wanted)
    if row is None:
        row = Partner(workspace_id=workspace_id, created_at=now)
        session.add(row)
    moved = before is None or (row.tier_id, row.owner_id, row.status) != (tier_id, owner_id, wanted.status)
    row.name, row.name_key, row.external_id = wanted.name, name_key(wanted.name), wanted.external_id
    row.tier_id, row.owner_id, row.cadence_start_on = tier_id, owner_id, since
    if row.status != wanted.status:
        row.paused_until = row.pause_reason = None
    row.status = wanted.status or Status.ACTIVE
    session.flush()
    if moved:
        _remember(session, row, now)
    _replace_addresses(session, workspace_id, row.id, wanted.domains, wanted.contacts)
    audit(
        session,
        workspace_id,
        actor,
        "add partner" if before is None else "change partner",
        f"partner:{row.id}",
        now,
        before=_plain(before) if before else None,
        after=_plain(wanted),
    )
    return Change.CHANGED if before else Change.ADDED


def pause_partner(
    session: Session,
    workspace_id: int,
    actor: str,
    partner_id: int,
    reason: str,
    until: date | None,
    now: datetime,
) -> None:
    """Takes the partner out of coverage until a day, with the reason on record."""
    row = session.get_one(Partner, partner_id)
    before = {
        "status": row.status,
        "paused_until": _iso(row.paused_until),
        "reason": row.pause_reason,
    }
    row.status, row.paused_until, row.pause_reason = Status.PAUSED, until, reason
    session.flush()
    _remember(session, row, now)
    after = {"status": row.status, "paused_until": _iso(until), "reason": reason}
    audit(
        session,
        workspace_id,
        actor,
        "pause partner",
        f"partner:{partner_id}",
        now,
        before=before,
        after=after,
    )


def link_person(
    session: Session,
    workspace_id: int,
    person_id: int,
    slack_user_id: str,
    now: datetime,
) -> None:
    """Remembers which Slack user a person of the roster is."""
    row = session.get_one(Person, person_id)
    if row.slack_user_id != slack_user_id:
        before, row.slack_user_id = row.slack_user_id, slack_user_id
        audit(
            session,
            workspace_id,
            "slack",
            "link person",
            f"person:{person_id}",
            now,
            before={"slack_user_id": before},
            after={"slack_user_id": slack_user_id},
        )


def set_nudge_wishes(
    session: Session,
    workspace_id: int,
    person_id: int,
    now: datetime,
    *,
    nudges: bool,
    snoozed_until: date | None,
) -> None:
    """The person's own choice: nudges on or off, and a day until which they rest."""
    row = session.get_one(Person, person_id)
    before = {"nudges": row.nudges, "snoozed_until": _iso(row.snoozed_until)}
    row.nudges, row.snoozed_until = nudges, snoozed_until
    after = {"nudges": nudges, "snoozed_until": _iso(snoozed_until)}
    if before != after:
        actor = f"person:{person_id}"
        audit(
            session,
            workspace_id,
            actor,
            "set nudges",
            actor,
            now,
            before=before,
            after=after,
        )


def _remember(session: Session, row: Partner, now: datetime) -> None:
    session.add(
        PartnerHistory(
            partner_id=row.id,
            from_at=now,
            tier_id=row.tier_id,
            owner_id=row.owner_id,
            status=row.status,
            paused_until=row.paused_until,
        )
    )


def _replace_addresses(
    session: Session,
    workspace_id: int,
    partner_id: int,
    domains: Sequence[str],
    contacts: Sequence[str],
) -> None:
    session.execute(delete(PartnerDomain).where(PartnerDomain.partner_id == partner_id))
    session.execute(delete(PartnerContact).where(PartnerContact.partner_id == partner_id))
    session.add_all(PartnerDomain(workspace_id=workspace_id, partner_id=partner_id, domain=one) for one in domains)
    session.add_all(PartnerContact(workspace_id=workspace_id, partner_id=partner_id, address=one) for one in contacts)
    session.flush()


def _person(session: Session, row: Person) -> PersonRow:
    aliases = session.scalars(
        select(PersonAlias.address).where(PersonAlias.person_id == row.id).order_by(PersonAlias.id)
    )
    return PersonRow(row.email, row.name, row.role, row.slack_user_id, tuple(aliases), row.timezone)


def _partner(session: Session, row: Partner) -> PartnerRow:
    domains = select(PartnerDomain.domain).where(PartnerDomain.partner_id == row.id)
    contacts = select(PartnerContact.address).where(PartnerContact.partner_id == row.id)
    return PartnerRow(
        name=row.name,
        tier=session.scalar(select(tables.Tier.rank).where(tables.Tier.id == row.tier_id)),
        owner_email=session.scalar(select(Person.email).where(Person.id == row.owner_id)),
        domains=tuple(sorted(session.scalars(domains))),
        contacts=tuple(sorted(session.scalars(contacts))),
        status=Status(row.status),
        since=row.cadence_start_on,
        external_id=row.external_id,
    )


def _tier_id(session: Session, workspace_id: int, rank: int | None) -> int | None:
    if rank is None:
        return None
    return session.scalars(
        select(tables.Tier.id).where(tables.Tier.workspace_id == workspace_id, tables.Tier.rank == rank)
    ).one()


def _owner_id(session: Session, workspace_id: int, wanted: PartnerRow) -> int | None:
    if wanted.owner_email is None:
        return None
    return session.scalars(
        select(Person.id).where(Person.workspace_id == workspace_id, Person.email == wanted.owner_email)
    ).one()


def _plain(row: PersonRow | PartnerRow | Tier) -> dict[str, Any]:
    """A row as JSON can hold it."""
    values = {name: getattr(row, name) for name in row.__dataclass_fields__}
    return {
        name: _iso(value) if isinstance(value, date) else list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
    }


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
