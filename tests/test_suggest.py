"""`cadence suggest`: who is not on the roster but writes with us, against the stand-in Gmail and real files."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from models.tables import Mailbox
from models.vault import new_key
from tests.capture_world import everything, letter
from tests.cast import DANA, MONDAY, put_cast
from tests.command_line import CommandLine
from tests.databases import Database
from tests.sandbox.gmail import GmailServer, gone, too_many_requests

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Desk:
    """Dana's connected mailbox, and the command line beside it."""

    database: Database
    gmail: GmailServer
    run: CommandLine

    def letters(self, other: str, *, ours: int, theirs: int, until: datetime = MONDAY - DAY, **more: str) -> None:
        """Mail with somebody: so many of ours and of theirs, each on a day of its own."""
        store = self.gmail.mailbox(DANA.email)
        for number in range(ours):
            store.deliver(letter(DANA.email, other, **more), until - 2 * number * DAY, ["SENT"])
        for number in range(theirs):
            store.deliver(letter(other, DANA.email, **more), until - (2 * number + 1) * DAY, ["INBOX"])

    def named(self, *options: str) -> list[str | None]:
        return [one["domain"] for one in self.run("suggest", "--json", *options).json]

    def stored(self) -> str:
        with self.database.reading() as session:
            return everything(session).lower()


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Iterator[Desk]:
    with GmailServer(now=lambda: MONDAY) as gmail:
        with database.sessions.begin() as session:
            put_cast(session, observed_until=None)
        gmail.mailbox(DANA.email)
        token = tmp_path / "token.json"
        token.write_text(json.dumps(gmail.authorized_user(DANA.email)), encoding="utf-8")
        run = CommandLine(database.url, env={"CADENCE_SECRET_KEYS": new_key(), "GMAIL_API_URL": gmail.api_url})
        run("mailbox", "add", "--provider", "gmail", "--address", DANA.email, "--token-file", str(token))
        yield Desk(database, gmail, run)


def test_it_names_organisations_with_regular_mail_both_ways_and_keeps_no_name(desk: Desk) -> None:
    desk.letters("ana@newco.example", ours=4, theirs=4)
    desk.letters("bo@mail.smallco.co.uk", ours=2, theirs=3)
    desk.letters("one@once.example", ours=1, theirs=1)
    desk.letters("us@oneway.example", ours=9, theirs=0)
    desk.letters("them@otherway.example", ours=0, theirs=9)
    desk.letters("friend@gmail.com", ours=5, theirs=5)
    desk.letters("bob@lantern.example", ours=5, theirs=5)
    desk.letters("wile@acme.example", ours=5, theirs=5)
    desk.letters("colleague-of-wendy@acme-mail.example", ours=5, theirs=5)
    desk.letters("robot@tool.example", ours=5, theirs=5, Auto_Submitted="auto-generated")
    desk.letters("past@old.example", ours=5, theirs=5, until=MONDAY - 120 * DAY)
    desk.run("capture")
    desk.gmail.forget_calls()
    before = desk.stored()
    assert desk.run("suggest", "--json").json == [
        {
            "domain": "newco.example",
            "days_we_wrote": 4,
            "days_they_wrote": 4,
            "last_on": "2026-11-22",
            "mailboxes": [DANA.email],
        },
        {
            "domain": "smallco.co.uk",
            "days_we_wrote": 2,
            "days_they_wrote": 3,
            "last_on": "2026-11-22",
            "mailboxes": [DANA.email],
        },
    ]
    assert {call.method for call in desk.gmail.calls} <= {"messages.get", "batch", "token"}
    assert len(desk.gmail.calls_of("messages.get", DANA.email)) == 2, "one message each"
    assert desk.stored() == before
    assert not [word for word in ("newco", "smallco", "once.", "oneway", "otherway", "robot") if word in before]


def test_who_enters_the_roster_is_suggested_no_more(desk: Desk, tmp_path: Path) -> None:
    desk.letters("ana@newco.example", ours=3, theirs=3)
    desk.letters("bo@other.example", ours=3, theirs=3)
    desk.run("capture")
    assert sorted(map(str, desk.named())) == ["newco.example", "other.example"]
    said = desk.run("partners", "import", "-", stdin=partners("Newco,,,eu.newco.example,"))
    assert "6 messages of the last 90 days read again" in said.err
    assert desk.named() == ["other.example"]
    desk.run("partners", "import", "-", stdin=partners("Other,,,,bo@other.example"))
    assert desk.named() == []


