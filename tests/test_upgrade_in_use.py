"""Upgrading without a pause: the version before goes on working on a schema that the newer one has brought ahead.

The version before is the code of this repository as it was when its newest step of the schema did not exist yet.
"""

import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import select

from bot.app import EVENTS_PATH
from models.actions.mailboxes import put_mailbox
from models.schema import require_head
from models.tables import AuditEntry, Claim, NextStep, Touch
from models.vault import Vault, new_key
from tests.cast import CHANNEL, DANA, TEAM, Cast, put_cast
from tests.databases import ROOT, Database, alembic_config
from tests.sandbox.gmail.server import GmailServer
from tests.sandbox.slack.server import SlackServer
from tests.sandbox.slack.workspace import Workspace as Stage
from tests.surface import people_in_slack, user
from tests.test_run import PATIENCE, cadence, environment, said

GIT = ("git", "-c", "safe.directory=*", "-C", str(ROOT))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the version before."""
    if shutil.which("git") is None:
        pytest.skip("there is no git here, so the version before cannot be fetched")
    head = ScriptDirectory.from_config(alembic_config("sqlite://")).get_revision("head")
    assert head is not None
    step = Path(head.path).relative_to(ROOT).as_posix()
    found = subprocess.run(
        [*GIT, "log", "--diff-filter=A", "--format=%H", "--", step], capture_output=True, text=True, check=False
    )
    commits = found.stdout.split()
    archive = (
        subprocess.run([*GIT, "archive", f"{commits[-1]}^"], capture_output=True, check=False) if commits else None
    )
    if archive is None or archive.returncode:
        pytest.skip("the history of the repository is not here, so the version before cannot be run")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as tree:
        tree.extractall(folder, filter="data")
    assert not (folder / step).exists()
    return folder


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    stage = Stage("Lantern", manifest=yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8")))
    stage.team_id = stage.bot.team_id = TEAM
    people_in_slack(stage)
    with SlackServer(stage, ack_seconds=10) as server:
        yield server


def test_the_version_before_goes_on_while_the_newer_one_migrates_and_the_newer_one_takes_over(
    database: Database, slack: SlackServer, before: Path
) -> None:
    with database.sessions.begin() as session:
        cast = put_cast(session, observed_until=None)
    database.engine.dispose()
    command.downgrade(alembic_config(database.url), "-1")
    with GmailServer() as gmail:
        key = new_key()
        env = environment(
            database,
            slack,
            SLACK_SIGNING_SECRET=slack.workspace.signing_secret,
            CADENCE_SECRET_KEYS=key,
            GMAIL_API_URL=gmail.api_url,
            CADENCE_POLL_SECONDS="1",
            CADENCE_TICK_SECONDS="1",
        )
        run = ("run", "--host", "127.0.0.1", "--port", "0")
        with cadence(before, env, *run) as old:
            port = said(old, "port ([0-9]+)")[1]
            slack.delivery.request_url = f"http://127.0.0.1:{port}{EVENTS_PATH}"
            assert "Acme" in ask(slack, "overdue")
            migrated = subprocess.run(
                [sys.executable, "-m", "bot", "migrate"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
            )
            assert migrated.returncode == 0, migrated.stderr
            require_head(database.engine)
            work_on(slack, gmail, database, cast, key)
            assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE).ok
            assert old.poll() is None
            old.terminate()
            _, err = old.communicate(timeout=PATIENCE)
            assert "Traceback" not in err, err
        with cadence(ROOT, env, *run) as new:
            port = said(new, "port ([0-9]+)")[1]
            slack.delivery.request_url = f"http://127.0.0.1:{port}{EVENTS_PATH}"
            assert "Send the deck" in ask(slack, "partner Acme")
            gmail.mailbox(DANA.email).deliver(mail("second"), datetime.now(UTC), ["SENT"])
            assert slack.workspace.wait_until(lambda: count(database, Touch) == 2, timeout=PATIENCE)
            new.terminate()
            _, err = new.communicate(timeout=PATIENCE)
            assert "Traceback" not in err, err


def work_on(slack: SlackServer, gmail: GmailServer, database: Database, cast: Cast, key: str) -> None:
    """A claim, a next step and a mail, each written by the version before into what the newer one has made."""
    assert "is yours" in ask(slack, "claim Acme")
    assert "Send the deck" in ask(slack, "next Acme: Send the deck by friday")
    assert (count(database, Claim), count(database, NextStep)) == (1, 1)
    now = datetime.now(UTC)
    gmail.mailbox(DANA.email).deliver(mail("first"), now - timedelta(minutes=1), ["SENT"])
    with database.sessions.begin() as session:
        sealed = Vault((key,)).seal(DANA.email, json.dumps(gmail.authorized_user(DANA.email)))
        put_mailbox(session, cast.workspace_id, "test", DANA.email, "gmail", now, sealed=sealed)
    assert slack.workspace.wait_until(lambda: count(database, Touch) == 1, timeout=PATIENCE)
    with database.reading() as session:
        actions = set(session.scalars(select(AuditEntry.action)))
    assert {"claim", "set next step"} <= actions


def mail(name: str) -> dict[str, str]:
    return {
        "From": DANA.email,
        "To": "wile@acme.example",
        "Message-ID": f"<{name}@lantern.example>",
        "Subject": f"The {name} deck",
    }


def ask(slack: SlackServer, text: str) -> str:
    """What Dana is told."""
    workspace, who = slack.workspace, user(DANA)

    def heard() -> list[Any]:
        return [one for one in workspace.messages(CHANNEL, who) if one.visible_to == who]

    known = len(heard())
    answer = slack.interactions.message(who, CHANNEL, f"/cadence {text}")
    assert answer["ok"], answer
    assert workspace.wait_until(lambda: len(heard()) > known, timeout=PATIENCE), workspace.refused
    return str(heard()[-1].text)


def count(database: Database, table: type[Any]) -> int:
    with database.reading() as session:
        return len(session.scalars(select(table)).all())
