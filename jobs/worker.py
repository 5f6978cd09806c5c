"""Works off the queue of mailboxes: the only place that runs procrastinate. PostgreSQL only.

1. A worker reads each queue in places of its own, so many turns at once; each turn has a thread.
2. When a turn ends and there is more to read, or its provider said when to come again, the mailbox gets its next job.
3. A worker that dies or freezes is missed after five of its heartbeats. Whichever worker lives finds its jobs by
   procrastinate's lookup of stalled jobs, and puts them back. Should the frozen one come back, then the version of
   the mailbox's cursor refuses what it wants to store.
4. Whatever becomes of the connection, a worker begins anew: what it left behind is rescued like a dead one's.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Sequence

import psycopg
import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Status
from procrastinate.manager import JobManager
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from jobs.mailbox.providers import build_mailbox
from jobs.queue import QUEUES, TURN, offer_again
from jobs.turns import TURN as TURN_SECONDS
from jobs.turns import Build, Turns
from models.clock import Clock
from models.db import libpq_url
from models.queries.mail import mailboxes
from models.queries.programme import programme as the_programme
from models.queries.queue import Due
from models.settings import Settings
from models.vault import Vault

CONCURRENCY = 8
HEARTBEAT = 2.0  # seconds
MISSED = 5  # heartbeats after which a worker is taken for dead
LOOK_SECONDS = 1.0  # between two looks at the queue; a new job is told of at once
DRAIN = 7.0  # seconds that a stop waits for the pages that are being read
AGAIN_SECONDS = 1.0  # after the connection was lost
UPKEEP = "upkeep"
log = structlog.get_logger(__name__)


class _Jobs(JobManager):
    """Tells the database that a job is done until it hears it: else the job would run for ever, and nobody runs it."""

    async def finish_job_by_id_async(self, job_id: int, status: Status, delete_job: bool) -> None:
        while True:
            try:
                return await super().finish_job_by_id_async(job_id, status, delete_job)
            except ConnectorException as error:
                if not isinstance(error.__cause__, psycopg.OperationalError):
                    log.info("worker.overtaken", job=job_id)  # it was rescued from us meanwhile
                    return None
                await asyncio.sleep(AGAIN_SECONDS)


class Worker:
    """`start` it, `stop` it. Several in one process or in many share the work."""

    def __init__(
        self,
        settings: Settings,
        sessions: sessionmaker[Session],
        reading: sessionmaker[Session],
        vault: Vault,
        clock: Clock,
        *,
        concurrency: int = CONCURRENCY,
        queues: Sequence[str] = QUEUES,
        heartbeat: float = HEARTBEAT,
        build: Build = build_mailbox,
        turn: float = TURN_SECONDS,
        drain: float = DRAIN,
    ) -> None:
        self._settings, self._sessions, self._reading, self._clock = settings, sessions, reading, clock
        self._turns = Turns(settings, sessions, reading, vault, clock, build=build, seconds=turn)
        self._concurrency, self._queues, self._heartbeat = concurrency, queues, heartbeat
        self._drain = drain
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._ready, self._stopping = threading.Event(), False

    @property
    def started(self) -> bool:
        return self._thread.ident is not None

    def start(self) -> None:
        # They tell with tracebacks, job by job, what is one line here: that the database is away.
        for noisy in ("procrastinate", "psycopg.pool"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        self._thread.start()
        self._ready.wait()

    def stop(self, patience: float = DRAIN + 2.0) -> bool:
        """Lets each turn finish its page; answers whether all have. A server that does not answer is left alone."""
        self._stopping = True
        self._turns.stop()
        if not self.started:
            return True
        if self._loop is not None and self._stopped is not None:
            with contextlib.suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        places = [*((queue, self._concurrency) for queue in self._queues), (UPKEEP, 1)]
        connector = PsycopgConnector()
        pool = AsyncConnectionPool(
            libpq_url(self._settings.database_url),
            min_size=1,
            max_size=len(places) + 4,  # each listens by a connection of its own
            timeout=DRAIN,
            check=AsyncConnectionPool.check_connection,
            open=False,
            name="worker",
        )
        await pool.open()
        await connector.open_async(pool)
        reading, upkeep = self._app(connector), self._upkeep(connector)
        serving = [
            asyncio.create_task(self._serve(upkeep if queue == UPKEEP else reading, queue, at_once))
            for queue, at_once in places
        ]
        await self._stopped.wait()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await pool.close(timeout=1.0)

    async def _serve(self, app: App, queue: str, at_once: int) -> None:
        """One of procrastinate's workers after another: it ends when its connection does.

        One that is told to end while it begins does so without a word, and then there is no other.
        """
        while not self._stopping:
            try:
                await app.run_worker_async(
                    queues=[queue],
                    name=queue,
                    concurrency=at_once,
                    fetch_job_polling_interval=LOOK_SECONDS,
                    shutdown_graceful_timeout=self._drain,
                    delete_jobs="always",  # what became of a mailbox stands in its row
                    install_signal_handlers=False,
                    update_heartbeat_interval=self._heartbeat,
                    stalled_worker_timeout=self._heartbeat * MISSED,
                )
            except (ConnectorException, psycopg.Error) as error:
                log.warning("worker.no_database", queue=queue, error=type(error.__cause__ or error).__name__)
            if not self._stopping:
                await asyncio.sleep(AGAIN_SECONDS)

    def _app(self, connector: PsycopgConnector) -> App:
        app = App(connector=connector)
        app.job_manager = _Jobs(connector)

        @app.task(name=TURN)
        async def turn(mailbox_id: int, workspace_id: int) -> None:
            await _in_thread(lambda: self._take(mailbox_id, workspace_id))

        return app

    def _upkeep(self, connector: PsycopgConnector) -> App:
        app = App(connector=connector, periodic_defaults={"max_delay": 60})
        app.job_manager = _Jobs(connector)
        jobs, dead_after = app.job_manager, self._heartbeat * MISSED

        @app.periodic(cron=f"* * * * * */{max(1, round(self._heartbeat))}")
        @app.task(name="cadence.rescue", queue=UPKEEP, queueing_lock="rescue")
        async def rescue(timestamp: int) -> None:
            for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=dead_after):
                try:
                    await jobs.retry_job(job)
                    log.warning("worker.rescued", task=job.task_name, job=job.id, **job.task_kwargs)
                except UniqueViolation:  # its mailbox waits again already
                    await jobs.finish_job(job, Status.ABORTED, delete_job=True)
                except ConnectorException:  # somebody else has rescued it
                    log.info("worker.rescued_by_another", job=job.id)
            await jobs.prune_stalled_workers(dead_after)

        return app

    def _take(self, mailbox_id: int, workspace_id: int) -> None:
        """One turn at one mailbox, and the job for its next one where its provider or its size asks for it."""
        try:
            self._take_and_go_on(mailbox_id, workspace_id)
        except OperationalError as error:  # the mailbox stays due, and is offered again
            log.warning("worker.no_database", mailbox=mailbox_id, error=type(error.orig).__name__)
        except Exception:
            log.exception("worker.failed", mailbox=mailbox_id)

    def _take_and_go_on(self, mailbox_id: int, workspace_id: int) -> None:
        with self._reading() as session:
            programme = the_programme(session, self._settings, workspace_id)
        if programme.access_lost:
            return
        taken = self._turns.take(programme, mailbox_id)
        if taken.well and taken.rest is None and not taken.interrupted:
            return
        with self._reading() as session:
            found = mailboxes(session, workspace_id, only=mailbox_id, ledger=False)
        for box in found:
            if taken.interrupted:
                seconds = 0.0 if self._stopping else AGAIN_SECONDS
            elif taken.rest is not None:
                seconds = taken.rest
            elif box.paused_until is not None and box.paused_until > self._clock.now():
                seconds = (box.paused_until - self._clock.now()).total_seconds()
            else:
                seconds = float(self._settings.poll_seconds)
            walks = box.last_ok_at is None or not taken.well or taken.rest is not None
            offer_again(self._sessions, Due(mailbox_id, workspace_id, box.provider, walks), seconds)


async def _in_thread(work: Callable[[], None]) -> None:
    """In a thread that nobody has to wait for at the end: a pool's would be waited for, whatever it hangs at."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell(error: Exception | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        failed: Exception | None = None
        try:
            work()
        except Exception as error:
            failed = error
        with contextlib.suppress(RuntimeError):  # the worker has stopped without us
            loop.call_soon_threadsafe(tell, failed)

    threading.Thread(target=run, name="turn", daemon=True).start()
    await done
