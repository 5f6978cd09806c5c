"""Real mail from end to end: thousands of headers, joined to an mbox as somebody would do it, imported, counted again.

The count of the test is its own: the standard library's parser, its address reader, and the labels that people gave.
Nothing of the mail is written down here: who is "us" and who are the partners comes from the headers themselves.
"""

import csv
import mailbox
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import format_datetime, getaddresses, parsedate_to_datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from jobs.capture import Capture, Report
from jobs.imports import import_mbox
from jobs.mailbox.mbox import MboxFile
from models.actions import mailboxes
from models.actions.partners import PartnerRow, put_partner
from models.actions.people import PersonRow, put_person
from models.actions.programme import the_workspace
from models.actions.write import COMMAND_LINE
from models.cadence import State, Status
from models.queries.programme import Programme, programmes, tiers
from models.queries.standings import standings
from models.settings import Settings
from models.tables import Partner, Seen, Touch
from models.weekly_read import coverage_lines
from tests.capture_world import everything
from tests.databases import ROOT, Database
from tests.test_capture_crashes import Mortals
from tests.test_double_capture import die_and_go_on

pytestmark = pytest.mark.corpus
CORPUS = ROOT.parent / "shared" / "corpora" / "mail"
PARTNERS = 40
FREEMAIL = ("aol.com", "gmail.com", "hotmail.com", "yahoo.com", "msn.com", "earthlink.net")


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as the test reads it."""

    label: str
    raw: bytes
    headers: Message
    at: datetime | None

    def addresses(self, *names: str) -> list[str]:
        values = [str(value) for name in names for value in self.headers.get_all(name, [])]
        return [address.lower() for _, address in getaddresses(values) if "@" in address]

    @property
    def author(self) -> str:
        return next(iter(self.addresses("From")), "")

    @property
    def subject(self) -> str:
        try:
            return str(make_header(decode_header(str(self.headers.get("Subject", ""))))).strip()
        except (ValueError, LookupError):
            return ""

    @property
    def message_id(self) -> str:
        return re.sub(r"\s", "", str(self.headers.get("Message-ID", ""))).strip("<>")


def time_of(headers: Message) -> datetime | None:
    """Date, or the topmost Received where that says nothing or no more than a clock that was never set."""
    for words in (str(headers.get("Date", "")), str(headers.get("Received", "")).rpartition(";")[2]):
        try:
            at = parsedate_to_datetime(words)
        except (ValueError, TypeError):
            continue
        at = at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
        if at > datetime(1980, 1, 2, tzinfo=UTC):
            return at
    return None


@pytest.fixture(scope="module")
def mails() -> list[Mail]:
    manifest = CORPUS / "manifest.csv"
    if not manifest.is_file():
        pytest.skip("the corpus of real mail headers is not beside this checkout")
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = []
    for row in rows:
        raw = (CORPUS / row["file"]).read_bytes()
        headers = BytesHeaderParser(policy=compat32).parsebytes(raw)
        found.append(Mail(row["label"], raw, headers, time_of(headers)))
    return found


@pytest.fixture(scope="module")
def joined(mails: list[Mail], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file, made with the standard library; its separators say when that was."""
    path = tmp_path_factory.mktemp("corpus") / "everything.mbox"
    box = mailbox.mbox(path, create=True)
    for mail in mails:
        message = mailbox.mboxMessage(mail.raw)
        message.set_from("joined@localhost", time.gmtime())
        box.add(message)
    box.close()
    return path


@dataclass(frozen=True, slots=True)
class House:
    """Who we are and who our partners are, chosen from the headers."""

    domain: str
    people: tuple[str, ...]  # the first is whose mailbox it is
    partners: tuple[str, ...]  # domains, by falling number of mails

    def partner_of(self, address: str) -> str | None:
        host = address.rpartition("@")[2]
        fitting = [domain for domain in self.partners if host == domain or host.endswith("." + domain)]
        return max(fitting, key=len, default=None)


