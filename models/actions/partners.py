"""Writes of partners: what the roster says of them, each change with its history row."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from models import tables
from models.actions import episodes
from models.actions.clocks import facts_changed
from models.actions.rematch import Rematched, roster_change
from models.actions.write import Change, audit, iso, plain
from models.cadence import Status
from models.names import clear_name, name_key
from models.queries.programme import Programme
from models.tables import (
    Partner,
    PartnerContact,
    PartnerDomain,
    PartnerHistory,
    Person,
)
from models.tables.roster import MERGED


class Taken(Exception):
    """What a partner is to be known by belongs to another one already."""

    def __init__(self, field: str, value: str, holder: str) -> None:
        super().__init__(f"{value} belongs already to {holder}")
        self.field, self.value, self.holder = field, value, holder


class NameTaken(Taken):
    """Another partner has this name."""

    def __init__(self, holder: str) -> None:
        super().__init__("name", holder, holder)


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


def put_partner(session: Session, workspace_id: int, actor: str, wanted: PartnerRow, now: datetime) -> Change:
    """Adds the partner or brings it to what is wanted; its mail follows. The start of its cadence is kept if not given.

    It is known by the id that another system gave it, else by its name; NameTaken when another one has the name.
    """
    with roster_change(session, workspace_id, actor, now):
        return _put(session, workspace_id, actor, wanted, now)


def _put(session: Session, workspace_id: int, actor: str, wanted: PartnerRow, now: datetime) -> Change:
    row = _known(session, workspace_id, wanted)
    before = row_of(session, row) if row else None
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
        remember(session, row, now)
    facts_changed(session, workspace_id, [row.id])
    _replace_addresses(session, workspace_id, row.id, wanted.domains, wanted.contacts)
    audit(
        session,
        workspace_id,
        actor,
        "add partner" if before is None else "change partner",
        f"partner:{row.id}",
        now,
        before=plain(before) if before else None,
        after=plain(wanted),
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
    _set_status(session, workspace_id, actor, partner_id, (Status.PAUSED, until, reason), "pause partner", now)


def resume_partner(session: Session, workspace_id: int, actor: str, partner_id: int, now: datetime) -> bool:
    """Ends a pause before its day; answers whether there was one. Its clock runs on from its last touch."""
    if session.get_one(Partner, partner_id).status != Status.PAUSED:
        return False
    _set_status(session, workspace_id, actor, partner_id, (Status.ACTIVE, None, None), "resume partner", now)
    return True


def _set_status(
    session: Session,
    workspace_id: int,
    actor: str,
    partner_id: int,
    wanted: tuple[Status, date | None, str | None],
    action: str,
    now: datetime,
) -> None:
    row = session.get_one(Partner, partner_id)
    before = {"status": row.status, "paused_until": iso(row.paused_until), "reason": row.pause_reason}
    row.status, row.paused_until, row.pause_reason = wanted
    session.flush()
    remember(session, row, now)
    facts_changed(session, workspace_id, [partner_id])
    after = {"status": row.status, "paused_until": iso(row.paused_until), "reason": row.pause_reason}
    audit(session, workspace_id, actor, action, f"partner:{partner_id}", now, before=before, after=after)


def add_partner(session: Session, programme: Programme, actor: str, wanted: PartnerRow, now: datetime) -> Rematched:
    """Adds a partner that must not be there yet; raises Taken where its name, a domain or a contact is.

    Who adds the same at the same moment is stopped by the unique keys. Episodes follow the mail.
    """
    taken = _taken(session, programme.workspace_id, wanted)
    if taken is not None:
        raise taken
    with roster_change(session, programme.workspace_id, actor, now) as change:
        put_partner(session, programme.workspace_id, actor, wanted, now)
    episodes.reopen_if_voided(session, programme, now)
    episodes.settle_episodes(session, programme, now)
    return change.mail


def rename_partner(session: Session, workspace_id: int, actor: str, partner_id: int, name: str, now: datetime) -> None:
    """Gives the partner another name; raises NameTaken where another one has it. Nothing else changes."""
    row, name = session.get_one(Partner, partner_id), clear_name(name)
    holder = session.scalar(select(Partner).where(*_named(workspace_id, name)))
    if holder is not None and holder.id != partner_id:
        raise NameTaken(holder.name)
    before, row.name, row.name_key = row.name, name, name_key(name)
    session.flush()
    if before != name:
        subject = f"partner:{partner_id}"
        audit(
            session, workspace_id, actor, "rename partner", subject, now, before={"name": before}, after={"name": name}
        )


def _taken(session: Session, workspace_id: int, wanted: PartnerRow) -> Taken | None:
    """What of a partner that is to be added belongs to one that is there, if anything."""
    named = session.scalar(select(Partner.name).where(*_named(workspace_id, wanted.name)))
    if named is not None:
        return Taken("name", wanted.name, named)
    for field, column, values, holder in (
        ("domains", PartnerDomain.domain, wanted.domains, PartnerDomain.partner_id),
        ("contacts", PartnerContact.address, wanted.contacts, PartnerContact.partner_id),
    ):
        found = session.execute(
            select(column, Partner.name)
            .join(Partner, Partner.id == holder)
            .where(Partner.workspace_id == workspace_id, column.in_(values))
            .order_by(column)
        ).first()
        if found is not None:
            return Taken(field, found[0], found[1])
    return None


def _named(workspace_id: int, name: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return Partner.workspace_id == workspace_id, Partner.name_key == name_key(name)


def _known(session: Session, workspace_id: int, wanted: PartnerRow) -> Partner | None:
    named = session.scalar(select(Partner).where(*_named(workspace_id, wanted.name)))
    if not wanted.external_id:
        return named
    same_id = session.scalars(
        select(Partner).where(
            Partner.workspace_id == workspace_id, Partner.external_id == wanted.external_id, Partner.status != MERGED
        )
    ).all()
    if len(same_id) != 1 or named in same_id:  # several of one id: then the name decides
        return named
    if named is not None:
        raise NameTaken(named.name)
    return same_id[0]


def remember(session: Session, row: Partner, now: datetime) -> None:
    """The partner's tier, owner and status are in force from now on."""
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


def row_of(session: Session, row: Partner) -> PartnerRow:
    """The partner as the roster has it."""
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
