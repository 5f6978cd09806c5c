"""Writes to mailboxes: connecting, their health, what they have observed, how far an import has come."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from models.actions.clocks import facts_changed
from models.actions.write import CAPTURE, audit
from models.standing import OBSERVED_FOR
from models.tables import (
    Mailbox,
    MailImport,
    Observation,
    PendingFetch,
    Person,
    PersonAlias,
    Seen,
    SeenHint,
    Sighting,
)

SLACK_OF_A_POLL = timedelta(seconds=1)


class MailboxExists(Exception):
    """The address is connected already."""


class MailboxRemoved(Exception):
    """It was disconnected while somebody was about to store what it holds. Nothing more is stored."""


def put_mailbox(
    session: Session,
    workspace_id: int,
    actor: str,
    address: str,
    provider: str,
    now: datetime,
    *,
    sealed: str | None = None,
    options: dict[str, Any] | None = None,
    again: bool = False,
) -> int:
    """Connects a mailbox. One that was only imported, removed or in need of consent is taken up where it stands.

    `again`: so is one that counts as active, but can no longer be read.
    """
    row = session.scalar(select(Mailbox).where(Mailbox.workspace_id == workspace_id, Mailbox.address == address))
    if row is not None and row.status == "active" and row.provider != "mbox" and not again:
        raise MailboxExists(f"{address} is connected already: `cadence mailbox remove {address}` first")
    before = {"provider": row.provider, "status": row.status} if row else None
    if row is None:
        row = Mailbox(workspace_id=workspace_id, address=address, created_at=now)
        session.add(row)
    elif row.provider != provider:
        row.cursor, row.cursor_version = None, row.cursor_version + 1
        for table in (SeenHint, PendingFetch):  # ids that the new provider does not know
            session.execute(delete(table).where(table.mailbox_id == row.id))
    row.provider, row.credential, row.options = provider, sealed, options or {}
    row.owner_id = _owner_of(session, workspace_id, address)
    facts_changed(session, workspace_id)
    row.status, row.error, row.paused_until = "active", None, None
    session.flush()
    after = {"provider": provider, "owner": row.owner_id}
    audit(
        session,
        workspace_id,
        actor,
        "connect mailbox",
        f"mailbox:{row.id}",
        now,
        before=before,
        after=after,
    )
    return row.id


def remove_mailbox(
    session: Session,
    workspace_id: int,
    actor: str,
    mailbox_id: int,
    now: datetime,
    purge: bool,
) -> None:
    """Disconnects a mailbox and erases its secret. With `purge` also its ledger; what it observed stays as times."""
    row = session.get_one(Mailbox, mailbox_id, with_for_update=True)
    before = {"provider": row.provider, "status": row.status}
    row.status, row.credential, row.cursor = "removed", None, None
    row.error = row.paused_until = row.reconciled_at = row.lacking = None
    row.cursor_version += 1
    if purge:
        row.options = {}
        for table in (Seen, SeenHint, PendingFetch, MailImport, Sighting):
            session.execute(delete(table).where(table.mailbox_id == mailbox_id))
    subject = f"mailbox:{mailbox_id}"
    after = {"status": "removed", "purged": purge}
    audit(
        session,
        workspace_id,
        actor,
        "remove mailbox",
        subject,
        now,
        before=before,
        after=after,
    )


def own_mailboxes(session: Session, workspace_id: int) -> None:
    """Gives every mailbox to the person whose address it is, after the roster has changed."""
    for row in session.scalars(select(Mailbox).where(Mailbox.workspace_id == workspace_id)):
        row.owner_id = _owner_of(session, workspace_id, row.address)


def mark_clean(session: Session, mailbox_id: int, observed_from: datetime, now: datetime) -> None:
    """The mailbox is known from `observed_from` until now. A poll that follows on the last one makes it longer."""
    session.execute(
        update(Mailbox)
        .where(Mailbox.id == mailbox_id)
        .values(last_ok_at=now, status="active", error=None, paused_until=None)
    )
    current = session.scalars(
        select(Observation)
        .where(Observation.mailbox_id == mailbox_id, Observation.source == "poll")
        .order_by(Observation.until_at.desc())
        .limit(1)
    ).first()
    if current is None or observed_from < current.from_at or now > current.until_at + OBSERVED_FOR:
        _seen_anew(session, mailbox_id)
    if current is not None and observed_from <= current.until_at + SLACK_OF_A_POLL:
        current.from_at = min(current.from_at, observed_from)
        current.until_at = current.recorded_at = max(current.until_at, now)
    else:
        session.add(
            Observation(
                mailbox_id=mailbox_id,
                from_at=observed_from,
                until_at=now,
                recorded_at=now,
                source="poll",
            )
        )


def note_lacking(session: Session, mailbox_id: int, lacking: str | None) -> None:
    """What of a mailbox cannot be seen although it is read; None: all of it can."""
    session.execute(
        update(Mailbox).where(Mailbox.id == mailbox_id, Mailbox.status != "removed").values(lacking=lacking)
    )


def pause_mailbox(session: Session, mailbox_id: int, until: datetime, reason: str) -> None:
    """The provider asked for patience: nobody calls it before then. The cursor stays."""
    session.execute(
        update(Mailbox)
        .where(Mailbox.id == mailbox_id, Mailbox.status != "removed")
        .values(paused_until=until, error=reason)
    )


def mark_trouble(
    session: Session,
    workspace_id: int,
    mailbox_id: int,
    status: str,
    reason: str,
    now: datetime,
) -> bool:
    """The mailbox needs attention (`needs_auth`, `error`); answers whether that is news. The cursor stays."""
    row = session.get_one(Mailbox, mailbox_id, with_for_update=True)
    if row.status == "removed":  # while we were asking the provider
        return False
    news, before = row.status != status, {"status": row.status}
    row.status, row.error = status, reason
    if news:
        after = {"status": status, "reason": reason}
        audit(
            session,
            workspace_id,
            CAPTURE,
            "mailbox trouble",
            f"mailbox:{mailbox_id}",
            now,
            before=before,
            after=after,
        )
    return news


def import_of(session: Session, mailbox_id: int, identity: str) -> MailImport:
    """The record of importing this file; a finished one starts afresh, since the roster may know more partners now."""
    row = session.scalar(select(MailImport).where(MailImport.mailbox_id == mailbox_id, MailImport.identity == identity))
    if row is None:
        row = MailImport(mailbox_id=mailbox_id, identity=identity)
        session.add(row)
    elif row.finished_at is not None:
        row.cursor = row.finished_at = row.first_at = row.last_at = None
    session.flush()
    return row


def advance_import(
    session: Session,
    import_id: int,
    cursor: str | None,
    first_at: datetime | None,
    last_at: datetime | None,
) -> None:
    """One more page of the file is stored, if its mailbox is still there. Do this first: it takes the lock."""
    row = session.get(MailImport, import_id)
    if row is None or session.get_one(Mailbox, row.mailbox_id, with_for_update=True).status == "removed":
        raise MailboxRemoved
    row.cursor = cursor
    row.first_at = min((at for at in (row.first_at, first_at) if at), default=None)
    row.last_at = max((at for at in (row.last_at, last_at) if at), default=None)


def finish_import(session: Session, workspace_id: int, import_id: int, now: datetime) -> None:
    """The file was read to its end: the time it spans is observed, and this moment counts as a clean sync."""
    row = session.get_one(MailImport, import_id)
    row.finished_at = now
    if row.first_at and row.last_at:
        session.add(
            Observation(
                mailbox_id=row.mailbox_id,
                from_at=row.first_at,
                until_at=min(row.last_at, now),
                recorded_at=now,
                source="import",
            )
        )
        _seen_anew(session, row.mailbox_id)
    subject, after = f"mailbox:{row.mailbox_id}", {"file": row.identity}
    audit(session, workspace_id, CAPTURE, "import mail", subject, now, after=after)


def _seen_anew(session: Session, mailbox_id: int) -> None:
    """Time that nobody saw is known now, so partners that were blind then may not have been."""
    facts_changed(session, session.scalars(select(Mailbox.workspace_id).where(Mailbox.id == mailbox_id)).one())


def _owner_of(session: Session, workspace_id: int, address: str) -> int | None:
    direct = select(Person.id).where(Person.workspace_id == workspace_id, Person.email == address)
    alias = select(PersonAlias.person_id).where(
        PersonAlias.workspace_id == workspace_id, PersonAlias.address == address
    )
    return session.scalar(direct) or session.scalar(alias)
