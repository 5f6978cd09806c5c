"""Capture of Microsoft 365 mailboxes from the wire to the tables. Numbers are capture.md's statements."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from jobs.capture import Outcome, Report
from jobs.mailbox.graph import GraphMailbox
from models.actions import mailboxes
from tests.capture_world import Headers, Office, everything, letter, office
from tests.cast import DANA, MONDAY, PRIYA
from tests.databases import Database
from tests.graph_world import graph_mailbox
from tests.sandbox.graph import GraphServer, gone, lost_state, server_error, throttled, window_refused

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ACME_MAIL = "wile@acme.example"


@dataclass(slots=True)
class Tenant:
    """Priya's mailbox at Microsoft, in an office where Dana's is at Google."""

    office: Office
    server: GraphServer
    mailbox: GraphMailbox

    def put(self, headers: Headers, folder: str = "inbox", *, at: datetime | None = None, kind: str = "message") -> str:
        return self.server.mailbox(PRIYA.email).deliver(headers, at or self.office.clock.now(), folder, kind=kind)

    def poll(self) -> Report:
        return self.office.poll(PRIYA, self.mailbox)


@pytest.fixture
def tenant(database: Database) -> Iterator[Tenant]:
    """Both mailboxes, read once while empty."""
    with office(database, (DANA,)) as made, GraphServer(now=made.clock.now) as server:
        server.mailbox(PRIYA.email)
        with database.sessions.begin() as session:
            mailboxes.put_mailbox(session, made.cast.workspace_id, "test", PRIYA.email, "graph", MONDAY)
        world = Tenant(made, server, graph_mailbox(server, made.clock, PRIYA.email))
        made.poll(DANA)
        assert world.poll().outcome is Outcome.DONE
        server.forget_calls()
        yield world


def to_acme(message_id: str, **more: str) -> Headers:
    return letter(PRIYA.email, ACME_MAIL, message_id=message_id, **more)


def from_acme(message_id: str, **more: str) -> Headers:
    return letter(ACME_MAIL, PRIYA.email, message_id=message_id, **more)


def test_18_a_listing_that_is_forgotten_costs_nothing_and_doubles_nothing(tenant: Tenant) -> None:
    for number in range(230):
        tenant.put(from_acme(f"m{number:03}"))
    tenant.server.fail("messages.next", lost_state())
    assert tenant.poll().outcome is Outcome.DONE
    assert len(tenant.office.touches()) == tenant.office.sightings() == 230


def test_18_and_19_what_is_read_by_folders_is_the_same_mail_once(tenant: Tenant) -> None:
    tenant.put(from_acme("before"))
    tenant.poll()
    tenant.server.fail("messages.list", window_refused(), times=None)
    tenant.office.clock.at += DAY
    wanderer = tenant.put(from_acme("wanderer"))
    tenant.put(to_acme("out"), "sentitems")
    assert tenant.poll().outcome is Outcome.DONE
    away = tenant.put(from_acme("there-and-back"))
    for folder in ("archive", "inbox"):
        tenant.server.mailbox(PRIYA.email).move(wanderer, folder)
        tenant.server.mailbox(PRIYA.email).move(away, folder)
    tenant.server.forget_links()
    tenant.office.clock.at += HOUR
    assert tenant.poll().outcome is Outcome.DONE
    tenant.server.heal()
    tenant.office.clock.at += DAY
    tenant.office.read(PRIYA, tenant.mailbox)
    assert sorted(one[3] for one in tenant.office.touches()) == ["before", "out", "there-and-back", "wanderer"]
    assert tenant.office.sightings() == 4
    assert tenant.office.facts(PRIYA).gap == 0


def test_20_however_often_it_is_moved_one_mail_is_one_touch(tenant: Tenant) -> None:
    key = tenant.put(from_acme("wanderer"))
    for folder in ("archive", "inbox", "deleteditems", "inbox", "projects"):
        tenant.poll()
        tenant.server.mailbox(PRIYA.email).move(key, folder)
        tenant.office.clock.at += 13 * HOUR
    tenant.poll()
    assert tenant.office.touches() == [("Acme", "inbound", "human", "wanderer")]
    assert tenant.office.ledger(PRIYA) == {key: "human"}


def test_20_a_mailbox_that_is_read_from_the_start_again_yields_no_second_touch(tenant: Tenant) -> None:
    tenant.put(from_acme("in"))
    tenant.put(to_acme("out"), "sentitems")
    tenant.poll()
    tenant.office.clock.at += HOUR
    before = tenant.office.facts(PRIYA)
    with tenant.office.database.sessions.begin() as session:
        mailboxes.remove_mailbox(session, tenant.office.cast.workspace_id, "test", before.id, MONDAY, purge=True)
        mailboxes.put_mailbox(session, tenant.office.cast.workspace_id, "test", PRIYA.email, "graph", MONDAY)
    assert tenant.poll().messages == 2
    assert len(tenant.office.touches()) == 2


def test_22_a_sent_mail_is_a_touch_from_its_properties_alone(tenant: Tenant) -> None:
    tenant.put(to_acme("out", Cc="hank@globex.example", Bcc="milton@initech.example"), "sentitems")
    tenant.poll()
    assert tenant.office.touches() == [
        ("Acme", "outbound", "human", "out"),
        ("Globex", "outbound", "human", "out"),
        ("Initech", "outbound", "human", "out"),
    ]


def test_22_a_sent_mail_that_was_filed_elsewhere_is_ours_by_its_sender(tenant: Tenant) -> None:
    tenant.put(to_acme("filed"), "projects")
    tenant.put(
        letter("Dana <dana@lantern.example>", ACME_MAIL, message_id="delegated", Sender=PRIYA.email), "sentitems"
    )
    tenant.poll()
    assert sorted(tenant.office.touches()) == [
        ("Acme", "outbound", "human", "delegated"),
        ("Acme", "outbound", "human", "filed"),
    ]


def test_22_verdicts_rest_on_the_headers_where_they_are_shown_and_on_the_type(tenant: Tenant) -> None:
    tenant.server.mailbox(PRIYA.email).received_lack = frozenset({"from", "to", "cc", "sender"})
    tenant.put(from_acme("a-reply", Auto_Submitted="auto-replied"), at=MONDAY)
    tenant.put(from_acme("b-list", List_Id="<news.acme.example>"), at=MONDAY)
    tenant.put(from_acme("c-person"), at=MONDAY)
    tenant.put(from_acme("d-meeting"), at=MONDAY, kind="eventMessageRequest")
    tenant.poll()
    assert [(verdict, key) for _, _, verdict, key in tenant.office.touches()] == [
        ("auto", "a-reply"),
        ("bulk", "b-list"),
        ("human", "c-person"),
        ("calendar", "d-meeting"),
    ]


def test_22_a_group_that_rewrites_from_is_seen_through_by_its_headers(tenant: Tenant) -> None:
    rewritten = letter(
        '"Wile via Partners" <partners@lantern.example>',
        PRIYA.email,
        message_id="via",
        List_Id="<partners.lantern.example>",
        X_Original_From=ACME_MAIL,
    )
    tenant.put(rewritten)
    tenant.poll()
    assert [one[:2] for one in tenant.office.touches()] == [("Acme", "inbound")]


def test_23_a_paused_mailbox_keeps_its_page_and_is_left_alone_until_then(tenant: Tenant) -> None:
    keys = [tenant.put(from_acme(f"m{number}")) for number in range(20)]
    tenant.server.fail("messages.get", throttled("600"), message_ids=keys[10:], times=None)
    assert tenant.poll().outcome is Outcome.PAUSED
    assert len(tenant.office.touches()) == 10
    tenant.server.heal()
    tenant.server.forget_calls()
    assert tenant.poll().outcome is Outcome.PAUSED
    assert not tenant.server.calls
    tenant.office.clock.at += timedelta(minutes=10)
    assert tenant.poll().outcome is Outcome.DONE
    assert len(tenant.office.touches()) == 20


def test_24_mail_that_comes_again_and_in_no_order_is_one_touch_each(tenant: Tenant) -> None:
    store = tenant.server.mailbox(PRIYA.email)
    store.replay, store.shuffled = 5, True
    for number in range(210):
        tenant.put(from_acme(f"m{number:03}"), at=MONDAY + timedelta(seconds=number))
    tenant.office.clock.at += HOUR
    for _ in range(3):
        tenant.poll()
    assert len(tenant.office.touches()) == tenant.office.sightings() == 210


def test_40_a_mail_in_a_gmail_and_a_microsoft_mailbox_is_one_touch_with_two_sightings(tenant: Tenant) -> None:
    mail = letter(DANA.email, ACME_MAIL, "Plans", cc=PRIYA.email, message_id="both")
    tenant.office.send(mail)
    tenant.put(mail)
    tenant.office.poll(DANA)
    tenant.poll()
    assert tenant.office.touches() == [("Acme", "outbound", "human", "both")]
    assert tenant.office.sightings() == 2


def test_what_does_not_come_is_queued_and_retried_and_what_is_gone_is_settled(tenant: Tenant) -> None:
    lost, deleted = tenant.put(from_acme("slow")), tenant.put(from_acme("deleted"))
    tenant.server.fail("messages.get", server_error(), message_ids=[lost], times=None)
    tenant.server.fail("messages.get", gone(), message_ids=[deleted], times=None)
    assert tenant.poll().outcome is Outcome.DONE
    assert [one.provider_id for one in tenant.office.queue()] == [lost]
    assert tenant.office.ledger(PRIYA) == {deleted: "gone"}
    tenant.server.heal()
    tenant.office.clock.at += timedelta(minutes=6)
    tenant.poll()
    assert [one[3] for one in tenant.office.touches()] == ["slow"]
    assert not tenant.office.queue()


def test_withdrawn_access_keeps_the_cursor_and_the_gap_is_captured_afterwards(tenant: Tenant) -> None:
    cursor = tenant.office.facts(PRIYA).cursor
    tenant.server.outside.add(PRIYA.email)
    tenant.put(from_acme("gap"))
    assert tenant.poll().outcome is Outcome.NEEDS_AUTH
    facts = tenant.office.facts(PRIYA)
    assert (facts.status, facts.cursor) == ("needs_auth", cursor)
    assert "RBAC for Applications" in (facts.error or "")
    tenant.server.outside.clear()
    tenant.office.clock.at += 3 * DAY
    assert tenant.poll().outcome is Outcome.DONE
    assert [one[3] for one in tenant.office.touches()] == ["gap"]


def test_mail_that_concerns_no_partner_leaves_nothing_but_its_id(tenant: Tenant) -> None:
    tenant.put(letter("Aunt Agatha <agatha@family.example>", PRIYA.email, "Sunday dinner", message_id="private"))
    tenant.poll()
    with tenant.office.database.reading() as session:
        stored = everything(session)
    for trace in ("agatha", "family.example", "Sunday", "private", "dinner"):
        assert trace not in stored
