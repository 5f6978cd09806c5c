"""The programme as it is run: what the workspace says, else what the settings say. Also its tiers and people."""

from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Select, and_, bindparam, func, inspect, select
from sqlalchemy.orm import Session

from models import tables
from models.cadence import Policy, Shutdown, Tier
from models.clock import local_day
from models.settings import ReadAt, Settings, zone_named
from models.standing import Who


@dataclass(frozen=True, slots=True)
class Programme:
    """One partner programme: where it lives in Slack and by which clock it runs."""

    workspace_id: int
    team_id: str | None
    zone: ZoneInfo
    channel: str | None
    read_at: ReadAt
    policy: Policy
    created_at: datetime
    shutdowns: tuple[Shutdown, ...] = ()
    leaders_channel: str | None = None  # of the monthly post; None: it is off
    leaders_since: datetime | None = None
    when_empty: str = "post"  # or skip: a week without anything to recover is not posted
    channel_trouble: str | None = None  # Slack's word for why the channel takes no message; reads rest
    started: bool = True  # reads are posted: somebody started them in Slack, or the operator named the channel
    access_lost: bool = False  # Slack took the bot's access away: nothing runs, nothing is called
    started_at: datetime | None = None  # when somebody did; a week whose hour was over by then is not made up for


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    email: str
    name: str
    role: str
    slack_user_id: str | None
    timezone: str | None
    aliases: tuple[str, ...]
    nudges: bool
    snoozed_until: date | None
    away_until: date | None
    stand_in_id: int | None = None  # who gets the nudges while the person is away
    work_from: int | None = None  # hours of the own day in which nudges may come; None: nine to five
    work_to: int | None = None
    country: str | None = None  # whose public holidays are kept; None: the one of the time zone
    left: bool = False  # no longer in this Slack workspace: kept for history, holds nothing, is told nothing

    @property
    def who(self) -> Who:
        return Who(self.id, self.name, self.email, self.slack_user_id)

    @property
    def may_act(self) -> bool:
        return self.role in ("manager", "lead") and not self.left

    def zone(self, programme: Programme) -> ZoneInfo:
        """The own time zone, or the programme's."""
        return zone_named(self.timezone) if self.timezone else programme.zone

    def is_away(self, now: datetime, programme: Programme) -> bool:
        return self.away_until is not None and local_day(now, self.zone(programme)) <= self.away_until

    @property
    def hours(self) -> tuple[int, int]:
        """From when until when nudges may come on a working day."""
        return (9 if self.work_from is None else self.work_from, 17 if self.work_to is None else self.work_to)

    @property
    def leads(self) -> bool:
        return self.role == "lead" and not self.left


def programmes(session: Session, settings: Settings) -> list[Programme]:
    """Every programme of this installation, oldest first."""
    return _programmes(session, settings, _EVERY_PROGRAMME, {})


def programme(session: Session, settings: Settings, workspace_id: int) -> Programme:
    (found,) = _programmes(session, settings, _BY_ID, {"workspace_id": workspace_id})
    return found


def programme_of_team(session: Session, settings: Settings, team_id: str) -> Programme | None:
    """The programme of a Slack workspace, if it has one."""
    return next(iter(_programmes(session, settings, _BY_TEAM, {"team_id": team_id})), None)


_EVERY_PROGRAMME = (
    select(
        tables.Workspace.id,
        tables.Workspace.slack_team_id,
        tables.Workspace.timezone,
        tables.Workspace.channel_id,
        tables.Workspace.read_at,
        tables.Workspace.policy,
        tables.Workspace.created_at,
        tables.Workspace.leaders_channel_id,
        tables.Workspace.leaders_since,
        tables.Workspace.when_empty,
        tables.Workspace.channel_trouble,
        tables.Workspace.access_lost_at,
        tables.Workspace.started_at,
        tables.Shutdown.from_on,
        tables.Shutdown.until_on,
        tables.Shutdown.reason,
    )
    .outerjoin(
        tables.Shutdown,
        and_(tables.Shutdown.workspace_id == tables.Workspace.id, tables.Shutdown.ended_at.is_(None)),
    )
    .order_by(tables.Workspace.id, tables.Shutdown.from_on, tables.Shutdown.id)
)
"""A row for each programme and shutdown."""

_BY_ID = _EVERY_PROGRAMME.where(tables.Workspace.id == bindparam("workspace_id"))
_BY_TEAM = _EVERY_PROGRAMME.where(tables.Workspace.slack_team_id == bindparam("team_id"))


def workspace_of_team(session: Session, team_id: str) -> int | None:
    return session.scalar(select(tables.Workspace.id).where(tables.Workspace.slack_team_id == team_id))


def first_ran_at(session: Session, workspace_id: int, job: str) -> datetime | None:
    """When a job of this programme was done for the first time; None before that."""
    return session.scalar(
        select(func.min(tables.JobRun.at)).where(tables.JobRun.workspace_id == workspace_id, tables.JobRun.job == job)
    )


