"""`cadence mailbox add --consent`, from the question to the last page in the browser, on both databases."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot.cli.common import Failure
from bot.cli.loopback import IDLE, Loopback
from bot.views.consent import connected, refused
from models.tables import Mailbox
from models.vault import new_key
from tests.capture_world import everything, letter
from tests.cast import DANA, MONDAY, PRIYA, put_cast
from tests.command_line import CommandLine
from tests.consent_person import Person, gmail_environment, graph_environment
from tests.databases import ROOT, Database
from tests.sandbox.gmail import GmailServer
from tests.sandbox.graph import GraphServer

HOUR = timedelta(hours=1)


@dataclass(slots=True)
class MovingTime:
    at: Any = MONDAY

    def __call__(self) -> Any:
        return self.at


@dataclass(frozen=True)
class Place:
    """A provider's stand-in with the mailboxes of two people, and the command line beside it."""

    provider: str
    server: Any
    run: CommandLine
    database: Database
    time: MovingTime

    def receive(self, subject: str) -> None:
        headers = letter("wendy@acme-mail.example", DANA.email, subject)
        where = ["INBOX"] if self.provider == "gmail" else "inbox"
        self.server.mailbox(DANA.email).deliver(headers, self.time.at, where)

    def add(self, person: Person | None = None, *more: str, status: int = 0) -> str:
        """Connects Dana's mailbox by consent; answers what the terminal says, without the link."""
        command = ("mailbox", "add", "--provider", self.provider, "--address", DANA.email, "--consent", *more)
        said = replace(self.run, browser=person)(*command, status=status)
        if person is not None:
            person.wait()
        return said.out + re.sub(r"http://\S+\?\S+", "LINK", said.err)

    def at(self, later: timedelta) -> "Place":
        self.time.at = MONDAY + later
        return replace(self, run=replace(self.run, now=MONDAY + later))

    def stored(self) -> int:
        with self.database.reading() as session:
            return len(session.scalars(select(Mailbox.id).where(Mailbox.credential.is_not(None))).all())


@pytest.fixture(params=["gmail", "graph"])
def place(request: pytest.FixtureRequest, database: Database) -> Iterator[Place]:
    with database.sessions.begin() as session:
        put_cast(session, observed_until=None)
    time = MovingTime()
    with GmailServer(now=time) if request.param == "gmail" else GraphServer(now=time) as server:
        for person in (DANA, PRIYA):
            server.mailbox(person.email)
        settings = gmail_environment(server) if isinstance(server, GmailServer) else graph_environment(server)
        run = CommandLine(database.url, env={"CADENCE_SECRET_KEYS": new_key(), **settings})
        yield Place(request.param, server, run, database, time)


def test_a_person_connects_the_own_mailbox_in_the_browser(place: Place) -> None:
    person = Person()
    said = place.add(person)
    assert "dana@lantern.example is connected" in said
    assert "it belongs to dana@lantern.example" in said
    page = person.read_page()
    assert page.startswith("Cadence: dana@lantern.example is connected")
    for words in ("headers", "of mail with partners", "never", "the text of a mail, and attachments"):
        assert words in page
    assert person.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in person.headers["Content-Security-Policy"]
    assert place.run("mailbox", "check").out == "✓ dana@lantern.example: answers\n"
    with place.database.reading() as session:
        stored = everything(session)
    for secret in place.server.tokens._consents:
        assert secret not in stored
        assert secret not in said


def test_17_after_consent_was_withdrawn_and_given_again_nothing_is_lost(place: Place) -> None:
    place.add(Person())
    place.receive("before")
    [first] = place.run("capture", "--json").json
    assert (first["messages"], first["touches"]) == (1, 1)
    cursor = _cursor(place)
    place.server.tokens.revoke(DANA.email)
    gap = place.at(5 * HOUR)
    for number in range(3):
        gap.receive(f"in the gap {number}")
    gap.run("capture", status=1)
    [listed] = gap.run("mailbox", "list", "--json").json
    assert (listed["status"], listed["state"]) == ("needs_auth", "needs consent")
    command = f"`cadence mailbox add --provider {place.provider} --address dana@lantern.example --consent`"
    assert f"“Connect a mailbox” on Home in Slack or {command} connects it again" in listed["action"]
    assert _cursor(place) == cursor
    later = place.at(30 * HOUR)
    assert "dana@lantern.example is connected" in later.add(Person())
    assert _cursor(place) == cursor
    later.receive("after")
    [second] = later.run("capture", "--json").json
    assert second["touches"] == 4
    assert len(later.run("touches", "--json").json) == 5
    [listed] = later.run("mailbox", "list", "--json").json
    assert (listed["status"], listed["gap"]) == ("active", 0)


def test_a_declined_consent_stores_nothing_and_tells_terminal_and_browser(place: Place) -> None:
    person = Person(decision="decline")
    said = place.add(person, status=1)
    assert "the consent was declined" in said
    page = person.read_page()
    assert "is not connected" in page
    assert "The consent was declined" in page
    assert "Nothing was stored" in page
    assert place.stored() == 0


def test_somebody_elses_consent_stores_nothing(place: Place) -> None:
    person = Person(signed_in=PRIYA.email)
    said = place.add(person, status=1)
    assert "start again" in said.splitlines()[-1]
    assert "dana@lantern.example" in said.splitlines()[-1]
    assert "administrator" not in said
    assert "is not connected" in person.read_page()
    assert place.stored() == 0


