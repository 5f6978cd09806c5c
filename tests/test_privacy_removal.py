"""Disconnecting erases the secret, purging erases what was seen, and both erase no more and no less than they say.

Which tables know a mailbox is found by reflection: a new one has to be entered here with what becomes of it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, func, select

from jobs.capture import Capture, Outcome
from jobs.imports import import_mbox
from jobs.mailbox.base import Mailbox, ProviderError
from jobs.mailbox.mbox import MboxFile
from models.actions import mailboxes
from models.actions.mail import record_failed
from models.queries.mail import MailboxFacts
from models.tables import Mailbox as MailboxRow
from models.vault import Vault, new_key
from tests.capture_world import Between, Office, letter, office
from tests.cast import DANA, MONDAY, PRIYA
from tests.databases import Database
from tests.graph_world import graph_mailbox
from tests.imap_world import imap_mailbox
from tests.privacy_world import STRANGER, TOPIC, every_value, mails
from tests.sandbox.graph import GraphServer
from tests.sandbox.imap import ImapStandIn

AFTER_REMOVAL = {
    # table → what is left of a mailbox: after removing, after purging
    "observation": ("all", "all"),  # times alone; without them the past could not be told
    "seen": ("all", "none"),
    "seen_hint": ("all", "none"),
    "pending_fetch": ("all", "none"),
    "mail_import": ("all", "none"),
    "sighting": ("all", "none"),
}
ROW_AFTER_REMOVAL = {"status": "removed", "credential": None, "cursor": None, "error": None, "paused_until": None}
ROW_AFTER_REMOVAL |= {"reconciled_at": None, "lacking": None}
Open = Callable[[], Mailbox]


@pytest.fixture
def work(database: Database) -> Iterator[Office]:
    with office(database, (DANA, PRIYA)) as made:
        yield made


def tables_of_a_mailbox(database: Database) -> dict[str, Any]:
    """Every table from whose rows foreign keys lead to a mailbox, with the column that names it."""
    found = MetaData()
    found.reflect(database.engine)
    direct = {
        table.name: column
        for table in found.sorted_tables
        for column in table.columns
        if any(key.column.table.name == "mailbox" for key in column.foreign_keys)
    }
    named = {table.name for table in found.sorted_tables if "mailbox_id" in table.columns}
    behind = {
        table.name
        for table in found.sorted_tables
        if any(key.column.table.name in direct for key in table.foreign_keys)
    }
    assert named == set(direct), "a column that names a mailbox is a foreign key"
    assert not behind - set(direct), "nothing hangs on a row of a mailbox that would outlive it or be left behind"
    return direct


def rows_of(database: Database, mailbox_id: int) -> dict[str, int]:
    with database.engine.connect() as connection:
        return {
            name: connection.scalar(select(func.count()).where(column == mailbox_id)) or 0
            for name, column in tables_of_a_mailbox(database).items()
        }


def remove(work: Office, purge: bool, box: MailboxFacts | None = None) -> None:
    with work.database.sessions.begin() as session:
        mailbox_id = (box or work.facts()).id
        mailboxes.remove_mailbox(session, work.cast.workspace_id, "test", mailbox_id, work.clock.at, purge)


def add(work: Office, provider: str) -> None:
    with work.database.sessions.begin() as session:
        mailboxes.put_mailbox(session, work.cast.workspace_id, "test", DANA.email, provider, work.clock.at)


def filled(work: Office, folder: Path) -> dict[str, int]:
    """Dana's mailbox with a row in every table, the same mail in Priya's; answers the rows of Priya's."""
    for headers, label in mails():
        work.receive(headers, label=label)
        work.receive(headers, by=PRIYA, label=label)
    work.read()
    work.read(PRIYA)
    path = folder / "mail.mbox"
    path.write_text(f"From x@y.example\nFrom: wile@acme.example\nTo: {DANA.email}\n\n\n", encoding="utf-8")
    engine = Capture(work.database.sessions, work.database.reading, work.clock)
    import_mbox(engine, work.cast.programme, work.facts().id, DANA.email, MboxFile(path))
    vault = Vault((new_key(),))
    with work.database.sessions.begin() as session:
        record_failed(session, work.facts().id, [("stuck", "Gmail answered 500: backendError")], work.clock.at)
        row = session.get_one(MailboxRow, work.facts().id)
        row.credential, row.options = vault.seal(DANA.email, "a refresh token"), {"username": "d.kim", "host": "mail.x"}
        row.error, row.lacking, row.paused_until = "refused", "no Sent folder", work.clock.at
    return rows_of(work.database, work.facts(PRIYA).id)


@pytest.mark.parametrize("purge", [False, True])
def test_every_table_that_knows_the_mailbox_is_left_as_it_is_said(work: Office, purge: bool, tmp_path: Path) -> None:
    others = filled(work, tmp_path)
    box, touches = work.facts(), work.touches()
    before = rows_of(work.database, box.id)
    assert set(before) == set(AFTER_REMOVAL)
    assert min(before.values()) > 0, "there is something to erase in every table"
    remove(work, purge)
    after = rows_of(work.database, box.id)
    assert after == {name: before[name] if AFTER_REMOVAL[name][purge] == "all" else 0 for name in before}
    assert rows_of(work.database, work.facts(PRIYA).id) == others
    assert work.touches() == touches, "they are the partners' history"
    with work.database.reading() as session:
        row = session.get_one(MailboxRow, box.id)
        assert {name: getattr(row, name) for name in ROW_AFTER_REMOVAL} == ROW_AFTER_REMOVAL
        assert row.options == ({} if purge else {"username": "d.kim", "host": "mail.x"})
    assert box.credential is not None
    stored = every_value(work.database)
    assert box.credential not in stored
    assert not purge or "d.kim" not in stored
    assert STRANGER not in stored.lower()
    assert TOPIC not in stored.lower()


