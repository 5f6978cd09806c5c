"""kill -9 at any statement: a real process dies right before each one in turn, and after a restart nothing is missing.

Each test goes through every statement and commit of one story: passes over Gmail, IMAP and Microsoft mailboxes with
their queue and their daily comparison, a roster that changes between two of them, and an import.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert, select

from jobs.capture import Capture, Outcome
from jobs.imports import import_mbox
from jobs.mailbox.mbox import MboxFile
from jobs.roster.csv import import_partners
from models.actions import claims, episodes, mailboxes
from models.actions.people import PersonRow
from models.db import Base
from models.queries.standings import standings
from models.tables import (
    AuditEntry,
    Claim,
    Episode,
    Mailbox,
    MailImport,
    Observation,
    Partner,
    PendingFetch,
    Seen,
    Sighting,
    Touch,
)
from tests.capture_world import Headers, Office, letter, office
from tests.cast import ACME, DANA, GLOBEX, MONDAY, PRIYA
from tests.databases import ROOT, Database
from tests.graph_world import graph_mailbox
from tests.imap_world import imap_mailbox
from tests.sandbox.gmail import Fault
from tests.sandbox.graph import GraphServer, window_refused
from tests.sandbox.imap import ImapStandIn

# Hundreds of processes die in each: on a machine that is busy otherwise this takes its time.
pytestmark = pytest.mark.timeout(400)

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LATEST = MONDAY + 50 * HOUR


class Mortals:
    """Forks a process for each job; answers how it ended: 0, or minus the signal."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.crash_child"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, job: dict[str, Any], kill_before: int | None) -> int:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        print(json.dumps(job | {"kill_before": kill_before}), file=self._parent.stdin, flush=True)
        return int(self._parent.stdout.readline())

    def close(self) -> None:
        self._parent.communicate(timeout=10)


@pytest.fixture(scope="module")
def mortals() -> Iterator[Mortals]:
    made = Mortals()
    yield made
    made.close()


Rows = dict[str, list[dict[str, Any]]]


def photograph(engine: Engine) -> Rows:
    with engine.connect() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in Base.metadata.sorted_tables
        }


def put_back(engine: Engine, rows: Rows) -> None:
    with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(delete(table))
        for table in Base.metadata.sorted_tables:
            if rows[table.name]:
                connection.execute(insert(table), rows[table.name])


def end_state(work: Office, at: datetime) -> dict[str, list[str]]:
    """What must not depend on where a process died. When something was captured may, and so may the numbers of rows."""

    def lines(query: Any) -> list[str]:
        return sorted(" ".join(str(value) for value in row) for row in session.execute(query))

    who = (Partner.name, Touch.dedupe_key)
    with work.database.reading() as session:
        return {
            "touches": lines(
                select(
                    *who,
                    Touch.at,
                    Touch.direction,
                    Touch.verdict,
                    Touch.rule,
                    Touch.by_address,
                    Touch.person_id,
                    Touch.matched,
                    Touch.field,
                    Touch.void_reason,
                ).join(Partner, Partner.id == Touch.partner_id)
            ),
            "sightings": lines(
                select(*who, Mailbox.address, Sighting.provider_id)
                .join(Touch, Touch.id == Sighting.touch_id)
                .join(Partner, Partner.id == Touch.partner_id)
                .join(Mailbox, Mailbox.id == Sighting.mailbox_id)
            ),
            "seen": lines(select(Seen.mailbox_id, Seen.provider_id, Seen.verdict, Seen.reason)),
            "queue": lines(select(PendingFetch.mailbox_id, PendingFetch.provider_id, PendingFetch.dead_at)),
            "mailboxes": lines(select(Mailbox.address, Mailbox.cursor, Mailbox.status, Mailbox.last_ok_at)),
            # A first walk goes back from the moment when it began, and that is later after a restart.
            "observed": sorted(
                f"{one.mailbox_id} {one.from_at.date()} {one.until_at}" for one in session.scalars(select(Observation))
            ),
            "imports": lines(select(MailImport.identity, MailImport.cursor, MailImport.first_at, MailImport.last_at)),
            "episodes": lines(
                select(Episode.opened_at, Episode.outcome, *who)
                .outerjoin(Touch, Touch.id == Episode.touch_id)
                .join(Partner, Partner.id == Episode.partner_id)
            ),
            "claims": lines(select(Claim.person_id, Claim.due_on, Claim.end_reason)),
            "audit": [str(one) for one in sorted(Counter(session.scalars(select(AuditEntry.action))).items())],
            "standings": [
                f"{one.facts.name} {one.state} {one.facts.last_touch_at} {one.facts.last_heard_at} {one.days_overdue}"
                for one in standings(session, work.cast.programme, at)
            ],
        }


