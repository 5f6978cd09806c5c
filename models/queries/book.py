"""What one person looks after, and how far a weekly read has come: a few rows each, however long the roster is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, union
from sqlalchemy.orm import Session, aliased

from models.cadence import State, Status
from models.queries.programme import Programme
from models.queries.standings import standings
from models.standing import Standing, sort_key
from models.tables import Claim, Episode, NextStep, Partner, Read, ReadLine


def book(session: Session, programme: Programme, person_id: int, now: datetime) -> list[Standing]:
    """The partners that a person owns, has claimed or has a next step with, in the order of a read."""
    workspace_id = programme.workspace_id
    ids = session.scalars(
        union(
            select(Partner.id).where(
                Partner.workspace_id == workspace_id, Partner.owner_id == person_id, Partner.status == Status.ACTIVE
            ),
            select(Episode.partner_id)
            .join(Claim, Claim.episode_id == Episode.id)
            .where(Claim.workspace_id == workspace_id, Claim.person_id == person_id, Claim.ended_at.is_(None)),
            select(NextStep.partner_id).where(
                NextStep.workspace_id == workspace_id, NextStep.owner_id == person_id, NextStep.ended_at.is_(None)
            ),
        )
    ).all()
    return sorted(standings(session, programme, now, partner_ids=ids), key=sort_key) if ids else []


@dataclass(frozen=True, slots=True)
class ReadProgress:
    """Of the partners that a read listed as overdue: how many there are, and which ones nobody has taken yet,
    the longest overdue of the first tier first."""

    read_id: int
    listed: int
    free: Sequence[int]

    @property
    def settled(self) -> int:
        return self.listed - len(self.free)


def read_progress(session: Session, workspace_id: int, now: datetime) -> ReadProgress | None:
    """Of the newest read; None before the first. Who is claimed or has been recovered since needs nobody any more."""
    read = session.execute(
        select(Read.id, Read.at).where(Read.workspace_id == workspace_id).order_by(Read.week.desc()).limit(1)
    ).first()
    if read is None:
        return None
    listed = and_(ReadLine.read_id == read.id, ReadLine.state == State.OVERDUE)
    free = session.scalars(
        select(ReadLine.partner_id)
        .where(listed, ~_settled(read.at, now))
        .order_by(ReadLine.tier_rank, (ReadLine.days_overdue * 1.0 / ReadLine.window_days).desc(), ReadLine.partner_id)
    ).all()
    total = session.scalar(select(func.count()).select_from(ReadLine).where(listed)) or 0
    return ReadProgress(read.id, total, free)


def waits_again(now: datetime) -> ColumnElement[bool]:
    """Whether the partner of an episode has an open one: a pause that was taken back settles nothing."""
    again = aliased(Episode)
    return exists().where(
        again.partner_id == Episode.partner_id,
        again.opened_at <= now,
        or_(again.closed_at.is_(None), again.closed_at > now),
    )


def _settled(read_at: datetime, now: datetime) -> ColumnElement[bool]:
    held = and_(
        Episode.closed_at.is_(None),
        exists().where(Claim.episode_id == Episode.id, Claim.ended_at.is_(None)),
    )
    over = and_(
        Episode.opened_at <= read_at,
        Episode.closed_at > read_at,
        Episode.closed_at <= now,
        or_(Episode.outcome == "recovered", ~waits_again(now)),
    )
    return exists().where(Episode.partner_id == ReadLine.partner_id, or_(held, over))
