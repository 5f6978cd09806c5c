"""What `Rounds` is for one machine: mailboxes are offered to every machine's workers, of which this process may be one.

Any number of processes may offer. Which mailbox is due is asked of the database, so together they offer no more often.
"""

from collections.abc import Sequence
from datetime import timedelta

import structlog
from sqlalchemy.orm import Session, sessionmaker

from jobs.queue import offer
from jobs.rounds import CATCH_UP
from jobs.worker import Worker
from models.clock import Clock
from models.queries.programme import Programme
from models.queries.queue import due_mailboxes, hold_places, is_unread
from models.settings import Settings
from models.vault import Vault

AT_ONCE = 500  # jobs that one transaction offers
log = structlog.get_logger(__name__)


class Fleet:
    """`begin` as often as you like. The worker of this process starts with the first time."""

    def __init__(
        self,
        settings: Settings,
        sessions: sessionmaker[Session],
        reading: sessionmaker[Session],
        vault: Vault,
        clock: Clock,
        *,
        worker: bool = True,
    ) -> None:
        self._sessions, self._reading, self._clock = sessions, reading, clock
        self._every = timedelta(seconds=settings.poll_seconds * 0.9)  # with the time until it is looked at, the whole
        self._worker = Worker(settings, sessions, reading, vault, clock) if worker else None
        self._workspaces: list[int] | None = None
        self._started_at, self._caught_up = clock.now(), False
        self._stopping = False

    def begin(self, programmes: Sequence[Programme]) -> None:
        """Offers every mailbox that is due and has no job."""
        if self._stopping:
            return
        if self._worker is not None and not self._worker.started:
            self._worker.start()
        self._workspaces = [one.workspace_id for one in programmes]
        while True:
            now = self._clock.now()
            with self._sessions.begin() as session:
                hold_places(session)
                dues = due_mailboxes(session, self._workspaces, now, now - self._every, AT_ONCE)
                offer(session, dues)
            if len(dues) < AT_ONCE:
                return

    def caught_up(self) -> bool:
        """Whether every mailbox was read since the start, or shortly before it; see `Rounds.caught_up`."""
        now = self._clock.now()
        if not self._caught_up and self._workspaces is not None:
            with self._reading() as session:
                since = self._started_at - self._every
                self._caught_up = not is_unread(session, self._workspaces, now, since)
        return self._caught_up or now >= self._started_at + CATCH_UP

    def stop(self) -> None:
        """Lets what this process reads finish its page. A server that does not answer is left alone."""
        self._stopping = True
        if self._worker is not None and not self._worker.stop():
            log.info("rounds.left_behind")
