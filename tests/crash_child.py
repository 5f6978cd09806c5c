"""A process that is killed on purpose: captures for real, and sends itself SIGKILL right before its n-th statement.

It is forked from a parent that has rehearsed the job and holds no connection and no thread, so that a test can afford
hundreds of deaths. Run as `python -m tests.crash_child`; it reads jobs from its input, one JSON object a line.
"""

import itertools
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, event

from jobs.capture import Capture
from jobs.imports import import_mbox
from jobs.mailbox.base import Mailbox
from jobs.mailbox.gmail import GmailMailbox
from jobs.mailbox.google_auth import consented
from jobs.mailbox.graph import GraphMailbox
from jobs.mailbox.mbox import MboxFile
from jobs.mailbox.microsoft_auth import app_only
from jobs.reconcile import read_mailbox
from jobs.roster.csv import import_partners
from models.db import make_engine, make_sessions
from models.queries import mail as mail_queries
from models.queries.programme import Programme, programmes
from models.settings import Settings
from tests.gmail_world import UNPACED, MovingClock
from tests.imap_world import imap_mailbox


class Doom:
    """Death comes right before statement or commit number `at` of the writing transactions in `hour` blocks, from 0 on.

    A transaction that only looks leaves nothing: to die inside it is to die before the next statement that counts.
    """

    def __init__(self, engine: Engine, at: int) -> None:
        self._numbers, self._at, self._armed = itertools.count(), at, False
        event.listen(engine, "before_cursor_execute", self._step)
        event.listen(engine, "commit", self._step)

    @contextmanager
    def hour(self) -> Iterator[None]:
        self._armed = True
        yield
        self._armed = False

    def _step(self, connection: Connection, *_: object) -> None:
        looking = connection.get_execution_options().get("reading", False)
        if self._armed and not looking and next(self._numbers) == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    Settings.model_config["env_file"] = None
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what is logged must not look like an answer
    engines: dict[str, Engine] = {}
    for line in sys.stdin:
        job = json.loads(line)
        url = job["url"]
        if url not in engines:
            engines[url] = make_engine(url)
        if job["kill_before"] is None:
            # In the parent itself, which then has every library loaded, every statement compiled and no line open.
            work(engines[url], job)
            engines[url].dispose()
            ended = 0
        else:
            child = os.fork()
            if child == 0:
                live(engines[url], job)
            ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(ended, file=answers, flush=True)


def live(engine: Engine, job: dict[str, Any]) -> None:
    try:
        work(engine, job, Doom(engine, job["kill_before"]))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def work(engine: Engine, job: dict[str, Any], doom: Doom | None = None) -> None:
    hour = doom.hour if doom else nullcontext
    clock = MovingClock(datetime.fromisoformat(job["now"]))
    capture = Capture(make_sessions(engine), make_sessions(engine, reading=True), clock)
    with capture.reading() as session:
        [programme] = programmes(session, Settings())
    kind = import_file if "mbox" in job else poll_imap if "imap" in job else poll
    kind(job, capture, programme, clock, hour)


def import_file(
    job: dict[str, Any], capture: Capture, programme: Programme, _: MovingClock, hour: Callable[[], Any]
) -> None:
    with capture.reading() as session:
        [facts] = mail_queries.mailboxes(session, programme.workspace_id)
    with hour():
        import_mbox(capture, programme, facts.id, facts.address, MboxFile(job["mbox"], page=job["page"]))


def poll_imap(
    job: dict[str, Any], capture: Capture, programme: Programme, clock: MovingClock, hour: Callable[[], Any]
) -> None:
    with capture.reading() as session:
        [facts] = mail_queries.mailboxes(session, programme.workspace_id)
    with hour():
        capture.poll(programme, facts, imap_mailbox(job["imap"], clock, facts.address))


def poll(
    job: dict[str, Any], capture: Capture, programme: Programme, clock: MovingClock, hour: Callable[[], Any]
) -> None:
    """Each mailbox at each instant, in this order, by providers that live as long as the process."""
    providers = {one["address"]: provider_of(one, job, clock) for one in job["mailboxes"]}
    for instant in job["polls"]:
        clock.at = datetime.fromisoformat(instant)
        if instant == job.get("roster_at"):
            with hour():
                add_partner(capture, programme, job["roster"])
        for address, provider in providers.items():
            with capture.reading() as session:
                known = mail_queries.mailboxes(session, programme.workspace_id)
            facts = next(one for one in known if one.address == address)
            with hour():
                if job.get("compares"):
                    read_mailbox(capture, programme, facts, provider)
                else:
                    capture.poll(programme, facts, provider)


def provider_of(one: dict[str, Any], job: dict[str, Any], clock: MovingClock) -> Mailbox:
    if one["kind"] == "imap":
        return imap_mailbox(one["port"], clock, one["address"])
    if one["kind"] == "graph":
        tokens = app_only(*one["app"], one["url"], one["url"])
        return GraphMailbox(tokens, one["address"], api_url=one["url"], clock=clock, wait=clock.wait)
    return GmailMailbox(
        consented(json.dumps(one["token"])),
        api_url=job["api_url"],
        clock=clock,
        wait=lambda _: None,
        quota=UNPACED,
        chunk=job["chunk"],
    )


def add_partner(capture: Capture, programme: Programme, csv: str) -> None:
    with capture.sessions.begin() as session:
        import_partners(session, programme, csv.encode(), capture.clock.now())


if __name__ == "__main__":
    main()
