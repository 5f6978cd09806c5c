"""The audit log, newest first, with names in the place of ids. Reads whole pages; changes nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.tables import AuditEntry, Mailbox, Partner, Person


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One change. `changed` are the values that differ: what → before and after, None where there was nothing."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str | None  # by name; None: the programme itself, or something that has none
    changed: Mapping[str, tuple[Any, Any]]


def audit_page(
    session: Session, workspace_id: int, page: int, size: int, *, about: str | None = None
) -> tuple[list[AuditLine], bool]:
    """A page of entries, and whether there are older ones. `about`: a subject such as `partner:7`."""
    query = select(AuditEntry).where(AuditEntry.workspace_id == workspace_id).order_by(AuditEntry.id.desc())
    if about is not None:
        query = query.where(AuditEntry.subject == about)
    rows = session.scalars(query.offset(page * size).limit(size + 1)).all()
    shown = rows[:size]
    said = [one for row in shown for one in (row.actor, row.subject, *_values(row.before), *_values(row.after)) if one]
    names = _names(session, workspace_id, said)
    lines = [
        AuditLine(
            id=row.id,
            at=row.at,
            actor=names.get(row.actor, row.actor),
            action=row.action,
            subject=names.get(row.subject),
            changed=_changed(row.before or {}, row.after or {}, names),
        )
        for row in shown
    ]
    return lines, len(rows) > size


OF_IDS = {"owner": "person", "stand_in": "person", "merged into": "partner", "merged from": "partner"}
"""Values that are stored as bare ids, and whose."""


def _values(record: Mapping[str, Any] | None) -> list[str]:
    return [key for key in (_key(name, value) for name, value in (record or {}).items()) if key is not None]


def _key(name: str, value: Any) -> str | None:
    """What a value may be called by: `person:4`, or any other text."""
    if isinstance(value, int) and not isinstance(value, bool) and name in OF_IDS:
        return f"{OF_IDS[name]}:{value}"
    return value if isinstance(value, str) else None


def _changed(
    before: Mapping[str, Any], after: Mapping[str, Any], names: Mapping[str, str]
) -> dict[str, tuple[Any, Any]]:
    def named(name: str, value: Any) -> Any:
        return names.get(_key(name, value) or "", value)

    return {
        key: (named(key, before.get(key)), named(key, after.get(key)))
        for key in dict.fromkeys((*before, *after))
        if before.get(key) != after.get(key)
    }


def _names(session: Session, workspace_id: int, said: Iterable[str]) -> dict[str, str]:
    """What `person:4`, `partner:7` and `mailbox:3` are called. Only those of this workspace have a name."""
    wanted: dict[str, set[int]] = {"person": set(), "partner": set(), "mailbox": set()}
    for one in said:
        kind, _, number = one.partition(":")
        if kind in wanted and number.isascii() and number.isdigit() and len(number) < 10:
            wanted[kind].add(int(number))
    named = {
        "person": select(Person.id, Person.name).where(
            Person.workspace_id == workspace_id, Person.id.in_(wanted["person"])
        ),
        "partner": select(Partner.id, Partner.name).where(
            Partner.workspace_id == workspace_id, Partner.id.in_(wanted["partner"])
        ),
        "mailbox": select(Mailbox.id, Mailbox.address).where(
            Mailbox.workspace_id == workspace_id, Mailbox.id.in_(wanted["mailbox"])
        ),
    }
    return {
        f"{kind}:{number}": name
        for kind, query in named.items()
        if wanted[kind]
        for number, name in session.execute(query)
    }
