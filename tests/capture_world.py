"""What the capture tests share: the cast's mailboxes at a stand-in Gmail, captured into a real database.

Must not judge mail: what a test expects is written in the test.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.capture import Capture, Report
from jobs.mailbox.base import Mailbox
from jobs.mailbox.gmail import GmailMailbox
from jobs.mailbox.google_auth import consented
from jobs.reconcile import read_mailbox
from models.actions import mailboxes
from models.actions.people import PersonRow
from models.db import Base
from models.queries import mail as mail_queries
from models.queries.mail import MailboxFacts
from models.tables import Episode, Observation, Partner, PendingFetch, Seen, Sighting, Touch
from models.tables import Mailbox as MailboxRow
from tests.cast import DANA, MONDAY, STARTED, Cast, put_cast
from tests.databases import Database
from tests.gmail_world import MovingClock, provider
from tests.sandbox.gmail import GmailMailboxStore, GmailServer

Headers = dict[str, str | None]

_numbers = count(1)


def letter(
    sender: str, to: str, subject: str = "", *, cc: str = "", message_id: str | None = None, **more: str
) -> Headers:
    """The headers of one mail. `more` names others with underscores: `Auto_Submitted`."""
    number = next(_numbers)
    headers: Headers = {"From": sender, "To": to, "Subject": subject or f"Subject {number}"}
    if cc:
        headers["Cc"] = cc
    if message_id != "":
        headers["Message-ID"] = f"<{message_id or f'letter-{number}@mail.example'}>"
    return headers | {name.replace("_", "-"): value for name, value in more.items()}


@dataclass(slots=True)
class Office:
    """People with mailboxes, one server, one clock, one database. A poll is what the running bot does."""

    database: Database
    cast: Cast
    server: GmailServer
    clock: MovingClock
    providers: dict[str, GmailMailbox] = field(default_factory=dict)

    def connect(self, person: PersonRow) -> None:
        """Connects the person's mailbox, or connects it again after consent was withdrawn."""
        with self.database.sessions.begin() as session:
            mailboxes.put_mailbox(
                session, self.cast.workspace_id, "test", person.email, "gmail", self.clock.now(), sealed=None
            )
        self.providers[person.email] = self.provider(person)

    def provider(self, person: PersonRow, **options: Any) -> GmailMailbox:
        """A new worker for the mailbox, as after a restart."""
        credentials = consented(json.dumps(self.server.authorized_user(person.email)))
        return provider(self.server, self.clock, credentials, **options)

    def store(self, person: PersonRow = DANA) -> GmailMailboxStore:
        return self.server.mailbox(person.email)

    def receive(
        self, headers: Headers, *, by: PersonRow = DANA, at: datetime | None = None, label: str = "INBOX"
    ) -> str:
        return self.store(by).deliver(headers, at or self.clock.now(), [label])

    def send(self, headers: Headers, *, by: PersonRow = DANA, at: datetime | None = None) -> str:
        return self.receive(headers, by=by, at=at, label="SENT")

    def facts(self, person: PersonRow = DANA) -> MailboxFacts:
        with self.database.reading() as session:
            found = mail_queries.mailboxes(session, self.cast.workspace_id, with_removed=True)
        return next(one for one in found if one.address == person.email)

    def poll(self, person: PersonRow = DANA, mailbox: Mailbox | None = None, **options: Any) -> Report:
        capture = Capture(self.database.sessions, self.database.reading, self.clock, **options)
        return capture.poll(self.cast.programme, self.facts(person), mailbox or self.providers[person.email])

    def read(self, person: PersonRow = DANA, mailbox: Mailbox | None = None, **options: Any) -> Report:
        """A pass with its daily comparison, as the running bot does it."""
        capture = Capture(self.database.sessions, self.database.reading, self.clock, **options)
        return read_mailbox(capture, self.cast.programme, self.facts(person), mailbox or self.providers[person.email])

    def asked_for(self, person: PersonRow = DANA) -> list[str]:
        """The ids whose headers were fetched."""
        calls = self.server.calls_of("messages.get", person.email)
        return [call.path.rpartition("/")[2] for call in calls if call.params.get("format") == ["metadata"]]

    def touches(self) -> list[tuple[str, str, str, str]]:
        """(partner, direction, verdict, message id) of each touch that is not voided, by time."""
        with self.database.reading() as session:
            rows = session.execute(
                select(Partner.name, Touch.direction, Touch.verdict, Touch.message_id)
                .join(Partner, Partner.id == Touch.partner_id)
                .where(Touch.voided_at.is_(None))
                .order_by(Touch.at, Touch.message_id, Partner.name)
            )
            return [(row.name, row.direction, row.verdict, row.message_id) for row in rows]

    def sightings(self) -> int:
        with self.database.reading() as session:
            return len(session.scalars(select(Sighting.touch_id)).all())

    def ledger(self, person: PersonRow = DANA) -> dict[str, str]:
        with self.database.reading() as session:
            rows = session.execute(
                select(Seen.provider_id, Seen.verdict).where(Seen.mailbox_id == self.facts(person).id)
            )
            return {row.provider_id: row.verdict for row in rows}

    def queue(self) -> list[PendingFetch]:
        with self.database.reading() as session:
            return list(session.scalars(select(PendingFetch).order_by(PendingFetch.provider_id)))

    def observed(self, person: PersonRow = DANA) -> list[tuple[datetime, datetime]]:
        with self.database.reading() as session:
            rows = session.execute(
                select(Observation.from_at, Observation.until_at)
                .where(Observation.mailbox_id == self.facts(person).id)
                .order_by(Observation.from_at)
            )
            return [(row.from_at, row.until_at) for row in rows]

    def episodes(self) -> list[tuple[str, str | None]]:
        """(partner, outcome) in the order of opening; None is open."""
        with self.database.reading() as session:
            rows = session.execute(
                select(Partner.name, Episode.outcome).join(Partner).order_by(Episode.opened_at, Partner.name)
            )
            return [(row.name, row.outcome) for row in rows]


@contextmanager
def office(database: Database, people: Sequence[PersonRow] = (DANA,)) -> Iterator[Office]:
    """The cast with these people's mailboxes connected and nothing in them."""
    clock = MovingClock(MONDAY)
    with GmailServer(now=clock.now) as server:
        with database.sessions.begin() as session:
            cast = put_cast(session, started=STARTED, observed_until=None)
        made = Office(database, cast, server, clock)
        for person in people:
            made.connect(person)
        yield made


@dataclass(slots=True)
class Between:
    """A mailbox that something happens to between the fetching of a page and its storing."""

    mailbox: Mailbox
    happens: list[Any]  # called one after the other, one per page

    def pages(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        for page in self.mailbox.pages(*arguments, **options):
            if self.happens:
                self.happens.pop(0)()
            yield page

    def fetch(self, provider_ids: Sequence[str]) -> Any:
        page = self.mailbox.fetch(provider_ids)
        if self.happens:
            self.happens.pop(0)()
        return page

    def recent(self, since: datetime, unseen: Any) -> Iterator[Sequence[str]]:
        return self.mailbox.recent(since, unseen)

    def check(self) -> str:
        return self.mailbox.check()


def everything(session: Session) -> str:
    """Every value of every table, to search in."""
    return "\n".join(
        " ".join(str(value) for value in row)
        for table in Base.metadata.sorted_tables
        for row in session.execute(select(table))
    )


def mailbox_row(session: Session, address: str) -> MailboxRow:
    return session.scalars(select(MailboxRow).where(MailboxRow.address == address)).one()
