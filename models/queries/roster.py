"""The roster as its files have it: one line per partner, with everything that a file may say about it."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from models.cadence import Status
from models.tables import NextStep, Partner, PartnerContact, PartnerDomain, Person, Tier
from models.tables.roster import MERGED


@dataclass(frozen=True, slots=True)
class PartnerLine:
    """One line of `partners.csv`; `tier` is a rank. Lists are sorted, so that equal lines are equal."""

    name: str
    tier: int | None
    owner_email: str | None
    domains: tuple[str, ...]
    contacts: tuple[str, ...]
    status: Status
    since: date | None
    next_step: str | None
    next_step_due_on: date | None
    external_id: str | None


def partner_lines(session: Session, workspace_id: int, only: int | None = None) -> dict[int, PartnerLine]:
    """Every partner by id, in the order of names; or `only` one of them."""
    domains = _lists(
        session, workspace_id, PartnerDomain.partner_id, PartnerDomain.domain, PartnerDomain.workspace_id, only
    )
    contacts = _lists(
        session, workspace_id, PartnerContact.partner_id, PartnerContact.address, PartnerContact.workspace_id, only
    )
    rows = session.execute(
        select(Partner, Tier.rank, Person.email, NextStep)
        .outerjoin(Tier, Tier.id == Partner.tier_id)
        .outerjoin(Person, Person.id == Partner.owner_id)
        .outerjoin(NextStep, (NextStep.partner_id == Partner.id) & NextStep.ended_at.is_(None))
        .where(Partner.workspace_id == workspace_id, Partner.status != MERGED)
        .where(true() if only is None else Partner.id == only)
        .order_by(Partner.name_key)
    )
    return {
        row.Partner.id: PartnerLine(
            name=row.Partner.name,
            tier=row.rank,
            owner_email=row.email,
            domains=tuple(sorted(domains.get(row.Partner.id, ()))),
            contacts=tuple(sorted(contacts.get(row.Partner.id, ()))),
            status=Status(row.Partner.status),
            since=row.Partner.cadence_start_on,
            next_step=row.NextStep.text if row.NextStep else None,
            next_step_due_on=row.NextStep.due_on if row.NextStep else None,
            external_id=row.Partner.external_id,
        )
        for row in rows
    }


def _lists(
    session: Session,
    workspace_id: int,
    key: InstrumentedAttribute[int],
    value: InstrumentedAttribute[str],
    workspace: InstrumentedAttribute[Any],
    only: int | None,
) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    wanted = true() if only is None else key == only
    for partner_id, one in session.execute(select(key, value).where(workspace == workspace_id, wanted)):
        found.setdefault(partner_id, []).append(one)
    return found
