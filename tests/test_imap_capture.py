"""Capture of IMAP mailboxes from the wire to the tables. Numbers are capture.md's statements."""

import email.utils
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from jobs.capture import Capture, Outcome, Report
from jobs.imports import import_mbox
from jobs.mailbox.imap import ImapMailbox
from jobs.mailbox.mbox import MboxFile
from models.actions import mailboxes
from tests.capture_world import Headers, Office, everything, letter, office
from tests.cast import DANA, MONDAY, PRIYA
from tests.databases import Database
from tests.imap_servers import Dovecot, RealServer
from tests.imap_world import imap_mailbox
from tests.sandbox.imap import ImapStandIn
from tests.test_imap_servers import NO_DOVECOT

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ACME_MAIL = "wile@acme.example"
_accounts = count(1)


@dataclass(slots=True)
class House:
    """Priya's mailbox at an IMAP server, in an office where Dana's is at Google."""

    office: Office
    server: ImapStandIn
    mailbox: ImapMailbox

    def put(self, headers: Headers, folder: str = "INBOX", *, at: datetime | None = None) -> int:
        return self.server.deliver(headers, at or self.office.clock.now(), folder)

    def poll(self) -> Report:
        return self.office.poll(PRIYA, self.mailbox)

    def restart(self) -> None:
        self.mailbox = imap_mailbox(self.server.port, self.office.clock, PRIYA.email)


@pytest.fixture
def house(database: Database) -> Iterator[House]:
    """Both mailboxes, read once while empty."""
    with office(database, (DANA,)) as made, ImapStandIn() as server:
        connect(made)
        world = House(made, server, imap_mailbox(server.port, made.clock, PRIYA.email))
        made.poll(DANA)
        assert world.poll().outcome is Outcome.DONE
        yield world


def connect(made: Office) -> None:
    with made.database.sessions.begin() as session:
        mailboxes.put_mailbox(session, made.cast.workspace_id, "test", PRIYA.email, "imap", MONDAY)


def to_acme(message_id: str, **more: str) -> Headers:
    return letter(PRIYA.email, ACME_MAIL, message_id=message_id, **more)


def from_acme(message_id: str, **more: str) -> Headers:
    return letter(ACME_MAIL, PRIYA.email, message_id=message_id, **more)


def as_mbox(path: Path, *mails: Headers) -> MboxFile:
    parts = []
    for headers in mails:
        lines = [f"{name}: {value}" for name, value in headers.items()]
        parts.append("\n".join(["From x@y.example Mon Nov 23 08:00:00 2026", *lines, "", "body", "", ""]))
    path.write_text("".join(parts), encoding="utf-8")
    return MboxFile(path)


def dated(headers: Headers, at: datetime) -> Headers:
    return headers | {"Date": email.utils.format_datetime(at)}


def test_25_mail_that_comes_while_a_page_is_stored_is_captured_at_the_next_pass(house: House) -> None:
    house.put(from_acme("first"))
    house.server.faults.after_fetch = lambda: house.put(from_acme("second"))
    house.poll()
    house.server.faults.after_fetch = None
    assert [one[3] for one in house.office.touches()] == ["first"]
    house.poll()
    assert [one[3] for one in house.office.touches()] == ["first", "second"]


def test_26_what_is_left_out_is_queued_and_retried_and_stops_nobody(house: House) -> None:
    lost = house.put(from_acme("lost"))
    house.put(from_acme("behind"))
    house.server.faults.omits = {lost}
    assert house.poll().outcome is Outcome.DONE
    assert [one[3] for one in house.office.touches()] == ["behind"]
    assert len(house.office.queue()) == 1
    house.server.faults.omits = set()
    house.office.clock.at += timedelta(minutes=6)
    house.poll()
    assert sorted(one[3] for one in house.office.touches()) == ["behind", "lost"]
    assert not house.office.queue()


def test_27_a_search_error_is_told_and_loses_nothing(house: House) -> None:
    house.put(from_acme("waiting"))
    cursor = house.office.facts(PRIYA).cursor
    house.server.faults.answers["SEARCH"] = "NO [SERVERBUG] no"
    assert house.poll().outcome is Outcome.ERROR
    facts = house.office.facts(PRIYA)
    assert (facts.status, facts.cursor) == ("error", cursor)
    house.server.faults.answers.clear()
    house.poll()
    assert house.office.facts(PRIYA).status == "active"
    assert [one[3] for one in house.office.touches()] == ["waiting"]


