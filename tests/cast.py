"""One cast for every test: Robin Okafor's partner programme at Lantern, its people, its partners and their mail.

Addresses end in `.example`, which belongs to nobody. Tests may change what they put into a database, never this cast.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Table, func, insert, select
from sqlalchemy.orm import Session

from models.actions import mailboxes
from models.actions import people as people_actions
from models.actions import programme as programme_actions
from models.actions.partners import PartnerRow, put_partner
from models.actions.people import PersonRow
from models.actions.rematch import roster_change
from models.cadence import Policy
from models.db import Base
from models.queries.programme import Programme
from models.settings import ReadAt
from models.tables import Mailbox, Observation, Partner, Person, Sighting, Touch, Workspace

ZONE = ZoneInfo("Europe/London")
MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
"""The hour of the weekly read in the week that most tests live in."""

STARTED = MONDAY - timedelta(weeks=12)
TEAM, CHANNEL = "T0LANTERN", "C0PARTNERS"

ROBIN = PersonRow("robin@lantern.example", "Robin Okafor", "lead", "U0ROBIN", (), "Europe/London")
DANA = PersonRow(
    "dana@lantern.example", "Dana Kim", "manager", "U0DANA", ("dana.kim@lantern.example",), "Europe/London"
)
PRIYA = PersonRow("priya@lantern.example", "Priya Nair", "manager", "U0PRIYA", (), "Asia/Kolkata")
TOMAS = PersonRow("tomas@lantern.example", "Tomás Silva", "manager", "U0TOMAS", (), "Europe/Lisbon")
VERA = PersonRow("vera@lantern.example", "Vera Lindqvist", "viewer", "U0VERA", (), "Europe/Stockholm")
PEOPLE = (ROBIN, DANA, PRIYA, TOMAS, VERA)

START_ON = date(2026, 8, 31)


def _partner(name: str, tier: int | None, owner: PersonRow | None, domain: str, *contacts: str) -> PartnerRow:
    return PartnerRow(name, tier, owner.email if owner else None, (domain,), contacts, since=START_ON)


ACME = _partner("Acme", 1, DANA, "acme.example", "wendy@acme-mail.example")
GLOBEX = _partner("Globex", 1, PRIYA, "globex.example")
INITECH = _partner("Initech", 1, TOMAS, "initech.example", "bill@lumbergh.example")
UMBRELLA = _partner("Umbrella", 2, DANA, "umbrella.example")
HOOLI = _partner("Hooli", 2, PRIYA, "hooli.example")
MUELLER = _partner("Müller & Söhne", 2, TOMAS, "mueller-soehne.example")
SOYLENT = _partner("Soylent", 3, DANA, "soylent.example")
STARK = _partner("Stark Industries", 3, PRIYA, "stark.example")
WAYNE = _partner("Wayne Enterprises", 3, TOMAS, "wayne.example")
TYRELL = _partner("Tyrell", None, None, "tyrell.example")
PARTNERS = (ACME, GLOBEX, INITECH, UMBRELLA, HOOLI, MUELLER, SOYLENT, STARK, WAYNE, TYRELL)

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Cast:
    """The cast as it stands in one database: ids by e-mail address and by partner name."""

    programme: Programme
    person_ids: dict[str, int]
    partner_ids: dict[str, int]
    mailbox_ids: dict[str, int]

    @property
    def workspace_id(self) -> int:
        return self.programme.workspace_id

    def person(self, row: PersonRow) -> int:
        return self.person_ids[row.email]

    def partner(self, row: PartnerRow) -> int:
        return self.partner_ids[row.name]

    def mailbox(self, row: PersonRow) -> int:
        return self.mailbox_ids[row.email]


_written: dict[tuple[datetime, datetime | None, tuple[PartnerRow, ...]], list[tuple[Table, list[Any]]]] = {}
"""What the doors wrote the first time. The next empty database gets the same rows at a tenth of the time."""


def put_cast(
    session: Session,
    *,
    started: datetime = STARTED,
    observed_until: datetime | None = MONDAY + timedelta(weeks=52),
    partners: tuple[PartnerRow, ...] = PARTNERS,
) -> Cast:
    """Puts everybody into an empty database. Each manager's mailbox is read cleanly until `observed_until`.

    With None nobody has a mailbox, so every owner is blind.
    """
    key = (started, observed_until, partners)
    empty = session.scalar(select(Workspace.id).limit(1)) is None
    if empty and key in _written:
        _copy(session, _written[key])
    else:
        _write(session, *key)
        if empty:
            tables = [
                (one, [dict(row) for row in session.execute(select(one)).mappings()])
                for one in Base.metadata.sorted_tables
            ]
            _written[key] = [(table, rows) for table, rows in tables if rows]
    workspace_id = session.scalars(select(Workspace.id).order_by(Workspace.id)).first()
    assert workspace_id is not None
    addresses = {
        row.address: row.id for row in session.scalars(select(Mailbox).where(Mailbox.workspace_id == workspace_id))
    }
    return Cast(
        programme=Programme(workspace_id, TEAM, ZONE, CHANNEL, ReadAt("mon 09:00"), Policy.OUTBOUND, started),
        person_ids={row.email: row.id for row in session.scalars(select(Person))},
        partner_ids={row.name: row.id for row in session.scalars(select(Partner))},
        mailbox_ids=addresses,
    )


def _write(
    session: Session, started: datetime, observed_until: datetime | None, partners: tuple[PartnerRow, ...]
) -> None:
    workspace_id = programme_actions.the_workspace(session, started)
    workspace = session.get_one(Workspace, workspace_id)
    workspace.slack_team_id, workspace.bot_user_id = TEAM, "U0CADENCE"
    workspace.timezone, workspace.channel_id, workspace.started_at = ZONE.key, CHANNEL, started
    with roster_change(session, workspace_id, "cast", started):
        for person in PEOPLE:
            people_actions.put_person(session, workspace_id, "cast", person, started)
        for partner in partners:
            put_partner(session, workspace_id, "cast", partner, started)
    session.flush()
    if observed_until is not None:
        for person in (DANA, PRIYA, TOMAS):
            box = mailboxes.put_mailbox(session, workspace_id, "cast", person.email, "gmail", started)
            session.add(
                Observation(
                    mailbox_id=box, from_at=started, until_at=observed_until, recorded_at=observed_until, source="poll"
                )
            )
    session.flush()


def _copy(session: Session, tables: list[tuple[Table, list[Any]]]) -> None:
    for table, rows in tables:
        session.execute(insert(table), rows)
        if session.get_bind().dialect.name == "postgresql" and "id" in table.c:
            last = max(row["id"] for row in rows)
            session.execute(select(func.setval(func.pg_get_serial_sequence(f'"{table.name}"', "id"), last)))


def put_touch(
    session: Session,
    cast: Cast,
    partner: PartnerRow,
    at: datetime,
    *,
    by: PersonRow | str | None = None,
    verdict: str = "human",
    rule: str = "written by a person",
    field: str | None = None,
    clamped: bool = False,
    captured_at: datetime | None = None,
) -> int:
    """One mail as capture would have stored it: from one of our people (the owner by default), or from an address."""
    number = next(_numbers)
    outbound = not isinstance(by, str)
    writer = by.email if isinstance(by, PersonRow) else by or partner.owner_email or ROBIN.email
    theirs = f"hello@{partner.domains[0]}" if outbound else writer
    row = Touch(
        workspace_id=cast.workspace_id,
        partner_id=cast.partner(partner),
        dedupe_key=f"mail-{number}",
        message_id=f"<mail-{number}@lantern.example>",
        at=at,
        captured_at=captured_at or at,
        clamped=clamped,
        direction="outbound" if outbound else "inbound",
        verdict=verdict,
        rule=rule,
        by_address=writer,
        person_id=cast.person_ids.get(writer),
        matched=theirs,
        matched_by="domain",
        field=field or ("to" if outbound else "from"),
        subject_hmac=f"subject-{number}",
        content_hmac=f"content-{number}",
    )
    session.add(row)
    session.flush()
    seen_in = cast.mailbox_ids.get(writer if outbound else partner.owner_email or "")
    if seen_in is not None:
        session.add(Sighting(touch_id=row.id, mailbox_id=seen_in, provider_id=f"provider-{number}"))
        session.flush()
    return row.id
