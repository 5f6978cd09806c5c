"""Ten thousand mails, captured twice and killed at random in between, are exactly what another count makes of them.

What dies is a real process: from outside at any moment, or of itself before a statement that a fixed seed has chosen.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from models.actions import mailboxes
from models.actions.partners import PartnerRow, put_partner
from models.actions.people import PersonRow, put_person
from models.actions.programme import the_workspace
from models.actions.write import COMMAND_LINE
from models.queries.programme import Programme, programmes
from models.queries.standings import standings
from models.settings import Settings
from models.tables import Observation, Partner, Seen, Sighting, Touch
from tests.command_line import CommandLine
from tests.databases import ROOT, Database
from tests.mail_years import ALIAS, COLLEAGUE, CONTACTS, OWNER, PARTNERS, Counted, Counts, Letter, count, letters, write
from tests.sandbox.imap import ImapStandIn
from tests.test_capture_crashes import Mortals

NEWEST = datetime(2023, 11, 20, 8, tzinfo=UTC)
NOW = NEWEST + timedelta(hours=1)

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True, slots=True)
class Desk:
    """A programme with sixteen partners, and one mailbox."""

    database: Database
    programme: Programme

    def touches(self) -> list[Counted]:
        with self.database.reading() as session:
            rows = session.execute(select(Touch, Partner.name).join(Partner, Partner.id == Touch.partner_id)).all()
        return sorted(
            Counted(name, one.at, one.direction, one.field, one.verdict, one.voided_at is not None)
            for one, name in rows
        )

    def last(self) -> dict[str, datetime]:
        with self.database.reading() as session:
            lines = standings(session, self.programme, NOW)
        return {one.facts.name: one.facts.last_touch_at for one in lines if one.facts.last_touch_at}

    def size(self, table: type[Seen | Sighting | Observation]) -> int:
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(table)) or 0

    def add_mailbox(self, provider: str) -> None:
        with self.database.sessions.begin() as session:
            mailboxes.put_mailbox(session, self.programme.workspace_id, COMMAND_LINE, OWNER, provider, NEWEST)

    def holds_exactly(self, counts: Counts) -> None:
        ours, theirs = Counter(self.touches()), Counter(counts.touches)
        assert (list((ours - theirs).elements())[:5], list((theirs - ours).elements())[:5]) == ([], [])
        assert self.last() == counts.last
        assert self.size(Sighting) == len(counts.touches)


@pytest.fixture
def desk(database: Database) -> Desk:
    started = NEWEST - timedelta(days=100)
    with database.sessions.begin() as session:
        workspace_id = the_workspace(session, started)
        for person in (PersonRow(OWNER, "Dana Kim", "manager", None, (ALIAS,)), PersonRow(COLLEAGUE, "Tom", "manager")):
            put_person(session, workspace_id, COMMAND_LINE, person, started)
        for name, domain in PARTNERS.items():
            contacts = (CONTACTS[name],) if name in CONTACTS else ()
            row = PartnerRow(name, 1, OWNER, (domain,), contacts, since=started.date())
            put_partner(session, workspace_id, COMMAND_LINE, row, started)
        [programme] = programmes(session, Settings())
    return Desk(database, programme)


@pytest.fixture(scope="module")
def mortals() -> Iterator[Mortals]:
    made = Mortals()
    yield made
    made.close()


@pytest.fixture(scope="module")
def mails() -> list[Letter]:
    return letters(10_000, NEWEST)


@pytest.fixture(scope="module")
def fewer() -> list[Letter]:
    return letters(2_500, NEWEST, seed=7)


def die_and_go_on(mortals: Mortals, job: dict[str, object], seed: int) -> int:
    """Processes that die before a statement that chance chooses, until one has reached the end; answers the deaths."""
    chance = random.Random(seed)
    deaths = 0
    while (ended := mortals.run(job, chance.randrange(500))) != 0:
        assert ended == -signal.SIGKILL
        deaths += 1
    return deaths


def test_the_other_count_has_something_of_every_kind(mails: list[Letter]) -> None:
    counted = count(mails)
    verdicts = Counter(one.verdict for one in counted.touches)
    assert min(verdicts[one] for one in ("auto", "bulk", "calendar", "suspect", "broadcast")) > 200
    assert sum(one.counts for one in counted.touches) > 3_000
    assert sum(one.voided for one in counted.touches) > 100
    assert {one.field for one in counted.touches} == {"to", "cc", "bcc", "from"}
    assert len(counted.last) == len(PARTNERS)
    assert len(mails) - counted.mails > 300


def test_a_file_of_ten_thousand_mails_killed_at_random_and_imported_twice_is_what_its_headers_say(
    desk: Desk, mortals: Mortals, mails: list[Letter], tmp_path: Path
) -> None:
    counts = count(mails)
    path = write(tmp_path / "All mail Including Spam and Trash.mbox", mails)
    desk.add_mailbox("mbox")
    job: dict[str, object] = {"url": desk.database.url, "now": NOW.isoformat(), "mbox": str(path), "page": 200}
    assert die_and_go_on(mortals, job, 1) >= 3
    desk.holds_exactly(counts)
    assert desk.size(Seen) == counts.mails
    die_and_go_on(mortals, job, 2)
    desk.holds_exactly(counts)
    assert desk.size(Seen) == counts.mails


def test_the_command_killed_from_outside_goes_on_where_it_was(desk: Desk, fewer: list[Letter], tmp_path: Path) -> None:
    counts = count(fewer)
    path = write(tmp_path / "all.mbox", fewer)
    command = [sys.executable, "-m", "bot", "capture", "--mbox", str(path), "--mailbox", OWNER]
    environment = os.environ | {"CADENCE_DATABASE_URL": desk.database.url}
    chance = random.Random(4)
    done = 0
    for _ in range(3):
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        enough = done + chance.randrange(100, 400)
        while process.poll() is None and (done := desk.size(Seen)) < enough:
            time.sleep(0.01)
        time.sleep(chance.random() / 50)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        assert desk.size(Observation) == 0, "what was not read to its end vouches for nothing"
    cadence = CommandLine(desk.database.url, NOW)
    [rest] = cadence("capture", "--mbox", str(path), "--mailbox", OWNER, "--json").json
    assert 0 < rest["messages"] <= len(fewer) - 600
    desk.holds_exactly(counts)
    [again] = cadence("capture", "--mbox", str(path), "--mailbox", OWNER, "--json").json
    assert (again["messages"], again["touches"]) == (len(fewer), 0)
    assert sum(again["reasons"].values()) == len(fewer)
    desk.holds_exactly(counts)
    assert desk.size(Seen) == counts.mails


def test_a_mailbox_that_is_polled_and_killed_at_random_gains_nothing_from_its_file(
    desk: Desk, mortals: Mortals, fewer: list[Letter], tmp_path: Path
) -> None:
    counts = count(fewer)
    desk.add_mailbox("imap")
    read = [one for one in fewer if not {"Drafts", "Spam", "Trash"} & set(one.labels.split(","))]
    with ImapStandIn() as server:
        for one in read:
            headers = {name: value.replace("\n", "\r\n") for name, value in one.fields}
            server.deliver(headers, one.at, "Sent" if "Sent" in one.labels.split(",") else "INBOX")
        job: dict[str, object] = {"url": desk.database.url, "now": NOW.isoformat(), "imap": server.port}
        assert die_and_go_on(mortals, job, 5) >= 1
        desk.holds_exactly(counts)
        assert mortals.run(job, None) == 0
        assert desk.size(Seen) == len(read)
    path = write(tmp_path / "dana.mbox", fewer)
    job = {"url": desk.database.url, "now": NOW.isoformat(), "mbox": str(path), "page": 200}
    die_and_go_on(mortals, job, 6)
    desk.holds_exactly(counts)
