"""`cadence run` as a process: it starts, answers, says what is wrong in one line, and stops when told."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from sqlalchemy import select

from models import tables
from models.actions.mailboxes import put_mailbox
from models.actions.programme import link_workspace, the_workspace
from models.vault import Vault, new_key
from tests.databases import Database
from tests.sandbox.gmail.server import GmailServer
from tests.sandbox.slack.server import SlackServer
from tests.sandbox.slack.workspace import Workspace

PATIENCE = 30


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with SlackServer(Workspace("Lantern")) as server:
        yield server


def environment(database: Database, slack: SlackServer, **more: str) -> dict[str, str]:
    keep = {name: os.environ[name] for name in ("HOME", "PATH", "PYTHONPATH") if name in os.environ}
    return keep | {
        "CADENCE_DATABASE_URL": database.url,
        "SLACK_BOT_TOKEN": slack.workspace.bot_token,
        "SLACK_API_URL": slack.api_url,
        **more,
    }


@contextmanager
def cadence(folder: Path, env: dict[str, str], *words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "bot", *words]
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """Reads what the process says until the pattern is there."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        found = re.search(pattern, line)
        if found:
            return found
    pytest.fail(f"it never said {pattern!r}, but: {''.join(lines)}")


def test_in_http_mode_it_answers_health_and_metrics_and_stops_on_sigterm(
    database: Database, slack: SlackServer, tmp_path: Path
) -> None:
    pages = {"CADENCE_PUBLIC_URL": "https://cadence.example", "CADENCE_SECRET_KEYS": new_key()}
    google = {"GOOGLE_CLIENT_ID": "1", "GOOGLE_CLIENT_SECRET": "2"}
    env = environment(database, slack, SLACK_SIGNING_SECRET=slack.workspace.signing_secret, **pages, **google)
    with cadence(tmp_path, env, "run", "--host", "127.0.0.1", "--port", "0") as process:
        url = f"http://127.0.0.1:{said(process, 'HTTP on port ([0-9]+)')[1]}"
        assert "Nothing was connected" in requests.get(f"{url}/mailbox/connect?ticket=x", timeout=PATIENCE).text
        assert requests.get(f"{url}/healthz", timeout=PATIENCE).text == "ok\n"
        ready = requests.get(f"{url}/readyz", timeout=PATIENCE)
        assert (ready.status_code, ready.json()["ready"]) == (200, True), ready.text
        metrics = requests.get(f"{url}/metrics", timeout=PATIENCE).text
        assert "cadence_touches 0.0" in metrics
        assert requests.post(f"{url}/slack/events", data="{}", timeout=PATIENCE).status_code == 401
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "Traceback" not in err, err
    assert "Stopped." in err


def test_in_http_mode_it_stops_without_a_word_of_error_while_requests_are_being_answered(
    database: Database, slack: SlackServer, tmp_path: Path
) -> None:
    env = environment(database, slack, SLACK_SIGNING_SECRET=slack.workspace.signing_secret)
    answered = threading.Semaphore(0)

    def ask(url: str) -> None:
        with suppress(requests.RequestException):  # the end, as a client sees it
            while requests.get(f"{url}/metrics", timeout=PATIENCE).ok:
                answered.release()

    with cadence(tmp_path, env, "run", "--host", "127.0.0.1", "--port", "0") as process:
        url = f"http://127.0.0.1:{said(process, 'HTTP on port ([0-9]+)')[1]}"
        asking = [threading.Thread(target=ask, args=(url,)) for _ in range(8)]
        for thread in asking:
            thread.start()
        for _ in range(40):
            assert answered.acquire(timeout=PATIENCE)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
        for thread in asking:
            thread.join()
    assert process.returncode == 0
    assert "Traceback" not in err, err


