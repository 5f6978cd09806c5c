"""A change of the roster and a page of mail in the same instant: one waits for the other, and neither is refused.

On PostgreSQL rows are locked one after the other, so both sides have to take them in one order.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from models.actions import hints, mail, mailboxes
from models.actions.clocks import facts_changed
from models.actions.partners import put_partner
from models.actions.people import put_person
from models.tables import Mailbox, PendingFetch
from tests.capture_world import Office, letter, mailbox_row, office
from tests.cast import ACME, DANA, PRIYA
from tests.databases import Database

GUESTS = "guests@lantern.example"
Step = Callable[[Session], object]


@pytest.fixture
def work(database: Database) -> Iterator[Office]:
    """Dana's mailbox holds a mail that is no partner's yet; another mailbox is nobody's yet."""
    with office(database, (DANA,)) as made:
        made.receive(letter("ana@newco.example", DANA.email))
        made.poll()
        with database.sessions.begin() as session:
            mailboxes.put_mailbox(session, made.cast.programme.workspace_id, "test", GUESTS, "gmail", made.clock.now())
        yield made


def polled(session: Session, box: Mailbox) -> Step:
    return lambda storing: mail.advance_cursor(storing, box.id, box.cursor_version, box.cursor)


def imported(session: Session, box: Mailbox) -> Step:
    import_id = mailboxes.import_of(session, box.id, "a file").id
    return lambda storing: mailboxes.advance_import(storing, import_id, "here", None, None)


def a_domain_more(work: Office, session: Session) -> None:
    row = replace(ACME, domains=(*ACME.domains, "newco.example"))
    put_partner(session, work.cast.programme.workspace_id, "test", row, work.clock.now())


def a_mailbox_finds_its_owner(work: Office, session: Session) -> None:
    put_person(session, work.cast.programme.workspace_id, "test", replace(PRIYA, aliases=(GUESTS,)), work.clock.now())


def until_somebody_waits(database: Database, change: threading.Thread) -> None:
    """Or the change is over. SQLite lets one write at a time and tells nobody who waits."""
    for _ in range(100):
        time.sleep(0.01)
        with database.reading() as session:
            if session.get_bind().dialect.name == "sqlite" or not change.is_alive():
                return
            if session.scalar(text("select count(*) from pg_locks where not granted")):
                return


@pytest.mark.parametrize("begun_after", [1, 2])
@pytest.mark.parametrize("page_of", [polled, imported])
@pytest.mark.parametrize(("change", "address"), [(a_domain_more, DANA.email), (a_mailbox_finds_its_owner, GUESTS)])
def test_a_page_and_a_change_of_the_roster_never_wait_in_a_circle(
    work: Office,
    change: Callable[[Office, Session], None],
    address: str,
    page_of: Callable[[Session, Mailbox], Step],
    begun_after: int,
) -> None:
    workspace_id, failures = work.cast.programme.workspace_id, list[BaseException]()
    with work.database.sessions.begin() as session:
        first = page_of(session, mailbox_row(session, address))
    storing: list[Step] = [
        first,
        lambda session: hints.hold_roster(session, workspace_id),
        lambda session: facts_changed(session, workspace_id, [work.cast.partner(ACME)]),
    ]

    def run() -> None:
        try:
            with work.database.sessions.begin() as session:
                change(work, session)
        except BaseException as failure:
            failures.append(failure)

    changing = threading.Thread(target=run)
    with work.database.sessions.begin() as session:
        for number, step in enumerate(storing):
            if number == begun_after:
                changing.start()
                until_somebody_waits(work.database, changing)
            step(session)
    changing.join()
    assert not failures
    with work.database.reading() as session:
        owned = mailbox_row(session, GUESTS).owner_id == work.cast.person(PRIYA)
        queued = session.scalar(select(func.count()).select_from(PendingFetch))
    assert (owned, queued) == ((False, 1) if change is a_domain_more else (True, 0))
