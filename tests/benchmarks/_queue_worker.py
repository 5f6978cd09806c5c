"""A worker process of the queue benchmark: the product's own, with mailboxes that answer late and have no news.

`python -m tests.benchmarks._queue_worker URL LATENCY CONCURRENCY`. It says "ready", then each poll as a line with the
mailbox and the second at which it began, until its input ends.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import structlog

from jobs.mailbox.base import Page, Unseen
from jobs.worker import Worker
from models.clock import SystemClock
from models.db import make_engine, make_sessions
from models.queries.mail import MailboxFacts
from models.settings import Settings, load_settings
from models.vault import Vault


class Quiet:
    """A mailbox without news."""

    def __init__(self, mailbox_id: int, latency: float) -> None:
        self._mailbox_id, self._latency = mailbox_id, latency

    def pages(
        self, cursor: str | None, *, since: datetime, last_ok_at: datetime | None, unseen: Unseen
    ) -> Iterator[Page]:
        # One clock for all processes of a machine; one write, because many threads speak.
        sys.stdout.write(f"{self._mailbox_id} {time.monotonic():.3f}\n")
        sys.stdout.flush()
        time.sleep(self._latency)
        yield Page("1", last=True)

    def fetch(self, provider_ids: Sequence[str]) -> Page:
        return Page("1", last=True)

    def recent(self, since: datetime, unseen: Unseen) -> Iterator[Sequence[str]]:
        yield from ()

    def check(self) -> str:
        return ""


def main(url: str, latency: str, concurrency: str) -> None:
    Settings.model_config["env_file"] = None
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    engine = make_engine(url)

    def build(facts: MailboxFacts, *_: Any) -> Quiet:
        return Quiet(facts.id, float(latency))

    worker = Worker(
        load_settings(CADENCE_DATABASE_URL=url),
        make_sessions(engine),
        make_sessions(engine, reading=True),
        Vault(()),
        SystemClock(),
        concurrency=int(concurrency),
        build=build,
    )
    worker.start()
    print("ready", flush=True)
    sys.stdin.read()
    worker.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
