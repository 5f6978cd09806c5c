"""Erases a person or a contact everywhere, and keeps mail that is read later from bringing them back.

What counts stays as numbers: a touch keeps its instant, direction and partner, a read its lines. Who it was is gone.
The row of a person of the team stays without anything that tells who, since reads and claims count it.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, String, Table, and_, cast, delete, func, or_, select, true, update
from sqlalchemy.orm import Session

from models.actions.claims import return_claims
from models.actions.mailboxes import remove_mailbox
from models.actions.outbox import cancel_posts
from models.actions.rematch import outdate_pages, roster_change
from models.actions.write import audit, insert_ignoring
from models.addresses import host_of
from models.db import Base
from models.forgetting import NOBODY_NAMED, Trace, forgotten_hmac, pseudonym, without
from models.keyed import address_hmac, digest
from models.matching import Decision
from models.tables import (
    Bounce,
    Forgotten,
    Mailbox,
    MutedPartner,
    Nudge,
    OAuthState,
    OutboxPost,
    PartnerContact,
    PartnerDomain,
    Person,
    PersonAlias,
    SeenHint,
    StandIn,
    Touch,
    Workspace,
)

_WORDS = {
    "audit_entry": "audit entries",
    "outbox_post": "Slack messages kept to be sent or redrawn",
    "next_step": "next steps",
    "touch": "touches",
    "seen": "entries of the ledger",
    "pending_fetch": "messages waiting to be fetched",
    "read": "weekly reads: troubles of mailboxes",
}
_KEPT_AS_IT_IS = frozenset({"person", "person_alias", "partner_contact", "partner_domain", "tier", "tier_history"})
_NOT_WORDS = frozenset(
    {
        ("partner", "name"),
        ("partner", "name_key"),
        ("mailbox", "credential"),
        ("installation", "bot_token"),
        ("oauth_state", "verifier"),
    }
)

_IDS = frozenset({"dedupe_key", "message_id", "provider_id"})  # not words, but some hold an address


@dataclass(slots=True)
class Erased:
    """What was removed, by kind. `known`: it was erased before, and mail cannot bring it back."""

    counts: Counter[str] = field(default_factory=Counter)
    known: bool = False


def forget(session: Session, workspace_id: int, actor: str, address: str, now: datetime) -> Erased:
    """Erases the contact, or the person of the team with every other address of theirs. Repeating it does nothing.

    Whoever is nobody here and never was leaves no trace, not even a hash.
    """
    erased = Erased()
    with roster_change(session, workspace_id, actor, now):
        key = outdate_pages(session, workspace_id)
        hashed = Forgotten.address_hmac == forgotten_hmac(key, address)
        erased.known = (
            session.execute(select(Forgotten.at).where(Forgotten.workspace_id == workspace_id, hashed)).first()
            is not None
        )
        person = _person(session, workspace_id, address)
        addresses = _addresses(session, person) if person is not None else {address}
        traces = [Trace.of_address(key, one) for one in sorted(addresses)]
        if person is not None:
            if person.name.strip():
                traces.append(Trace.of_name(person.name))
            if person.slack_user_id:
                traces.append(Trace.of_name(person.slack_user_id, f"forgotten-{person.id}"))
        hints = _hints(session, workspace_id, key, addresses)
        _touches(session, workspace_id, key, addresses, erased.counts)
        _mailboxes(session, workspace_id, actor, key, addresses, now, erased.counts)
        if person is not None:
            _erase_person(session, workspace_id, actor, person, key, now, erased.counts)
        contacts = session.execute(
            delete(PartnerContact)
            .where(PartnerContact.workspace_id == workspace_id, PartnerContact.address.in_(addresses))
            .returning(PartnerContact.id)
        ).all()
        erased.counts["contacts of partners"] += len(contacts)
        session.flush()
        ids = [Trace.of_address(key, one, inside=True) for one in sorted(addresses)]
        _sweep(session, workspace_id, traces, ids, erased.counts)
        erased.counts += Counter()  # kinds of which there was nothing
        if erased.counts:
            erased.counts["keyed hashes of recent mail"] += hints
            rows = [
                {"workspace_id": workspace_id, "address_hmac": forgotten_hmac(key, one), "at": now}
                for one in sorted(addresses)
            ]
            session.execute(insert_ignoring(session, Forgotten, rows))
            subject = f"person:{person.id}" if person is not None else "contact"
            erased.counts += Counter()
            audit(session, workspace_id, actor, "forget", subject, now, after=dict(erased.counts))
    return erased


def hide_forgotten(
    session: Session, workspace_id: int, decisions: Sequence[tuple[str, Decision]]
) -> list[tuple[str, Decision]]:
    """What capture is about to store of (provider id, decision), without addresses that were erased."""
    known = set(session.scalars(select(Forgotten.address_hmac).where(Forgotten.workspace_id == workspace_id)))
    if not known:
        return list(decisions)
    key = session.scalars(select(Workspace.digest_key).where(Workspace.id == workspace_id)).one()
    return [(provider_id, _hidden(one, key, known)) for provider_id, one in decisions]


def _hidden(decision: Decision, key: bytes, known: Collection[str]) -> Decision:
    named = {*decision.outside, *decision.recipients, *decision.failed_recipients, decision.sender}
    named |= {email for touch in decision.touches for email in (touch.by, touch.matched)}
    gone = {email for email in named if email and forgotten_hmac(key, email) in known}
    if not gone:
        return decision
    traces = [Trace.of_address(key, email, inside=True) for email in sorted(gone)]

    def masked(email: str) -> str:
        return pseudonym(key, email, hosted=True) if email in gone else email

    return replace(
        decision,
        touches=tuple(replace(one, by=masked(one.by), matched=masked(one.matched)) for one in decision.touches),
        outside=tuple(email for email in decision.outside if email not in gone),
        failed_recipients=tuple(map(masked, decision.failed_recipients)),
        dedupe_key=without(decision.dedupe_key, traces),
        message_id=without(decision.message_id, traces),
    )


def _person(session: Session, workspace_id: int, address: str) -> Person | None:
    alias = select(PersonAlias.person_id).where(
        PersonAlias.workspace_id == workspace_id, PersonAlias.address == address
    )
    return session.scalar(
        select(Person).where(Person.workspace_id == workspace_id, or_(Person.email == address, Person.id.in_(alias)))
    )


def _addresses(session: Session, person: Person) -> set[str]:
    return {person.email, *session.scalars(select(PersonAlias.address).where(PersonAlias.person_id == person.id))}


def _hints(session: Session, workspace_id: int, key: bytes, addresses: Collection[str]) -> int:
    """Hashes of recent mail that say whom it concerned, and to whom it did not arrive."""
    boxes = select(Mailbox.id).where(Mailbox.workspace_id == workspace_id)
    hinted = SeenHint.address_hmac.in_([address_hmac(key, one) for one in addresses])
    gone = session.execute(
        delete(SeenHint).where(SeenHint.mailbox_id.in_(boxes), hinted).returning(SeenHint.mailbox_id)
    ).all()
    bounced = Bounce.recipient_hmac.in_([digest(key, "recipient", one) for one in addresses])
    returned = session.execute(
        delete(Bounce).where(Bounce.workspace_id == workspace_id, bounced).returning(Bounce.id)
    ).all()
    return len(gone) + len(returned)


def _touches(session: Session, workspace_id: int, key: bytes, addresses: Collection[str], counts: Counter[str]) -> None:
    """Who wrote and what matched become a pseudonym, which keeps a partner's domain: the mail stays the partner's."""
    hashes = {forgotten_hmac(key, one) for one in addresses}
    domains = set(session.scalars(select(PartnerDomain.domain).where(PartnerDomain.workspace_id == workspace_id)))
    changed: set[int] = set()
    for column in (Touch.by_address, Touch.matched):
        found = session.scalars(select(column).where(Touch.workspace_id == workspace_id).distinct()).all()
        for email in found:
            if forgotten_hmac(key, email) not in hashes:
                continue
            hosted = any(_below(host_of(email), domain) for domain in domains)
            changed |= set(
                session.scalars(
                    update(Touch)
                    .where(Touch.workspace_id == workspace_id, column == email)
                    .values({column.key: pseudonym(key, email, hosted=hosted)})
                    .returning(Touch.id),
                    execution_options={"synchronize_session": False},
                )
            )
    counts["touches"] += len(changed)


def _below(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _mailboxes(
    session: Session,
    workspace_id: int,
    actor: str,
    key: bytes,
    addresses: Collection[str],
    now: datetime,
    counts: Counter[str],
) -> None:
    """Disconnected, with their secret and their ledger; that their mail was seen, and when, stays."""
    rows = session.scalars(
        select(Mailbox).where(Mailbox.workspace_id == workspace_id, Mailbox.address.in_(addresses)).order_by(Mailbox.id)
    ).all()
    for row in rows:
        counts["sealed secrets"] += row.credential is not None
        remove_mailbox(session, workspace_id, actor, row.id, now, purge=True)
        row.address = pseudonym(key, row.address)
        counts["mailboxes"] += 1
    session.flush()


def _erase_person(
    session: Session, workspace_id: int, actor: str, row: Person, key: bytes, now: datetime, counts: Counter[str]
) -> None:
    """What they hold is open to everybody again, what waits for them is not sent, and the row tells nothing of them."""
    counts["claims given back"] += len(return_claims(session, workspace_id, row.id, actor, now))
    if row.slack_user_id:
        cancel_posts(session, workspace_id, row.slack_user_id, "its reader was forgotten")
        emptied = session.execute(
            update(OutboxPost)
            .where(OutboxPost.workspace_id == workspace_id, OutboxPost.channel == row.slack_user_id)
            .values(payload={"text": ""})
            .returning(OutboxPost.id)
        ).all()
        counts["private messages"] += len(emptied)
        session.execute(
            update(Workspace)
            .where(Workspace.id == workspace_id, Workspace.installed_by == row.slack_user_id)
            .values(installed_by=None)
        )
    for table, which, words in (
        (Nudge, Nudge.person_id == row.id, "nudges"),
        (StandIn, or_(StandIn.person_id == row.id, StandIn.stand_in_id == row.id), "stand-ins"),
        (MutedPartner, MutedPartner.person_id == row.id, "muted partners"),
        (OAuthState, OAuthState.person_id == row.id, "consents under way"),
    ):
        gone = session.execute(delete(table).where(which).returning(*table.__table__.primary_key)).all()
        counts[words] += len(gone)
    for alias in session.scalars(select(PersonAlias).where(PersonAlias.person_id == row.id)).all():
        alias.address = pseudonym(key, alias.address)  # not deleted: a mailbox of that address has its owner by it
        counts["other addresses"] += 1
    row.email, row.name, row.role = pseudonym(key, row.email), NOBODY_NAMED, "viewer"
    row.slack_user_id = row.timezone = row.country = None
    row.snoozed_until = row.away_until = row.work_from = row.work_to = None
    row.nudges, row.left_at = False, row.left_at or now
    counts["people of the team"] += 1
    session.flush()


def _sweep(
    session: Session, workspace_id: int, traces: Sequence[Trace], ids: Sequence[Trace], counts: Counter[str]
) -> None:
    """Every text of every table, read once: what people typed and what was noted may name somebody anywhere."""
    for table in Base.metadata.sorted_tables:
        if table.name in _KEPT_AS_IT_IS:
            continue
        columns = [
            column
            for column in table.columns
            if isinstance(column.type, String | JSON) and (table.name, column.name) not in _NOT_WORDS
        ]
        if not columns:
            continue
        keys = list(table.primary_key)
        maybe = or_(*(_may_hold(column, trace) for column in columns for trace in traces))
        rows = session.execute(select(*keys, *columns).where(_of_workspace(table, workspace_id), maybe)).all()
        for row in rows:
            before = dict(zip((column.name for column in columns), row[len(keys) :], strict=True))
            after = {name: without(value, ids if name in _IDS else traces) for name, value in before.items()}
            fresh = {name: value for name, value in after.items() if value != before[name]}
            if fresh:
                here = and_(*(column == value for column, value in zip(keys, row[: len(keys)], strict=True)))
                session.execute(update(table).where(here).values(fresh))
                counts[_WORDS.get(table.name, table.name.replace("_", " "))] += 1
    session.expire_all()


def _may_hold(column: ColumnElement[Any], trace: Trace) -> ColumnElement[bool]:
    if not trace.fragment:
        return true()
    return func.lower(cast(column, String)).like(f"%{trace.fragment}%")


def _of_workspace(table: Table, workspace_id: int) -> ColumnElement[bool]:
    """The rows of one programme; one person's other programmes are other controllers' business."""
    if table.name == "workspace":
        return table.c.id == workspace_id
    if "workspace_id" in table.c:
        return table.c.workspace_id == workspace_id
    for name, parent in _parents(table):
        return table.c[name].in_(select(parent.c.id).where(_of_workspace(parent, workspace_id)))
    return true()


def _parents(table: Table) -> Iterator[tuple[str, Table]]:
    for foreign in sorted(table.foreign_keys, key=lambda one: one.parent.name):
        if foreign.column.name == "id" and not foreign.parent.nullable:
            yield foreign.parent.name, foreign.column.table
