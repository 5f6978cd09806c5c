"""Outside organisations that the mail knows and the roster does not, by keyed hashes: no name of theirs is stored."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.addresses import host_of
from models.clock import local_day
from models.correspondence import LOOK_BACK, Correspondence
from models.domains import organisation
from models.keyed import organisation_hmac
from models.queries.mail import roster
from models.queries.programme import Programme
from models.tables import Mailbox, SeenHint, Workspace

SAMPLES = 3


@dataclass(slots=True)
class Unlisted:
    """One organisation without its name, and its newest messages, any of which would say it."""

    hashed: str
    mail: Correspondence = field(default_factory=Correspondence)
    samples: list[tuple[int, str]] = field(default_factory=list)  # (mailbox, provider id)


def unlisted_organisations(session: Session, programme: Programme, now: datetime) -> list[Unlisted]:
    """Those with regular two-way mail between people, the most regular first."""
    listed = set(hashed_organisations(session, programme.workspace_id, _listed_addresses(session, programme)))
    rows = session.execute(
        select(
            SeenHint.organisation_hmac,
            SeenHint.outbound,
            SeenHint.at,
            SeenHint.mailbox_id,
            SeenHint.provider_id,
            Mailbox.address,
        )
        .join(Mailbox, Mailbox.id == SeenHint.mailbox_id)
        .where(
            Mailbox.workspace_id == programme.workspace_id,
            Mailbox.status != "removed",
            SeenHint.human,
            SeenHint.at > now - LOOK_BACK,
            SeenHint.at <= now,
            SeenHint.organisation_hmac != SeenHint.address_hmac,  # freemail
        )
        .order_by(SeenHint.at.desc())
        .execution_options(yield_per=5000)
    )
    found: dict[str, Unlisted] = {}
    for row in rows:
        if row.organisation_hmac not in listed:
            one = found.setdefault(row.organisation_hmac, Unlisted(row.organisation_hmac))
            one.mail.add(local_day(row.at, programme.zone), row.outbound, row.address)
            sample = (row.mailbox_id, row.provider_id)
            if len(one.samples) < SAMPLES and sample not in one.samples:
                one.samples.append(sample)
    return sorted((one for one in found.values() if one.mail.regular), key=lambda one: one.mail.weight, reverse=True)


def listed_organisations(session: Session, programme: Programme) -> set[str]:
    """The organisations of our own people and mailboxes, and those that the roster has as partners."""
    names = {organisation(host_of(address)) for address in _listed_addresses(session, programme)}
    return {name for name in names if name}


def hashed_organisations(session: Session, workspace_id: int, addresses: Iterable[str]) -> dict[str, str]:
    """Hash → name, of the organisations of these addresses."""
    key = session.scalars(select(Workspace.digest_key).where(Workspace.id == workspace_id)).one()
    names = {address: organisation(host_of(address)) for address in addresses}
    return {organisation_hmac(key, address): name for address, name in names.items() if name}


def _listed_addresses(session: Session, programme: Programme) -> set[str]:
    known = roster(session, programme.workspace_id)
    boxes = session.scalars(select(Mailbox.address).where(Mailbox.workspace_id == programme.workspace_id))
    return {*known.people, *known.contacts, *(f"@{domain}" for domain in known.domains), *boxes}
