"""The daily comparison: what polling has missed is found, captured the ordinary way, and shown until it is.

Numbers are capture.md's statements.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from jobs.capture import Outcome
from jobs.mailbox.base import Page
from jobs.mailbox.graph_api import TOP
from jobs.nudges import notice_transitions, send_nudges
from models.actions.mailboxes import remove_mailbox
from models.queries.reads import troubles
from models.tables import AuditEntry, OutboxPost
from tests.capture_world import Between, Headers, Office, letter, office
from tests.cast import DANA, MONDAY, PRIYA, TOMAS
from tests.databases import Database
from tests.gmail_world import MovingClock
from tests.graph_world import graph_world
from tests.sandbox.gmail import gone, invalid_grant, server_error, too_many_requests
from tests.sandbox.graph import GraphServer

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Blind:
    """A mailbox whose polling overlooks these messages and says nothing: as reported of other engines."""

    def __init__(self, mailbox: Any, overlooked: set[str]) -> None:
        self.mailbox, self.overlooked = mailbox, overlooked

    def pages(self, *arguments: Any, unseen: Any, **options: Any) -> Iterator[Page]:
        yield from self.mailbox.pages(*arguments, unseen=lambda ids: unseen(ids) - self.overlooked, **options)

    def fetch(self, provider_ids: Sequence[str]) -> Page:
        answer: Page = self.mailbox.fetch(provider_ids)
        return answer

    def recent(self, since: Any, unseen: Any) -> Iterator[Sequence[str]]:
        yield from self.mailbox.recent(since, unseen)

    def check(self) -> str:
        return str(self.mailbox.check())


@pytest.fixture
def work(database: Database) -> Iterator[Office]:
    """Dana's and Priya's mailboxes, both read and compared once while empty."""
    with office(database, (DANA, PRIYA)) as made:
        for person in (DANA, PRIYA):
            made.read(person)
        made.server.forget_calls()
        yield made


def to_acme(message_id: str) -> Headers:
    return letter(DANA.email, "wile@acme.example", message_id=message_id)


def overlook(work: Office, *message_ids: str) -> list[str]:
    """Dana sends these; her polling never sees them."""
    keys = [work.send(to_acme(message_id)) for message_id in message_ids]
    work.poll(mailbox=Blind(work.providers[DANA.email], set(keys)))
    assert not work.touches()
    return keys


def found_missing(work: Office) -> list[Any]:
    with work.database.reading() as session:
        return list(session.scalars(select(AuditEntry.after).where(AuditEntry.action == "reconcile mailbox")))


def test_35_what_polling_overlooked_is_captured_within_a_day_and_counted(work: Office) -> None:
    keys = overlook(work, "one", "two", "three")
    assert work.facts().gap == 0, "and nothing shows it"
    work.clock.at += DAY
    report = work.read()
    assert (report.outcome, report.touches) == (Outcome.DONE, 3)
    assert [one[3] for one in work.touches()] == ["one", "three", "two"]
    assert set(work.ledger()) == set(keys)
    assert (work.facts().gap, work.facts().reconciled_at) == (0, work.clock.at)
    assert found_missing(work) == [{"missed": 3}]


def test_35_what_cannot_be_repaired_stays_a_gap_in_the_list_and_in_the_read_until_it_is(work: Office) -> None:
    keys = overlook(work, "one", "two")
    work.server.fail("messages.get", server_error(), message_ids=keys[:1], times=None)
    work.clock.at += DAY
    work.read()
    assert work.facts().gap == 1
    work.clock.at += timedelta(minutes=5)
    work.read()
    work.read(PRIYA)
    with work.database.reading() as session:
        [trouble] = troubles(session, work.cast.programme, work.clock.at)
    assert (trouble.address, trouble.status) == (DANA.email, "gap")
    assert "1 message that is not captured yet" in trouble.detail
    work.server.heal()
    work.clock.at += HOUR
    work.read()
    assert work.facts().gap == 0
    assert len(work.touches()) == 2
    with work.database.reading() as session:
        assert troubles(session, work.cast.programme, work.clock.at) == ()


def test_35_a_mailbox_that_was_never_compared_has_no_gap_of_zero(work: Office) -> None:
    work.connect(TOMAS)
    work.poll(TOMAS)
    assert (work.facts(TOMAS).gap, work.facts(TOMAS).reconciled_at) == (None, None)


def test_35_a_quiet_comparison_costs_five_units_and_happens_once_a_day(work: Office) -> None:
    work.clock.at += DAY
    work.read()
    assert [call.method for call in work.server.calls] == ["history.list", "messages.list"]
    assert work.server.units(DANA.email) == 2 + 5
    for _ in range(3):
        work.clock.at += HOUR
        work.read()
    assert len(work.server.calls_of("messages.list")) == 1


def test_35_a_clock_that_was_years_ahead_puts_no_comparison_off(work: Office) -> None:
    now = work.clock.at
    work.clock.at = now + timedelta(days=2_000)
    work.read(DANA)
    work.clock.at = now + HOUR
    work.read(DANA)
    assert work.facts().reconciled_at == now + HOUR


def test_35_the_listing_ends_two_days_back_and_old_mail_is_no_gap(work: Office) -> None:
    work.clock.at += DAY
    for number in range(30):
        work.receive(letter("a@elsewhere.example", DANA.email), at=MONDAY - 400 * DAY + number * HOUR)
    work.store().expire_history()
    work.poll()
    work.server.forget_calls()
    assert work.read().messages == 0
    assert work.facts().gap == 0
    assert found_missing(work) == []
    assert len(work.server.calls_of("messages.get")) == 1, "one look at the newest that the ledger lacks"


def test_35_what_arrives_between_the_reading_and_the_listing_is_new_and_not_missing(work: Office) -> None:
    work.clock.at += DAY
    work.send(to_acme("before"))
    arrives = Between(work.providers[DANA.email], [lambda: work.send(to_acme("meanwhile"))])
    work.read(mailbox=arrives)
    assert [one[3] for one in work.touches()] == ["before", "meanwhile"]
    assert found_missing(work) == []


def test_35_a_draft_is_no_gap_and_one_that_was_sent_unnoticed_is_a_touch(work: Office) -> None:
    draft = work.receive(to_acme("letter"), label="DRAFT")
    work.poll()
    work.clock.at += DAY
    work.read()
    assert (work.ledger(), work.facts().gap, work.touches()) == ({draft: "draft"}, 0, [])
    work.store().relabel(draft, add=["SENT"], remove=["DRAFT"])
    work.poll(mailbox=Blind(work.providers[DANA.email], {draft}))
    assert not work.touches()
    work.clock.at += DAY
    work.read()
    assert [one[3] for one in work.touches()] == ["letter"]
    assert found_missing(work) == []


def test_35_a_message_that_vanished_meanwhile_closes_its_gap(work: Office) -> None:
    [key] = overlook(work, "one")
    work.server.fail("messages.get", gone(), message_ids=[key], times=None)
    work.clock.at += DAY
    work.read()
    assert (work.facts().gap, work.ledger()[key]) == (0, "gone")


def test_35_what_was_given_up_is_asked_for_again_at_every_comparison(work: Office) -> None:
    lost = work.send(to_acme("lost"))
    work.server.fail("messages.get", server_error(), message_ids=[lost], times=None)
    for hours in (0, 1, 2, 14, 51):
        work.clock.at += hours * HOUR
        work.poll()
    assert work.facts().dead == 1
    work.read()
    assert work.facts().dead == 1, "still not there"
    work.server.heal()
    work.clock.at += HOUR
    work.read()
    assert work.facts().dead == 1, "not before the next day"
    work.clock.at += DAY
    work.read()
    assert (work.facts().dead, [one[3] for one in work.touches()]) == (0, ["lost"])


@pytest.mark.parametrize("refused", ["paused", "error"])
def test_35_a_comparison_that_could_not_be_made_is_made_after_the_next_pass(work: Office, refused: str) -> None:
    overlook(work, "one")
    work.clock.at += DAY
    fault = too_many_requests(until=work.clock.at + HOUR) if refused == "paused" else gone()
    work.server.fail("messages.list", fault)
    work.read()
    assert work.facts().reconciled_at == MONDAY
    assert not work.touches()
    assert work.facts().status == "active"
    work.clock.at += 2 * HOUR
    work.read()
    assert [one[3] for one in work.touches()] == ["one"]


def test_17_the_owner_hears_once_that_the_own_mailbox_needs_consent_and_what_brings_it_back(work: Office) -> None:
    work.server.fail("token", invalid_grant(), times=None)
    new_worker = work.provider(DANA)  # whose access token is not granted yet
    work.clock.at += HOUR
    for _ in range(3):
        assert work.read(mailbox=new_worker).outcome is Outcome.NEEDS_AUTH
        work.read(PRIYA)
        with work.database.sessions.begin() as session:
            notice_transitions(session, work.cast.programme, work.clock.at)
        send_nudges(work.database.sessions, work.cast.programme, work.clock.at)
        work.clock.at += HOUR
    with work.database.reading() as session:
        told = session.execute(select(OutboxPost.channel, OutboxPost.payload)).all()
    about = [(channel, payload["text"]) for channel, payload in told if "Your mailbox" in payload["text"]]
    [(channel, text)] = about
    assert channel == "U0DANA"
    assert "Your mailbox dana@lantern.example needs a look" in text
    assert "cadence mailbox add --provider gmail --address dana@lantern.example" in text


def test_a_mailbox_without_a_sent_folder_is_read_and_says_what_it_lacks(work: Office) -> None:
    class WithoutSent(Blind):
        lacking: str | None = "no Sent folder was found"

    mailbox = WithoutSent(work.providers[DANA.email], set())
    work.read(mailbox=mailbox)
    with work.database.reading() as session:
        found = {one.address: one for one in troubles(session, work.cast.programme, work.clock.at)}
    assert (found[DANA.email].status, found[DANA.email].detail) == ("partly seen", "no Sent folder was found")
    mailbox.lacking = None
    work.read(mailbox=mailbox)
    assert work.facts().lacking is None


def test_35_a_comparison_of_a_mailbox_that_is_removed_meanwhile_stores_nothing(work: Office) -> None:
    [key] = overlook(work, "one")
    work.clock.at += DAY

    class Removed(Blind):
        def recent(self, since: Any, unseen: Any) -> Iterator[Sequence[str]]:
            yield from self.mailbox.recent(since, unseen)
            with work.database.sessions.begin() as session:
                remove_mailbox(session, work.cast.workspace_id, "test", work.facts().id, work.clock.at, purge=True)

    work.read(mailbox=Removed(work.providers[DANA.email], {key}))
    assert (work.ledger(), work.queue(), work.facts().status) == ({}, [], "removed")


def test_36_a_comparison_never_takes_a_touch_away(work: Office) -> None:
    keys = [work.send(to_acme(message_id)) for message_id in ("one", "two")]
    work.read()
    for key in keys:
        work.store().delete(key)
    for _ in range(3):
        work.clock.at += DAY
        work.read()
    assert [one[3] for one in work.touches()] == ["one", "two"]
    assert set(work.ledger()) == set(keys)
    assert work.facts().gap == 0


def test_35_microsofts_listing_names_what_the_ledger_lacks_page_by_page_and_asks_for_no_message() -> None:
    clock = MovingClock()
    with GraphServer(now=clock.now) as server:
        world = graph_world(server, clock)
        known = world.deliver("known")
        world.poll()
        world.deliver("old", at=clock.at - 3 * DAY)
        missed = {world.deliver(f"missed {number}") for number in range(2 * TOP)}
        server.forget_calls()
        found = [key for page in world.mailbox.recent(clock.at - 2 * DAY, world.ledger.unseen) for key in page]
        assert len(found) == len(missed)
        assert set(found) == missed
        assert known not in found
        assert set(world.methods()) <= {"messages.list", "messages.next", "token"}