def slip(work: Office) -> None:
    """Acme is overdue, its episode open and claimed."""
    with work.database.sessions.begin() as session:
        mailboxes.mark_clean(session, work.facts().id, MONDAY - 24 * 80 * HOUR, MONDAY - 6 * HOUR)
        programme, at = work.cast.programme, MONDAY - 6 * HOUR
        lines = standings(session, programme, at, partner_ids={work.cast.partner(ACME)})
        assert len(episodes.open_episodes(session, programme, lines, at)) == 1
        claims.claim(session, programme, work.cast.partner(ACME), work.cast.person(DANA), at)


def letters() -> list[tuple[str, Headers]]:
    """A little of everything, oldest first: where it lies in Dana's mailbox, and its headers."""
    return [
        ("SENT", letter(DANA.email, "x@acme.example", "Plan", cc=PRIYA.email, message_id="recovers")),
        ("INBOX", letter("x@acme.example", DANA.email, cc=PRIYA.email, message_id="answers")),
        ("SENT", letter(DANA.email, "hank@globex.example", message_id="bounces")),
        ("INBOX", letter("mailer-daemon@mail.example", DANA.email, X_Failed_Recipients="hank@globex.example")),
        ("INBOX", letter("friend@home.example", DANA.email)),
        ("DRAFT", letter(DANA.email, "x@hooli.example")),
        ("SENT", letter(DANA.email, "x@hooli.example", message_id="comes-late")),
    ]


def test_a_capture_that_is_killed_at_any_statement_loses_nothing_and_doubles_nothing(
    database: Database, mortals: Mortals
) -> None:
    with office(database, (DANA, PRIYA)) as work:
        work.poll(PRIYA)
        slip(work)
        keys = [
            work.receive(headers, at=MONDAY - (60 - number) * MINUTE, label=label)
            for number, (label, headers) in enumerate(letters())
        ]
        copies = [headers | {} for _, headers in letters()[:2]]
        copies[0]["Message-ID"] = "<recovers-under-another-id@mail.example>"
        for headers in copies:
            work.receive(headers, by=PRIYA, at=MONDAY - 59 * MINUTE)
        job = {
            "url": database.url,
            "now": MONDAY.isoformat(),
            "api_url": work.server.api_url,
            "mailboxes": [gmail(work, person) for person in (DANA, PRIYA)],
            "chunk": 4,
            "polls": [MONDAY.isoformat(), (MONDAY + 10 * MINUTE).isoformat()],
        }
        before = photograph(database.engine)
        refused = Fault(400, "badRequest", "Not now.")  # is not tried again at once, but queued

        def life(kill_before: int | None) -> int:
            put_back(database.engine, before)
            work.server.heal()
            work.server.fail("messages.get", refused, message_ids=[keys[-1]])
            ended = mortals.run(job, kill_before)
            restarted = {person: work.provider(person, chunk=4) for person in (DANA, PRIYA)}
            for instant in (MONDAY + 20 * MINUTE, LATEST):
                work.clock.at = instant
                for person, mailbox in restarted.items():
                    assert work.poll(person, mailbox).outcome is Outcome.DONE
            return ended

        assert life(None) == 0
        undisturbed = end_state(work, LATEST)
        assert [one.split()[1] for one in undisturbed["touches"]] == ["answers", "recovers", "bounces", "comes-late"]
        assert len(undisturbed["sightings"]) == 6
        assert not undisturbed["queue"]
        at = 0
        while (ended := life(at)) != 0:
            assert ended == -SIGKILL
            assert end_state(work, LATEST) == undisturbed, f"killed before statement {at}"
            at += step_of(work)
        assert at > 60
        assert GLOBEX.name in " ".join(undisturbed["touches"])


def gmail(work: Office, person: PersonRow) -> dict[str, Any]:
    return {"kind": "gmail", "address": person.email, "token": work.server.authorized_user(person.email)}


