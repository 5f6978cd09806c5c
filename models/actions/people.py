"""Writes of the people on the roster: who they are, in Slack too, and what they wish of nudges."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from models.actions.claims import return_claims
from models.actions.outbox import cancel_posts
from models.actions.rematch import roster_change
from models.actions.write import Change, audit, iso, plain
from models.settings import zone_named
from models.tables import (
    Person,
    PersonAlias,
    StandIn,
)

SLACK = "slack"


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person as the roster should have it. None leaves what is there."""

    email: str
    name: str
    role: str
    slack_user_id: str | None = None
    aliases: tuple[str, ...] = ()
    timezone: str | None = None


def put_person(session: Session, workspace_id: int, actor: str, wanted: PersonRow, now: datetime) -> Change:
    """Adds the person with this address or brings it to what is wanted; mail and mailboxes follow."""
    with roster_change(session, workspace_id, actor, now):
        return _put(session, workspace_id, actor, wanted, now)


def _put(session: Session, workspace_id: int, actor: str, wanted: PersonRow, now: datetime) -> Change:
    row = session.scalar(select(Person).where(Person.workspace_id == workspace_id, Person.email == wanted.email))
    before = _person(session, row) if row else None
    if before:
        wanted = replace(
            wanted,
            slack_user_id=wanted.slack_user_id or before.slack_user_id,
            timezone=wanted.timezone or before.timezone,
        )
    if before == wanted:
        return Change.UNCHANGED
    if row is None:
        row = Person(workspace_id=workspace_id, email=wanted.email, created_at=now)
        session.add(row)
    row.name, row.role = wanted.name, wanted.role
    row.slack_user_id, row.timezone = wanted.slack_user_id, wanted.timezone
    session.flush()
    session.execute(delete(PersonAlias).where(PersonAlias.person_id == row.id))
    session.add_all(
        PersonAlias(workspace_id=workspace_id, person_id=row.id, address=address) for address in wanted.aliases
    )
    session.flush()
    audit(
        session,
        workspace_id,
        actor,
        "add person" if before is None else "change person",
        f"person:{row.id}",
        now,
        before=plain(before) if before else None,
        after=plain(wanted),
    )
    return Change.CHANGED if before else Change.ADDED


def link_person(
    session: Session,
    workspace_id: int,
    person_id: int,
    slack_user_id: str,
    now: datetime,
    timezone: str | None = None,
) -> None:
    """Remembers which Slack user a person of the roster is, and their zone there where the roster says none."""
    row = session.get_one(Person, person_id)
    before, after = {"slack_user_id": row.slack_user_id}, {"slack_user_id": slack_user_id}
    if row.timezone is None and timezone is not None and _is_zone(timezone):
        before["timezone"], after["timezone"] = None, timezone
        row.timezone = timezone
    row.slack_user_id = slack_user_id
    if before != after:
        audit(session, workspace_id, SLACK, "link person", f"person:{person_id}", now, before=before, after=after)


def _is_zone(name: str) -> bool:
    try:
        zone_named(name)
    except ValueError:
        return False
    return True


def leave_person(session: Session, workspace_id: int, person_id: int, actor: str, now: datetime) -> bool:
    """Slack says that the person is gone: their claims are open again, and what waits for them is not sent any more.

    Nothing else changes: partners keep their owner until a lead gives them to somebody. Answers whether it is news.
    """
    row = session.get_one(Person, person_id)
    if row.workspace_id != workspace_id or row.left_at is not None:
        return False
    row.left_at = now
    audit(session, workspace_id, actor, "leave", f"person:{person_id}", now, after={"left_at": now.isoformat()})
    return_claims(session, workspace_id, person_id, actor, now)
    if row.slack_user_id:
        cancel_posts(session, workspace_id, row.slack_user_id, "the person has left this Slack workspace")
    return True


def return_person(session: Session, workspace_id: int, person_id: int, actor: str, now: datetime) -> bool:
    """Slack knows the person again. What they held stays with whoever has it now."""
    row = session.get_one(Person, person_id)
    if row.workspace_id != workspace_id or row.left_at is None:
        return False
    before, row.left_at = {"left_at": row.left_at.isoformat()}, None
    audit(session, workspace_id, actor, "come back", f"person:{person_id}", now, before=before)
    return True


def user_left(session: Session, workspace_id: int, slack_user_id: str, now: datetime) -> bool:
    """The same for somebody who is only known by the Slack user, as when a private message is refused."""
    person_id = session.scalar(
        select(Person.id).where(Person.workspace_id == workspace_id, Person.slack_user_id == slack_user_id)
    )
    return person_id is not None and leave_person(session, workspace_id, person_id, SLACK, now)


def set_nudge_wishes(
    session: Session,
    workspace_id: int,
    person_id: int,
    now: datetime,
    *,
    nudges: bool,
    snoozed_until: date | None,
) -> None:
    """The person's own choice: nudges on or off, and a day until which they rest."""
    row = session.get_one(Person, person_id)
    before = {"nudges": row.nudges, "snoozed_until": iso(row.snoozed_until)}
    row.nudges, row.snoozed_until = nudges, snoozed_until
    after = {"nudges": nudges, "snoozed_until": iso(snoozed_until)}
    if before != after:
        actor = f"person:{person_id}"
        audit(
            session,
            workspace_id,
            actor,
            "set nudges",
            actor,
            now,
            before=before,
            after=after,
        )


def set_away(
    session: Session,
    workspace_id: int,
    actor: str,
    person_id: int,
    until: date | None,
    stand_in_id: int | None,
    now: datetime,
) -> bool:
    """Away to the end of a day, with somebody who hears the nudges meanwhile; None: back. Answers whether it is new."""
    row, deputy = session.get_one(Person, person_id), session.get(StandIn, person_id)
    before = {"away_until": iso(row.away_until), "stand_in": deputy.stand_in_id if deputy else None}
    stand_in_id = stand_in_id if until is not None else None
    after = {"away_until": iso(until), "stand_in": stand_in_id}
    if before == after:
        return False
    row.away_until = until
    session.execute(delete(StandIn).where(StandIn.person_id == person_id))
    if stand_in_id is not None:
        session.execute(insert(StandIn).values(person_id=person_id, stand_in_id=stand_in_id))
    audit(session, workspace_id, actor, "set away", f"person:{person_id}", now, before=before, after=after)
    return True


def _person(session: Session, row: Person) -> PersonRow:
    aliases = session.scalars(
        select(PersonAlias.address).where(PersonAlias.person_id == row.id).order_by(PersonAlias.id)
    )
    return PersonRow(row.email, row.name, row.role, row.slack_user_id, tuple(aliases), row.timezone)