def partners(*lines: str) -> bytes:
    return "\n".join(["name,tier,owner_email,domains,contacts", *lines]).encode()


def test_the_most_regular_come_first_and_the_rest_is_counted(desk: Desk) -> None:
    for number in range(2, 7):
        desk.letters(f"x@org{number}.example", ours=number, theirs=number)
    desk.run("capture")
    said = desk.run("suggest", "--limit", "2", "--csv")
    assert [line.partition(",")[0] for line in said.out.splitlines()] == ["domain", "org6.example", "org5.example"]
    assert "3 more" in said.err


def test_a_message_that_is_gone_is_made_up_for_by_the_next_one(desk: Desk) -> None:
    desk.letters("ana@newco.example", ours=3, theirs=3)
    newest = desk.gmail.mailbox(DANA.email).deliver(letter(DANA.email, "ana@newco.example"), MONDAY, ["SENT"])
    desk.run("capture")
    desk.gmail.fail("messages.get", gone(), message_ids=[newest], times=None)
    assert desk.named() == ["newco.example"]


def test_without_an_answer_it_says_how_many_there_are_and_why_they_have_no_name(desk: Desk) -> None:
    desk.letters("ana@newco.example", ours=3, theirs=3)
    desk.letters("bo@other.example", ours=3, theirs=3)
    desk.run("capture")
    desk.gmail.tokens.revoke(DANA.email)
    said = desk.run("suggest")
    assert "2 organisations with regular mail both ways" in said.out
    assert "2 organisations cannot be named" in said.err
    assert DANA.email in said.err
    assert desk.named() == [None, None]


def test_a_mailbox_that_asks_for_patience_gets_it(desk: Desk) -> None:
    desk.letters("ana@newco.example", ours=3, theirs=3)
    desk.run("capture")
    with desk.database.sessions.begin() as session:
        session.scalars(select(Mailbox)).one().paused_until = MONDAY + DAY
    desk.gmail.forget_calls()
    assert desk.named() == [None]
    assert not desk.gmail.calls


def test_a_file_is_looked_into_and_not_stored(desk: Desk, tmp_path: Path) -> None:
    at = datetime(2019, 5, 20, 9, tzinfo=MONDAY.tzinfo)
    mails = []
    for number in range(3):
        mails += [
            (letter(DANA.email, "ana@newco.example"), at - 2 * number * DAY),
            (letter("bo@eu.newco.example", DANA.email), at - (2 * number + 1) * DAY),
            (letter(DANA.email, "x@early.example"), at - (200 + 2 * number) * DAY),
            (letter("x@early.example", DANA.email), at - (201 + 2 * number) * DAY),
            (letter(DANA.email, "wile@acme.example"), at),
        ]
    path = tmp_path / "old.mbox"
    path.write_text(
        "".join(
            "\n".join(
                ["From x@y.example Mon Nov 23 08:00:00 2026"]
                + [f"{name}: {value}" for name, value in headers.items()]
                + [f"Date: {day:%a, %d %b %Y %H:%M:%S +0000}", "", "body", "", ""]
            )
            for headers, day in mails
        ),
        encoding="utf-8",
    )
    before = desk.stored()
    assert desk.named("--mbox", str(path), "--mailbox", DANA.email) == ["newco.example"]
    assert desk.stored() == before
    desk.run("capture", "--mbox", str(path), "--mailbox", "vera@lantern.example")
    said = desk.run("suggest")
    assert "--mbox FILE --mailbox vera@lantern.example" in said.err
    assert "newco" not in desk.stored()


def test_a_file_and_its_owner_go_together(desk: Desk, tmp_path: Path) -> None:
    assert "whose mail is it?" in desk.run("suggest", "--mbox", str(tmp_path), status=2).err
    assert "whose mail is it?" in desk.run("suggest", "--mailbox", DANA.email, status=2).err
    assert "Regular means" in desk.run("suggest").out


def test_a_pause_that_is_asked_for_now_is_kept(desk: Desk) -> None:
    desk.letters("ana@newco.example", ours=3, theirs=3)
    desk.run("capture")
    until = MONDAY + timedelta(minutes=20)
    for method in ("batch", "messages.get"):
        desk.gmail.fail(method, too_many_requests(until=until), times=None)
    assert desk.named() == [None]
    with desk.database.reading() as session:
        assert session.scalars(select(Mailbox.paused_until)).one() == until