def tiers(session: Session, workspace_id: int, as_of: datetime) -> dict[int, Tier]:
    """Tiers by id as they were in force at an instant; before the first entry, the first one."""
    in_force: dict[int, Tier] = {}
    for row in session.execute(_TIERS, {"workspace_id": workspace_id}):
        if row.tier_id not in in_force or row.from_at <= as_of:
            in_force[row.tier_id] = Tier(row.rank, row.name, row.window_days, row.grace_days)
    return in_force


_TIERS = (
    select(*inspect(tables.TierHistory).columns, tables.Tier.rank)
    .join(tables.Tier, tables.Tier.id == tables.TierHistory.tier_id)
    .where(tables.Tier.workspace_id == bindparam("workspace_id"))
    .order_by(tables.Tier.rank, tables.TierHistory.from_at, tables.TierHistory.id)
)
"""Every window that a tier ever had, oldest first."""


def people(session: Session, workspace_id: int) -> list[Person]:
    """Everybody on the roster, by name."""
    return _people(session, _EVERYBODY, {"workspace_id": workspace_id})


def everybody(session: Session, workspace_id: int) -> dict[int, Who]:
    """The names of the roster, by id."""
    return {row.id: Who(*row) for row in session.execute(_NAMES, {"workspace_id": workspace_id})}


def person_in_slack(session: Session, workspace_id: int, slack_user_id: str) -> Person | None:
    values = {"workspace_id": workspace_id, "slack_user_id": slack_user_id}
    return next(iter(_people(session, _IN_SLACK, values)), None)


_PEOPLE = (
    select(*inspect(tables.Person).columns, tables.StandIn.stand_in_id, tables.PersonAlias.address)
    .outerjoin(tables.StandIn, tables.StandIn.person_id == tables.Person.id)
    .outerjoin(tables.PersonAlias, tables.PersonAlias.person_id == tables.Person.id)
    .order_by(tables.Person.name, tables.Person.id, tables.PersonAlias.id)
)
"""A row for each person and alias."""

_NAMES = select(tables.Person.id, tables.Person.name, tables.Person.email, tables.Person.slack_user_id).where(
    tables.Person.workspace_id == bindparam("workspace_id")
)
_EVERYBODY = _PEOPLE.where(tables.Person.workspace_id == bindparam("workspace_id"))
_IN_SLACK = _EVERYBODY.where(tables.Person.slack_user_id == bindparam("slack_user_id"))


def _people(session: Session, query: Select[*tuple[Any, ...]], values: dict[str, Any]) -> list[Person]:
    found: list[Person] = []
    for row_id, rows in groupby(session.execute(query, values), lambda row: row.id):
        row, *more = rows
        found.append(
            Person(
                id=row_id,
                email=row.email,
                name=row.name,
                role=row.role,
                slack_user_id=row.slack_user_id,
                timezone=row.timezone,
                aliases=tuple(one.address for one in (row, *more) if one.address is not None),
                nudges=row.nudges,
                snoozed_until=row.snoozed_until,
                away_until=row.away_until,
                stand_in_id=row.stand_in_id,
                work_from=row.work_from,
                work_to=row.work_to,
                country=row.country,
                left=row.left_at is not None,
            )
        )
    return found


def claim_holders(session: Session, workspace_id: int) -> set[int]:
    """Who holds a claim at the moment."""
    held = (tables.Claim.workspace_id == workspace_id, tables.Claim.ended_at.is_(None))
    return set(session.scalars(select(tables.Claim.person_id).where(*held)))


def _programmes(
    session: Session, settings: Settings, query: Select[*tuple[Any, ...]], values: dict[str, Any]
) -> list[Programme]:
    found = []
    for _, rows in groupby(session.execute(query, values), lambda row: row.id):
        row, *more = rows
        shut = [Shutdown(one.from_on, one.until_on, one.reason) for one in (row, *more) if one.from_on is not None]
        found.append(_programme(row, settings, tuple(shut)))
    return found


def _programme(row: Row[*tuple[Any, ...]], settings: Settings, shutdowns: tuple[Shutdown, ...]) -> Programme:
    named = None if settings.installable else settings.channel  # a channel's id is of one workspace
    return Programme(
        workspace_id=row.id,
        team_id=row.slack_team_id,
        zone=zone_named(row.timezone or settings.timezone),
        channel=row.channel_id or named,
        read_at=ReadAt(row.read_at or settings.read_at),
        policy=Policy(row.policy),
        created_at=row.created_at,
        shutdowns=shutdowns,
        leaders_channel=row.leaders_channel_id,
        leaders_since=row.leaders_since,
        when_empty=row.when_empty,
        channel_trouble=row.channel_trouble,
        access_lost=row.access_lost_at is not None,
        started=row.started_at is not None or named is not None,
        started_at=None if named is not None else row.started_at,
    )