def die_at_each_statement(
    work: Office,
    mortals: Mortals,
    job: dict[str, Any],
    prepare: Callable[[], None],
    restart: Callable[[], None],
) -> tuple[dict[str, list[str]], int]:
    """Each life has the same rows and faults, ends early, and goes on; answers the end and how many statements ran."""
    before = photograph(work.database.engine)

    def life(kill_before: int | None) -> int:
        put_back(work.database.engine, before)
        prepare()
        ended = mortals.run(job, kill_before)
        for instant in (MONDAY + 20 * MINUTE, LATEST):
            work.clock.at = instant
            restart()
        return ended

    assert life(None) == 0
    undisturbed = end_state(work, LATEST)
    at = 0
    while (ended := life(at)) != 0:
        assert ended == -SIGKILL
        assert end_state(work, LATEST) == undisturbed, f"killed before statement {at}"
        at += step_of(work)
    return undisturbed, at


def step_of(work: Office) -> int:
    """The statements are the same on both databases; the second is spared two of three."""
    return 1 if work.database.backend == "sqlite" else 3


def priyas_letters() -> list[tuple[str, Headers]]:
    return [
        ("sent", letter(PRIYA.email, "x@acme.example", "Plan", cc=DANA.email, message_id="recovers")),
        ("inbox", letter("x@acme.example", PRIYA.email, message_id="answers")),
        ("inbox", letter("friend@home.example", PRIYA.email)),
        ("inbox", letter("x@globex.example", PRIYA.email, message_id="auto", Auto_Submitted="auto-replied")),
        ("inbox", letter("x@hooli.example", PRIYA.email, message_id="comes-late")),
    ]


CAPTURED = ["answers", "auto", "comes-late", "recovers"]


def captured(state: dict[str, list[str]]) -> list[str]:
    return sorted(line.split()[1] for line in state["touches"])


def two_polls(mailbox: dict[str, Any]) -> dict[str, Any]:
    return {
        "now": MONDAY.isoformat(),
        "mailboxes": [mailbox],
        "compares": True,
        "polls": [MONDAY.isoformat(), (MONDAY + 10 * MINUTE).isoformat()],
    }


def test_7_an_imap_pass_that_is_killed_at_any_statement_loses_nothing_and_doubles_nothing(
    database: Database, mortals: Mortals
) -> None:
    with office(database) as work, ImapStandIn() as server:
        with database.sessions.begin() as session:
            mailboxes.put_mailbox(session, work.cast.workspace_id, "test", PRIYA.email, "imap", MONDAY)
        slip(work)
        lost = 0
        for number, (folder, headers) in enumerate(priyas_letters()):
            at = MONDAY - (60 - number) * MINUTE
            lost = server.deliver(headers, at, "Sent" if folder == "sent" else "INBOX")
        # The other copy of one of them lies in Dana's mailbox at Google already.
        work.receive(
            letter(PRIYA.email, "x@acme.example", "Plan", cc=DANA.email, message_id="recovers"), at=MONDAY - HOUR
        )
        work.poll(DANA)
        job = two_polls({"kind": "imap", "address": PRIYA.email, "port": server.port})

        def prepare() -> None:
            heard = iter(range(100))
            server.faults.omits = {lost}

            def heal() -> None:
                if next(heard) >= 2:  # by then both folders were read
                    server.faults.omits = set()

            server.faults.before_status = heal

        def restart() -> None:
            assert work.read(PRIYA, imap_mailbox(server.port, work.clock, PRIYA.email)).outcome is Outcome.DONE

        state, statements = die_at_each_statement(work, mortals, job | {"url": database.url}, prepare, restart)
        assert captured(state) == CAPTURED
        assert len(state["sightings"]) == 5
        assert not state["queue"]
        assert statements > 40


