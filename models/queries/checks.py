"""What `cadence doctor` asks the database about one programme: the signs of something left undone or standing still."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, exists, func, select, text
from sqlalchemy.orm import Session

from models.db import UtcDateTime
from models.queries.programme import Programme
from models.tables import JobRun, OutboxPost, Partner, PartnerContact, PartnerDomain, Workspace

AS_TEXT = "shown as text"
FALLBACKS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Checks:
    """`as_text`: kind and period of messages whose layout Slack refused, the newest first; charts apart."""

    unowned: int
    untiered: int
    unaddressed: int  # partners with neither a domain nor a contact: no mail can be theirs
    swept_at: datetime | None  # when the clock last did its day's work
    trouble_at: datetime | None  # since when the channel takes nothing
    waiting: int  # messages that could have been sent
    waiting_since: datetime | None
    as_text: tuple[tuple[str, str], ...]


def journal_mode(engine: Engine) -> str:
    """SQLite's: `wal`, or what it fell back to where the disk allows no such log."""
    with engine.execution_options(reading=True).connect() as connection:
        return str(connection.scalar(text("PRAGMA journal_mode")))


def server_condition(engine: Engine) -> tuple[str, bool]:
    """PostgreSQL's encoding, and whether it only follows another server."""
    with engine.connect() as connection:
        encoding = connection.scalar(text("SHOW server_encoding"))
        return str(encoding), bool(connection.scalar(text("SELECT pg_is_in_recovery()")))


def checks_of(session: Session, programme: Programme, now: datetime) -> Checks:
    workspace = programme.workspace_id

    def partners(which: ColumnElement[bool]) -> int:
        active = (Partner.workspace_id == workspace, Partner.status == "active")
        return session.scalar(select(func.count()).select_from(Partner).where(*active, which)) or 0

    addressed = (
        exists().where(PartnerDomain.partner_id == Partner.id) | exists().where(PartnerContact.partner_id == Partner.id)
    )  # fmt: skip
    due = func.coalesce(OutboxPost.not_before, OutboxPost.created_at, type_=UtcDateTime())
    waiting = session.execute(
        select(func.count().label("number"), func.min(due, type_=UtcDateTime()).label("since"))
        .where(OutboxPost.workspace_id == workspace, OutboxPost.status == "pending", OutboxPost.part == 0)
        .where(due <= now)
    ).one()
    return Checks(
        unowned=partners(Partner.owner_id.is_(None)),
        untiered=partners(Partner.tier_id.is_(None)),
        unaddressed=partners(~addressed),
        swept_at=session.scalar(
            select(func.max(JobRun.at, type_=UtcDateTime())).where(
                JobRun.workspace_id == workspace, JobRun.job == "sweep"
            )
        ),
        trouble_at=session.scalar(select(Workspace.channel_trouble_at).where(Workspace.id == workspace)),
        waiting=waiting.number,
        waiting_since=waiting.since,
        as_text=_as_text(session, workspace),
    )


def _as_text(session: Session, workspace_id: int) -> tuple[tuple[str, str], ...]:
    """Not every Slack draws a chart, and its text says the same: that is no trouble."""
    rows = session.scalars(
        select(OutboxPost)
        .where(OutboxPost.workspace_id == workspace_id, OutboxPost.status == "sent")
        .where(OutboxPost.error.startswith(AS_TEXT))
        .order_by(OutboxPost.id.desc())
        .limit(FALLBACKS_SHOWN)
    )
    return tuple(
        (row.kind, row.period)
        for row in rows
        if not any(block.get("type") == "data_visualization" for block in row.payload.get("blocks") or ())
    )
