"""Which facts about a past instant have come or gone since, for the partners that would have stood otherwise."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import exists, or_, select, true
from sqlalchemy.orm import Session

from models import tables
from models.queries.programme import Programme, people
from models.queries.standings import human
from models.tables import AuditEntry, Mailbox, Observation, Partner, Read, ReadLine, Sighting, Touch

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Because:
    """One reason. `kind` is one of

    captured: a mail of `mail_at` was captured only at `at`, from a file where `imported`
    taken_back: a mail that stood then was voided at `at`, for the reason in `detail`
    judged_again: the mail behind the line is no person's mail any more, by the rule in `detail`
    gone: the mail behind the line is no longer stored
    stands_again: a mail that was captured before did not count then, and does now
    merged, took_in: the partner became part of the one in `detail`, or took that one in
    start: its cadence starts on another day since
    seen: the mail of its owner (`detail`) was not seen then, and has been read since
    shutdown: days off (`detail`) were entered or taken back at `at`
    """

    kind: str
    at: datetime | None = None
    mail_at: datetime | None = None
    direction: str | None = None
    detail: str | None = None
    imported: bool = False


def late_evidence(
    session: Session, programme: Programme, read: Read, partner_ids: Collection[int]
) -> Mapping[int, tuple[Because, ...]]:
    """Everything that bears on these partners' lines of a read and was not known, or not so, when it was held."""
    found: dict[int, list[Because]] = {one: [] for one in sorted(partner_ids)}
    ids = list(found)
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        _mails(session, read, some, found)
        _lines(session, read, some, found)
        _unseen(session, programme, read, some, found)
    _roster(session, programme, read, found)
    shut = _shutdowns(session, programme.workspace_id, read.at)
    return {one: (*reasons, *shut) for one, reasons in found.items()}


def starts_then(session: Session, workspace_id: int, at: datetime) -> dict[int, date]:
    """On which day the cadence of partners started, as the roster had it at an instant, if that has changed since."""
    entries = session.execute(
        select(AuditEntry.subject, AuditEntry.before)
        .where(AuditEntry.workspace_id == workspace_id, AuditEntry.at > at)
        .where(AuditEntry.action.in_(("change partner", "take in partner")))
        .order_by(AuditEntry.id.desc())
    )
    days = {int(subject.partition(":")[2]): (before or {}).get("since") for subject, before in entries}
    return {partner_id: date.fromisoformat(day) for partner_id, day in days.items() if day}


def _mails(session: Session, read: Read, some: Collection[int], found: Mapping[int, list[Because]]) -> None:
    """The newest mail of each kind and direction: it is the one that moves a clock."""
    imported = exists().where(
        Sighting.touch_id == Touch.id, Mailbox.id == Sighting.mailbox_id, Mailbox.provider == "mbox"
    )
    rows = session.execute(
        select(Touch, imported)
        .where(Touch.partner_id.in_(some), Touch.at <= read.at, Touch.verdict == "human")
        .where(or_(Touch.captured_at > read.at, Touch.voided_at > read.at))
        .order_by(Touch.partner_id, Touch.at.desc(), Touch.id.desc())
    )
    told: set[tuple[int, str, str, bool]] = set()
    for touch, from_file in rows:
        if touch.captured_at > read.at:
            if touch.voided_at is not None:
                continue
            one = Because("captured", touch.captured_at, touch.at, touch.direction, imported=from_file)
        else:
            one = Because("taken_back", touch.voided_at, touch.at, touch.direction, touch.void_reason)
        key = (touch.partner_id, one.kind, touch.direction, touch.field in ("to", "cc"))
        if key not in told:
            told.add(key)
            found[touch.partner_id].append(one)