def test_7_a_microsoft_pass_that_is_killed_at_any_statement_loses_nothing_and_doubles_nothing(
    database: Database, mortals: Mortals
) -> None:
    with office(database) as work, GraphServer(now=lambda: MONDAY) as server:
        with database.sessions.begin() as session:
            mailboxes.put_mailbox(session, work.cast.workspace_id, "test", PRIYA.email, "graph", MONDAY)
        slip(work)
        keys = [
            server.mailbox(PRIYA.email).deliver(
                headers, MONDAY - (60 - number) * MINUTE, "sentitems" if folder == "sent" else "inbox"
            )
            for number, (folder, headers) in enumerate(priyas_letters())
        ]
        tokens = server.tokens
        app = [tokens.tenant_id, tokens.client_id, tokens.client_secret]
        job = two_polls({"kind": "graph", "address": PRIYA.email, "url": server.url, "app": app})

        def prepare() -> None:
            server.heal()
            server.fail("messages.get", window_refused(), message_ids=[keys[-1]])

        def restart() -> None:
            assert work.read(PRIYA, graph_mailbox(server, work.clock, PRIYA.email)).outcome is Outcome.DONE

        state, statements = die_at_each_statement(work, mortals, job | {"url": database.url}, prepare, restart)
        assert captured(state) == CAPTURED
        assert len(state["sightings"]) == 4
        assert not state["queue"]
        assert statements > 40


def test_7_a_new_partner_whose_mail_is_read_again_and_a_kill_at_any_statement_of_it(
    database: Database, mortals: Mortals
) -> None:
    """The roster's change, the queue that it fills, and the pass that empties it."""
    with office(database) as work:
        work.clock.at = MONDAY - 30 * HOUR
        work.receive(letter("x@newco.example", DANA.email, message_id="before-we-knew"))
        work.send(letter(DANA.email, "x@newco.example", message_id="to-somebody"))
        work.send(letter(DANA.email, "x@hooli.example", message_id="as-ever"))
        work.read()
        slip(work)
        work.receive(letter("y@newco.example", DANA.email, message_id="since"), at=MONDAY - MINUTE)
        job = two_polls(gmail(work, DANA)) | {
            "url": database.url,
            "api_url": work.server.api_url,
            "chunk": 4,
            "polls": [MONDAY.isoformat()],
            "compares": False,
            "roster_at": MONDAY.isoformat(),
            "roster": f"name,tier,owner_email,domains,contacts\nNewco,1,{DANA.email},newco.example,\n",
        }

        def restart() -> None:
            # Whoever imported it and saw no answer imports it again.
            if work.clock.at < LATEST:
                with database.sessions.begin() as session:
                    import_partners(session, work.cast.programme, job["roster"].encode(), work.clock.now())
            assert work.poll(DANA, work.provider(DANA, chunk=4)).outcome is Outcome.DONE

        state, statements = die_at_each_statement(work, mortals, job, work.server.heal, restart)
        assert captured(state) == ["as-ever", "before-we-knew", "since", "to-somebody"]
        assert not state["queue"]
        assert statements > 40


def test_an_import_that_is_killed_at_any_statement_loses_nothing_and_doubles_nothing(
    database: Database, mortals: Mortals, tmp_path: Path
) -> None:
    path = tmp_path / "dana.mbox"
    with path.open("w") as file:
        mails = [headers for label, headers in letters() if label != "DRAFT"]
        mails += [letter(f"friend{number}@home.example", DANA.email) for number in range(5)]
        mails += [letter("x@hooli.example", DANA.email, message_id="last")]
        for number, headers in enumerate(mails):
            at = MONDAY - (60 - number) * MINUTE
            lines = "".join(f"{name}: {value}\n" for name, value in headers.items())
            file.write(
                f"From x@y.example {at:%a %b %d %H:%M:%S %Y}\n{lines}Date: {at:%a, %d %b %Y %H:%M:%S +0000}\n\n\n"
            )
    with office(database) as work:
        slip(work)
        job = {"url": database.url, "now": MONDAY.isoformat(), "mbox": str(path), "page": 4}
        before = photograph(database.engine)

        def life(kill_before: int | None) -> int:
            put_back(database.engine, before)
            ended = mortals.run(job, kill_before)
            if ended:
                capture = Capture(database.sessions, database.reading, work.clock)
                import_mbox(capture, work.cast.programme, work.facts().id, DANA.email, MboxFile(path, page=4))
            return ended

        assert life(None) == 0
        undisturbed = end_state(work, MONDAY)
        assert len(undisturbed["touches"]) == 5
        assert len(undisturbed["seen"]) == len(mails)
        deaths = 0
        while (ended := life(deaths)) != 0:
            assert ended == -SIGKILL
            assert end_state(work, MONDAY) == undisturbed, f"killed before statement {deaths}"
            deaths += 1
        assert deaths > 40
