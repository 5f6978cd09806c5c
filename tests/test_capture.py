"""Capture from the wire to the tables: the engine with the real Google client, against the stand-in Gmail.

Numbers are capture.md's statements. What only concerns the wire is tested in test_gmail.py.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from jobs.capture import Outcome
from models.actions import episodes, mailboxes
from models.actions.mail import StaleCursor, advance_cursor
from models.actions.partners import PartnerRow, put_partner
from models.matching import Decision, Roster, decide
from models.message import Message
from models.queries.standings import standings
from models.tables import AuditEntry, Bounce, Episode, Touch
from tests.capture_world import Between, Headers, Office, everything, letter, mailbox_row, office
from tests.cast import ACME, DANA, GLOBEX, MONDAY, PARTNERS, PRIYA, ZONE
from tests.databases import Database
from tests.sandbox.gmail import (
    Fault,
    broken_json,
    dropped,
    expired_history,
    gone,
    page_without_history,
    rate_limited,
    server_error,
    too_many_requests,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ACME_MAIL, GLOBEX_MAIL = "wile@acme.example", "hank@globex.example"


@pytest.fixture
def work(database: Database) -> Iterator[Office]:
    """Dana's and Priya's mailboxes, both read once while empty."""
    with office(database, (DANA, PRIYA)) as made:
        for person in (DANA, PRIYA):
            made.poll(person)
        made.server.forget_calls()
        yield made


def to_acme(message_id: str, subject: str = "", **more: str) -> Headers:
    return letter(DANA.email, ACME_MAIL, subject, message_id=message_id, **more)


def from_acme(message_id: str, subject: str = "", **more: str) -> Headers:
    return letter(ACME_MAIL, DANA.email, subject, message_id=message_id, **more)


def open_episode(work: Office, *, at: datetime = MONDAY) -> None:
    """Acme was never written to and its cadence began in August."""
    with work.database.sessions.begin() as session:
        mailboxes.mark_clean(session, work.facts().id, at - 80 * DAY, at)
        lines = standings(session, work.cast.programme, at, partner_ids={work.cast.partner(ACME)})
        assert len(episodes.open_episodes(session, work.cast.programme, lines, at)) == 1


def test_1_a_lost_cursor_costs_nothing_and_the_mailbox_stays_active(work: Office) -> None:
    work.send(to_acme("before"))
    work.poll()
    seen_until = work.clock.at
    work.clock.at += 3 * DAY
    work.receive(from_acme("in-the-gap"), at=seen_until + HOUR)
    work.store().expire_history()
    assert work.poll().outcome is Outcome.DONE
    assert [one[3] for one in work.touches()] == ["before", "in-the-gap"]
    assert work.facts().status == "active"
    assert work.observed() == [(MONDAY - 90 * DAY, work.clock.at)]
    work.server.forget_calls()
    work.poll()
    assert [call.method for call in work.server.calls] == ["history.list"]


def test_4_what_does_not_come_is_queued_in_the_transaction_that_passes_it_and_retried_when_idle(work: Office) -> None:
    keys = [work.receive(from_acme(f"m{number}")) for number in range(30)]
    cursor = work.facts().cursor
    work.server.fail("messages.get", server_error(), message_ids=keys[:25], times=None)
    report = work.poll()
    assert (report.outcome, report.failed, report.touches) == (Outcome.DONE, 25, 5)
    assert [one.provider_id for one in work.queue()] == sorted(keys[:25])
    assert work.facts().cursor != cursor
    assert work.facts().pending == 25
    work.server.heal()
    work.poll()
    assert len(work.touches()) == 5, "not before its time"
    work.clock.at += timedelta(minutes=5)
    work.poll()
    assert len(work.touches()) == 30
    assert not work.queue()


def test_4_five_attempts_within_two_days_and_then_it_is_given_up_in_the_open(work: Office) -> None:
    lost = work.receive(from_acme("lost"))
    work.receive(from_acme("fine"))
    work.server.fail("messages.get", server_error(), message_ids=[lost], times=None)
    attempts = []
    for minutes in (0, 4, 6, 58, 63, 720, 726, 2880, 2890, 2900, 9999):
        work.clock.at = MONDAY + timedelta(minutes=minutes)
        work.server.forget_calls()
        work.poll()
        if any(call.path.endswith(lost) for call in work.server.calls):
            attempts.append(minutes)
    assert attempts == [0, 6, 63, 726, 2890]
    facts = work.facts()
    assert (facts.pending, facts.dead, facts.status) == (0, 1, "active")
    assert [one[3] for one in work.touches()] == ["fine"]


def test_4_a_walk_that_finds_a_given_up_message_again_captures_it(work: Office) -> None:
    lost = work.receive(from_acme("lost"))
    work.server.fail("messages.get", server_error(), message_ids=[lost], times=None)
    for hours in (0, 1, 2, 14, 51):
        work.clock.at += hours * HOUR
        work.poll()
    assert work.facts().dead == 1
    work.server.heal()
    work.store().expire_history()
    work.poll()
    assert [one[3] for one in work.touches()] == ["lost"]
    assert not work.queue()


class Unplugged(Exception):
    """Ends a pass from outside, between two pages."""


def test_5_a_backlog_goes_on_at_its_last_page_and_asks_for_nothing_twice(work: Office) -> None:
    keys = [work.receive(from_acme(f"m{number:02}")) for number in range(25)]
    stored = []

    def pull_the_plug(_: object) -> None:
        stored.append(1)
        if len(stored) == 2:
            raise Unplugged

    with pytest.raises(Unplugged):
        work.poll(mailbox=work.provider(DANA, chunk=5), watch=pull_the_plug)
    assert len(work.touches()) == 10
    work.poll(mailbox=work.provider(DANA, chunk=5))
    assert work.asked_for() == keys
    assert len(work.touches()) == 25


def test_6_mail_that_concerns_no_partner_enters_the_ledger_and_is_never_asked_for_again(work: Office) -> None:
    keys = {work.receive(letter(f"friend{number}@home.example", DANA.email)) for number in range(30)}
    report = work.poll()
    assert report.reasons == {"no partner": 30}
    assert work.ledger().keys() == keys
    work.server.forget_calls()
    work.store().expire_history()
    work.poll()
    assert work.asked_for() == []


def test_10_a_pause_outlives_a_restart_and_holds_nobody_else(work: Office) -> None:
    work.send(to_acme("a"))
    work.send(letter(PRIYA.email, GLOBEX_MAIL, message_id="b"), by=PRIYA)
    until = work.clock.at + timedelta(minutes=20)
    work.server.fail("history.list", too_many_requests(until=until), mailbox=DANA.email)
    assert work.poll(DANA).outcome is Outcome.PAUSED
    assert work.facts(DANA).paused_until == until
    work.server.forget_calls()
    assert work.poll(DANA, work.provider(DANA)).outcome is Outcome.PAUSED
    assert not work.server.calls
    assert work.poll(PRIYA).outcome is Outcome.DONE
    assert [one[3] for one in work.touches()] == ["b"]
    work.clock.at = until
    assert work.poll(DANA, work.provider(DANA)).outcome is Outcome.DONE
    assert [one[3] for one in work.touches()] == ["a", "b"]
    assert work.facts(DANA).paused_until is None


def test_10_what_came_before_the_pause_is_kept_and_the_cursor_is_not_moved(work: Office) -> None:
    keys = [work.receive(from_acme(f"m{number:02}")) for number in range(40)]
    cursor = work.facts().cursor
    work.server.fail("messages.get", rate_limited(), message_ids=keys[20:], times=None)
    assert work.poll().outcome is Outcome.PAUSED
    assert len(work.touches()) == 20
    assert work.facts().cursor == cursor
    assert not work.queue()
    assert work.observed() == [(MONDAY - 90 * DAY, MONDAY)], "a pass that did not end has observed nothing"
    work.server.heal()
    work.server.forget_calls()
    work.clock.at = work.facts().paused_until or work.clock.at
    work.poll()
    assert work.asked_for() == keys[20:]
    assert len(work.touches()) == 40


def test_13_a_vanished_message_is_settled_without_a_queue(work: Office) -> None:
    key = work.receive(from_acme("vanished"))
    work.server.fail("messages.get", gone(), message_ids=[key], times=None)
    assert work.poll().outcome is Outcome.DONE
    assert work.ledger() == {key: "gone"}
    assert not work.queue()


def test_13_a_queued_message_that_vanishes_leaves_the_queue(work: Office) -> None:
    key = work.receive(from_acme("vanished"))
    work.server.fail("messages.get", server_error(), message_ids=[key], times=None)
    work.poll()
    work.server.heal()
    work.store().delete(key)
    work.clock.at += HOUR
    work.poll()
    assert work.ledger() == {key: "gone"}
    assert not work.queue()


def test_15_a_mail_that_loses_the_mark_of_the_trash_alone_is_found_by_the_daily_comparison(work: Office) -> None:
    key = work.receive(to_acme("m"), label="SENT")
    work.store().relabel(key, add=["TRASH"])
    work.read()
    assert work.ledger() == {key: "trash"}
    work.store().relabel(key, remove=["TRASH"])  # no event that we ask for
    work.clock.at += DAY
    work.read()
    assert work.touches() == [("Acme", "outbound", "human", "m")]


@pytest.mark.parametrize(
    ("before", "after", "direction"),
    [("DRAFT", "SENT", "outbound"), ("SPAM", "INBOX", "inbound"), ("TRASH", "INBOX", "inbound")],
)
def test_15_a_sent_draft_freed_spam_and_restored_mail_become_one_touch(
    work: Office, before: str, after: str, direction: str
) -> None:
    headers = to_acme("m") if before == "DRAFT" else from_acme("m")
    key = work.receive(headers, label=before)
    work.poll()
    assert work.ledger() == {key: before.lower()}
    assert not work.touches()
    work.store().relabel(key, add=[after], remove=[before])
    for _ in range(3):
        work.poll()
    assert work.touches() == [("Acme", direction, "human", "m")]
    assert work.ledger() == {key: "human"}


def test_16_one_malformed_mail_is_counted_and_fails_nobody(work: Office) -> None:
    odd = work.receive(
        {"From": '"=?utf-8?b?gg==?=" <<@,;:', "To": None, "Subject": "\ud83d\x00", "Message-ID": "<\x00>"}
    )
    work.receive(from_acme("fine"))
    report = work.poll()
    assert report.outcome is Outcome.DONE
    assert sum(report.reasons.values()) == report.messages == 2
    assert work.ledger()[odd] == "unparsed"
    assert [one[3] for one in work.touches()] == ["fine"]


def test_16_a_mail_on_which_deciding_fails_is_counted_told_of_without_its_words_and_fails_nobody(work: Office) -> None:
    def decides(message: Message, roster: Roster, **more: Any) -> Decision:
        if message.first("Subject") == "confidential":
            raise ValueError(message.first("Subject"))
        return decide(message, roster, **more)

    odd = work.receive(from_acme("odd", "confidential"))
    work.receive(from_acme("fine"))
    with capture_logs() as told:
        report = work.poll(deciding=decides)
    assert report.outcome is Outcome.DONE
    assert report.reasons == {"unparsed: unreadable": 1, "touch": 1}
    assert work.ledger()[odd] == "unparsed"
    assert [one[3] for one in work.touches()] == ["fine"]
    assert [(one["event"], one["error"]) for one in told] == [("capture.undecidable", "ValueError")]
    assert "confidential" not in str(told)
    assert work.poll().messages == 0


def test_17_withdrawn_consent_is_told_once_and_the_gap_is_captured_after_it_is_given_again(work: Office) -> None:
    cursor = work.facts().cursor
    work.server.tokens.revoke(DANA.email)
    for number in range(3):
        work.clock.at += DAY
        work.send(to_acme(f"m{number}"))
        assert work.poll().outcome is Outcome.NEEDS_AUTH
    facts = work.facts()
    assert (facts.status, facts.cursor, facts.last_ok_at) == ("needs_auth", cursor, MONDAY)
    with work.database.reading() as session:
        query = select(func.count()).select_from(AuditEntry).where(AuditEntry.action == "mailbox trouble")
        assert session.scalar(query) == 1
    work.connect(DANA)
    assert work.poll().outcome is Outcome.DONE
    assert len(work.touches()) == 3
    assert work.facts().status == "active"
    assert work.observed() == [(MONDAY - 90 * DAY, work.clock.at)]


def test_31_mail_without_an_id_is_one_touch_in_two_mailboxes(work: Office) -> None:
    headers = letter(
        ACME_MAIL, DANA.email, "no id", cc=PRIYA.email, message_id="", Date="Mon, 23 Nov 2026 08:00:00 +0000"
    )
    work.receive(headers)
    work.receive(headers, by=PRIYA, at=work.clock.at + timedelta(seconds=3))
    work.receive(from_acme("later"))
    work.poll(DANA)
    work.poll(PRIYA)
    assert len(work.touches()) == 2
    assert work.sightings() == 3


@pytest.mark.parametrize(("seconds", "touches"), [(0, 1), (120, 1), (121, 2)])
def test_32_a_sent_copy_under_another_id_is_the_same_mail_for_two_minutes(
    work: Office, seconds: int, touches: int
) -> None:
    work.send(letter(DANA.email, ACME_MAIL, "Plan", cc=PRIYA.email, message_id="one"))
    copy = letter(DANA.email, ACME_MAIL, "Plan", cc=PRIYA.email, message_id="two")
    work.receive(copy, by=PRIYA, at=work.clock.at + timedelta(seconds=seconds))
    work.poll(DANA)
    work.poll(PRIYA)
    assert len(work.touches()) == touches
    assert work.sightings() == 2


def test_32_two_copies_on_one_page_are_one_touch(work: Office) -> None:
    work.send(to_acme("one", "Plan"))
    work.send(to_acme("two", "Plan"))
    work.send(to_acme("three", "Another plan"))
    work.poll()
    assert [one[3] for one in work.touches()] == ["one", "three"]


def test_33_equal_ids_in_two_mailboxes_are_two_messages(work: Office) -> None:
    first = work.send(to_acme("a"))
    second = work.send(letter(PRIYA.email, GLOBEX_MAIL, message_id="b"), by=PRIYA)
    assert first == second
    work.poll(DANA)
    work.poll(PRIYA)
    assert [one[3] for one in work.touches()] == ["a", "b"]


def test_36_a_mail_that_is_deleted_later_stays_a_touch(work: Office) -> None:
    key = work.send(to_acme("m"))
    work.poll()
    work.store().delete(key)
    work.store().expire_history()
    work.poll()
    assert [one[3] for one in work.touches()] == ["m"]


def test_37_an_exact_contact_stays_human_behind_list_unsubscribe_and_a_domain_does_not(work: Office) -> None:
    unsubscribe: Headers = {"List-Unsubscribe": "<mailto:leave@lists.example>"}
    work.receive(letter("wendy@acme-mail.example", DANA.email, message_id="contact") | unsubscribe)
    work.receive(from_acme("domain") | unsubscribe)
    work.poll()
    assert {one[3]: one[2] for one in work.touches()} == {"contact": "human", "domain": "bulk"}


def test_37_an_answer_to_our_own_mail_is_human_though_both_lie_on_one_page(work: Office) -> None:
    more: Headers = {"List-Unsubscribe": "<mailto:leave@lists.example>", "In-Reply-To": "<ours>"}
    work.receive(from_acme("answer") | more)
    work.send(to_acme("ours"))
    work.poll()
    assert {one[3]: one[2] for one in work.touches()} == {"ours": "human", "answer": "human"}


def test_37_a_newsletter_that_refers_to_the_one_before_answers_nobody(work: Office) -> None:
    for number in range(3):
        more: Headers = {"List-Id": "<news.acme.example>", "References": f"<news-{number - 1}>"}
        work.receive(from_acme(f"news-{number}") | more)
        work.poll()
    assert {one[2] for one in work.touches()} == {"bulk"}


def test_39_a_display_name_attributes_nothing(work: Office) -> None:
    work.receive(letter(f'"{ACME_MAIL}" <x@evil.example>', DANA.email))
    work.send(letter(DANA.email, f'"{ACME_MAIL}" <x@evil.example>'))
    assert work.poll().reasons == {"no partner": 2}
    assert not work.touches()


def test_40_one_mail_in_two_mailboxes_read_in_the_same_instant_is_one_touch_with_two_sightings(work: Office) -> None:
    for number in range(12):
        shared = letter(DANA.email, ACME_MAIL, f"Shared {number}", cc=PRIYA.email, message_id=f"shared-{number}")
        work.send(shared)
        work.receive(shared, by=PRIYA)
        other_id = letter(DANA.email, GLOBEX_MAIL, f"Renamed {number}", cc=PRIYA.email)
        work.send(other_id)
        other_id["Message-ID"] = f"<renamed-{number}>"
        work.receive(other_id, by=PRIYA)
    together = threading.Barrier(2)
    failures: list[BaseException] = []

    def read(person: object) -> None:
        try:
            mailbox = Between(work.provider(person, chunk=6), [together.wait] * 4)  # type: ignore[arg-type]  # a PersonRow
            work.poll(person, mailbox)  # type: ignore[arg-type]  # the same
        except BaseException as failure:
            failures.append(failure)
            together.abort()

    readers = [threading.Thread(target=read, args=(person,)) for person in (DANA, PRIYA)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert not failures
    assert len(work.touches()) == 24
    assert work.sightings() == 48


def test_41_a_worker_that_comes_late_is_refused_and_nothing_is_lost_by_it(work: Office) -> None:
    work.send(to_acme("early"))

    def another_worker_is_faster() -> None:
        work.send(to_acme("late"))
        work.poll(mailbox=work.provider(DANA))

    work.poll(mailbox=Between(work.provider(DANA), [another_worker_is_faster]))
    moved_on = work.facts().cursor
    assert moved_on is not None
    assert [one[3] for one in work.touches()] == ["early", "late"]
    work.server.forget_calls()
    work.poll()
    assert work.asked_for() == []
    assert work.facts().cursor == moved_on


def test_41_a_cursor_moves_only_from_the_version_that_was_read(work: Office) -> None:
    facts = work.facts()
    with work.database.sessions.begin() as session:
        version = advance_cursor(session, facts.id, facts.cursor_version, "next")
    with work.database.sessions.begin() as session, pytest.raises(StaleCursor):
        advance_cursor(session, facts.id, facts.cursor_version, "earlier")
    assert (work.facts().cursor, work.facts().cursor_version) == ("next", version)


@pytest.mark.parametrize("queued", [False, True])
def test_a_mailbox_that_is_removed_and_purged_while_it_is_read_stays_empty(work: Office, queued: bool) -> None:
    key = work.send(to_acme("m"))

    def remove() -> None:
        with work.database.sessions.begin() as session:
            mailboxes.remove_mailbox(
                session, work.cast.workspace_id, "test", work.facts().id, work.clock.at, purge=True
            )

    if queued:
        work.server.fail("messages.get", server_error(), message_ids=[key], times=None)
        work.poll()
        work.server.heal()
        work.clock.at += HOUR
    wait_for_fetch = [lambda: None] if queued else []
    work.poll(mailbox=Between(work.provider(DANA), [*wait_for_fetch, remove]))
    assert not work.ledger()
    assert not work.touches()
    assert work.facts().status == "removed"


def test_trouble_does_not_bring_a_removed_mailbox_back(work: Office) -> None:
    facts = work.facts()
    with work.database.sessions.begin() as session:
        mailboxes.remove_mailbox(session, work.cast.workspace_id, "test", facts.id, work.clock.at, purge=False)
    work.server.tokens.revoke(DANA.email)
    work.poll()
    assert work.facts().status == "removed"


def test_a_captured_touch_closes_the_episode_in_its_own_transaction(work: Office) -> None:
    open_episode(work)
    work.clock.at += HOUR
    work.receive(from_acme("theirs"))
    work.poll()
    assert work.episodes() == [("Acme", None)]
    work.send(to_acme("ours"))
    states: list[list[tuple[str, str | None]]] = []
    work.poll(watch=lambda _: states.append(work.episodes()))
    assert states == [[("Acme", "recovered")]]
    with work.database.reading() as session:
        episode = session.scalars(select(Episode)).one()
        assert session.get_one(Touch, episode.touch_id).message_id == "ours"


def test_a_touch_captured_late_shows_that_the_partner_was_never_overdue(work: Office) -> None:
    open_episode(work)
    work.send(to_acme("on Friday"), at=MONDAY - 3 * DAY)
    work.poll()
    assert work.episodes() == [("Acme", "late_evidence")]


def bounce(address: str, **more: str) -> Headers:
    sender = "Mail Delivery Subsystem <mailer-daemon@mail.example>"
    return letter(sender, DANA.email, "Delivery failed", X_Failed_Recipients=address, **more)


def test_a_bounce_takes_back_the_mail_and_the_recovery(work: Office) -> None:
    open_episode(work)
    work.clock.at += HOUR
    work.send(to_acme("bounced"))
    work.poll()
    assert work.episodes() == [("Acme", "recovered")]
    work.receive(bounce(ACME_MAIL), at=work.clock.at + timedelta(minutes=1))
    work.clock.at += HOUR
    work.poll()
    assert not work.touches()
    assert work.episodes() == [("Acme", None)]
    work.send(to_acme("arrived"))
    work.poll()
    assert work.touches() == [("Acme", "outbound", "human", "arrived")]
    assert work.episodes() == [("Acme", "recovered")]


def test_a_mail_is_taken_back_by_a_bounce_that_was_read_before_it(database: Database) -> None:
    with office(database) as work:
        work.send(to_acme("older"), at=MONDAY - 3 * HOUR)
        work.send(to_acme("bounced"), at=MONDAY - 2 * HOUR)
        work.receive(bounce(ACME_MAIL), at=MONDAY - HOUR)
        work.poll(mailbox=work.provider(DANA, chunk=1))
        assert [one[3] for one in work.touches()] == ["older"]


def test_a_newer_mail_that_is_read_late_gives_the_older_one_back(work: Office) -> None:
    older = to_acme("older")
    work.send(older, at=MONDAY - 3 * HOUR)
    late = work.send(to_acme("newer"), at=MONDAY - 2 * HOUR)
    work.receive(bounce(ACME_MAIL), at=MONDAY - HOUR)
    work.server.fail("messages.get", server_error(), message_ids=[late], times=None)
    work.poll()
    assert not work.touches()
    work.server.heal()
    work.clock.at += HOUR
    work.poll()
    assert [one[3] for one in work.touches()] == ["older"]


@pytest.mark.parametrize(
    ("label", "more"),
    [
        ("SPAM", {}),
        ("TRASH", {}),
        ("INBOX", {"Authentication_Results": "mx.example; dmarc=fail"}),
    ],
)
def test_a_bounce_that_cannot_be_believed_takes_nothing_back(work: Office, label: str, more: dict[str, str]) -> None:
    work.send(to_acme("m"))
    forged = bounce(ACME_MAIL, **more)
    forged["From"] = "postmaster@globex.example"
    work.receive(forged, at=work.clock.at + timedelta(minutes=1), label=label)
    work.clock.at += HOUR
    work.poll()
    assert ("Acme", "outbound", "human", "m") in work.touches()


def test_a_bounce_for_a_stranger_leaves_no_address(work: Office) -> None:
    work.receive(bounce("stranger@home.example"))
    work.poll()
    with work.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Bounce)) == 1
        assert "stranger" not in everything(session)


def merge(work: Office, numbers: range, **more: str) -> None:
    for number in numbers:
        partner = PARTNERS[number]
        to = f"hello@{partner.domains[0]}"
        work.send(letter(DANA.email, to, "News for you", message_id=f"merge-{number}", **more))
        work.clock.at += timedelta(minutes=2)


def test_a_mail_merge_is_a_broadcast_though_it_is_spread_over_pages_and_polls(work: Office) -> None:
    open_episode(work)
    merge(work, range(9))
    work.poll(mailbox=work.provider(DANA, chunk=4))
    assert {one[2] for one in work.touches()} == {"human"}
    assert work.episodes() == [("Acme", "recovered")]
    merge(work, range(9, 10))
    work.poll()
    assert [one[2] for one in work.touches()] == ["broadcast"] * 10
    assert work.episodes() == [("Acme", None)], "a mail merge recovers nobody"


def test_nine_partners_or_more_than_an_hour_are_no_mail_merge(work: Office) -> None:
    merge(work, range(9))
    work.clock.at += HOUR
    merge(work, range(9, 10))
    work.poll()
    assert {one[2] for one in work.touches()} == {"human"}


def test_mails_without_a_subject_are_no_mail_merge(work: Office) -> None:
    for partner in PARTNERS:
        headers = letter(DANA.email, f"hello@{partner.domains[0]}")
        work.send({name: value for name, value in headers.items() if name != "Subject"})
    work.poll()
    assert {one[2] for one in work.touches()} == {"human"}


def test_an_answer_to_one_who_wrote_back_is_no_part_of_the_mail_merge_before_it(work: Office) -> None:
    merge(work, range(10))
    work.send(letter(DANA.email, ACME_MAIL, "Re: News for you", message_id="mine", In_Reply_To="<theirs@acme.com>"))
    work.poll()
    assert Counter(one[2] for one in work.touches()) == {"broadcast": 10, "human": 1}


def test_a_mailing_that_follows_up_on_its_own_threads_is_a_mail_merge_too(work: Office) -> None:
    merge(work, range(10), In_Reply_To="<before@lantern.example>")
    work.poll()
    assert [one[2] for one in work.touches()] == ["broadcast"] * 10


@pytest.mark.parametrize("first", [DANA, PRIYA])
def test_the_copy_that_a_list_handed_on_does_not_speak_for_the_mail(work: Office, first: object) -> None:
    mail = letter(DANA.email, ACME_MAIL, cc="partners@lantern.example", message_id="m")
    work.send(mail)
    marks: Headers = {"List-Id": "<partners>", "List-Unsubscribe": "<mailto:x@lantern.example>"}
    work.receive(mail | marks, by=PRIYA)
    for person in (DANA, PRIYA) if first == DANA else (PRIYA, DANA):
        work.poll(person)
    assert work.touches() == [("Acme", "outbound", "human", "m")]


def test_a_page_with_more_touches_than_a_statement_has_room_for_is_stored(work: Office) -> None:
    with work.database.sessions.begin() as session:
        for number in range(100):
            more = PartnerRow(f"More {number}", 3, DANA.email, (f"more{number}.example",))
            put_partner(session, work.cast.workspace_id, "test", more, MONDAY)
    everybody = ", ".join(f"hello@more{number}.example" for number in range(100))
    for number in range(40):
        work.send(letter(DANA.email, everybody, f"Round {number}", message_id=f"round-{number}"))
    work.poll()
    assert len(work.touches()) == 4000
    assert work.sightings() == 4000


def test_no_address_name_or_subject_of_mail_without_a_partner_is_anywhere(
    work: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    secret: Headers = {
        "Subject": "Kolibri",
        "Message-ID": "<kolibri@kolibri.example>",
        "In-Reply-To": "<kolibri-0@k.example>",
    }
    work.receive(letter("Kolibri <kolibri@home.example>", DANA.email) | secret)
    work.send(letter(DANA.email, "kolibri@home.example", cc="Kolibri <k@kolibri.example>") | secret)
    work.receive(letter(DANA.email, "kolibri@lantern.example", "Kolibri"))
    work.receive(letter("kolibri@home.example", DANA.email) | secret, label="SPAM")
    work.send({"From": DANA.email, "To": '"kolibri <<k@', "Subject": "Kolibri"})
    stuck = work.receive(letter("kolibri@home.example", DANA.email) | secret)
    work.send(to_acme("m", "Kolibri"))
    work.server.fail("messages.get", server_error(), message_ids=[stuck], times=None)
    work.poll()
    with work.database.reading() as session:
        assert "kolibri" not in everything(session).lower()
    said = capsys.readouterr()
    assert "kolibri" not in (said.out + said.err).lower()
    assert len(work.touches()) == 1


def test_what_was_observed_is_one_stretch_of_time_however_often_it_is_polled(work: Office) -> None:
    for _ in range(5):
        work.clock.at += timedelta(minutes=5)
        work.poll()
    assert work.observed() == [(MONDAY - 90 * DAY, work.clock.at)]
    assert work.facts().last_ok_at == work.clock.at


def test_a_pass_that_failed_has_observed_nothing(work: Office) -> None:
    work.clock.at += DAY
    work.server.fail("history.list", dropped(), times=None)
    assert work.poll().outcome is Outcome.PAUSED
    assert work.observed() == [(MONDAY - 90 * DAY, MONDAY)]
    assert work.facts().last_ok_at == MONDAY


def test_times_and_people_of_a_touch_are_those_of_the_mail(work: Office) -> None:
    at = work.clock.at - timedelta(hours=5, milliseconds=250)
    work.send(letter("Dana <dana.kim@lantern.example>", ACME_MAIL, message_id="alias"), at=at)
    work.poll()
    with work.database.reading() as session:
        touch = session.scalars(select(Touch)).one()
        assert (touch.at, touch.captured_at) == (at, work.clock.at)
        assert touch.person_id == work.cast.person(DANA)
        assert mailbox_row(session, DANA.email).owner_id == work.cast.person(DANA)
        lines = standings(session, work.cast.programme, work.clock.at, partner_ids={work.cast.partner(ACME)})
        assert lines[0].facts.last_touch_at == at
        assert lines[0].due_on == at.astimezone(ZONE).date() + 7 * DAY


def test_every_message_stands_in_the_report_under_one_reason(work: Office) -> None:
    work.send(to_acme("a"))
    work.receive(from_acme("b", Auto_Submitted="auto-replied"))
    work.receive(letter("x@home.example", DANA.email))
    work.receive(letter(PRIYA.email, DANA.email))
    work.receive(letter("x@home.example", DANA.email), label="DRAFT")
    report = work.poll()
    assert report.reasons == {"touch": 1, "auto": 1, "no partner": 1, "internal": 1, "draft": 1}
    assert report.messages == 5
    assert report.touches == 2
    assert len(work.ledger()) == 5
    assert GLOBEX.name not in {one[0] for one in work.touches()}


KINDS: dict[str, tuple[Callable[[PartnerRow], Headers], str, str | None]] = {
    # How a mail looks, and whether it becomes a touch of the partner that it names.
    "ours": (lambda partner: letter(DANA.email, f"x@{partner.domains[0]}"), "SENT", "human"),
    "theirs": (lambda partner: letter(f"x@{partner.domains[0]}", DANA.email), "INBOX", "human"),
    "automatic": (
        lambda partner: letter(f"x@{partner.domains[0]}", DANA.email, Auto_Submitted="auto-replied"),
        "INBOX",
        "auto",
    ),
    "personal": (lambda partner: letter("friend@home.example", DANA.email), "INBOX", None),
    "internal": (lambda partner: letter(PRIYA.email, DANA.email), "INBOX", None),
    "draft": (lambda partner: letter(DANA.email, f"x@{partner.domains[0]}"), "DRAFT", None),
    "broken": (lambda partner: {"From": "<<@", "To": None, "Message-ID": ""}, "INBOX", None),
}
FAULTS: tuple[tuple[str, Fault], ...] = (
    ("messages.get", too_many_requests()),
    ("messages.get", server_error()),
    ("messages.get", dropped()),
    ("messages.get", broken_json()),
    ("messages.get", rate_limited()),
    ("batch", server_error(503)),
    ("batch", dropped()),
    ("history.list", expired_history()),
    ("history.list", server_error()),
    ("history.list", page_without_history()),
    ("messages.list", dropped()),
    ("getProfile", too_many_requests(retry_after="90")),
    ("token", dropped()),
)


@pytest.mark.parametrize("seed", range(8))
def test_many_passes_under_random_faults_end_with_exactly_the_touches_of_the_mailbox(
    database: Database, seed: int
) -> None:
    dice = random.Random(seed)
    expected: dict[str, tuple[str, str]] = {}
    vanished = 0
    with office(database) as work:
        for _ in range(14):
            for _ in range(dice.randrange(9)):
                kind, partner = dice.choice(list(KINDS)), dice.choice(PARTNERS)
                make, label, verdict = KINDS[kind]
                headers = make(partner)
                at = work.clock.at - dice.random() * 20 * HOUR
                key = work.receive(headers, at=at, label=label)
                if dice.random() < 0.1:
                    work.store().delete(key)
                    vanished += 1
                elif verdict:
                    expected[str(headers["Message-ID"]).strip("<>")] = (partner.name, verdict)
            for _ in range(dice.randrange(6)):
                method, fault = dice.choice(FAULTS)
                work.server.fail(method, fault, times=dice.choice((1, 2, 7)), skip=dice.randrange(3))
            if dice.random() < 0.2:
                work.store().expire_history()
            if dice.random() < 0.2:
                work.server.refuse_page_tokens()
            if dice.random() < 0.2:
                work.server.tokens.expire_access()
            mailbox = work.provider(DANA, chunk=dice.choice((1, 3, 100))) if dice.random() < 0.5 else None
            work.poll(mailbox=mailbox)
            if dice.random() < 0.5:
                work.server.heal()
            work.clock.at += dice.choice((timedelta(minutes=5), HOUR, 9 * HOUR))
        work.server.heal()
        for _ in range(3):
            work.clock.at += 50 * HOUR
            assert work.poll().outcome is Outcome.DONE
        assert not work.queue()
        assert work.facts().status == "active"
        found = work.touches()
        assert {one[3]: (one[0], one[2]) for one in found} == expected
        assert work.sightings() == len(found) == len(expected)
        counts = Counter(work.ledger().values())
        assert counts["human"] + counts["auto"] >= len(expected)
        assert counts["gone"] <= vanished