def _lines(session: Session, read: Read, some: Collection[int], found: Mapping[int, list[Because]]) -> None:
    """What has become of the mail behind each line, and whether another one should have stood there."""
    rows = session.execute(
        select(ReadLine, Touch)
        .outerjoin(Touch, Touch.id == ReadLine.last_touch_id)
        .where(ReadLine.read_id == read.id, ReadLine.partner_id.in_(some))
    )
    for row in rows:
        line: ReadLine = row.ReadLine
        touch: Touch | None = row.Touch
        reasons = found[line.partner_id]
        if line.last_touch_id is not None and touch is None:
            reasons.append(Because("gone", mail_at=line.last_touch_at))
        elif touch is not None and touch.verdict != "human":
            reasons.append(Because("judged_again", mail_at=touch.at, direction=touch.direction, detail=touch.rule))
        elif touch is not None and touch.voided_at is not None and touch.voided_at <= read.at:
            reasons.append(Because("taken_back", touch.voided_at, touch.at, touch.direction, touch.void_reason))
        newer = session.scalar(
            select(Touch)
            .where(Touch.partner_id == line.partner_id, human("outbound"), Touch.field.in_(("to", "cc")))
            .where(Touch.at <= read.at, Touch.captured_at <= read.at)
            .where(true() if line.last_touch_at is None else Touch.at > line.last_touch_at)
            .order_by(Touch.at.desc())
            .limit(1)
        )
        if newer is not None:
            reasons.append(Because("stands_again", newer.captured_at, newer.at, newer.direction))


def _unseen(
    session: Session, programme: Programme, read: Read, some: Collection[int], found: Mapping[int, list[Because]]
) -> None:
    """Owners whose mail was not seen when the read was held, and whose mailbox has been read since."""
    names = {one.id: one.name for one in people(session, programme.workspace_id)}
    since = exists().where(
        Mailbox.owner_id == ReadLine.owner_id,
        Observation.mailbox_id == Mailbox.id,
        Observation.recorded_at > read.at,
        Observation.from_at <= read.at,
    )
    rows = session.execute(
        select(ReadLine.partner_id, ReadLine.owner_id).where(
            ReadLine.read_id == read.id,
            ReadLine.partner_id.in_(some),
            or_(ReadLine.state == "blind", ReadLine.unobserved),
            since,
        )
    )
    for partner_id, owner_id in rows:
        found[partner_id].append(Because("seen", detail=names.get(owner_id or 0)))


def _roster(session: Session, programme: Programme, read: Read, found: Mapping[int, list[Because]]) -> None:
    """What the record of changes says of partners since the read, where no history keeps it."""
    names = {row.id: row.name for row in session.execute(select(Partner.id, Partner.name))}
    entries = session.scalars(
        select(AuditEntry)
        .where(AuditEntry.workspace_id == programme.workspace_id, AuditEntry.at > read.at)
        .where(AuditEntry.action.in_(("merge partner", "take in partner", "change partner")))
        .order_by(AuditEntry.id)
    )
    moved: dict[int, Because] = {}
    for entry in entries:
        partner_id = int(entry.subject.partition(":")[2])
        before, after = entry.before or {}, entry.after or {}
        if partner_id not in found:
            continue
        if entry.action == "merge partner":
            found[partner_id].append(Because("merged", entry.at, detail=names.get(after.get("merged into", 0))))
        elif entry.action == "take in partner":
            found[partner_id].append(Because("took_in", entry.at, detail=names.get(after.get("merged from", 0))))
        elif before.get("since") != after.get("since"):
            moved[partner_id] = Because("start", entry.at, detail=after.get("since"))
    starts = starts_then(session, programme.workspace_id, read.at)
    for partner_id, one in moved.items():  # the newest day, unless it is the one of then
        if str(starts.get(partner_id)) != one.detail:
            found[partner_id].append(one)


def _shutdowns(session: Session, workspace_id: int, at: datetime) -> list[Because]:
    """Shutdowns that the read did not know, or knew and that were taken back."""
    shut = tables.Shutdown
    rows = session.scalars(select(shut).where(shut.workspace_id == workspace_id).order_by(shut.from_on))
    found = []
    for row in rows:
        if row.set_at > at and row.ended_at is None:
            found.append(Because("shutdown", row.set_at, detail=f"{row.reason}, entered"))
        elif row.set_at <= at and row.ended_at is not None and row.ended_at > at:
            found.append(Because("shutdown", row.ended_at, detail=f"{row.reason}, taken back"))
    return found
