"""The IMAP provider against real servers: Dovecot where it is installed, mail-devel everywhere.

Their mail is two years old, since a server takes no date that lies ahead of its own clock.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from jobs.mailbox.base import NeedsAuth
from jobs.mailbox.imap import CHUNK, ImapMailbox
from models.message import Folder
from tests.gmail_world import Ledger, MovingClock
from tests.imap_servers import BODY, Dovecot, MailDevel, RealServer, dovecot
from tests.imap_world import SECRET, imap_mailbox

NOW = datetime(2024, 5, 6, 9, tzinfo=UTC)
DAY = timedelta(days=1)
NO_DOVECOT = pytest.mark.skipif(dovecot() is None, reason="no Dovecot 2.3 here: install dovecot-core and dovecot-imapd")
INVITATION = """\
--x
Content-Type: text/plain

Shall we?
--x
Content-Type: text/calendar; method=REQUEST

BEGIN:VCALENDAR
--x--
"""

_users = count(1)


@pytest.fixture(scope="module", params=[pytest.param(Dovecot, marks=NO_DOVECOT), MailDevel])
def server(request: pytest.FixtureRequest) -> Iterator[RealServer]:
    with request.param() as running:
        yield running


@dataclass(slots=True)
class Account:
    server: RealServer
    user: str
    clock: MovingClock
    ledger: Ledger
    mailbox: ImapMailbox

    def deliver(self, subject: str, folder: str = "INBOX", *, at: datetime = NOW, **more: Any) -> None:
        headers = {"From": "Kim Lee <kim@globex.example>", "To": self.user, "Subject": subject}
        self.server.deliver(self.user, headers | more.pop("headers", {}), at, folder, **more)

    def poll(self) -> list[str]:
        """The subjects that a pass brings."""
        self.ledger.messages.clear()
        self.ledger.poll(self.mailbox)
        return self.ledger.subjects


@pytest.fixture
def account(server: RealServer) -> Account:
    """Somebody with an empty INBOX and an empty folder of sent mail."""
    user, clock = f"ana{next(_users)}@acme.example", MovingClock(NOW)
    server.prepare(user)
    return Account(server, user, clock, Ledger(clock, since=NOW - 90 * DAY), imap_mailbox(server.port, clock, user))


def test_25_mail_is_captured_once_from_both_folders(account: Account) -> None:
    account.deliver("in")
    account.deliver("out", account.server.sent)
    assert account.poll() == ["in", "out"]
    assert [message.folder for message in account.ledger.messages] == [Folder.INBOX, Folder.SENT]
    assert {message.at for message in account.ledger.messages} == {NOW}
    assert account.poll() == []
    account.deliver("more")
    assert account.poll() == ["more"]
    assert account.mailbox.lacking is None


def test_26_what_is_deleted_while_it_waits_is_gone(account: Account) -> None:
    account.deliver("short-lived")
    account.poll()
    [key] = account.ledger.seen
    with account.server.client(account.user) as client:
        client.select_folder("INBOX")
        client.delete_messages(client.search("ALL"))
        client.expunge()
    page = account.mailbox.fetch([key])
    assert (page.gone, page.messages, page.failed) == ((key,), (), ())


def test_28_a_folder_that_was_made_anew_is_read_by_date(account: Account) -> None:
    account.deliver("first", account.server.sent)
    account.poll()
    with account.server.client(account.user) as client:
        client.rename_folder(account.server.sent, "Elsewhere")
        client.create_folder(account.server.sent)
    account.deliver("old", account.server.sent, at=NOW - 200 * DAY)
    account.deliver("second", account.server.sent)
    account.clock.at += timedelta(hours=2)
    assert account.poll() == ["second"]


def test_29_after_the_folder_was_emptied_one_new_mail_is_captured(account: Account) -> None:
    for number in range(3):
        account.deliver(f"mail {number}")
    assert len(account.poll()) == 3
    with account.server.client(account.user) as client:
        client.select_folder("INBOX")
        client.delete_messages(client.search("ALL"))
        client.expunge()
    assert account.poll() == []
    account.deliver("the only one")
    assert account.poll() == ["the only one"]


def test_30_more_mail_than_a_page_holds_comes_in_pages(account: Account) -> None:
    headers = "From: kim@globex.example\r\nSubject: mail {:03}\r\n\r\nbody\r\n"
    mails = [
        {"msg": headers.format(number).encode(), "date": NOW - timedelta(days=number % 80)}
        for number in range(CHUNK + 30)
    ]
    with account.server.client(account.user) as client:
        client.multiappend("INBOX", mails)
    assert account.ledger.poll(account.mailbox, stop_after=1)[0].last is False
    assert len(account.ledger.subjects) == CHUNK
    account.ledger.poll(imap_mailbox(account.server.port, account.clock, account.user))
    assert len(set(account.ledger.subjects)) == len(account.ledger.subjects) == CHUNK + 30


def test_35_the_listing_of_what_is_recent_shows_what_was_missed(account: Account) -> None:
    account.deliver("seen")
    account.deliver("old", at=NOW - 30 * DAY)
    account.poll()
    assert not [key for page in account.mailbox.recent(NOW - 2 * DAY, account.ledger.unseen) for key in page]
    forgotten = next(m.provider_id for m in account.ledger.messages if m.first("Subject") == "seen")
    del account.ledger.seen[forgotten]
    assert [key for page in account.mailbox.recent(NOW - 2 * DAY, account.ledger.unseen) for key in page] == [forgotten]


def test_the_first_walk_ends_at_the_cutoff(account: Account) -> None:
    account.deliver("too old", at=NOW - 120 * DAY)
    account.deliver("young", at=NOW - 80 * DAY)
    assert account.poll() == ["young"]


def test_an_invitation_is_known_by_its_structure(account: Account) -> None:
    kind = {"Content-Type": "multipart/alternative; boundary=x"}
    account.deliver("meeting", headers=kind, body=INVITATION.replace("\n", "\r\n"))
    account.deliver("mail")
    account.poll()
    assert {m.first("Subject"): m.is_calendar for m in account.ledger.messages} == {"meeting": True, "mail": False}


def test_folders_have_names_in_any_script(account: Account) -> None:
    with account.server.client(account.user) as client:
        client.create_folder("Geschäfte & 取引先")
    account.deliver("deal", "Geschäfte & 取引先")
    named = imap_mailbox(account.server.port, account.clock, account.user, folders=["Geschäfte & 取引先"])
    account.ledger.poll(named)
    assert account.ledger.subjects == ["deal"]
    assert named.lacking is None


def test_reading_leaves_no_mark_on_the_mailbox(account: Account) -> None:
    account.deliver("untouched")
    account.poll()
    with account.server.client(account.user) as client:
        client.select_folder("INBOX", readonly=True)
        assert client.search("UNSEEN")
        assert client.search("ALL") == client.search("UNDELETED UNFLAGGED UNANSWERED")


def test_a_wrong_password_needs_the_owner(account: Account) -> None:
    mailbox = imap_mailbox(account.server.port, account.clock, account.user, secret=SECRET.replace("secret", "wrong"))
    with pytest.raises(NeedsAuth, match=rf"refuses the login of {re.escape(account.user)}"):
        mailbox.check()


@NO_DOVECOT
def test_no_request_on_the_wire_asks_for_a_body_or_changes_anything(caplog: pytest.LogCaptureFixture) -> None:
    """In the words of Dovecot's own log of what it was asked."""
    caplog.set_level(logging.DEBUG)
    clock = MovingClock(NOW)
    with Dovecot() as server:
        server.prepare("ana@acme.example")
        kind = {"Content-Type": "multipart/mixed; boundary=x", "Subject": "a private matter"}
        attachment = '--x\r\nContent-Type: text/plain; name="agatha.txt"\r\n\r\nno\r\n--x--'
        server.deliver("ana@acme.example", {"From": "agatha@family.example", **kind}, NOW, body=attachment)
        before = server.heard().splitlines()
        mailbox, ledger = imap_mailbox(server.port, clock, "ana@acme.example"), Ledger(clock, since=NOW - 90 * DAY)
        mailbox.check()
        ledger.poll(mailbox)
        ledger.poll(mailbox)
        mailbox.fetch(list(ledger.seen))
        list(mailbox.recent(NOW - 2 * DAY, ledger.unseen))
        heard = server.heard()
    lines = [line.split(maxsplit=2) for line in heard.splitlines() if line not in before]
    asked = [parts[2] for parts in lines if len(parts) == 3]
    verbs = {" ".join(line.split()[: 2 if line.startswith("UID") else 1]) for line in asked}
    assert {"EXAMINE", "STATUS", "UID SEARCH", "UID FETCH"} <= verbs
    assert verbs <= {"EXAMINE", "STATUS", "UID SEARCH", "UID FETCH", "LIST", "LOGOUT", "CAPABILITY"}
    for line in asked:
        if line.startswith("UID FETCH"):
            assert "BODY.PEEK[HEADER.FIELDS (" in line or line.endswith("(UID BODYSTRUCTURE)")
    assert ledger.subjects == ["a private matter"]
    for trace in ("agatha", "private matter", "family.example", BODY):
        assert trace not in caplog.text