def test_a_mailbox_that_is_removed_twice_or_never_read_is_removed(work: Office) -> None:
    for purge in (False, True, True):
        remove(work, purge)
    assert work.facts().status == "removed"
    assert not any(rows_of(work.database, work.facts().id).values())


def opened(name: str, stack: ExitStack, work: Office) -> tuple[Open, Callable[[str, str], object]]:
    """Dana's mailbox at a provider, and how a mail with a partner is put there: Message-ID and direction."""
    if name == "graph":
        graph = stack.enter_context(GraphServer(now=work.clock.now))
        store, folders = graph.mailbox(DANA.email), {"in": "inbox", "out": "sentitems"}
        return lambda: graph_mailbox(graph, work.clock, DANA.email), lambda key, way: store.deliver(
            acme(key, way), work.clock.now(), folders[way]
        )
    if name == "imap":
        imap = stack.enter_context(ImapStandIn())
        places = {"in": "INBOX", "out": "Sent"}
        return lambda: imap_mailbox(imap.port, work.clock, DANA.email), lambda key, way: imap.deliver(
            acme(key, way), work.clock.now(), places[way]
        )
    labels = {"in": "INBOX", "out": "SENT"}
    return lambda: work.provider(DANA), lambda key, way: work.receive(acme(key, way), label=labels[way])


def acme(key: str, way: str) -> dict[str, str | None]:
    pair = (DANA.email, "wile@acme.example") if way == "out" else ("wile@acme.example", DANA.email)
    return letter(*pair, message_id=key)


@pytest.mark.parametrize("name", ["gmail", "graph", "imap"])
@pytest.mark.parametrize("purge", [False, True])
def test_a_mailbox_that_is_connected_anew_is_captured_anew_without_doubles(
    work: Office, name: str, purge: bool
) -> None:
    remove(work, purge=True)
    with ExitStack() as stack:
        open_mailbox, put = opened(name, stack, work)
        add(work, name)
        for key, way in (("one", "in"), ("two", "out")):
            put(key, way)
        assert work.read(mailbox=open_mailbox()).outcome is Outcome.DONE
        assert work.sightings() == 2
        work.clock.at += timedelta(days=2)
        remove(work, purge)
        assert work.sightings() == (0 if purge else 2)
        put("while-away", "in")
        work.clock.at += timedelta(days=3)
        add(work, name)
        report = work.read(mailbox=open_mailbox())
        assert report.outcome is Outcome.DONE
        assert report.reasons == {"touch": 3 if purge else 1}
        assert report.touches == 1
    assert sorted(one[3] for one in work.touches()) == ["one", "two", "while-away"]
    assert work.sightings() == 3
    assert len(work.ledger()) == 3


@pytest.mark.parametrize("name", ["gmail", "graph", "imap"])
@pytest.mark.parametrize("purge", [False, True])
@pytest.mark.parametrize("back", [False, True])
def test_a_pass_in_flight_when_the_mailbox_is_removed_stores_nothing(
    work: Office, name: str, purge: bool, back: bool
) -> None:
    """Also when it has been connected again by the time that the pass would store."""
    remove(work, purge=True)
    with ExitStack() as stack:
        open_mailbox, put = opened(name, stack, work)
        add(work, name)
        work.read(mailbox=open_mailbox())
        put("in flight", "in")
        left: list[dict[str, int]] = []

        def gone() -> None:
            remove(work, purge)
            if back:
                add(work, name)
            left.append(rows_of(work.database, work.facts().id))

        facts = work.facts()
        work.read(mailbox=Between(open_mailbox(), [gone]))
        assert rows_of(work.database, facts.id) == left[0]
        assert work.touches() == []
        assert work.facts().status == ("active" if back else "removed")
        assert (work.facts().credential, work.facts().cursor, work.facts().error) == (None, None, None)


@pytest.mark.parametrize("purge", [False, True])
def test_an_import_in_flight_when_the_mailbox_is_removed_stores_nothing_more(
    work: Office, purge: bool, tmp_path: Path
) -> None:
    path = tmp_path / "mail.mbox"
    mail = "From x@y.example\nFrom: wile@acme.example\nTo: {0}\nMessage-ID: <{1}@x>\n{2}\n\n\n"
    dates = [f"Date: Mon, 9 Nov 2026 09:0{number}:00 +0000" for number in range(4)]
    path.write_text("".join(mail.format(DANA.email, *one) for one in enumerate(dates)), encoding="utf-8")
    left: list[dict[str, int]] = []

    def watch(_: object) -> None:
        if not left:
            remove(work, purge)
            left.append(rows_of(work.database, work.facts().id))

    engine = Capture(work.database.sessions, work.database.reading, work.clock, watch)
    with pytest.raises(ProviderError, match=r"dana@lantern\.example was disconnected meanwhile"):
        import_mbox(engine, work.cast.programme, work.facts().id, DANA.email, MboxFile(path, page=1))
    assert rows_of(work.database, work.facts().id) == left[0]
    assert [one[3] for one in work.touches()] == ["0@x"]
    assert work.facts().created_at <= MONDAY
