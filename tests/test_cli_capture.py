"""`cadence capture` over several mailboxes: side by side, told in their order."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from models.vault import new_key
from tests.capture_world import letter
from tests.cast import DANA, MONDAY, PRIYA, TOMAS, put_cast
from tests.command_line import CommandLine
from tests.databases import Database
from tests.sandbox.gmail import GmailServer, hanging

PATIENCE = 20  # seconds after which a test gives up; nothing is measured by it


@pytest.fixture
def gmail() -> Iterator[GmailServer]:
    with GmailServer(now=lambda: MONDAY) as server:
        yield server


@pytest.fixture
def run(database: Database, gmail: GmailServer, tmp_path: Path) -> CommandLine:
    """Three people's mailboxes are connected, a mail from a partner in each."""
    with database.sessions.begin() as session:
        put_cast(session, observed_until=None)
    line = CommandLine(database.url, env={"CADENCE_SECRET_KEYS": new_key(), "GMAIL_API_URL": gmail.api_url})
    for person in (DANA, PRIYA, TOMAS):
        mail = letter("wile@acme.example", person.email)
        gmail.mailbox(person.email).deliver(mail, MONDAY - timedelta(days=1), ["INBOX"])
        token = tmp_path / "token.json"
        token.write_text(json.dumps(gmail.authorized_user(person.email)), encoding="utf-8")
        line("mailbox", "add", "--provider", "gmail", "--address", person.email, "--token-file", str(token))
    gmail.forget_calls()
    return line


def test_a_mailbox_that_does_not_answer_holds_up_only_itself(run: CommandLine, gmail: GmailServer) -> None:
    gate, others = threading.Event(), threading.Event()
    gmail.fail("messages.list", hanging(gate), mailbox=DANA.email, times=None)

    def let_go() -> None:
        for _ in range(PATIENCE * 50):
            if gmail.calls_of("history.list", PRIYA.email) and gmail.calls_of("history.list", TOMAS.email):
                others.set()
                break
            gate.wait(0.02)
        gate.set()

    watching = threading.Thread(target=let_go)
    watching.start()
    reports = run("capture", "--json").json
    watching.join()
    assert others.is_set(), "they were read while Dana's server did not answer"
    assert [(one["address"], one["touches"]) for one in reports] == [
        (person.email, 1) for person in (DANA, PRIYA, TOMAS)
    ]


def test_a_mailbox_that_fails_is_told_and_the_others_are_read(run: CommandLine, gmail: GmailServer) -> None:
    gmail.tokens.revoke(PRIYA.email)
    done = run("capture", status=1)
    assert f"{DANA.email}: 1 message, 1 new touch" in done.out
    assert "needs_auth: Google gives no access" in done.out
    assert f"{TOMAS.email}: 1 message, 1 new touch" in done.out
    assert "1 of 3 mailboxes not read" in done.err


def test_on_a_terminal_each_mailbox_has_its_bar(run: CommandLine) -> None:
    shown = CommandLine(run.url, env=run.env, terminal=True)("capture")
    assert all(f"{person.email}: 1 message" in shown.out for person in (DANA, PRIYA, TOMAS))