@pytest.fixture(scope="module")
def house(mails: list[Mail]) -> House:
    writers = Counter(mail.author for mail in mails if mail.label == "human" and mail.author)
    domain = writers.most_common(1)[0][0].rpartition("@")[2]
    people = [address for address, _ in writers.most_common() if address.endswith("@" + domain)]
    chosen: dict[str, None] = {}
    for labels in ({"human"}, {mail.label for mail in mails}):
        hosts = Counter(
            host
            for mail in mails
            if mail.label in labels
            for host in {address.rpartition("@")[2] for address in mail.addresses("From", "To", "Cc")}
            if re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", host) and host != domain and host not in FREEMAIL
        )
        chosen |= dict.fromkeys(host for host, _ in hosts.most_common(PARTNERS))
    return House(domain, tuple(people), tuple(chosen))


@dataclass(frozen=True, slots=True)
class Counted:
    """One touch as the test counts it."""

    partner: str
    direction: str
    field: str
    at: datetime
    label: str
    partners: int  # of the whole mail


def count_by_hand(mails: Sequence[Mail], house: House) -> list[Counted]:
    """The first copy of a mail stands for all: one Message-ID, or one text to the same people within two minutes."""
    found: list[Counted] = []
    ids: set[tuple[str, str]] = set()
    texts: dict[tuple[object, ...], list[datetime]] = {}
    for mail in mails:
        if mail.at is None:
            continue
        direction, partners = touches_of(mail, house)
        for partner, field in partners.items():
            subject = re.sub(r"^(?:\s*(?:re|fwd?|aw|wg)\s*:)+", "", mail.subject, flags=re.I).strip().lower()
            text = (partner, mail.author, frozenset(mail.addresses("To", "Cc")), subject)
            near = [at for at in texts.get(text, []) if abs(at - mail.at) <= timedelta(seconds=120)]
            if near or (mail.message_id and (partner, mail.message_id) in ids):
                continue
            ids.add((partner, mail.message_id))
            texts.setdefault(text, []).append(mail.at)
            found.append(Counted(partner, direction, field, mail.at, mail.label, len(partners)))
    return found


def touches_of(mail: Mail, house: House) -> tuple[str, dict[str, str]]:
    """Direction, and the partners with the header that names them first."""
    if mail.author not in house.people:
        partner = house.partner_of(mail.author)
        return "inbound", {partner: "from"} if partner else {}
    named = [(house.partner_of(one), field) for field in ("to", "cc", "bcc") for one in mail.addresses(field)]
    return "outbound", {partner: field for partner, field in reversed(named) if partner}


@dataclass(frozen=True, slots=True)
class Imported:
    """What the product made of the file."""

    database: Database
    programme: Programme
    mailbox_id: int
    now: datetime
    report: Report
    path: Path

    def again(self) -> Report:
        capture = Capture(self.database.sessions, self.database.reading, Clock(self.now))
        return import_mbox(capture, self.programme, self.mailbox_id, self.report.address, MboxFile(self.path))

    def touches(self) -> list[Touch]:
        with self.database.reading() as session:
            return list(session.scalars(select(Touch).order_by(Touch.at, Touch.id)))

    def names(self) -> dict[int, str]:
        with self.database.reading() as session:
            return {row.id: row.name for row in session.scalars(select(Partner))}


@dataclass(frozen=True, slots=True)
class Clock:
    at: datetime

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def imported(database: Database, house: House, mails: list[Mail], joined: Path) -> Imported:
    """The file is read a day after its newest mail."""
    programme, mailbox_id, now = founded(database, house, mails)
    capture = Capture(database.sessions, database.reading, Clock(now))
    report = import_mbox(capture, programme, mailbox_id, house.people[0], MboxFile(joined))
    return Imported(database, programme, mailbox_id, now, report, joined)