def test_with_an_app_token_it_connects_by_socket_mode(database: Database, slack: SlackServer, tmp_path: Path) -> None:
    env = environment(database, slack, SLACK_APP_TOKEN=slack.workspace.app_token)
    with cadence(tmp_path, env, "run", "--host", "127.0.0.1", "--health-port", "0") as process:
        url = f"http://127.0.0.1:{said(process, 'metrics: port ([0-9]+)')[1]}"
        said(process, "Socket Mode")
        slack.socket_mode.wait_for_connection()
        assert requests.get(f"{url}/readyz", timeout=PATIENCE).json()["slack"]["says"] == "connected"
        assert 'cadence_job_age_seconds{job="tick"}' in requests.get(f"{url}/metrics", timeout=PATIENCE).text
        assert requests.post(f"{url}/slack/events", timeout=PATIENCE).status_code == 404
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-wrong"}, 1, "Slack refuses SLACK_BOT_TOKEN (invalid_auth)"),
        ({"SLACK_APP_TOKEN": "xapp-wrong"}, 1, "Slack refuses SLACK_APP_TOKEN (invalid_auth)"),
        ({"SLACK_APP_TOKEN": ""}, 2, "set SLACK_APP_TOKEN"),
        ({"SLACK_BOT_TOKEN": ""}, 2, "SLACK_BOT_TOKEN is not set"),
        ({"CADENCE_TIMEZONE": "Mars/Base"}, 2, "CADENCE_TIMEZONE"),
        ({"CADENCE_READ_AT": "monday"}, 2, "CADENCE_READ_AT"),
        ({"CADENCE_DATABASE_URL": "mysql://nowhere"}, 2, "CADENCE_DATABASE_URL"),
        ({"CADENCE_SECRET_KEYS": "not-a-key"}, 2, "CADENCE_SECRET_KEYS"),
        ({"CADENCE_LEADS": "nobody"}, 2, "CADENCE_LEADS"),
        ({"SLACK_API_URL": "http://127.0.0.1:9/api/"}, 1, "cannot reach http://127.0.0.1:9/api/"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_it(
    database: Database, slack: SlackServer, tmp_path: Path, change: dict[str, str], status: int, words: str
) -> None:
    env = environment(database, slack, SLACK_APP_TOKEN=slack.workspace.app_token) | change
    done = subprocess.run(
        [sys.executable, "-m", "bot", "run"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_long_walk_through_a_mailbox_does_not_hold_up_the_end(
    database: Database, slack: SlackServer, tmp_path: Path
) -> None:
    with GmailServer() as gmail:
        box = gmail.mailbox("dana@lantern.example")
        now = datetime.now(UTC)
        for number in range(1500):
            headers = {"From": "news@shop.example", "To": box.address, "Message-ID": f"<{number}@shop.example>"}
            box.deliver(headers, now - timedelta(minutes=number))
        key = new_key()
        with database.sessions.begin() as session:
            sealed = Vault((key,)).seal(box.address, json.dumps(gmail.authorized_user(box.address)))
            workspace_id = the_workspace(session, now)
            mailbox_id = put_mailbox(session, workspace_id, "test", box.address, "gmail", now, sealed=sealed)
        more = {"CADENCE_SECRET_KEYS": key, "GMAIL_API_URL": gmail.api_url, "GMAIL_UNITS_PER_SECOND": "400"}
        env = environment(database, slack, SLACK_APP_TOKEN=slack.workspace.app_token, **more)
        with cadence(tmp_path, env, "run") as process:
            said(process, "Socket Mode")
            while not gmail.calls_of("messages.get"):
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=10)
        assert process.returncode == 0
        assert len(gmail.calls_of("messages.get")) < 1500
    with database.reading() as session:
        assert session.get_one(tables.Mailbox, mailbox_id).last_ok_at is None


def test_a_token_of_another_workspace_is_refused_and_the_programme_stays(
    database: Database, slack: SlackServer, tmp_path: Path
) -> None:
    with database.sessions.begin() as session:
        link_workspace(session, the_workspace(session, datetime.now(UTC)), "T0ELSEWHERE", None)
    env = environment(database, slack, SLACK_APP_TOKEN=slack.workspace.app_token)
    done = subprocess.run(
        [sys.executable, "-m", "bot", "run"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 1
    assert "lives in T0ELSEWHERE" in done.stderr
    with database.reading() as session:
        assert session.scalars(select(tables.Workspace.slack_team_id)).one() == "T0ELSEWHERE"


def test_a_second_bot_on_one_sqlite_file_is_refused_and_other_commands_are_not(
    database: Database, slack: SlackServer, tmp_path: Path
) -> None:
    env = environment(database, slack, SLACK_APP_TOKEN=slack.workspace.app_token)
    with cadence(tmp_path, env, "run") as first:
        said(first, "Socket Mode")
        with cadence(tmp_path, env, "run") as second:
            if database.backend == "postgresql":
                said(second, "Socket Mode")
            else:
                _, err = second.communicate(timeout=PATIENCE)
                assert second.returncode == 1
                assert "another `cadence run` works with" in err
                assert len(err.strip().splitlines()) == 1
        with cadence(tmp_path, env, "tiers") as beside:
            assert "Tier 1" in beside.communicate(timeout=PATIENCE)[0]
        first.kill()
        first.communicate()
        with cadence(tmp_path, env, "run") as next_one:
            said(next_one, "Socket Mode")


def test_a_bot_without_a_worker_needs_postgresql(database: Database, slack: SlackServer, tmp_path: Path) -> None:
    env = environment(database, slack, SLACK_APP_TOKEN=slack.workspace.app_token)
    with cadence(tmp_path, env, "run", "--no-worker") as process:
        if database.backend == "postgresql":
            said(process, "Socket Mode")
            return
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "--no-worker needs PostgreSQL" in err
    assert len(err.strip().splitlines()) == 1


def test_a_worker_needs_postgresql(database: Database, slack: SlackServer, tmp_path: Path) -> None:
    with cadence(tmp_path, environment(database, slack), "worker") as process:
        if database.backend == "postgresql":
            said(process, "A worker reads mailboxes")
            process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
    if database.backend == "postgresql":
        assert (process.returncode, err.strip()) == (0, "Stopped.")
    else:
        assert process.returncode == 1
        assert "a worker needs PostgreSQL" in err
        assert len(err.strip().splitlines()) == 1
