"""What `cadence run` writes to its log, with every provider's library at work: no token, no address, no word of a mail.

Under the configuration of our own the libraries' debug lines, which hold all of that, are not written.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.actions.mailboxes import put_mailbox
from models.actions.programme import the_workspace
from models.queries.mail import mailboxes
from models.vault import Vault, new_key
from tests.cast import DANA, PRIYA, TOMAS
from tests.databases import Database
from tests.privacy_world import STRANGER, TOPIC, assert_nothing_left, mails
from tests.sandbox.gmail import GmailServer
from tests.sandbox.gmail.faults import Fault
from tests.sandbox.graph import GraphServer
from tests.sandbox.imap import ImapStandIn
from tests.sandbox.slack.server import SlackServer
from tests.sandbox.slack.workspace import Workspace
from tests.test_run import PATIENCE, cadence, environment, said

QUOTE = f"cannot handle '{TOPIC} {STRANGER}' of {STRANGER}@home.example"
LIBRARIES = (
    *("urllib3.connectionpool", "requests", "googleapiclient.discovery", "googleapiclient.model", "google.auth"),
    *("google_auth_httplib2", "httplib2", "msal.application", "msal.token_cache", "imapclient.imaplib", "imaplib"),
    *("sqlalchemy.engine.Engine", "slack_bolt.App", "slack_sdk.web.base_client"),
)
CHILD = f"""
import logging
from bot.cli.logs import log_to_stderr
loggers = [logging.getLogger(name) for name in {LIBRARIES!r}]
log_to_stderr()
import googleapiclient.http, imapclient, jobs.mailbox.gmail, jobs.mailbox.graph, jobs.mailbox.imap, msal, requests
for one in loggers:
    for level in (logging.DEBUG, logging.INFO):
        assert not one.isEnabledFor(level), (one, level)
        one.log(level, "secret-token")
"""


def test_the_libraries_debug_lines_are_not_written() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_running_cadence_logs_no_token_no_address_and_no_word_of_a_mail(database: Database, tmp_path: Path) -> None:
    now, key, password = datetime.now(UTC), new_key(), "pfeffer und salz 93"
    with (
        SlackServer(Workspace("Lantern")) as slack,
        GmailServer() as gmail,
        GraphServer() as graph,
        ImapStandIn() as imap,
    ):
        graph.mailbox(PRIYA.email)
        imap.passwords = {password}
        secrets = {
            (DANA.email, "gmail"): json.dumps(gmail.authorized_user(DANA.email)),
            (PRIYA.email, "graph"): json.dumps(graph.tokens.consent(PRIYA.email)),
            (TOMAS.email, "imap"): json.dumps({"password": password}),
        }
        for number, (headers, label) in enumerate(mails()):
            at = now - timedelta(hours=number + 1)
            broken = [gmail.mailbox(DANA.email).deliver(headers, at, [label])]
            graph.mailbox(PRIYA.email).deliver(headers, at, "sentitems" if label == "SENT" else "inbox")
            imap.deliver(headers, at)
        gmail.fail("messages.get", Fault(400, "invalidArgument", QUOTE), message_ids=broken, times=None)
        graph.fail("messages.get", Fault(400, "ErrorInvalidRequest", QUOTE), times=2)
        imap.faults.garbles = {1}
        server = {"host": "127.0.0.1", "port": imap.port, "tls": False}
        with database.sessions.begin() as session:
            workspace_id = the_workspace(session, now)
            for (address, provider), secret in secrets.items():
                sealed, options = Vault((key,)).seal(address, secret), server if provider == "imap" else {}
                put_mailbox(session, workspace_id, "test", address, provider, now, sealed=sealed, options=options)
        env = environment(database, slack, SLACK_APP_TOKEN=slack.workspace.app_token) | {
            "CADENCE_SECRET_KEYS": key,
            "GMAIL_API_URL": gmail.api_url,
            "GRAPH_API_URL": graph.url,
            "MICROSOFT_LOGIN_URL": graph.url,
        }

        def read() -> bool:
            with database.reading() as session:
                return all(box.last_ok_at for box in mailboxes(session, workspace_id))

        with cadence(tmp_path, env, "run") as process:
            said(process, "Socket Mode")
            wait_for(read)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        given = [str(value) for secret in secrets.values() for value in json.loads(secret).values()]
        tokens = [slack.workspace.bot_token, slack.workspace.app_token, key]
    addresses = [person.email for person in (DANA, PRIYA, TOMAS)]
    assert_nothing_left({"log": f"{out}{err}".lower()}, STRANGER, TOPIC, *given, *tokens, *addresses)


def wait_for(true: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > until:
            pytest.fail("the mailboxes were not read")
        time.sleep(0.1)
