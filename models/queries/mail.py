"""What capture needs to know before it stores, and the evidence that reports show afterwards."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from models.matching import Roster
from models.queries.evidence import reaches, sightings, writer
from models.queries.programme import Programme, people
from models.queries.standings import counting
from models.tables import (
    Mailbox,
    Observation,
    Partner,
    PartnerContact,
    PartnerDomain,
    PendingFetch,
    Person,
    Seen,
    Touch,
    Workspace,
)
from models.verdict import NOT_FINAL

CHUNK = 500


@dataclass(frozen=True, slots=True)
class MailboxFacts:
    """One mailbox with its health, as `cadence mailbox list` shows it."""

    id: int
    workspace_id: int
    address: str
    provider: str
    owner_email: str | None
    owner_id: int | None
    status: str
    options: dict[str, Any]
    credential: str | None
    cursor: str | None
    cursor_version: int
    paused_until: datetime | None
    created_at: datetime
    last_ok_at: datetime | None
    reconciled_at: datetime | None
    seen: int
    pending: int
    dead: int
    gap: int | None  # messages that the provider lists and we lack; None: never compared
    lacking_since: datetime | None  # since when something is given up or in the gap
    error: str | None
    lacking: str | None  # what of it cannot be seen
    files_from: datetime | None = None  # the time that imported files vouch for
    files_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class TouchFacts:
    """One touch with its evidence; `counts` says whether it moves the clock under the programme's policy."""

    id: int
    partner_id: int
    partner: str
    at: datetime
    direction: str
    counts: bool
    verdict: str
    rule: str
    by: str
    matched: str
    matched_by: str
    field: str
    message_id: str
    mailboxes: tuple[str, ...]
    clamped: bool
    void_reason: str | None
    captured_at: datetime
    reach: int = 1  # how many partners a broadcast went to


def roster(session: Session, workspace_id: int) -> Roster:
    """Every address and domain that matching knows."""
    ours = {
        address: person.id for person in people(session, workspace_id) for address in (person.email, *person.aliases)
    }
    contacts = select(PartnerContact.address, PartnerContact.partner_id).where(
        PartnerContact.workspace_id == workspace_id
    )
    domains = select(PartnerDomain.domain, PartnerDomain.partner_id).where(PartnerDomain.workspace_id == workspace_id)
    return Roster(
        people=ours,
        contacts={row.address: row.partner_id for row in session.execute(contacts)},
        domains={row.domain: row.partner_id for row in session.execute(domains)},
    )


def roster_version(session: Session, workspace_id: int) -> int:
    return session.scalars(select(Workspace.roster_version).where(Workspace.id == workspace_id)).one()


def unseen(session: Session, mailbox_id: int, provider_ids: Sequence[str]) -> set[str]:
    """Those of the ids that have no final verdict yet."""
    final: set[str] = set()
    for start in range(0, len(provider_ids), CHUNK):
        final.update(
            session.scalars(
                select(Seen.provider_id).where(
                    Seen.mailbox_id == mailbox_id,
                    Seen.provider_id.in_(provider_ids[start : start + CHUNK]),
                    Seen.verdict.not_in(NOT_FINAL),
                )
            )
        )
    return set(provider_ids) - final


def known_message_ids(session: Session, workspace_id: int, message_ids: Collection[str]) -> frozenset[str]:
    """Those of the Message-IDs that belong to our own mails or to mails that people wrote to us.

    A newsletter that refers to the one before it answers nobody.
    """
    wanted = sorted(message_ids)
    known: set[str] = set()
    for start in range(0, len(wanted), CHUNK):
        known.update(
            session.scalars(
                select(Touch.message_id).where(
                    Touch.workspace_id == workspace_id,
                    Touch.message_id.in_(wanted[start : start + CHUNK]),
                    or_(Touch.direction == "outbound", Touch.verdict == "human"),
                )
            )
        )
    return frozenset(known)


