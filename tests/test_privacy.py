"""What is nobody's business is nowhere: a mailbox of marked mail is captured, then everything it leaves is searched.

Markers stand in addresses, display names, subjects, Message-IDs and bodies. Searched are every column of every table,
every log at debug level, what was printed, and every request on the wire.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from jobs.capture import Capture, Outcome
from jobs.imports import import_mbox
from jobs.mailbox.google_auth import consented
from jobs.mailbox.mbox import MboxFile
from models.actions import hints, mailboxes
from models.tables import Bounce, SeenHint
from models.vault import Vault, new_key
from tests.capture_world import Office, office
from tests.cast import DANA, MONDAY, PRIYA
from tests.databases import Database
from tests.gmail_world import provider
from tests.privacy_world import BODY, STRANGER, TOPIC, assert_nothing_left, every_value, listening, mails
from tests.sandbox.gmail import broken_json, gone, invalid_grant, server_error

DAY = timedelta(days=1)


@pytest.fixture
def heard() -> Iterator[list[str]]:
    with listening() as lines:
        yield lines


@pytest.fixture
def work(database: Database) -> Iterator[Office]:
    with office(database, (DANA, PRIYA)) as made:
        yield made


def traces(work: Office, heard: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Where something could have been left, in lower case."""
    stored = every_value(work.database)
    printed = capsys.readouterr()
    return {"database": stored.lower(), "log": "\n".join(heard).lower(), "output": (printed.out + printed.err).lower()}


def test_mail_of_strangers_and_all_subjects_leave_no_trace_whatever_goes_wrong(
    work: Office, heard: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    work.read()  # from here on the history tells, also of spam, which no listing shows
    keys = [work.receive(headers, label=label) for headers, label in mails()]
    work.server.fail("messages.get", server_error(), message_ids=keys[:2], times=None)
    work.server.fail("messages.get", broken_json(), message_ids=keys[2:4])
    work.server.fail("messages.get", gone(), message_ids=keys[4:5])
    for _ in range(3):
        work.read()
        work.clock.at += timedelta(hours=13)
    work.server.heal()
    work.store().expire_history()
    work.clock.at += DAY
    assert work.read().outcome is Outcome.DONE
    assert {one[3] for one in work.touches()} == {"to-acme@lantern.example", "from-acme@a.example"}
    assert set(keys) == set(work.ledger())
    assert any("sqlalchemy" in line for line in heard), "the ear hears libraries"
    assert_nothing_left(traces(work, heard, capsys), STRANGER, TOPIC)


def test_no_request_asks_for_a_body(work: Office) -> None:
    for headers, label in mails():
        work.receive(headers, label=label)
    for _ in range(2):
        work.read()
        work.clock.at += DAY
    asked = work.server.calls_of("messages.get")
    assert len(asked) > len(mails()) - 3
    for call in asked:
        assert call.params is not None
        assert call.params["format"] in (["metadata"], ["minimal"])
        assert not {"snippet", "body", "raw", "parts"} & set(str(call.params["fields"]).replace("/", ",").split(","))
    assert not [call for call in work.server.calls if "attachments" in call.path or "q" in (call.params or {})]


def test_a_file_of_mail_leaves_no_more_than_a_mailbox(
    work: Office, heard: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    parts = []
    for number, (headers, label) in enumerate(mails()):
        at = MONDAY - timedelta(hours=number + 1)
        shown = {"Date": f"{at:%a, %d %b %Y %H:%M:%S +0000}", "X-Gmail-Labels": label.capitalize()} | headers
        lines = [f"{name}: {value}" for name, value in shown.items()]
        parts.append(
            "\n".join([f"From {STRANGER}@x.example Mon Nov 23 08:00:00 2026", *lines, "", BODY, TOPIC, "", ""])
        )
    path = tmp_path / "mail.mbox"
    path.write_text("".join(parts), encoding="utf-8")
    engine = Capture(work.database.sessions, work.database.reading, work.clock)
    report = import_mbox(engine, work.cast.programme, work.facts().id, DANA.email, MboxFile(path))
    assert report.messages == len(parts)
    assert len(work.touches()) == 2
    assert_nothing_left(traces(work, heard, capsys), STRANGER, TOPIC, BODY)


def test_no_token_is_stored_logged_or_told_in_clear(
    work: Office, heard: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file, key = work.server.authorized_user(DANA.email), new_key()
    vault = Vault((key,))
    with work.database.sessions.begin() as session:
        mailboxes.remove_mailbox(session, work.cast.workspace_id, "test", work.facts().id, MONDAY, purge=False)
        sealed = vault.seal(DANA.email, json.dumps(file))
        mailboxes.put_mailbox(session, work.cast.workspace_id, "test", DANA.email, "gmail", MONDAY, sealed=sealed)
    for withdrawn in (False, True):
        credentials = consented(vault.open(DANA.email, work.facts().credential or ""))
        if withdrawn:
            work.server.fail("token", invalid_grant(), times=None)
        else:
            granted = credentials
        report = work.read(mailbox=provider(work.server, work.clock, credentials))
    assert report.outcome is Outcome.NEEDS_AUTH
    assert granted.token
    assert_nothing_left(
        traces(work, heard, capsys), file["refresh_token"], file["client_secret"], key, str(granted.token)
    )


def test_what_is_hashed_of_mail_is_forgotten_after_ninety_days(work: Office) -> None:
    for headers, label in mails():
        work.receive(headers, label=label)
    work.read()

    def hashed() -> list[int]:
        with work.database.reading() as session:
            return [len(session.scalars(select(table.at)).all()) for table in (SeenHint, Bounce)]

    for days, left in ((89, True), (2, False)):
        work.clock.at += days * DAY
        with work.database.sessions.begin() as session:
            hints.forget_hints(session, work.clock.at)
        assert [count > 0 for count in hashed()] == [left, left]
    assert len(work.ledger()) == len(mails()) - 1, "all but spam, which no first walk lists"
    assert len(work.touches()) == 2
