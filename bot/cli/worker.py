"""`cadence worker`: one more process that reads mailboxes, until SIGTERM or Ctrl-C. Needs no Slack."""

import os
import signal
import sys
import threading
from types import FrameType

import click

from bot.cli.common import Desk, Failure, note, pass_desk
from bot.logs import log_to_stderr

KINDS = ("polls-gmail", "polls-graph", "polls-imap", "walks")


@click.command()
@click.option(
    "--concurrency", type=click.IntRange(1, 64), default=8, show_default=True, help="Turns at once in each queue."
)
@click.option("--queues", metavar="NAMES", help=f"Only these, comma separated, of {', '.join(KINDS)}.")
@click.option(
    "--heartbeat",
    type=click.FloatRange(0.2, 60),
    default=2.0,
    show_default=True,
    help="Seconds between two signs of life; the same for every worker. Five missed ones mean that it is dead.",
)
@pass_desk
def worker(desk: Desk, concurrency: int, queues: str | None, heartbeat: float) -> None:
    """Read mailboxes beside `cadence run`, on as many machines as wanted. PostgreSQL only."""
    named = [one.strip() for one in queues.split(",")] if queues is not None else list(KINDS)
    if unknown := [one for one in named if one not in KINDS]:
        raise click.BadParameter(f"'{unknown[0]}' is none of {', '.join(KINDS)}", param_hint="--queues")
    if desk.engine.dialect.name != "postgresql":
        raise Failure(
            "a worker needs PostgreSQL: on SQLite `cadence run` reads the mailboxes itself; "
            "set CADENCE_DATABASE_URL to a postgresql:// address to use more machines"
        )
    from jobs.worker import Worker

    log_to_stderr(desk.settings.secrets)
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    working = Worker(
        desk.settings,
        desk.sessions,
        desk.reading,
        desk.vault,
        desk.clock,
        concurrency=concurrency,
        queues=named,
        heartbeat=heartbeat,
    )
    working.start()
    note(f"A worker reads mailboxes: {', '.join(named)}. Ctrl-C stops it.")
    stopping.wait()
    if not working.stop():
        note("Stopped; a page that was not finished is read again by another worker.")
        sys.stderr.flush()
        os._exit(0)
    note("Stopped.")
