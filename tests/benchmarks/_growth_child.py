"""A process that polls mailboxes without news, one after the other, and says what that took. Run by the area `growth`.

`python -m tests.benchmarks._growth_child URL SETTING=value …`. Each line of its input is a number of rounds over all
mailboxes, or "floor N": N times the provider's one call alone. It answers each with a line of JSON.
"""

import gc
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httplib2
import requests
import structlog
from google_auth_httplib2 import AuthorizedHttp
from sqlalchemy import event

from jobs.mailbox.gmail_api import HISTORY_FIELDS, HISTORY_TYPES, PAGE, calls_of
from jobs.mailbox.gmail_cursor import Cursor
from jobs.mailbox.google_auth import delegated
from jobs.mailbox.graph_message import LISTED
from jobs.mailbox.microsoft_auth import app_only
from jobs.turns import Turns
from models.clock import SystemClock
from models.db import make_engine, make_sessions
from models.queries.mail import MailboxFacts, mailboxes
from models.queries.programme import programmes
from models.settings import Settings, load_settings
from models.vault import Vault
from tests.benchmarks._area import megabytes_of


def main(url: str, *values: str) -> None:
    Settings.model_config["env_file"] = None
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("error"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    settings = load_settings(CADENCE_DATABASE_URL=url, **dict(one.split("=", 1) for one in values))
    engine = make_engine(url)
    reading = make_sessions(engine, reading=True)
    with reading() as session:
        [programme] = programmes(session, settings)
    turns = Turns(settings, make_sessions(engine), reading, Vault(()), SystemClock())
    statements = [0]

    def count(*_: Any) -> None:
        statements[0] += 1

    def boxes() -> list[MailboxFacts]:
        with reading() as session:
            return mailboxes(session, programme.workspace_id)

    ids = [box.id for box in boxes()]
    event.listen(engine, "before_cursor_execute", count)
    gc.collect()
    gc.freeze()
    empty = megabytes_of("VmRSS")
    for line in sys.stdin:
        words, started = line.split(), time.process_time()
        statements[0] = 0
        if words[0] == "floor":
            call = floor_of(boxes()[0], settings)
            started = time.process_time()
            for _ in range(int(words[1])):
                call()
        else:
            for _ in range(int(words[0])):
                for mailbox_id in ids:
                    taken = turns.take(programme, mailbox_id)
                    if not taken.well or taken.rest is not None:
                        raise SystemExit("a poll that should find nothing went wrong")
        took = time.process_time() - started
        grew = megabytes_of("VmHWM") - empty
        print(json.dumps({"cpu": took, "statements": statements[0], "grew": grew}), flush=True)


def floor_of(box: MailboxFacts, settings: Settings) -> Callable[[], object]:
    """The call that a poll cannot do without, with the provider's own client, a new connection each time."""
    if box.provider == "gmail":
        cursor = Cursor.load(box.cursor)
        assert cursor is not None
        assert settings.google_service_account_file is not None
        credentials = delegated(settings.google_service_account_file, box.address)
        history = calls_of(settings.gmail_api_url).history

        def ask_gmail() -> None:
            http = AuthorizedHttp(credentials, http=httplib2.Http())
            history.list(
                userId="me",
                startHistoryId=cursor.history,
                historyTypes=HISTORY_TYPES,
                maxResults=PAGE,
                fields=HISTORY_FIELDS,
            ).execute(http=http)
            http.close()

        ask_gmail()  # a token
        return ask_gmail

    tenant, client, secret = (
        settings.microsoft_tenant_id,
        settings.microsoft_client_id,
        settings.microsoft_client_secret,
    )
    assert tenant is not None
    assert client is not None
    assert secret is not None
    app = app_only(tenant, client, secret.get_secret_value(), settings.microsoft_login_url, settings.graph_api_url)
    query = {
        "$filter": f"receivedDateTime ge {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "$orderby": "receivedDateTime asc",
        "$top": "200",
        "$select": ",".join(LISTED),
    }

    def ask_graph() -> None:
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Authorization": f"Bearer {app.current()}", "Prefer": 'IdType="ImmutableId"'}
            url = f"{settings.graph_api_url}/v1.0/users/{box.address}/messages"
            answer = session.get(url, params=query, headers=headers)
            answer.raise_for_status()
            answer.json()

    ask_graph()
    return ask_graph


if __name__ == "__main__":
    main(*sys.argv[1:])