def test_an_answer_with_another_state_stores_nothing(place: Place) -> None:
    person = Person(instead="state=of-somebody-else&code=theirs")
    assert "another question" in place.add(person, status=1)
    assert "Nothing was stored" in person.read_page()
    assert not place.server.calls_of("token")
    assert place.stored() == 0


def test_a_missing_key_or_client_is_told_before_anybody_is_asked(place: Place) -> None:
    person = Person()
    env = dict(place.run.env or {})
    client = "GOOGLE_CLIENT_SECRET" if place.provider == "gmail" else "MICROSOFT_CLIENT_ID"
    for setting in ("CADENCE_SECRET_KEYS", client):
        run = replace(place.run, env={name: value for name, value in env.items() if name != setting})
        said = replace(place, run=run).add(person, status=2)
        assert setting in said
        assert said.count("\n") == 1
    assert not person.asked


def test_a_mailbox_that_is_connected_already_is_told_before_anybody_is_asked(place: Place) -> None:
    place.add(Person())
    person = Person()
    assert "is connected already" in place.add(person, status=1)
    assert not person.asked


def test_a_consent_that_was_withdrawn_a_moment_ago_can_be_given_again_at_once(place: Place) -> None:
    """No pass has met with it yet, so the mailbox still counts as active."""
    place.add(Person())
    place.run("capture")
    cursor = _cursor(place)
    place.server.tokens.revoke(DANA.email)
    checked = place.run("mailbox", "check", status=1).out
    assert f"`cadence mailbox add --provider {place.provider} --address {DANA.email} --consent` connects it" in checked
    assert "is connected" in place.add(Person())
    assert _cursor(place) == cursor
    assert place.run("mailbox", "check").out == "✓ dana@lantern.example: answers\n"


def test_a_taken_port_is_told_before_anybody_is_asked(place: Place) -> None:
    person = Person()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = place.add(person, "--port", port, status=1)
    assert f"port {port} of this machine cannot be listened on (Address already in use)" in said
    assert "--port" in said
    assert not person.asked
    assert "is connected" in place.add(person, "--port", port)
    assert port in person.asked["redirect_uri"]


def test_an_app_in_testing_is_told_with_the_day_on_which_its_consents_end(place: Place) -> None:
    if place.provider != "gmail":
        assert "ends this consent" not in place.add(Person())
        return
    place.server.tokens.in_testing = True
    assert "Google ends this consent on 2026-11-30" in place.add(Person())


def test_options_that_do_not_go_together_are_wrong_use(place: Place) -> None:
    for more in (("--token-file", "x"), ("--host", "x")):
        place.add(None, *more, status=2)
    add = ("mailbox", "add", "--address", DANA.email)
    assert "--consent" in place.run(*add, "--provider", place.provider, "--no-browser", status=2).err
    assert "gmail and graph" in place.run(*add, "--provider", "imap", "--consent", status=2).err
    assert "imap" in place.run(*add, "--provider", place.provider, "--port", "99", status=2).err


@pytest.mark.parametrize("pasted", ["", "hello\n", "http://127.0.0.1:50000/\n", "http://[\n"])
def test_what_is_pasted_must_be_the_address_of_the_last_page(place: Place, pasted: str) -> None:
    command = ("mailbox", "add", "--provider", place.provider, "--address", DANA.email, "--consent", "--no-browser")
    said = place.run(*command, stdin=pasted.encode(), status=2)
    assert "not the address at which the browser ended" in said.err
    assert place.stored() == 0


def test_on_a_machine_without_a_browser_the_last_address_is_pasted(place: Place, tmp_path: Path) -> None:
    """The command itself, as a server's terminal runs it: the question is read from what it prints."""
    command = [sys.executable, "-m", "bot", "mailbox", "add", "--provider", place.provider, "--address", DANA.email]
    environment = {"CADENCE_DATABASE_URL": place.database.url, "PYTHONPATH": str(ROOT), **(place.run.env or {})}
    with subprocess.Popen(
        [*command, "--consent", "--no-browser"],
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        link = next(line for line in process.stderr if line.startswith("http")).strip()
        process.stdin.write(Person().answer(link) + "\n")
        process.stdin.close()
        said, told = process.stdout.read(), process.stderr.read()
    assert process.returncode == 0, told
    assert "dana@lantern.example is connected" in said
    assert place.run("mailbox", "check").out == "✓ dana@lantern.example: answers\n"


def test_nobody_waits_for_ever() -> None:
    with Loopback() as here, pytest.raises(Failure, match=r"nobody answered within .* minutes.*--no-browser"):
        here.caller(0.01)


def test_a_silent_connection_keeps_nobody_from_answering() -> None:
    with (
        Loopback() as here,
        socket.create_connection(("127.0.0.1", here.port)),
        socket.create_connection(("127.0.0.1", here.port)) as browser,
    ):
        browser.sendall(b"GET /?state=s&code=c HTTP/1.1\r\nHost: x\r\n\r\n")
        caller = here.caller(IDLE / 2)
        assert caller.answer == {"state": "s", "code": "c"}
        caller.show("<p>done")
        assert browser.makefile("rb").read().endswith(b"<p>done")


def test_the_last_page_loads_nothing_and_shows_foreign_text_as_text() -> None:
    shown = refused("<b>@x", "Google said <script>alert(1)</script>.")
    assert "<script" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;." in shown
    for page in (shown, connected("gmail", "a@b.example"), connected("graph", "a@b.example")):
        assert not re.search(r"<(script|img|link|iframe)|src=|@import|url\(", page)


def _cursor(place: Place) -> str | None:
    with place.database.reading() as session:
        return session.scalars(select(Mailbox.cursor)).one()