def founded(database: Database, house: House, mails: Sequence[Mail]) -> tuple[Programme, int, datetime]:
    """The roster is ours and theirs; answers with the mailbox and the day after the newest mail."""
    times = [mail.at for mail in mails if mail.at]
    now, started = max(times) + timedelta(days=1), min(times)
    with database.sessions.begin() as session:
        workspace_id = the_workspace(session, started)
        for address in house.people:
            put_person(session, workspace_id, COMMAND_LINE, PersonRow(address, address, "manager"), started)
        for number, domain in enumerate(house.partners):
            row = PartnerRow(domain, number % 3 + 1, house.people[0], (domain,), (), Status.ACTIVE, started.date())
            put_partner(session, workspace_id, COMMAND_LINE, row, started)
        mailbox_id = mailboxes.put_mailbox(session, workspace_id, COMMAND_LINE, house.people[0], "mbox", started)
        [programme] = programmes(session, Settings())
    return programme, mailbox_id, now


def test_every_message_is_counted_once_and_none_is_in_the_way(imported: Imported, mails: list[Mail]) -> None:
    report = imported.report
    assert report.messages == sum(report.reasons.values()) == len(mails)
    with imported.database.reading() as session:
        seen = session.scalars(select(Seen.provider_id)).all()
    named = {mail.message_id for mail in mails if mail.message_id}
    assert len(named) < len(seen) <= len(mails)
    assert report.reasons["unparsed: no date"] == sum(mail.at is None for mail in mails)


def test_touches_are_those_that_another_count_of_the_headers_finds(
    imported: Imported, mails: list[Mail], house: House
) -> None:
    names = imported.names()
    ours = Counter((names[one.partner_id], one.direction, one.field, one.at) for one in imported.touches())
    theirs = Counter((one.partner, one.direction, one.field, one.at) for one in count_by_hand(mails, house))
    assert ours == theirs
    assert {direction for _, direction, _, _ in ours} == {"outbound", "inbound"}


def test_no_mail_that_a_person_wrote_is_taken_for_a_machines(
    imported: Imported, mails: list[Mail], house: House
) -> None:
    labels = {(one.partner, one.at): one for one in count_by_hand(mails, house)}
    names = imported.names()
    table: Counter[tuple[str, str]] = Counter()
    for touch in imported.touches():
        counted = labels[names[touch.partner_id], touch.at]
        merged = counted.direction == "outbound" and counted.partners >= 10
        table["broadcast" if merged else counted.label, touch.verdict] += 1
    assert [key for key in table if key[0] == "human" and key[1] != "human"] == []
    assert table["human", "human"] > 40
    machines = sum(count for (label, _), count in table.items() if label != "human")
    missed = sum(count for (label, verdict), count in table.items() if label != "human" and verdict == "human")
    assert missed / machines < 0.1, table


