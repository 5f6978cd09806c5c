"""What is older than the settings keep, and which old touches later figures rest on. Erasing is `models.actions`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import Session

from models.settings import Settings
from models.tables import AuditEntry, Episode, JobRun, Mailbox, Partner, Seen, Touch, Workspace

FACTS = ("change partner", "merge partner", "take in partner")
"""Entries of the audit log by which a read is compared with what is known today: they are facts, and stay."""


@dataclass(frozen=True, slots=True)
class Kept:
    """For how many days touches, the ledger and the audit log are kept; 0 for ever."""

    touches: int = 0
    ledger: int = 0
    audit: int = 0


@dataclass(frozen=True, slots=True)
class Old:
    """How many of each the next run would erase."""

    touches: int = 0
    ledger: int = 0
    audit: int = 0


def kept(settings: Settings) -> Kept:
    return Kept(settings.keep_touches_days, settings.keep_ledger_days, settings.keep_audit_days)


def touches_kept_from(session: Session, workspace_id: int) -> datetime | None:
    """The instant before which touches were erased by age; None: none was."""
    return session.scalar(select(Workspace.touches_kept_from).where(Workspace.id == workspace_id))


def has_run(session: Session, workspace_id: int, job: str, period: str) -> bool:
    run = and_(JobRun.workspace_id == workspace_id, JobRun.job == job, JobRun.period == period)
    return session.scalar(select(JobRun.id).where(run)) is not None


def old_partners(session: Session, workspace_id: int, before: datetime, after_id: int, limit: int) -> Sequence[int]:
    """Partners, by id and above `after_id`, that have touches from before an instant."""
    old = exists().where(Touch.partner_id == Partner.id, Touch.at < before)
    query = select(Partner.id).where(Partner.workspace_id == workspace_id, Partner.id > after_id, old)
    return session.scalars(query.order_by(Partner.id).limit(limit)).all()


def old_touches(session: Session, partner_ids: Collection[int], before: datetime) -> list[int]:
    """The touches from before an instant on which no figure of that instant or later rests.

    Of each partner stay the last mail from either side, the last to it that was answered, and the first answer to
    either: by them it stands as it did, under every policy. So does what a recovery ended with.
    """
    rows = session.execute(
        select(Touch.id, Touch.partner_id, Touch.at, Touch.direction, Touch.field, Touch.verdict, Touch.voided_at)
        .where(Touch.partner_id.in_(partner_ids), Touch.at < before)
        .order_by(Touch.partner_id, Touch.at, Touch.id)
    ).all()
    ended = exists().where(Episode.touch_id == Touch.id)
    spared = set(session.scalars(select(Touch.id).where(Touch.partner_id.in_(partner_ids), Touch.at < before, ended)))
    human: dict[int, list[tuple[datetime, int, str, bool]]] = {}
    for row in rows:
        if row.verdict == "human" and row.voided_at is None:
            addressed = row.direction == "outbound" and row.field in ("to", "cc")
            human.setdefault(row.partner_id, []).append((row.at, row.id, row.direction, addressed))
    for mails in human.values():
        heard = [(at, key) for at, key, direction, _ in mails if direction == "inbound"]
        written = [(at, key) for at, key, direction, _ in mails if direction == "outbound"]
        counted = [(at, key) for at, key, _, addressed in mails if addressed]
        answered = [one for one in counted if heard and one[0] < heard[-1][0]]
        last = [found[-1] for found in (heard, written, counted, answered) if found]
        first = [next((one for one in heard if one[0] > at), None) for at, _ in (*counted[-1:], *answered[-1:])]
        spared |= {one[1] for one in (*last, *first) if one is not None}
    return [row.id for row in rows if row.id not in spared]


def old_seen(workspace_id: int, before: datetime) -> ColumnElement[bool]:
    boxes = select(Mailbox.id).where(Mailbox.workspace_id == workspace_id)
    return and_(Seen.mailbox_id.in_(boxes), Seen.seen_at < before)


def old_audit(workspace_id: int, before: datetime) -> ColumnElement[bool]:
    return and_(AuditEntry.workspace_id == workspace_id, AuditEntry.at < before, AuditEntry.action.not_in(FACTS))


def what_is_old(session: Session, workspace_id: int, keep: Kept, now: datetime, at_once: int = 500) -> Old:
    touches, after = 0, 0
    before = now - timedelta(days=keep.touches)
    while keep.touches and (some := old_partners(session, workspace_id, before, after, at_once)):
        touches, after = touches + len(old_touches(session, some, before)), some[-1]

    def count(table: type[Seen] | type[AuditEntry], which: ColumnElement[bool]) -> int:
        return session.scalar(select(func.count()).select_from(table).where(which)) or 0

    return Old(
        touches,
        count(Seen, old_seen(workspace_id, now - timedelta(days=keep.ledger))) if keep.ledger else 0,
        count(AuditEntry, old_audit(workspace_id, now - timedelta(days=keep.audit))) if keep.audit else 0,
    )