def test_28_folders_that_are_numbered_anew_double_nothing(house: House) -> None:
    for number in range(5):
        house.put(from_acme(f"in-{number}"), at=MONDAY - number * DAY)
        house.put(to_acme(f"out-{number}"), "Sent", at=MONDAY - number * DAY)
    house.poll()
    before = house.office.touches()
    for folder in ("INBOX", "Sent"):
        house.server.renumber(folder)
    house.put(from_acme("new"))
    house.poll()
    assert sorted(house.office.touches()) == sorted([*before, ("Acme", "inbound", "human", "new")])
    assert house.office.sightings() == 11


def test_29_after_the_folder_was_emptied_one_new_mail_is_captured(house: House) -> None:
    house.put(from_acme("old"))
    house.poll()
    house.server.folders["INBOX"].mails.clear()
    house.poll()
    house.put(from_acme("new"))
    house.poll()
    assert [one[3] for one in house.office.touches()] == ["new", "old"]


def test_30_an_outage_longer_than_any_window_loses_nothing(house: House) -> None:
    for week in range(30):
        house.put(from_acme(f"week-{week:02}"), at=MONDAY + week * 7 * DAY)
    house.server.faults.greeting = "* BYE moving house"
    assert house.poll().outcome is Outcome.ERROR
    house.office.clock.at = MONDAY + 210 * DAY
    house.server.faults.greeting = "* OK back again"
    assert house.poll().outcome is Outcome.DONE
    assert len(house.office.touches()) == 30


def test_31_mail_without_message_id_is_captured_once_and_blocks_nothing(house: House) -> None:
    plain = dated(letter(ACME_MAIL, PRIYA.email, "No id", message_id=""), MONDAY)
    house.put(plain)
    house.put(from_acme("later"), at=MONDAY + HOUR)
    house.office.clock.at += HOUR
    house.poll()
    house.server.renumber()
    house.poll()
    assert [one[3] for one in house.office.touches()] == ["", "later"]


def test_32_a_sent_copy_with_another_message_id_is_one_touch(house: House) -> None:
    mail = letter(PRIYA.email, ACME_MAIL, "Plans", message_id="as-filed")
    house.put(mail, "Sent")
    house.put(mail | {"Message-ID": "<as-transported@mail.example>"}, at=MONDAY + timedelta(seconds=40))
    house.office.clock.at += HOUR
    house.poll()
    assert len(house.office.touches()) == 1


def test_33_the_same_number_in_two_folders_is_two_mails(house: House) -> None:
    assert house.put(from_acme("in")) == house.put(to_acme("out"), "Sent")
    house.poll()
    assert sorted(one[3] for one in house.office.touches()) == ["in", "out"]


def test_35_mail_that_a_server_hid_is_found_by_the_daily_comparison(house: House) -> None:
    house.office.read(PRIYA, house.mailbox)
    inbox = house.server.folders["INBOX"]
    house.put(from_acme("first"))
    house.put(from_acme("second"))
    hidden = inbox.mails.pop(1)
    house.poll()
    inbox.mails[1] = hidden
    house.poll()
    assert [one[3] for one in house.office.touches()] == ["second"]
    house.office.clock.at += DAY + HOUR
    house.office.read(PRIYA, house.mailbox)
    assert sorted(one[3] for one in house.office.touches()) == ["first", "second"]


def test_38_a_partners_contact_at_a_freemail_provider_matches_by_exact_address(house: House) -> None:
    house.put(letter("bill@lumbergh.example", PRIYA.email, message_id="contact"))
    house.put(letter("other@lumbergh.example", PRIYA.email, message_id="stranger"))
    house.poll()
    assert house.office.touches() == [("Initech", "inbound", "human", "contact")]


