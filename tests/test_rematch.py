"""What a change of the roster does to mail that was read before it. The number is capture.md's statement."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from jobs.capture import Capture, Report
from jobs.recovery import sweep
from jobs.roster.csv import Imported, import_partners, import_people
from models.actions import mailboxes
from models.actions.partners import PartnerRow, put_partner
from models.actions.people import PersonRow, put_person
from models.actions.rematch import roster_change
from models.queries.standings import standings
from models.tables import Mailbox, Partner, SeenHint, Touch
from tests.capture_world import Between, Office, everything, letter, office
from tests.cast import DANA, MONDAY, PRIYA
from tests.databases import Database
from tests.sandbox.gmail import gone, too_many_requests

DAY = timedelta(days=1)
PARTNERS_HEADER = "name,tier,owner_email,domains,contacts\n"


@pytest.fixture
def work(database: Database) -> Iterator[Office]:
    with office(database, (DANA, PRIYA)) as made:
        for person in (DANA, PRIYA):
            made.poll(person)
        made.server.forget_calls()
        yield made


def import_(work: Office, *lines: str) -> Imported:
    data = (PARTNERS_HEADER + "\n".join(lines)).encode()
    with work.database.sessions.begin() as session:
        return import_partners(session, work.cast.programme, data, work.clock.now())


def newco(work: Office, domains: str = "newco.example", contacts: str = "") -> Imported:
    return import_(work, f"Newco,1,{DANA.email},{domains},{contacts}")


def to(address: str, message_id: str, **more: str) -> dict[str, str | None]:
    return letter(DANA.email, address, message_id=message_id, **more)


def by(address: str, message_id: str, **more: str) -> dict[str, str | None]:
    return letter(address, DANA.email, message_id=message_id, **more)


def evidence(work: Office) -> list[tuple[str, str, str | None]]:
    """(partner, message id, why it is void) of every touch."""
    with work.database.reading() as session:
        rows = session.execute(
            select(Partner.name, Touch.message_id, Touch.void_reason)
            .join(Partner)
            .order_by(Touch.message_id, Partner.name)
        )
        return [(row.name, row.message_id, row.void_reason) for row in rows]


def written_to(work: Office) -> set[str]:
    """The partners that have a last touch."""
    with work.database.reading() as session:
        lines = standings(session, work.cast.programme, work.clock.now())
    return {one.facts.name for one in lines if one.facts.last_touch_at}


def hints(work: Office) -> int:
    with work.database.reading() as session:
        return session.scalar(select(func.count()).select_from(SeenHint)) or 0


def test_42_yesterdays_mails_with_a_new_partner_become_touches_and_no_mailbox_is_listed(work: Office) -> None:
    work.clock.at -= DAY
    hits = [
        work.send(to("ana@newco.example", "we-wrote")),
        work.receive(by("bo@eu.newco.example", "they-wrote")),
        work.send(to("friend@elsewhere.example, ana@newco.example", "in-company")),
        work.send(to("wile@acme.example", "with-acme", cc="ana@newco.example")),
        work.receive(by("ana@newco.example", "away", Auto_Submitted="auto-replied")),
    ]
    for number in range(40):
        work.receive(by(f"stranger{number}@other{number}.example", f"other-{number}"))
    work.receive(by("x@notnewco.example", "a-longer-name"))
    work.receive(by("x@newco.example.org", "another-end"))
    work.poll()
    work.clock.at += DAY
    assert [one[3] for one in work.touches()] == ["with-acme"]
    work.server.forget_calls()
    assert newco(work).rematched.again == len(hits)
    assert not work.server.calls, "an import calls nobody"
    report = work.poll()
    assert {call.method for call in work.server.calls} <= {"history.list", "messages.get", "batch"}
    assert sorted(work.asked_for()) == sorted(hits)
    assert report.touches == len(hits)
    assert sorted(one[1:] for one in work.touches() if one[0] == "Newco") == [
        ("inbound", "auto", "away"),
        ("inbound", "human", "they-wrote"),
        ("outbound", "human", "in-company"),
        ("outbound", "human", "we-wrote"),
        ("outbound", "human", "with-acme"),
    ]
    assert [one[3] for one in work.touches() if one[0] == "Acme"] == ["with-acme"]
    assert not work.queue()
    work.server.forget_calls()
    work.poll()
    assert [call.method for call in work.server.calls] == ["history.list"], "once"


def test_42_more_hits_than_a_page_holds_are_read_in_one_pass(work: Office) -> None:
    for number in range(230):
        work.receive(by("ana@newco.example", f"mail-{number}"))
    work.poll()
    newco(work)
    assert work.poll().touches == 230
    assert not work.queue()


def test_42_every_mailbox_that_saw_the_mail_reads_it_again(work: Office) -> None:
    mail = letter(DANA.email, "ana@newco.example", cc=PRIYA.email, message_id="both")
    work.send(mail)
    work.receive(mail, by=PRIYA)
    work.poll()
    work.poll(PRIYA)
    assert newco(work).rematched.again == 2
    work.poll()
    work.poll(PRIYA)
    assert [one[3] for one in work.touches()] == ["both"]
    assert work.sightings() == 2


@pytest.mark.parametrize(
    ("contact", "written"),
    [
        ("ana@gmail.com", "a.na+work@googlemail.com"),
        ("ana@bigco.example", "ana@bigco.example"),
        ("ana@bigco.example", "ana+deals@bigco.example"),
    ],
)
def test_42_a_contact_finds_the_own_mail_and_not_that_of_the_neighbours(
    work: Office, contact: str, written: str
) -> None:
    hit = work.receive(by(written, "theirs"))
    work.receive(by(f"neighbour@{written.partition('@')[2]}", "a-neighbours"))
    work.poll()
    work.server.forget_calls()
    newco(work, "", contact)
    work.poll()
    assert work.asked_for() == [hit]
    assert [one[3] for one in work.touches()] == ["theirs"]


def test_42_a_list_mail_of_somebody_who_becomes_a_contact_is_by_a_person_then(work: Office) -> None:
    work.receive(by("wile@acme.example", "on-a-list", List_Id="<talk.acme.example>"))
    work.poll()
    assert work.touches() == [("Acme", "inbound", "bulk", "on-a-list")]
    import_(work, f"Acme,1,{DANA.email},acme.example,wile@acme.example;wendy@acme-mail.example")
    work.poll()
    assert work.touches() == [("Acme", "inbound", "human", "on-a-list")]


def test_42_mail_of_a_colleague_who_joins_the_roster_becomes_ours(work: Office) -> None:
    work.receive(letter("bob@lantern.example", "wile@acme.example", cc=DANA.email, message_id="bobs"))
    work.poll()
    assert not work.touches()
    with work.database.sessions.begin() as session:
        row = b"email,name,role\nbob@lantern.example,Bob,manager\n"
        assert import_people(session, work.cast.programme, row, work.clock.now()).rematched.again == 1
    work.poll()
    assert work.touches() == [("Acme", "outbound", "human", "bobs")]


def test_42_a_page_that_was_judged_before_the_import_and_stored_after_it_knows_the_partner(work: Office) -> None:
    work.receive(by("ana@newco.example", "meanwhile"))
    capture = Capture(work.database.sessions, work.database.reading, work.clock)
    page = next(
        iter(
            work.providers[DANA.email].pages(work.facts().cursor, since=MONDAY - 90 * DAY, last_ok_at=None, unseen=set)
        )
    )
    judged = capture.decide(work.cast.programme, DANA.email, page)
    assert not judged.decisions[0].touches
    newco(work)
    with work.database.sessions.begin() as session:
        capture.store(session, work.cast.programme, work.facts().id, judged, Report(DANA.email))
    assert [one[3] for one in work.touches()] == ["meanwhile"]


def test_42_hints_live_for_ninety_days(work: Office) -> None:
    work.receive(by("ana@newco.example", "too-old"), at=MONDAY - 89 * DAY)
    work.receive(by("ana@newco.example", "young-enough"), at=MONDAY - 80 * DAY)
    work.poll()
    assert hints(work) == 2
    work.clock.at += 2 * DAY
    assert sweep(work.database.sessions, work.cast.programme, work.clock.now())
    assert hints(work) == 1
    newco(work)
    work.poll()
    assert [one[3] for one in work.touches()] == ["young-enough"]


def test_42_a_hit_that_is_gone_or_does_not_come_is_handled_as_any_other(work: Office) -> None:
    lost = work.receive(by("ana@newco.example", "deleted"))
    late = work.receive(by("ana@newco.example", "late"))
    work.poll()
    newco(work)
    work.server.fail("messages.get", gone(), message_ids=[lost], times=None)
    work.server.fail("messages.get", too_many_requests(), message_ids=[late], times=None)
    work.poll()
    assert work.ledger()[lost] == "gone"
    assert [one.provider_id for one in work.queue()] == [late]
    work.server.heal()
    work.clock.at += DAY
    work.poll()
    assert [one[3] for one in work.touches()] == ["late"]


def test_42_drafts_and_spam_leave_no_hint_and_a_purge_leaves_none_at_all(work: Office) -> None:
    for label in ("DRAFT", "SPAM", "TRASH"):
        work.receive(by("ana@newco.example", label), label=label)
    work.poll()
    assert hints(work) == 0
    work.receive(by("ana@newco.example", "received"))
    work.poll()
    assert hints(work) == 1
    with work.database.sessions.begin() as session:
        mailboxes.remove_mailbox(session, work.cast.workspace_id, "test", work.facts().id, work.clock.now(), True)
    assert hints(work) == 0


def test_a_hint_shows_no_address(work: Office) -> None:
    work.send(to("ana.private@newco.example", "m1", cc="bo@googlemail.com"))
    work.receive(by("eva@secret.example", "m2", List_Unsubscribe="<mailto:off@secret.example>"))
    work.poll()
    assert hints(work) == 3
    with work.database.reading() as session:
        text = everything(session).lower()
    for word in ("newco", "private", "googlemail", "secret", "eva@", "bo@"):
        assert word not in text


def test_a_domain_that_moves_takes_its_mail_along_and_brings_it_back(work: Office) -> None:
    work.send(to("wile@acme.example", "m1"), at=MONDAY - DAY)
    work.send(to("hank@globex.example", "m2"), at=MONDAY - DAY)
    work.poll()
    before = work.touches()
    moved = import_(work, f"Acme,1,{DANA.email},,wendy@acme-mail.example",
                    f"Globex,1,{PRIYA.email},globex.example;acme.example,")  # fmt: skip
    assert (moved.rematched.voided, moved.rematched.given) == (1, 1)
    void = "no longer matched: the roster has changed"
    assert evidence(work) == [("Acme", "m1", void), ("Globex", "m1", None), ("Globex", "m2", None)]
    assert written_to(work) == {"Globex"}
    work.poll()
    assert evidence(work) == [("Acme", "m1", void), ("Globex", "m1", None), ("Globex", "m2", None)]
    import_(work, f"Acme,1,{DANA.email},acme.example,", f"Globex,1,{PRIYA.email},globex.example,")
    assert work.touches() == before
    work.poll()
    assert work.touches() == before


def test_a_domain_that_is_taken_away_voids_but_for_mail_that_matches_otherwise(work: Office) -> None:
    work.send(to("wile@acme.example", "gone"))
    work.send(to("wile@acme.example, wile@acme-two.example", "also-elsewhere"))
    import_(work, f"Acme,1,{DANA.email},acme.example;acme-two.example,")
    work.poll()
    import_(work, f"Acme,1,{DANA.email},acme-two.example,")
    assert not work.touches(), "until the mailbox was asked"
    work.poll()
    assert [one[3] for one in work.touches()] == ["also-elsewhere"]


def test_a_partner_who_becomes_one_of_us_is_no_partner_any_more(work: Office) -> None:
    work.receive(by("wile@acme.example", "wiles"))
    work.poll()
    with work.database.sessions.begin() as session:
        row = b"email,name,role\nwile@acme.example,Wile,manager\n"
        assert import_people(session, work.cast.programme, row, work.clock.now()).rematched.voided == 1
    work.poll()
    assert not work.touches()


def test_what_bounced_stays_void_with_its_next_partner(work: Office) -> None:
    work.send(to("wile@acme.example", "lost"), at=MONDAY - timedelta(hours=2))
    work.receive(
        letter("mailer-daemon@lantern.example", DANA.email, "failed", X_Failed_Recipients="wile@acme.example"),
        at=MONDAY - timedelta(hours=1),
    )
    work.poll()
    assert not work.touches()
    import_(work, f"Acme,1,{DANA.email},,wendy@acme-mail.example",
            f"Globex,1,{PRIYA.email},globex.example;acme.example,")  # fmt: skip
    work.poll()
    assert not work.touches()


def test_an_import_that_changes_no_address_asks_for_nothing(work: Office) -> None:
    work.receive(by("wile@acme.example", "m1"))
    work.receive(by("ana@newco.example", "m2"))
    work.poll()
    same = import_(work, f"Acme,2,{PRIYA.email},acme.example,wendy@acme-mail.example")
    assert same.changed
    assert same.rematched == replace(same.rematched, widened=False, again=0, voided=0, given=0)
    assert not work.queue()


def test_a_reconnected_mailbox_of_another_provider_is_not_asked_for_ids_it_does_not_know(work: Office) -> None:
    work.receive(by("ana@newco.example", "m1"))
    work.poll()
    with work.database.sessions.begin() as session:
        mailboxes.remove_mailbox(session, work.cast.workspace_id, "test", work.facts().id, work.clock.now(), False)
        mailboxes.put_mailbox(session, work.cast.workspace_id, "test", DANA.email, "imap", work.clock.now())
    assert hints(work) == 0
    assert newco(work).rematched.again == 0


def test_the_page_between_fetch_and_store_belongs_to_the_new_roster_in_a_real_pass(work: Office) -> None:
    work.receive(by("ana@newco.example", "meanwhile"))
    work.poll(mailbox=Between(work.providers[DANA.email], [lambda: newco(work)]))
    assert [one[3] for one in work.touches()] == ["meanwhile"]


def test_42_whoever_writes_a_partner_by_whatever_way_its_mail_is_read_again(work: Office) -> None:
    hit = work.receive(by("ana@newco.example", "theirs"))
    work.poll()
    work.server.forget_calls()
    with work.database.sessions.begin() as session:
        row = PartnerRow("Newco", 1, DANA.email, ("newco.example",), since=MONDAY.date())
        put_partner(session, work.cast.workspace_id, "test", row, work.clock.now())
    work.poll()
    assert work.asked_for() == [hit]
    assert [one[3] for one in work.touches()] == ["theirs"]
    with work.database.sessions.begin() as session:
        moved = replace(row, domains=("other.example",))
        put_partner(session, work.cast.workspace_id, "test", moved, work.clock.now())
    assert not work.touches()


def test_42_whoever_writes_a_person_by_whatever_way_mail_and_mailboxes_follow(work: Office) -> None:
    work.receive(letter("bob@lantern.example", "wile@acme.example", cc=DANA.email, message_id="bobs"))
    work.poll()
    assert not work.touches()
    with work.database.sessions.begin() as session:
        box = mailboxes.put_mailbox(
            session, work.cast.workspace_id, "test", "bob@lantern.example", "gmail", work.clock.now()
        )
        bob = PersonRow("bob@lantern.example", "Bob", "manager")
        put_person(session, work.cast.workspace_id, "test", bob, work.clock.now())
        assert session.get_one(Mailbox, box).owner_id is not None
    work.poll()
    assert [one[3] for one in work.touches()] == ["bobs"]


def test_a_change_that_fails_halfway_leaves_the_next_one_its_own(work: Office) -> None:
    with work.database.sessions() as session:
        outer = roster_change(session, work.cast.workspace_id, "test", MONDAY)
        with contextlib.suppress(ZeroDivisionError), outer:
            raise ZeroDivisionError
        session.rollback()
        row = PartnerRow("Newco", 1, DANA.email, ("newco.example",), since=MONDAY.date())
        with roster_change(session, work.cast.workspace_id, "test", MONDAY) as change:
            put_partner(session, work.cast.workspace_id, "test", row, MONDAY)
        assert change.mail.widened