def test_last_touch_coverage_and_overdue_are_those_of_the_labels_at_any_time(
    imported: Imported, mails: list[Mail], house: House
) -> None:
    counting = [
        one
        for one in count_by_hand(mails, house)
        if one.direction == "outbound" and one.label == "human" and one.field != "bcc" and one.partners < 10
    ]
    windows = {1: 7, 2: 14, 3: 30}
    moments = sorted({one.at + timedelta(days=days) for one in counting for days in (0, 7, 8, 14, 15, 31)})
    assert len(moments) > 100
    for moment in moments[:: len(moments) // 40]:
        covered: Counter[int] = Counter()
        eligible: Counter[int] = Counter()
        expected: dict[str, tuple[datetime | None, bool]] = {}
        for number, domain in enumerate(house.partners):
            tier = number % 3 + 1
            last = max((one.at for one in counting if one.partner == domain and one.at <= moment), default=None)
            overdue = last is None or (moment.date() - last.date()).days > windows[tier]
            expected[domain] = (last, overdue)
            eligible[tier] += 1
            covered[tier] += not overdue
        with imported.database.reading() as session:
            lines = standings(session, imported.programme, moment)
            in_force = list(tiers(session, imported.programme.workspace_id, moment).values())
        assert {one.facts.name: (one.facts.last_touch_at, one.state is State.OVERDUE) for one in lines} == expected
        shown = {line.tier.rank: line.coverage for line in coverage_lines(lines, in_force)}
        assert {rank: (one.covered, one.eligible) for rank, one in shown.items()} == {
            rank: (covered[rank], eligible[rank]) for rank in windows
        }


def test_reading_it_again_adds_nothing(imported: Imported) -> None:
    before = [(one.id, one.verdict, one.voided_at) for one in imported.touches()]
    again = imported.again()
    assert (again.messages, again.touches) == (imported.report.messages, 0)
    assert again.reasons == imported.report.reasons
    assert [(one.id, one.verdict, one.voided_at) for one in imported.touches()] == before


def repeated(mails: Sequence[Mail], count: int) -> Iterator[Mail]:
    """So many mails: each round the same headers under other Message-IDs, three days later."""
    for number in range(count):
        turn, mail = number // len(mails), mails[number % len(mails)]
        raw = re.sub(rb"(?im)^(message-id:\s*<?)", rb"\g<1>%d." % turn, mail.raw, count=1)
        if mail.at and re.search(rb"(?im)^date:", raw):
            date = f"Date: {format_datetime(mail.at + timedelta(days=3 * turn))}".encode()
            raw = re.sub(rb"(?im)^date:[^\n]*(?:\n[ \t][^\n]*)*", date, raw, count=1)
        headers = BytesHeaderParser(policy=compat32).parsebytes(raw)
        yield Mail(mail.label, raw, headers, time_of(headers))


@pytest.mark.timeout(300)
def test_ten_thousand_real_mails_killed_at_random_and_imported_twice_are_what_their_headers_say(
    database: Database, mails: list[Mail], house: House, tmp_path: Path
) -> None:
    many = list(repeated(mails, 10_000))
    programme, mailbox_id, now = founded(database, house, many)
    path = tmp_path / "many.mbox"
    with path.open("wb") as file:
        file.writelines(
            b"From joined@localhost Mon Nov 23 09:00:00 2026\n" + mail.raw.strip(b"\r\n") + b"\n\n" for mail in many
        )
    job: dict[str, object] = {"url": database.url, "now": now.isoformat(), "mbox": str(path), "page": 200}
    theirs = Counter((one.partner, one.direction, one.field, one.at) for one in count_by_hand(many, house))
    assert theirs.total() > 2_000
    found = Imported(database, programme, mailbox_id, now, Report(house.people[0]), path)
    names = found.names()
    with closing(Mortals()) as mortals:
        for seed in (1, 2):
            assert die_and_go_on(mortals, job, seed) >= 1
            ours = Counter((names[one.partner_id], one.direction, one.field, one.at) for one in found.touches())
            assert (ours - theirs, theirs - ours) == (Counter(), Counter())
    with database.reading() as session:
        assert len(session.scalars(select(Seen.provider_id)).all()) > 9_000


def test_nothing_of_the_mail_that_concerns_no_partner_is_in_the_database(
    imported: Imported, mails: list[Mail], house: House
) -> None:
    concerned = [mail for mail in mails if touches_of(mail, house)[1]]
    others = [mail for mail in mails if not touches_of(mail, house)[1]]
    known = {address for mail in concerned for address in mail.addresses("From", "To", "Cc", "Bcc")} | {*house.people}
    strangers = {address for mail in others for address in mail.addresses("From", "To", "Cc")} - known
    ids = {mail.message_id for mail in others} - {mail.message_id for mail in concerned}
    subjects = {mail.subject for mail in mails if len(mail.subject) > 15}
    with imported.database.reading() as session:
        words = set(re.split(r"[\s'\",]+", everything(session).lower()))
        text = everything(session)
    assert len(strangers) > 500
    assert not {one for one in strangers if one in words}
    assert not {one for one in ids if len(one) > 8 and one.lower() in words}
    assert not {one for one in subjects if one in text}
