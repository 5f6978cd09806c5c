"""A worker that is killed on purpose: right after Slack took its message, before the row says so.

Run as `python -m tests.outbox_child DATABASE_URL SLACK_API_URL TOKEN WORKSPACE_ID NOW`.
"""

import os
import signal
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, event

from bot.outbox import Outbox, posting_client
from models.db import make_engine, make_sessions


@dataclass
class StandingClock:
    at: datetime

    def now(self) -> datetime:
        return self.at


def die(_connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
    values = parameters.values() if isinstance(parameters, dict) else parameters
    if statement.startswith("UPDATE outbox_post") and "sent" in [str(one) for one in values]:
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    url, api_url, token, workspace_id, now = sys.argv[1:]
    engine = make_engine(url)
    event.listen(engine, "before_cursor_execute", die)
    client = posting_client(token, api_url)
    clock = StandingClock(datetime.fromisoformat(now))
    Outbox(make_sessions(engine), make_sessions(engine, reading=True), client, clock, lambda *_: None).pump(
        int(workspace_id)
    )


if __name__ == "__main__":
    main()
