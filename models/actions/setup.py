"""Writes of the first run: who leads, where and when the read is posted, and from when on it is."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models.actions.clocks import facts_changed
from models.actions.people import PersonRow, put_person
from models.actions.write import audit
from models.queries.programme import people
from models.tables import OutboxPost, Person, Workspace

INSTALLATION = "installation"
STEPS, FIRST_RUN = "setup", "first run"
"""Kind and period of the private message that leads through the first run."""

UNCHECKED = "unchecked"
"""In `channel_trouble`: nobody has tried yet whether the bot may post there."""

WHEN_EMPTY = ("post", "skip")


@dataclass(frozen=True, slots=True)
class Schedule:
    """When and where the read is posted, as a lead has it in front of them."""

    read_at: str
    timezone: str
    channel: str | None
    when_empty: str
    leaders_channel: str | None


def may_become_lead(
    session: Session, workspace_id: int, user_id: str, email: str | None, operators: Collection[str]
) -> bool:
    """Whether a Slack user who is on no roster leads this programme. Two who ask at once are asked one by one."""
    row = session.get_one(Workspace, workspace_id, with_for_update=True)
    if email is not None and email in operators:
        return True
    everybody = session.scalars(select(Person).where(Person.workspace_id == workspace_id)).all()
    if any(one.role == "lead" and one.left_at is None for one in everybody):
        return False
    if row.installed_by is not None:
        return row.installed_by == user_id
    return not operators and not everybody


def become_lead(session: Session, workspace_id: int, wanted: PersonRow, now: datetime) -> None:
    """Whoever is on the roster already, under this address, keeps the own name and the other addresses."""
    known = next((one for one in people(session, workspace_id) if one.email == wanted.email), None)
    if known is not None:
        wanted = replace(wanted, name=known.name, aliases=known.aliases)
    put_person(session, workspace_id, INSTALLATION, wanted, now)


def set_schedule(session: Session, workspace_id: int, actor: str, wanted: Schedule, now: datetime) -> bool:
    """Answers whether that is a change. Another channel is tried before anything is posted in it."""
    row = session.get_one(Workspace, workspace_id, with_for_update=True)
    before = Schedule(row.read_at or "", row.timezone or "", row.channel_id, row.when_empty, row.leaders_channel_id)
    if before == wanted:
        return False
    row.read_at, row.when_empty = wanted.read_at, wanted.when_empty
    if before.timezone != wanted.timezone:
        row.timezone = wanted.timezone
        facts_changed(session, workspace_id)  # days begin at another hour
    if before.channel != wanted.channel:
        row.channel_id = wanted.channel
        row.channel_trouble, row.channel_trouble_at = (UNCHECKED, now) if row.started_at is None else (None, None)
    if before.leaders_channel != wanted.leaders_channel:
        row.leaders_channel_id, row.leaders_since = wanted.leaders_channel, now if wanted.leaders_channel else None
    _audit(session, workspace_id, actor, "set schedule", now, asdict(before), asdict(wanted))
    return True


def note_channel(session: Session, workspace_id: int, channel: str, trouble: str | None, now: datetime) -> None:
    """What came of trying the channel. Nothing when another one was chosen meanwhile."""
    row = session.get_one(Workspace, workspace_id, with_for_update=True)
    if row.channel_id in (channel, None):
        row.channel_trouble, row.channel_trouble_at = trouble, now if trouble else None


def note_preview(session: Session, workspace_id: int, now: datetime) -> None:
    """A lead has seen the read before anybody else did."""
    row = session.get_one(Workspace, workspace_id, with_for_update=True)
    if row.previewed_at is None:
        row.previewed_at = now


def start_reads(session: Session, workspace_id: int, actor: str, now: datetime) -> bool:
    """From now on the read is posted; answers whether that is new."""
    row = session.get_one(Workspace, workspace_id, with_for_update=True)
    if row.started_at is not None:
        return False
    row.started_at = now
    after = {"channel": row.channel_id, "read_at": row.read_at, "timezone": row.timezone}
    _audit(session, workspace_id, actor, "start reads", now, None, after)
    return True


def steps_changed(session: Session, workspace_id: int) -> None:
    """The installer's list of steps is drawn again, if there is one."""
    session.execute(
        update(OutboxPost)
        .where(OutboxPost.workspace_id == workspace_id, OutboxPost.kind == STEPS)
        .values(redraw_wanted=OutboxPost.redraw_wanted + 1)
    )


def _audit(
    session: Session,
    workspace_id: int,
    actor: str,
    action: str,
    now: datetime,
    before: dict[str, Any] | None,
    after: dict[str, Any],
) -> None:
    audit(session, workspace_id, actor, action, f"workspace:{workspace_id}", now, before=before, after=after)
