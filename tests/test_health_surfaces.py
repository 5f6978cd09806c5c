"""What cannot be seen is said wherever partners are listed, and a mailbox in trouble is told of once."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from bot.operation import add_operation
from jobs.nudges import notice_transitions
from models.actions import mailboxes
from models.queries.health import health
from models.tables import Mailbox, Nudge, PendingFetch
from tests.cast import ACME, DANA, GLOBEX, INITECH, MONDAY, PRIYA, ROBIN, TOMAS, UMBRELLA, Cast, put_cast
from tests.command_line import At, CommandLine
from tests.databases import Database
from tests.slack_lint import lint_message, said
from tests.surface import Surface, slip, surface

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
BLIND = "Could not be seen: Initech. No mailbox of the owner has synced within 24 hours"


@pytest.fixture
def cast(database: Database) -> Cast:
    """Tomás's mailbox has not been read since the middle of last week, so Initech cannot be judged."""
    with database.sessions.begin() as session:
        cast = put_cast(session, observed_until=MONDAY - 3 * DAY, partners=(ACME, GLOBEX, INITECH, UMBRELLA))
        slip(session, cast)
        for person in (DANA, PRIYA):
            mailboxes.mark_clean(session, cast.mailbox(person), MONDAY - HOUR, MONDAY)
            session.get_one(Mailbox, cast.mailbox(person)).reconciled_at = MONDAY
        mailboxes.mark_trouble(
            session, cast.workspace_id, cast.mailbox(TOMAS), "needs_auth", "consent was withdrawn", MONDAY
        )
        return cast


@pytest.fixture
def at(database: Database, cast: Cast) -> Iterator[Surface]:
    with surface(database, cast=cast) as one:
        yield one


# Partners that cannot be seen


@pytest.mark.parametrize("command", ["overdue", "coverage"])
def test_the_command_line_names_blind_partners_and_the_mailbox_behind_them(
    database: Database, cast: Cast, command: str
) -> None:
    out = " ".join(CommandLine(database.url)(command).out.split())
    assert f"{BLIND}." in out
    assert "The mailbox tomas@lantern.example needs attention: needs consent (consent was withdrawn" in out
    assert "`cadence mailbox add --provider gmail --address tomas@lantern.example`" in out


def test_slack_names_blind_partners_beside_the_overdue_ones(at: Surface) -> None:
    message = at.ask(ROBIN, "overdue")
    words = said(message.blocks)
    assert words.index("*Acme*") < words.index(BLIND)
    assert "The mailbox tomas@lantern.example needs attention" in words
    assert BLIND in message.text
    lint_message(
        {"text": message.text, "blocks": [{k: v for k, v in one.items() if k != "block_id"} for one in message.blocks]}
    )


def test_an_empty_list_claims_nothing_about_partners_that_nobody_saw(at: Surface) -> None:
    words = said(at.ask(TOMAS, "mine").blocks)
    assert "nobody that could be seen waits for a recovery touch" in words
    assert BLIND in words
    assert "tomas@lantern.example needs attention" in words


def test_other_peoples_mailboxes_are_not_in_somebodys_own_list(at: Surface) -> None:
    assert "tomas@" not in said(at.ask(DANA, "mine").blocks)


def test_home_shows_the_own_mailbox_to_its_owner_and_all_to_leads(at: Surface) -> None:
    assert "tomas@lantern.example needs attention" in said(at.home(TOMAS).content["blocks"])
    assert "tomas@lantern.example needs attention" in said(at.home(ROBIN).content["blocks"])
    assert "needs attention" not in said(at.home(DANA).content["blocks"])


# Telling the owner once


def told(database: Database, cast: Cast, days: int) -> int:
    """How many nudges about Tomás's mailbox there are after the sweep of a day."""
    with database.sessions.begin() as session:
        notice_transitions(session, cast.programme, MONDAY + days * DAY)
        return len(session.scalars(select(Nudge).where(Nudge.kind == "mailbox", Nudge.subject.contains("tomas"))).all())


def well(database: Database, cast: Cast, days: int) -> None:
    now, box = MONDAY + days * DAY, cast.mailbox(TOMAS)
    with database.sessions.begin() as session:
        mailboxes.mark_clean(session, box, now - HOUR, now)
        session.get_one(Mailbox, box).reconciled_at = now


def trouble(database: Database, cast: Cast, status: str, days: int) -> None:
    with database.sessions.begin() as session:
        now = MONDAY + days * DAY
        mailboxes.mark_trouble(session, cast.workspace_id, cast.mailbox(TOMAS), status, "no answer", now)


