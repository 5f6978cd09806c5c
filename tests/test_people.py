"""People of the roster are found in Slack by their e-mail address, without anybody typing ids."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.outbox import posting_client
from bot.people import link_people
from models.actions.people import PersonRow, put_person
from models.queries.programme import people
from models.tables import AuditEntry
from tests.cast import DANA, MONDAY, PEOPLE, Cast, put_cast
from tests.databases import Database
from tests.sandbox.slack.server import SlackServer
from tests.sandbox.slack.workspace import DEFAULT_MANIFEST, Workspace

NEW = PersonRow("noor@lantern.example", "Noor Haddad", "manager")
GONE = PersonRow("gone@lantern.example", "Gil Gone", "manager")
UNKNOWN = PersonRow("unknown@lantern.example", "Una Known", "manager")


def with_scopes(*scopes: str) -> Workspace:
    return Workspace("Lantern", manifest=DEFAULT_MANIFEST | {"oauth_config": {"scopes": {"bot": list(scopes)}}})


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    workspace = with_scopes("chat:write", "commands", "users:read", "users:read.email")
    workspace.add_user("noor", NEW.name, NEW.email, id="U0NOOR", tz="Africa/Cairo")
    workspace.add_user("gone", GONE.name, GONE.email, id="U0GONE", deleted=True)
    workspace.add_user("dana", DANA.name, DANA.email, id="U0OTHER")
    with SlackServer(workspace) as server:
        yield server


def link(database: Database, cast: Cast, slack: SlackServer) -> int:
    client = posting_client(slack.workspace.bot_token, slack.api_url)
    return link_people(client, database.reading, database.sessions, cast.programme, MONDAY)


def ids(session: Session, cast: Cast) -> dict[str, str | None]:
    return {one.email: one.slack_user_id for one in people(session, cast.workspace_id)}


def test_who_has_no_slack_id_is_found_by_address_and_nobody_else_is_touched(
    database: Database, slack: SlackServer
) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session)
        for row in (UNKNOWN, GONE, NEW):
            put_person(session, cast.workspace_id, "test", row, MONDAY)
    assert link(database, cast, slack) == 1
    assert link(database, cast, slack) == 0
    with database.reading() as session:
        found = ids(session, cast)
    assert found[NEW.email] == "U0NOOR"
    assert (found[GONE.email], found[UNKNOWN.email]) == (None, None)
    assert {row.email: found[row.email] for row in PEOPLE} == {row.email: row.slack_user_id for row in PEOPLE}


def test_the_zone_in_slack_is_taken_where_the_roster_says_none(database: Database, slack: SlackServer) -> None:
    nils, mona = (replace(NEW, email=f"{name}@lantern.example", name=name.title()) for name in ("nils", "mona"))
    slack.workspace.add_user("nils", nils.name, nils.email, id="U0NILS", tz="Europe/Oslo")
    slack.workspace.add_user("mona", mona.name, mona.email, id="U0MONA", tz="Mars/Olympus")
    with database.sessions.begin() as session:
        cast = put_cast(session)
        for row in (NEW, replace(nils, timezone="America/Lima"), mona):
            put_person(session, cast.workspace_id, "test", row, MONDAY)
    assert link(database, cast, slack) == 3
    with database.reading() as session:
        zones = {one.email: one.timezone for one in people(session, cast.workspace_id)}
        told = session.scalars(select(AuditEntry.after).where(AuditEntry.action == "link person")).all()
    assert (zones[NEW.email], zones[nils.email], zones[mona.email]) == ("Africa/Cairo", "America/Lima", None)
    assert {"slack_user_id": "U0NOOR", "timezone": "Africa/Cairo"} in told


def test_without_the_scope_nobody_is_linked_and_slack_is_asked_once(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session)
        for row in (NEW, replace(NEW, email="nils@lantern.example", name="Nils")):
            put_person(session, cast.workspace_id, "test", row, MONDAY)
    with SlackServer(with_scopes("chat:write", "users:read")) as slack:
        assert link(database, cast, slack) == 0
        assert len(slack.faults.called("users.lookupByEmail")) == 1