def mailboxes(
    session: Session,
    workspace_id: int,
    *,
    with_removed: bool = False,
    only: int | Collection[int] | None = None,
    ledger: bool = True,
) -> list[MailboxFacts]:
    """Every mailbox with its counts, or `only` those with these ids.

    Without `ledger` nobody counts how many messages were seen: that takes the longer, the older a mailbox grows.
    """
    ids = [only] if isinstance(only, int) else only

    def each(query: Select[*tuple[Any, ...]], mailbox_id: InstrumentedAttribute[int]) -> dict[int, Any]:
        query = query if ids is None else query.where(mailbox_id.in_(ids))
        return {row[0]: row for row in session.execute(query.group_by(mailbox_id))}

    seen = each(select(Seen.mailbox_id, func.count().label("messages")), Seen.mailbox_id) if ledger else {}
    lacks = or_(PendingFetch.missed.is_(True), PendingFetch.dead_at.is_not(None))
    queued = each(
        select(
            PendingFetch.mailbox_id,
            func.count().filter(PendingFetch.dead_at.is_(None)).label("pending"),
            func.count(PendingFetch.dead_at).label("dead"),
            func.count().filter(PendingFetch.missed.is_(True)).label("missed"),
            func.min(PendingFetch.first_at).filter(lacks).label("lacking_since"),
        ),
        PendingFetch.mailbox_id,
    )
    spans = select(Observation.mailbox_id, func.min(Observation.from_at), func.max(Observation.until_at))
    files = each(spans.where(Observation.source == "import"), Observation.mailbox_id)
    query = (
        select(Mailbox, Person.email)
        .outerjoin(Person, Person.id == Mailbox.owner_id)
        .where(Mailbox.workspace_id == workspace_id)
        .order_by(Mailbox.address)
    )
    if ids is not None:
        query = query.where(Mailbox.id.in_(ids))
    if not with_removed:
        query = query.where(Mailbox.status != "removed")
    return [
        MailboxFacts(
            id=row.id,
            workspace_id=row.workspace_id,
            address=row.address,
            provider=row.provider,
            owner_email=owner_email,
            owner_id=row.owner_id,
            status=row.status,
            options=row.options,
            credential=row.credential,
            cursor=row.cursor,
            cursor_version=row.cursor_version,
            paused_until=row.paused_until,
            created_at=row.created_at,
            last_ok_at=row.last_ok_at,
            reconciled_at=row.reconciled_at,
            seen=seen[row.id].messages if row.id in seen else 0,
            pending=queued[row.id].pending if row.id in queued else 0,
            dead=queued[row.id].dead if row.id in queued else 0,
            gap=(queued[row.id].missed if row.id in queued else 0) if row.reconciled_at else None,
            lacking_since=queued[row.id].lacking_since if row.id in queued else None,
            error=row.error,
            lacking=row.lacking,
            files_from=files[row.id][1] if row.id in files else None,
            files_until=files[row.id][2] if row.id in files else None,
        )
        for row, owner_email in session.execute(query)
    ]


def due_fetches(session: Session, mailbox_id: int, now: datetime, limit: int = 100) -> list[str]:
    """Queued messages whose next attempt is due, oldest first."""
    return list(
        session.scalars(
            select(PendingFetch.provider_id)
            .where(
                PendingFetch.mailbox_id == mailbox_id,
                PendingFetch.dead_at.is_(None),
                PendingFetch.next_at <= now,
            )
            .order_by(PendingFetch.first_at, PendingFetch.provider_id)
            .limit(limit)
        )
    )


def touches(
    session: Session,
    programme: Programme,
    now: datetime,
    *,
    partner_id: int | None = None,
    limit: int | None = None,
) -> list[TouchFacts]:
    """Touches known at `now`, newest first: those that count and those that do not, each with its reason."""
    names = {person.id: person.name for person in people(session, programme.workspace_id)}
    query = (
        select(Touch, Partner.name, counting(programme.policy).label("counts"))
        .join(Partner, Partner.id == Touch.partner_id)
        .where(Touch.workspace_id == programme.workspace_id, Touch.at <= now)
        .order_by(Touch.at.desc(), Touch.id.desc())
    )
    if partner_id is not None:
        query = query.where(Touch.partner_id == partner_id)
    if limit is not None:
        query = query.limit(limit)
    rows = session.execute(query).all()
    seen_in = sightings(session, [row.Touch.id for row in rows])
    many = [row.Touch for row in rows if row.Touch.verdict == "broadcast"] if partner_id is not None else []
    reached = reaches(session, programme.workspace_id, many)
    return [
        TouchFacts(
            id=row.Touch.id,
            partner_id=row.Touch.partner_id,
            partner=row.name,
            at=row.Touch.at,
            direction=row.Touch.direction,
            counts=bool(row.counts),
            verdict=row.Touch.verdict,
            rule=row.Touch.rule,
            by=writer(row.Touch, names),
            matched=row.Touch.matched,
            matched_by=row.Touch.matched_by,
            field=row.Touch.field,
            message_id=row.Touch.message_id,
            mailboxes=seen_in.get(row.Touch.id, ()),
            clamped=row.Touch.clamped,
            void_reason=row.Touch.void_reason,
            captured_at=row.Touch.captured_at,
            reach=reached.get(row.Touch.id, 1),
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class PartnerRecord:
    """What the roster holds on one partner beside its standing."""

    id: int
    domains: tuple[str, ...]
    contacts: tuple[str, ...]
    pause_reason: str | None
    external_id: str | None


def partner_record(session: Session, partner_id: int) -> PartnerRecord:
    row = session.get_one(Partner, partner_id)
    domains = select(PartnerDomain.domain).where(PartnerDomain.partner_id == partner_id).order_by(PartnerDomain.domain)
    contacts = (
        select(PartnerContact.address).where(PartnerContact.partner_id == partner_id).order_by(PartnerContact.address)
    )
    return PartnerRecord(
        row.id,
        tuple(session.scalars(domains)),
        tuple(session.scalars(contacts)),
        row.pause_reason,
        row.external_id,
    )


def seen_counts(session: Session, mailbox_id: int) -> dict[tuple[str, str | None], int]:
    """How many messages of a mailbox got which verdict and reason: nothing is dropped in silence."""
    rows = session.execute(
        select(Seen.verdict, Seen.reason, func.count())
        .where(Seen.mailbox_id == mailbox_id)
        .group_by(Seen.verdict, Seen.reason)
    )
    return {(verdict, reason): count for verdict, reason, count in rows}