def test_trouble_that_changes_its_face_is_told_once(database: Database, cast: Cast) -> None:
    assert told(database, cast, 0) == 1
    trouble(database, cast, "error", 1)
    assert told(database, cast, 1) == 1
    with database.sessions.begin() as session:
        mailboxes.mark_clean(session, cast.mailbox(TOMAS), MONDAY, MONDAY + 2 * DAY)
        session.add(
            PendingFetch(
                mailbox_id=cast.mailbox(TOMAS),
                provider_id="lost",
                first_at=MONDAY,
                next_at=MONDAY,
                reason="x",
                dead_at=MONDAY,
            )
        )
    assert told(database, cast, 2) == 1, "readable again, and incomplete: it was not well in between"


def test_a_pause_between_two_troubles_is_not_being_well(database: Database, cast: Cast) -> None:
    assert told(database, cast, 0) == 1
    now, box = MONDAY + DAY, cast.mailbox(TOMAS)
    with database.sessions.begin() as session:
        mailboxes.mark_clean(session, box, now - HOUR, now)
        mailboxes.pause_mailbox(session, box, now + HOUR, "too many requests")
    assert told(database, cast, 1) == 1
    trouble(database, cast, "error", 2)
    assert told(database, cast, 2) == 1


def test_trouble_after_being_well_is_told_again(database: Database, cast: Cast) -> None:
    assert told(database, cast, 0) == 1
    for days in (1, 2):
        well(database, cast, days)
        assert told(database, cast, days) == 1
    trouble(database, cast, "error", 3)
    assert told(database, cast, 3) == told(database, cast, 4) == 2
    well(database, cast, 5)
    assert told(database, cast, 5) == 2
    trouble(database, cast, "needs_auth", 6)
    assert told(database, cast, 6) == 3


def test_being_well_is_no_news(database: Database, cast: Cast) -> None:
    told(database, cast, 0)
    well(database, cast, 1)
    told(database, cast, 1)
    with database.reading() as session:
        assert {one.dropped for one in session.scalars(select(Nudge)) if one.kind == "mailbox well"} == {
            "nothing to tell"
        }


# Files


def test_a_mailbox_from_a_file_says_what_the_file_vouches_for(database: Database, cast: Cast, tmp_path: Path) -> None:
    lines = ["From x@y.example Mon Nov 23 08:00:00 2020", f"From: {ROBIN.email}", "To: wile@acme.example"]
    mails = [[*lines, f"Message-ID: <{day}@x.example>", f"Date: {day} 10:00:00 +0000", "", "b", ""] for day in
             ("Tue, 5 May 2020", "Wed, 6 Jan 2021")]  # fmt: skip
    path = tmp_path / "old.mbox"
    path.write_text("\n".join("\n".join(mail) for mail in mails), encoding="utf-8")
    run = CommandLine(database.url)
    run("capture", "--mbox", str(path), "--mailbox", ROBIN.email)
    shown = run("mailbox", "list").out
    assert "never" not in next(line for line in shown.splitlines() if line.startswith(ROBIN.email))
    out = " ".join(shown.split())
    assert "file, until Wed 6 Jan 2021" in out
    assert "robin@lantern.example: filled from a file, mail of 5 May 2020 to 6 Jan 2021" in out
    record = next(one for one in run("mailbox", "list", "--json").json if one["address"] == ROBIN.email)
    assert (record["state"], record["last_ok_at"]) == ("file", None)


# Metrics


def test_metrics_tell_by_provider_what_is_owed_and_name_nobody(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        for number, (dead, missed) in enumerate([(None, False), (None, True), (MONDAY, False)]):
            session.add(
                PendingFetch(
                    mailbox_id=cast.mailbox(DANA),
                    provider_id=str(number),
                    first_at=MONDAY,
                    next_at=MONDAY,
                    reason="x",
                    dead_at=dead,
                    missed=missed,
                )
            )
        mailboxes.put_mailbox(session, cast.workspace_id, "test", ROBIN.email, "imap", MONDAY)
        mailboxes.put_mailbox(session, cast.workspace_id, "test", "file@lantern.example", "mbox", MONDAY)
    web = Flask("test")
    add_operation(web, database.reading, At(MONDAY + HOUR), lambda: True)
    text = web.test_client().get("/metrics").text
    for line in (
        'cadence_pending_fetches{provider="gmail"} 2.0',
        'cadence_dead_fetches{provider="gmail"} 1.0',
        'cadence_gap_messages{provider="gmail"} 1.0',
        'cadence_provider_lag_seconds{provider="gmail"} 3600.0',
        'cadence_unsynced_mailboxes{provider="gmail"} 1.0',
        'cadence_unsynced_mailboxes{provider="imap"} 1.0',
        'cadence_pending_fetches{provider="imap"} 0.0',
        "cadence_sync_lag_seconds 3600.0",
    ):
        assert line in text.splitlines()
    assert 'provider_lag_seconds{provider="imap"}' not in text, "no figure for what was never read"
    assert 'fetches{provider="mbox"}' not in text
    assert "@" not in text
    with database.reading() as session:
        assert health(session, MONDAY + HOUR).oldest_sync_at == MONDAY
