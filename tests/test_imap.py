"""The IMAP provider against the stand-in, for what real servers do not do to order. Numbers are capture.md's."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from imapclient.imap_utf7 import encode

from jobs.mailbox.base import NeedsAuth, ProviderError
from jobs.mailbox.imap import CHUNK
from jobs.mailbox.imap_access import access_of
from models.message import Folder
from tests.gmail_world import ANA, DAY, NOW, MovingClock
from tests.imap_world import SECRET, ImapWorld, imap_mailbox, imap_world
from tests.sandbox.imap import ImapStandIn, StandInFolder

MINUTE = timedelta(minutes=1)
INVITATION = (
    '(("text" "plain" NIL NIL NIL "7bit" 4 1)("text" "calendar" ("method" "REQUEST") NIL NIL "7bit" 9 1) "alternative")'
)
FORWARDED = (
    '(("text" "plain" NIL NIL NIL "7bit" 4 1)("message" "rfc822" NIL NIL NIL "7bit" 99 '
    '(NIL "hi" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "calendar" NIL NIL NIL "7bit" 9 1) 4) "mixed")'
)


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def server() -> Iterator[ImapStandIn]:
    with ImapStandIn() as running:
        yield running


@pytest.fixture
def world(server: ImapStandIn, clock: MovingClock) -> ImapWorld:
    return imap_world(server, clock)


@pytest.fixture
def polled(world: ImapWorld) -> ImapWorld:
    """An account whose first walk is behind it; what was asked and read then is forgotten."""
    world.deliver("before")
    world.deliver("sent before", folder="Sent")
    world.poll()
    world.server.log.clear()
    world.ledger.messages.clear()
    return world


# --- what is new ------------------------------------------------------------------------------------------------------


def test_25_mail_that_comes_between_the_fetch_and_the_next_status_is_captured_next_time(polled: ImapWorld) -> None:
    polled.deliver("first")
    polled.server.faults.after_fetch = lambda: polled.deliver("behind our back")
    polled.poll()
    polled.server.faults.after_fetch = None
    assert polled.ledger.subjects == ["first"]
    polled.poll()
    assert polled.ledger.subjects == ["behind our back", "first"]


def test_25_the_cursor_is_what_was_dealt_with_and_not_what_the_server_counts(polled: ImapWorld) -> None:
    inbox = polled.server.folders["INBOX"]
    inbox.next_uid = 50
    polled.poll()
    late = polled.deliver("late")
    inbox.mails[30] = inbox.mails.pop(late)  # it was being written while the server counted it already
    polled.poll()
    assert polled.ledger.subjects == ["late"]


def test_25_an_idle_poll_is_one_status_per_folder(polled: ImapWorld) -> None:
    [page] = polled.poll()
    assert polled.commands() == [
        'STATUS "INBOX" (UIDVALIDITY UIDNEXT MESSAGES)',
        'STATUS "Sent" (UIDVALIDITY UIDNEXT MESSAGES)',
    ]
    assert page.last


@pytest.mark.parametrize("never", [False, True])
def test_26_what_fetch_leaves_out_is_queued_and_comes_later(polled: ImapWorld, never: bool) -> None:
    lost = polled.deliver("left out")
    polled.deliver("behind it")
    polled.server.faults.omits = {lost}
    polled.poll()
    assert polled.ledger.subjects == ["behind it"]
    [(key, reason)] = polled.ledger.pending.items()
    assert key.endswith(f":{lost}")
    assert "does not deliver" in reason
    if not never:
        polled.server.faults.omits = set()
    polled.ledger.store(polled.mailbox.fetch([key]))
    assert polled.ledger.subjects == (["behind it"] if never else ["behind it", "left out"])
    assert bool(polled.ledger.pending) is never


def test_26_what_is_deleted_before_it_is_fetched_is_gone_and_no_alarm(polled: ImapWorld) -> None:
    uid = polled.deliver("short-lived")
    polled.deliver("stays")
    polled.server.faults.omits = {uid}
    inbox = polled.server.folders["INBOX"]
    polled.server.faults.after_fetch = lambda: inbox.mails.pop(uid, None)
    polled.poll()
    assert polled.ledger.subjects == ["stays"]
    assert not polled.ledger.pending
    assert list(polled.ledger.seen.values()).count("gone") == 1


def test_26_one_answer_that_cannot_be_read_does_not_take_the_others_with_it(polled: ImapWorld) -> None:
    uids = [polled.deliver(f"mail {number}") for number in range(5)]
    polled.server.faults.garbles = {uids[3]}
    polled.poll()
    assert polled.ledger.subjects == ["mail 0", "mail 1", "mail 2", "mail 4"]
    assert [key.rpartition(":")[2] for key in polled.ledger.pending] == [str(uids[3])]


@pytest.mark.parametrize("answer", ["NO [SERVERBUG] internal error", "BAD what is SEARCH"])
def test_27_a_search_error_fails_the_run_and_moves_no_cursor(polled: ImapWorld, answer: str) -> None:
    polled.deliver("waiting")
    before = polled.ledger.cursor
    polled.server.faults.answers["SEARCH"] = answer
    with pytest.raises(ProviderError, match="which messages there are"):
        polled.poll()
    assert polled.ledger.cursor == before
    polled.server.faults.answers.clear()
    polled.poll()
    assert polled.ledger.subjects == ["waiting"]


def test_27_trouble_with_one_folder_does_not_hold_up_the_other_but_is_told(polled: ImapWorld) -> None:
    polled.server.folders["INBOX"].uidvalidity = None
    polled.deliver("sent", folder="Sent")
    with pytest.raises(ProviderError, match="no UIDVALIDITY for INBOX"):
        polled.poll()
    assert polled.ledger.subjects == ["sent"]


def test_28_a_folder_that_is_numbered_anew_is_read_again_by_date(polled: ImapWorld) -> None:
    polled.deliver("old", at=NOW - 200 * DAY)
    polled.deliver("yesterday", at=NOW - DAY)
    polled.server.renumber()
    polled.poll()
    assert polled.ledger.subjects == ["before", "yesterday"]
    polled.server.log.clear()
    polled.poll()
    assert len(polled.commands()) == 2


def test_28_a_folder_without_a_lasting_number_is_not_read_again_for_ever(polled: ImapWorld) -> None:
    for _ in range(5):
        polled.server.renumber()
        polled.poll()
    polled.server.renumber()
    with pytest.raises(ProviderError, match="numbered the messages of INBOX anew 5 times in a day"):
        polled.poll()
    polled.deliver("meanwhile")
    polled.clock.at += DAY
    polled.poll()
    assert polled.ledger.subjects.count("meanwhile") == 1


def test_28_numbering_anew_without_saying_so_is_told_and_not_taken_for_quiet(polled: ImapWorld) -> None:
    for number in range(3):
        polled.deliver(f"mail {number}")
    polled.poll()
    inbox = polled.server.folders["INBOX"]
    inbox.mails, inbox.next_uid = {}, 1
    polled.deliver("restored")
    with pytest.raises(ProviderError, match=r"without saying so.*--purge"):
        polled.poll()


def test_28_the_queue_of_a_folder_that_was_numbered_anew_is_settled(polled: ImapWorld) -> None:
    lost = polled.deliver("left out")
    polled.server.faults.omits = {lost}
    polled.poll()
    polled.server.faults.omits = set()
    polled.server.renumber()
    [key] = polled.ledger.pending
    polled.poll()
    polled.ledger.store(polled.mailbox.fetch([key]))
    assert "left out" in polled.ledger.subjects
    assert not polled.ledger.pending


def test_29_after_the_folder_was_emptied_one_new_mail_is_captured(polled: ImapWorld) -> None:
    polled.server.folders["INBOX"].mails.clear()
    polled.poll()
    polled.deliver("the only one")
    polled.poll()
    assert polled.ledger.subjects == ["the only one"]


def test_30_after_an_outage_longer_than_any_window_everything_is_captured(polled: ImapWorld) -> None:
    for day in range(CHUNK + 100):
        polled.deliver(f"day {day:03}", at=NOW + day * DAY)
    polled.clock.at = NOW + (CHUNK + 100) * DAY
    polled.ledger.since = polled.clock.at - 90 * DAY
    pages = polled.poll()
    assert len(polled.ledger.subjects) == CHUNK + 100
    assert [len(page.messages) for page in pages] == [CHUNK, 100, 0]


def test_30_an_outage_that_ends_with_new_numbers_is_listed_back_to_its_beginning(polled: ImapWorld) -> None:
    polled.deliver("in the outage", at=NOW + DAY)
    polled.server.renumber()
    polled.clock.at = NOW + 300 * DAY
    polled.ledger.since = polled.clock.at - 90 * DAY
    polled.poll()
    assert "in the outage" in polled.ledger.subjects


def test_31_mail_without_message_id_is_read_and_blocks_nothing(polled: ImapWorld) -> None:
    polled.deliver("no id")
    polled.server.deliver({}, NOW)
    polled.deliver("with id", headers={"Message-ID": "<a@b.example>"})
    polled.poll()
    assert polled.ledger.subjects == ["", "no id", "with id"]


def test_33_ids_hold_for_one_folder_only_and_do_not_show_its_name(polled: ImapWorld) -> None:
    one, other = polled.deliver("in"), polled.deliver("out", folder="Sent")
    assert one == other
    polled.poll()
    first, second = (message.provider_id for message in polled.ledger.messages)
    assert first != second
    assert "INBOX" not in first
    assert [m.folder for m in polled.ledger.messages] == [Folder.INBOX, Folder.SENT]


def test_35_what_was_missed_stands_in_the_listing_of_what_is_recent(polled: ImapWorld) -> None:
    uid = polled.deliver("missed", at=NOW - DAY)
    polled.deliver("old", at=NOW - 20 * DAY)
    polled.poll()
    [key] = [one for one in polled.ledger.seen if one.endswith(f":{uid}")]
    del polled.ledger.seen[key]
    since = NOW - timedelta(hours=48)
    assert [one for page in polled.mailbox.recent(since, polled.ledger.unseen) for one in page] == [key]
    polled.ledger.store(polled.mailbox.fetch([key]))
    assert not [one for page in polled.mailbox.recent(since, polled.ledger.unseen) for one in page]


# --- the walk ---------------------------------------------------------------------------------------------------------


def test_the_first_walk_goes_back_to_the_cutoff_and_says_from_when_the_account_is_known(world: ImapWorld) -> None:
    world.deliver("too old", at=NOW - 120 * DAY)
    world.deliver("young", at=NOW - 80 * DAY)
    pages = world.poll()
    assert world.ledger.subjects == ["young"]
    assert pages[-1].observed_from == world.ledger.since
    assert world.poll()[-1].observed_from is None


def test_a_walk_that_was_killed_goes_on_where_it_stopped(world: ImapWorld) -> None:
    for number in range(2 * CHUNK + 10):
        world.deliver(f"mail {number:03}")
    world.deliver("old", at=NOW - 120 * DAY)
    world.ledger.poll(world.mailbox, stop_after=1)
    world.server.log.clear()
    pages = world.ledger.poll(imap_mailbox(world.server.port, world.clock))
    assert world.server.commands("SEARCH")[0].startswith(f"SEARCH UID {CHUNK + 1}:")
    assert len(world.ledger.subjects) == 2 * CHUNK + 10
    assert pages[-1].observed_from == world.ledger.since


def test_a_line_that_breaks_keeps_what_came_and_goes_on_at_the_next_pass(world: ImapWorld) -> None:
    for number in range(2 * CHUNK):
        world.deliver(f"mail {number:03}")
    world.server.faults.drops["FETCH"] = 1
    with pytest.raises(ProviderError, match="broke off"):
        world.poll()
    assert len(world.ledger.subjects) == CHUNK
    world.server.faults.drops.clear()
    world.poll()
    assert len(world.ledger.subjects) == len(set(world.ledger.subjects)) == 2 * CHUNK


def test_a_cursor_that_cannot_be_read_lists_the_gap_again(polled: ImapWorld) -> None:
    polled.deliver("new")
    polled.ledger.cursor = '{"folders": 7}'
    polled.poll()
    assert polled.ledger.subjects == ["new"]


def test_a_server_that_does_not_tell_the_next_uid_is_looked_into_each_time(polled: ImapWorld) -> None:
    for folder in polled.server.folders.values():
        folder.tells_next = False
    polled.poll()
    assert polled.ledger.subjects == []  # `n:*` names the newest message again, which is none of the new ones
    polled.deliver("new")
    polled.poll()
    assert polled.ledger.subjects == ["new"]


def test_search_results_on_several_lines_and_talk_in_between_are_understood(polled: ImapWorld) -> None:
    polled.server.faults.splits_search = True
    polled.server.faults.chatter = "* 1 FETCH (FLAGS (\\Draft))"
    for number in range(3):
        polled.deliver(f"mail {number}")
    polled.poll()
    assert polled.ledger.subjects == ["mail 0", "mail 1", "mail 2"]
    assert {message.folder for message in polled.ledger.messages} == {Folder.INBOX}


def test_one_connection_serves_a_whole_pass(world: ImapWorld) -> None:
    world.deliver("in")
    world.deliver("out", folder="Sent")
    world.poll()
    assert world.server.connections == 1


# --- what a message is ------------------------------------------------------------------------------------------------


def test_only_wanted_headers_are_asked_for_and_nothing_is_marked_as_read(polled: ImapWorld) -> None:
    polled.deliver("Plans", headers={"Content-Type": "multipart/mixed"})
    polled.poll()
    [message] = polled.ledger.messages
    assert message.first("X-Secret") == ""
    assert (message.first("Subject"), message.at) == ("Plans", NOW)
    asked = [line.split()[0] for line in polled.commands()]
    assert set(asked) == {"STATUS", "EXAMINE", "SEARCH", "FETCH"}
    for line in polled.server.commands("FETCH"):
        assert "BODY.PEEK[HEADER.FIELDS (" in line or line.endswith("(UID BODYSTRUCTURE)")


@pytest.mark.parametrize(
    ("structure", "kind", "calendar"),
    [
        (INVITATION, "multipart/alternative; boundary=x", True),
        (FORWARDED, "multipart/mixed; boundary=x", False),
        ("((", "multipart/mixed; boundary=x", False),
        (INVITATION, "text/plain", False),  # not asked for: a mail in one part says what it is
    ],
)
def test_an_invitation_is_known_by_its_structure(polled: ImapWorld, structure: str, kind: str, calendar: bool) -> None:
    polled.deliver("meeting", headers={"Content-Type": kind}, structure=structure)
    polled.deliver("mail", headers={"Content-Type": "multipart/alternative"})
    polled.poll()
    assert {m.first("Subject"): m.is_calendar for m in polled.ledger.messages} == {"meeting": calendar, "mail": False}
    assert not polled.ledger.pending


def test_a_draft_is_a_draft_wherever_it_lies(polled: ImapWorld) -> None:
    polled.deliver("half", flags=("\\Draft", "\\Seen"))
    polled.poll()
    assert [message.folder for message in polled.ledger.messages] == [Folder.DRAFT]


# --- which folders ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["Sent Items", "INBOX/Gesendete Objekte", "Éléments envoyés", "보낸 편지함", "送信済み", "Отправленные"]
)
def test_the_sent_folder_is_known_by_its_name_in_many_languages(world: ImapWorld, name: str) -> None:
    folders = world.server.folders
    folders[encode(name).decode()] = folders.pop("Sent")
    folders[encode(name).decode()].flags = "\\HasNoChildren"
    folders["Archive/Sent"] = StandInFolder()
    world.deliver("sent", folder=encode(name).decode())
    world.deliver("archived", folder="Archive/Sent")
    world.poll()
    assert [(m.first("Subject"), m.folder) for m in world.ledger.messages] == [("sent", Folder.SENT)]
    assert world.mailbox.lacking is None


def test_a_server_that_marks_folders_only_when_asked_is_asked(world: ImapWorld) -> None:
    world.server.capabilities += " SPECIAL-USE"
    world.server.folders["Odd"] = world.server.folders.pop("Sent")
    world.mailbox.check()
    assert world.mailbox.lacking is None


def test_without_a_sent_folder_the_rest_is_read_and_the_lack_is_told(world: ImapWorld) -> None:
    world.server.folders["Versandt"] = world.server.folders.pop("Sent")
    world.server.folders["Versandt"].flags = ""
    world.deliver("in")
    world.deliver("out", folder="Versandt")
    assert world.poll()[-1].last
    assert world.ledger.subjects == ["in"]
    assert "--sent-folder" in (world.mailbox.lacking or "")
    named = imap_mailbox(world.server.port, world.clock, sent="Versandt")
    world.ledger.poll(named)
    assert world.ledger.subjects == ["in", "out"]
    assert named.lacking is None


def test_further_folders_are_read_as_what_they_are_and_a_missing_one_is_told(world: ImapWorld) -> None:
    for name, flags in {"Projects": "", "Junk": "\\Junk", "Closed": "\\Noselect"}.items():
        world.server.folders[name] = StandInFolder(flags)
        world.deliver(name, folder=name)
    mailbox = imap_mailbox(world.server.port, world.clock, folders=["Projects", "Junk", "Closed", "inbox"])
    world.ledger.poll(mailbox)
    kinds = {message.first("Subject"): message.folder for message in world.ledger.messages}
    assert kinds == {"Projects": Folder.INBOX, "Junk": Folder.SPAM}
    assert mailbox.lacking == "there is no folder Closed, so nothing of it is seen: connect again with another --folder"


# --- coming in --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["NO [AUTHENTICATIONFAILED] no", "NO Login failed.", "NO [EXPIRED] too old"])
def test_a_refused_login_needs_the_owner_and_is_tried_three_times_only(polled: ImapWorld, answer: str) -> None:
    polled.server.faults.answers["AUTHENTICATE"] = answer
    for _ in range(5):
        with pytest.raises(NeedsAuth, match=r"refuses the login of ana@acme\.example .*app password"):
            polled.poll()
    assert len(polled.server.commands("AUTHENTICATE")) == 3
    polled.server.faults.answers.clear()
    polled.deliver("gap")
    polled.mailbox = imap_mailbox(polled.server.port, polled.clock)
    polled.poll()
    assert polled.ledger.subjects == ["gap"]


def test_a_server_that_lets_nobody_in_for_now_does_not_ask_for_the_owner(polled: ImapWorld) -> None:
    polled.server.faults.answers["AUTHENTICATE"] = "NO [UNAVAILABLE] Temporary authentication failure."
    with pytest.raises(ProviderError, match="lets nobody in now") as caught:
        polled.poll()
    assert not isinstance(caught.value, NeedsAuth)


def test_a_server_that_cannot_be_reached_is_called_again_after_a_growing_while(world: ImapWorld) -> None:
    world.server.faults.greeting = "* BYE too busy"
    calls = []
    for _ in range(90):
        with pytest.raises(ProviderError, match="cannot be reached"):
            world.poll()
        calls.append(world.server.connections)
        world.clock.at += 10 * timedelta(seconds=1)
    assert calls[0] == 1
    assert calls[-1] == 8  # at 0, 10, 20, 40, 80, 160, 320 and 640 seconds
    world.server.faults.greeting = "* OK hello again"
    world.clock.at += 15 * MINUTE
    assert world.poll()[-1].last


def test_nobody_listening_is_told_with_what_to_do(clock: MovingClock) -> None:
    with ImapStandIn() as server:
        port = server.port
    with pytest.raises(ProviderError, match=rf"127\.0\.0\.1:{port} cannot be reached .*check --host and --port"):
        imap_mailbox(port, clock).check()


def test_a_server_without_sasl_is_given_user_and_password(world: ImapWorld) -> None:
    world.server.capabilities = "IMAP4rev1"
    world.server.faults.greeting = "* OK ready"
    assert world.mailbox.check() == ANA
    assert world.server.commands("LOGIN")
    odd = imap_mailbox(world.server.port, world.clock, secret=json.dumps({"password": "schlüssel"}))
    with pytest.raises(ProviderError, match="such characters"):
        odd.check()


def test_a_password_in_any_characters_is_taken_where_the_server_can(world: ImapWorld) -> None:
    world.server.passwords = {'schl"üssel 鍵'}
    assert imap_mailbox(world.server.port, world.clock, secret=json.dumps({"password": 'schl"üssel 鍵'})).check() == ANA


def test_a_server_that_wants_encryption_gets_no_password_without(world: ImapWorld) -> None:
    world.server.capabilities = "IMAP4rev1 LOGINDISABLED STARTTLS"
    world.server.faults.greeting = f"* OK [CAPABILITY {world.server.capabilities}] ready"
    with pytest.raises(ProviderError, match="takes no password on this connection"):
        world.mailbox.check()
    assert not world.server.commands("LOGIN", "AUTHENTICATE")


# --- what is stored about an account ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("dana@lantern.example", "imap.gmail.com"),
        ("dana@lantern.example", "IMAP.googlemail.com."),
        ("dana@gmail.com", "mail.lantern.example"),
        ("dana@googlemail.com", "mail.lantern.example"),
    ],
)
def test_google_is_refused_with_the_reason(address: str, host: str) -> None:
    with pytest.raises(ProviderError, match=r"read, send and delete all mail: use --provider gmail"):
        access_of(address, SECRET, {"host": host})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"host": "imap.lantern.example"}, ("imap.lantern.example", 993, "tls")),
        ({"host": "imap.lantern.example", "port": 143}, ("imap.lantern.example", 143, "starttls")),
        ({"host": "imap.lantern.example", "tls": False}, ("imap.lantern.example", 143, "none")),
        ({"host": " Pošta.Müller.example. "}, ("xn--pota-h6a.xn--mller-kva.example", 993, "tls")),
        ({"host": "[2001:DB8::1]"}, ("2001:db8::1", 993, "tls")),
        ({"host": "192.0.2.7", "port": 1993}, ("192.0.2.7", 1993, "tls")),
        ({"host": "localhost"}, ("localhost", 993, "tls")),
    ],
)
def test_a_server_is_named_by_name_or_number(options: dict[str, object], expected: tuple[str, int, str]) -> None:
    access = access_of(ANA, SECRET, options)
    assert (access.host, access.port, access.encryption) == expected
    assert access.username == ANA


@pytest.mark.parametrize(
    ("secret", "options", "said"),
    [
        (SECRET, {}, "no host name"),
        (SECRET, {"host": "https://mail.example"}, "no host name"),
        (SECRET, {"host": "mail.example", "port": 70000}, "70000 is no port"),
        (SECRET, {"host": "mail.example", "username": "a\r\nb"}, "control character"),
        (None, {"host": "mail.example"}, "no password is stored"),
        ('{"password": ""}', {"host": "mail.example"}, "password is empty"),
        ("nonsense", {"host": "mail.example"}, "not JSON"),
        ('{"client_id": "a"}', {"host": "mail.example"}, "lacks refresh_token and token_uri"),
    ],
)
def test_what_cannot_work_is_refused_before_anybody_is_called(
    secret: str | None, options: dict[str, object], said: str
) -> None:
    with pytest.raises(ProviderError, match=said):
        access_of(ANA, secret, options)


def test_a_message_without_a_time_takes_its_own_date_and_without_one_none(world: ImapWorld) -> None:
    world.server.faults.hides_dates = True
    world.deliver("dated", headers={"Date": "Fri, 20 Nov 2026 10:00:00 +0100"})
    world.deliver("undated")
    world.poll()
    times = {message.first("Subject"): message.at for message in world.ledger.messages}
    assert times == {"dated": datetime(2026, 11, 20, 9, tzinfo=UTC), "undated": None}
