"""Capture over IMAP beside its floors: a real Dovecot, from the wire to committed touches.

Three floors of the same mail, one after the other: the headers fetched with the same client in batches of 1,000; these
blocks through compat32's parser, `getaddresses` and a date; a touch for each by a Core executemany into a table with
one unique key, on SQLite. Their harmonic sum is what a program reaches that does nothing else. SIZE is how many
messages lie in the mailbox; the header fields' cache of the server is warm for everybody.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path
from typing import Any

from imap_tools import MailBoxUnencrypted
from imapclient import IMAPClient
from sqlalchemy import Column, DateTime, Integer, MetaData, String, Table, UniqueConstraint, create_engine, event
from sqlalchemy.dialects.sqlite import insert

from models.actions import mailboxes
from models.actions.partners import PartnerRow, put_partner
from models.actions.people import PersonRow, put_person
from models.actions.programme import the_workspace
from models.actions.rematch import roster_change
from models.actions.write import COMMAND_LINE
from models.message import WANTED_HEADERS
from tests.benchmarks import _imap_child, _imap_mail
from tests.benchmarks._area import Area, timed
from tests.databases import ROOT, Databases, PostgresDatabases, SqliteDatabases, opened
from tests.imap_servers import PASSWORD, Dovecot, dovecot
from tests.postgres_server import PostgresServer

TARGET = 0.8  # × the harmonic floor
LIBRARY_TARGET = 1.5  # × imap-tools, headers only
UNIT = "messages/s"
BATCH = 1_000
ROUNDS = 3
LIBRARY_MAILS, POSTGRES_MAILS = 3_000, 5_000  # at most
IDLE_POLLS = 50
USER, OTHER_USER = _imap_mail.OWNER, "few@lantern.example"
FIELDS = f"BODY.PEEK[HEADER.FIELDS ({' '.join(WANTED_HEADERS)})]"
STARTED = datetime(2020, 1, 1, tzinfo=UTC)

Seconds = dict[str, float]


def run(options: Mapping[str, str], area: Area) -> None:
    if dovecot() is None:
        print("IMAP: there is no Dovecot 2.3 here (Debian's package dovecot-imapd), so nothing is measured")
        return
    size = int(options.get("SIZE", 10_000))
    with Dovecot() as server, tempfile.TemporaryDirectory(prefix="cadence-bench-") as name:
        for user, count in ((USER, size), (OTHER_USER, min(size, POSTGRES_MAILS))):
            server.prepare(user)
            _imap_mail.fill(server.folder / "mail" / user, server.sent, count)
        shutil.rmtree(server.folder / "rawlog")  # its log of every byte would slow down everybody
        sqlite = SqliteDatabases(Path(name))
        with prepared(sqlite, server, USER) as url:
            cold = child(url, size)  # the server reads each mail for the first time
        speed = measured(server, sqlite, size, Path(name))
        tell(area, size, speed, rate(cold))
        follow(area, speed["held"])
        with prepared(sqlite, server, USER) as url:
            child(url, size)
            idle(area, server, url)
        on_postgres(area, server, speed["floor"])
        shutil.rmtree(server.folder / "mail")  # so that closing takes no longer than it may


def measured(server: Dovecot, sqlite: Databases, size: int, folder: Path) -> dict[str, Any]:
    """The best of some rounds in which everybody has a turn: others use this machine too."""
    rounds = ROUNDS if size <= 20_000 else 2
    best: Seconds = {}
    last: dict[str, Any] = {}
    for number in range(rounds):
        started = time.perf_counter()
        blocks = list(fetch_floor(server.port))
        fetched = time.perf_counter()
        for block in blocks:
            parse_floor(block)
        parsed = time.perf_counter()
        store_floor(folder / f"floor{number}.db", len(blocks))
        stored = time.perf_counter()
        if len(blocks) != size:
            raise SystemExit(f"the server answered {len(blocks):,} of {size:,} messages")
        with prepared(sqlite, server, USER) as url:
            last = child(url, size)
        spent = {"fetch": fetched - started, "parse": parsed - fetched, "store": stored - parsed}
        for one, took in (spent | {"ours": last["seconds"], "cpu": last["cpu"]}).items():
            best[one] = min(best.get(one, took), took)
    some = min(size, LIBRARY_MAILS)
    found = {name: size / took for name, took in best.items()}
    started = time.perf_counter()
    library(server.port, some)
    found["library"] = some / (time.perf_counter() - started)
    found["floor"] = 1 / sum(1 / found[name] for name in ("fetch", "parse", "store"))
    grew = last["peak"] - last["held"][0][1]
    return found | {"held": last["held"], "touches": last["touches"], "grew": grew}


def tell(area: Area, size: int, speed: dict[str, Any], cold: float) -> None:
    ours, floor = speed["ours"], speed["floor"]
    what = f"wire to committed touches: {size:,} messages, {speed['touches']:,} touches"
    area.row(what, ours, UNIT, floor=floor, memory=speed["grew"], target=f"≥ {TARGET} ×")
    for name, text in {
        "fetch": "  of the floor: IMAPClient, header fields, batches of 1,000",
        "parse": "  of the floor: compat32 + getaddresses + date",
        "store": "  of the floor: Core executemany, SQLite",
    }.items():
        area.row(text, speed[name], UNIT)
    area.row("  its own CPU alone", speed["cpu"], UNIT, floor=floor)
    area.row("  with nothing in the server’s cache", cold, UNIT, floor=floor)
    area.row("  beside imap-tools, headers only", ours, UNIT, floor=speed["library"], target=f"≥ {LIBRARY_TARGET} ×")


def follow(area: Area, held: Sequence[tuple[int, float]]) -> None:
    """What a capture holds as it goes, and how much that grows in the second half."""
    area.details["held"] = held
    middle = held[len(held) // 2]  # until then the memory of the last two thousand people fills up
    grown = (held[-1][1] - middle[1]) / max(1, held[-1][0] - middle[0]) * 10_000
    area.row("memory for each 10,000 messages of the second half", grown, "MB")


def idle(area: Area, server: Dovecot, url: str) -> None:
    """A poll that finds nothing: what goes over the wire, and how long it takes with its statements."""
    capture, programme, box = _imap_child.opened(url)
    mailbox = _imap_child.mailbox_of(box)
    rawlog = server.folder / "rawlog"

    def poll() -> None:
        _, _, facts = _imap_child.opened(url)
        started = time.perf_counter()
        report = capture.poll(programme, facts, mailbox)
        spent.append(time.perf_counter() - started)
        if report.outcome != "done" or report.messages:
            raise SystemExit(f"a poll that should find nothing: {report}")

    spent: list[float] = []
    poll()  # lists the folders, once an hour
    rawlog.mkdir(mode=0o777)
    rawlog.chmod(0o777)
    poll()
    time.sleep(0.5)  # the server closes its log
    asked = [line.split(" ", 2)[2] for line in server.heard().splitlines() if len(line.split(" ", 2)) == 3]
    sizes = [sum(one.stat().st_size for one in rawlog.glob(f"*.{way}")) for way in ("in", "out")]
    shutil.rmtree(rawlog)
    spent.clear()
    for _ in range(IDLE_POLLS):
        poll()
    best = sorted(spent)[len(spent) // 2] * 1000
    area.row("idle poll", best, "ms", floor=hello(server.port))
    area.row("  commands after the login, a STATUS for each folder", len(asked), "commands")
    area.row("  bytes asked and answered", sum(sizes), "bytes")
    area.details["idle_commands"] = asked


def hello(port: int) -> float:
    """The floor of an idle poll, in milliseconds: the same client connects, asks one folder and leaves."""

    def call() -> None:
        client = IMAPClient("127.0.0.1", port, ssl=False)
        client.login(USER, PASSWORD)
        client.folder_status("INBOX", ["UIDNEXT", "UIDVALIDITY"])
        client.logout()

    return timed(call, IDLE_POLLS)[0]


def on_postgres(area: Area, server: Dovecot, floor: float) -> None:
    postgres = PostgresServer()
    try:
        databases = PostgresDatabases(postgres.url)
        with prepared(databases, server, OTHER_USER) as url:
            figures = child(url, 1_000_000)
        databases.close()
    finally:
        postgres.close()
    what = f"the same on PostgreSQL: {figures['messages']:,} messages"
    area.row(what, rate(figures), UNIT, floor=floor, memory=figures["peak"] - figures["held"][0][1])


def fetch_floor(port: int) -> Iterator[bytes]:
    client = IMAPClient("127.0.0.1", port, ssl=False)
    client.login(USER, PASSWORD)
    for folder in ("INBOX", Dovecot.sent):
        client.select_folder(folder, readonly=True)
        uids = client.search("ALL")
        for start in range(0, len(uids), BATCH):
            for told in client.fetch(uids[start : start + BATCH], ["FLAGS", "INTERNALDATE", FIELDS]).values():
                yield next(value for name, value in told.items() if name.startswith(b"BODY"))
    client.logout()


def parse_floor(block: bytes) -> object:
    parsed = BytesHeaderParser(policy=compat32).parsebytes(block)
    found = {name: parsed.get_all(name, []) for name in WANTED_HEADERS}
    people = [getaddresses([str(value) for value in found[name]]) for name in ("From", "To", "Cc", "Bcc")]
    return found, people, parsedate_to_datetime(str(found["Date"][0]))


def store_floor(path: Path, count: int) -> None:
    words = ("direction", "verdict", "rule", "by_address", "matched", "subject")
    touch = Table(
        "touch",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("partner_id", Integer),
        Column("dedupe_key", String),
        Column("at", DateTime),
        Column("captured_at", DateTime),
        *(Column(name, String) for name in words),
        UniqueConstraint("partner_id", "dedupe_key"),
    )
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA journal_mode=WAL"))
    touch.metadata.create_all(engine)
    row: dict[str, object] = {
        **dict.fromkeys(words, "something of usual length"),
        "at": STARTED,
        "captured_at": STARTED,
    }
    with engine.begin() as connection:
        connection.execute(
            insert(touch).on_conflict_do_nothing(),
            [row | {"partner_id": number % 200, "dedupe_key": f"{number}@mail.example"} for number in range(count)],
        )
    engine.dispose()


def library(port: int, count: int) -> None:
    """Who wrote to whom and when, and the other headers that a verdict rests on."""
    with MailBoxUnencrypted("127.0.0.1", port).login(USER, PASSWORD) as box:
        for message in box.fetch(limit=count, headers_only=True, mark_seen=False, bulk=BATCH):
            _ = message.from_values, message.to_values, message.cc_values, message.bcc_values, message.date
            headers: Mapping[str, tuple[str, ...]] = message.headers
            _ = [headers.get(name.lower()) for name in WANTED_HEADERS]


def child(url: str, size: int) -> dict[str, Any]:
    answer = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks._imap_child", url, str(max(1, size // 10))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise SystemExit(answer.stderr)
    figures: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return figures


@contextmanager
def prepared(databases: Databases, server: Dovecot, user: str) -> Iterator[str]:
    """A database that knows whose mail it is, the partners and the mailbox."""
    with opened(databases) as database:
        with database.sessions.begin() as session:
            workspace_id = the_workspace(session, STARTED)
            with roster_change(session, workspace_id, COMMAND_LINE, STARTED):
                put_person(session, workspace_id, COMMAND_LINE, PersonRow(USER, "Dana Kim", "manager"), STARTED)
                for number in range(_imap_mail.PARTNERS):
                    row = PartnerRow(f"P{number}", 1 + number % 3, USER, (f"partner{number}.example",))
                    put_partner(session, workspace_id, COMMAND_LINE, row, STARTED)
            options = {"host": "127.0.0.1", "port": server.port, "tls": False, "username": user}
            mailboxes.put_mailbox(session, workspace_id, COMMAND_LINE, USER, "imap", STARTED, options=options)
        yield database.url


def rate(figures: Mapping[str, Any]) -> float:
    return float(figures["messages"] / figures["seconds"])
