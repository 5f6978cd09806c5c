"""Changes of single partners and people, as a lead makes them: checked against everybody else, then as an import does.

Unique keys stop whoever takes the same at the same moment; here the second is told in words what belongs to whom.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.actions import episodes
from models.actions.partners import PartnerRow, Taken, put_partner, rename_partner
from models.actions.people import PersonRow, leave_person, put_person, return_person
from models.actions.rematch import Rematched, roster_change
from models.names import name_key
from models.queries.programme import Programme
from models.tables import Partner, PartnerContact, PartnerDomain, Person, PersonAlias


class LastLead(Exception):
    """Somebody has to lead: the last lead can neither leave nor become something else."""


def change_partner(
    session: Session, programme: Programme, actor: str, partner_id: int, wanted: PartnerRow, now: datetime
) -> Rematched:
    """Brings a partner of the roster to what is wanted, under another name too; raises Taken."""
    workspace_id, row = programme.workspace_id, session.get_one(Partner, partner_id)
    _partner_is_free(session, workspace_id, wanted, partner_id)
    with roster_change(session, workspace_id, actor, now) as change:
        if row.name != wanted.name:
            rename_partner(session, workspace_id, actor, partner_id, wanted.name, now)
        put_partner(session, workspace_id, actor, replace(wanted, external_id=None), now)
    _follow(session, programme, now)
    return change.mail


def put_one_person(session: Session, programme: Programme, actor: str, wanted: PersonRow, now: datetime) -> Rematched:
    """Adds a person or brings them to what is wanted; raises Taken and LastLead."""
    workspace_id = programme.workspace_id
    row = session.scalar(select(Person).where(Person.workspace_id == workspace_id, Person.email == wanted.email))
    _person_is_free(session, workspace_id, wanted, row.id if row else None)
    if row is not None and wanted.role != "lead":
        _another_leads(session, workspace_id, row)
    with roster_change(session, workspace_id, actor, now) as change:
        put_person(session, workspace_id, actor, wanted, now)
    _follow(session, programme, now)
    return change.mail


def set_on_duty(session: Session, workspace_id: int, actor: str, person_id: int, on_duty: bool, now: datetime) -> None:
    """Off duty somebody holds no claim and is told nothing. Whoever is still in Slack may read along, as a viewer."""
    if on_duty:
        return_person(session, workspace_id, person_id, actor, now)
    else:
        leave_person(session, workspace_id, person_id, actor, now)


def partners_owned(session: Session, person_id: int) -> int:
    """Of somebody who leaves duty: how many partners need another owner."""
    rows = session.scalars(select(Partner.id).where(Partner.owner_id == person_id, Partner.status != "ended"))
    return len(rows.all())


def _follow(session: Session, programme: Programme, now: datetime) -> None:
    """Episodes follow the mail, which has followed the roster."""
    episodes.reopen_if_voided(session, programme, now)
    episodes.settle_episodes(session, programme, now)


def _another_leads(session: Session, workspace_id: int, row: Person) -> None:
    others = select(Person.id).where(
        Person.workspace_id == workspace_id, Person.role == "lead", Person.left_at.is_(None), Person.id != row.id
    )
    if row.role == "lead" and session.scalar(others.limit(1)) is None:
        raise LastLead("somebody has to lead the programme: make another person a lead first")


def _partner_is_free(session: Session, workspace_id: int, wanted: PartnerRow, partner_id: int) -> None:
    named = session.scalar(
        select(Partner.name).where(
            Partner.workspace_id == workspace_id,
            Partner.name_key == name_key(wanted.name),
            Partner.id != partner_id,
        )
    )
    if named is not None:
        raise Taken("name", wanted.name, named)
    for field, column, values, holder in (
        ("domains", PartnerDomain.domain, wanted.domains, PartnerDomain.partner_id),
        ("contacts", PartnerContact.address, wanted.contacts, PartnerContact.partner_id),
    ):
        found = session.execute(
            select(column, Partner.name)
            .join(Partner, Partner.id == holder)
            .where(Partner.workspace_id == workspace_id, column.in_(values), Partner.id != partner_id)
            .order_by(column)
        ).first()
        if found is not None:
            raise Taken(field, found[0], found[1])


def _person_is_free(session: Session, workspace_id: int, wanted: PersonRow, person_id: int | None) -> None:
    others = select(Person).where(Person.workspace_id == workspace_id)
    if person_id is not None:
        others = others.where(Person.id != person_id)
    addresses: Collection[str] = (wanted.email, *wanted.aliases)
    if wanted.slack_user_id is not None:
        same = session.scalar(others.where(Person.slack_user_id == wanted.slack_user_id))
        if same is not None:
            raise Taken("slack", wanted.name, same.name)
    for row in session.scalars(others.where(Person.email.in_(addresses))):
        raise Taken("email" if row.email == wanted.email else "aliases", row.email, row.name)
    aliases = (
        select(PersonAlias.address, Person.name)
        .join(Person, Person.id == PersonAlias.person_id)
        .where(PersonAlias.workspace_id == workspace_id, PersonAlias.address.in_(addresses))
    )
    if person_id is not None:
        aliases = aliases.where(PersonAlias.person_id != person_id)
    contacts = (
        select(PartnerContact.address, Partner.name)
        .join(Partner, Partner.id == PartnerContact.partner_id)
        .where(PartnerContact.workspace_id == workspace_id, PartnerContact.address.in_(addresses))
    )
    for query in (aliases, contacts):
        found = session.execute(query).first()
        if found is not None:
            raise Taken("email" if found[0] == wanted.email else "aliases", found[0], found[1])