def test_40_a_mail_in_a_gmail_and_an_imap_mailbox_is_one_touch_with_two_sightings(house: House) -> None:
    mail = letter(DANA.email, ACME_MAIL, "Plans", cc=PRIYA.email, message_id="both")
    house.office.send(mail)
    house.put(mail)
    house.office.poll(DANA)
    house.poll()
    assert house.office.touches() == [("Acme", "outbound", "human", "both")]
    assert house.office.sightings() == 2


@pytest.mark.parametrize("import_first", [False, True])
def test_a_mailbox_that_is_polled_and_imported_gives_each_mail_once(
    house: House, tmp_path: Path, import_first: bool
) -> None:
    mails = [dated(from_acme("in"), MONDAY - DAY), dated(to_acme("out"), MONDAY - 2 * DAY)]
    mails.append(dated(letter(ACME_MAIL, PRIYA.email, "No id", message_id=""), MONDAY - 3 * DAY))
    for headers, folder, days in zip(mails, ("INBOX", "Sent", "INBOX"), (1, 2, 3), strict=True):
        house.put(headers, folder, at=MONDAY - days * DAY)
    work = house.office
    engine = Capture(work.database.sessions, work.database.reading, work.clock)
    if not import_first:
        house.poll()
    file = as_mbox(tmp_path / "all.mbox", *mails)
    import_mbox(engine, work.cast.programme, work.facts(PRIYA).id, PRIYA.email, file)
    if import_first:
        house.poll()
    assert [one[3] for one in work.touches()] == ["", "out", "in"]


def test_7_a_pass_that_dies_after_any_page_is_made_up_for(house: House) -> None:
    class PlugPulled(Exception):
        pass

    def pull(report: Report) -> None:
        raise PlugPulled

    for number in range(450):
        house.put(from_acme(f"m{number:03}"), at=MONDAY - number * timedelta(minutes=1))
        if number % 3 == 0:
            house.put(to_acme(f"s{number:03}"), "Sent", at=MONDAY - number * timedelta(minutes=1))
    for _ in range(5):  # three pages, another, and the last one that says that all is read
        house.restart()
        with pytest.raises(PlugPulled):
            house.office.poll(PRIYA, house.mailbox, watch=pull)
    house.restart()
    assert house.poll().messages == 0
    assert len(house.office.touches()) == house.office.sightings() == 600


def test_a_refused_login_keeps_the_cursor_and_the_gap_is_captured_afterwards(house: House) -> None:
    house.put(from_acme("gap"))
    house.server.passwords = {"changed"}
    assert house.poll().outcome is Outcome.NEEDS_AUTH
    assert house.office.facts(PRIYA).status == "needs_auth"
    house.server.passwords = {"secret"}
    house.restart()
    assert house.poll().outcome is Outcome.DONE
    assert [one[3] for one in house.office.touches()] == ["gap"]


def test_mail_that_concerns_no_partner_leaves_nothing_but_its_id(house: House) -> None:
    house.put(letter("Aunt Agatha <agatha@family.example>", PRIYA.email, "Sunday dinner", message_id="private"))
    house.poll()
    with house.office.database.reading() as session:
        stored = everything(session)
    for trace in ("agatha", "family.example", "Sunday", "private", "dinner"):
        assert trace not in stored


@pytest.fixture(scope="module")
def dovecot_server() -> Iterator[RealServer]:
    with Dovecot() as server:
        yield server


@NO_DOVECOT
def test_from_a_real_dovecot_to_touches(database: Database, dovecot_server: RealServer) -> None:
    user = f"priya{next(_accounts)}@lantern.example"  # to each database an account of its own
    dovecot_server.prepare(user)
    dovecot_server.deliver(user, from_acme("in"), MONDAY - 60 * DAY)
    dovecot_server.deliver(user, to_acme("out"), MONDAY - 50 * DAY, dovecot_server.sent)
    dovecot_server.deliver(user, letter("shop@elsewhere.example", PRIYA.email), MONDAY - 40 * DAY)
    with office(database, ()) as made:
        connect(made)
        mailbox = imap_mailbox(dovecot_server.port, made.clock, PRIYA.email, username=user)
        assert made.poll(PRIYA, mailbox).reasons == {"touch": 2, "no partner": 1}
        assert made.poll(PRIYA, mailbox).messages == 0
        assert sorted(one[3] for one in made.touches()) == ["in", "out"]
