"""Reads every connected mailbox, round after round, in turns that hold nobody up. It judges and stores nothing itself.

A mailbox that is paused takes no thread. One that is read for the first time, or has much to catch up on, is read a
turn at a time, and rests while its quota fills. This is one machine's way; many machines have jobs/queue.py.
"""

from collections.abc import Sequence
from datetime import timedelta

import structlog
from sqlalchemy.orm import Session, sessionmaker

from jobs.lanes import Lane, Lanes
from jobs.mailbox.providers import build_mailbox
from jobs.turns import TURN, Build, Turns, may_be_read
from models.clock import Clock
from models.queries.mail import MailboxFacts, mailboxes
from models.queries.programme import Programme
from models.settings import Settings
from models.vault import Vault

SHORT = Lane(at_once=8, patience=10.0)  # what is polled
LONG = Lane(at_once=4, patience=60.0)  # what is walked through
CATCH_UP = timedelta(minutes=10)
LAST_PAGES = 8.0  # seconds that a stop waits for the pages that are being read
log = structlog.get_logger(__name__)


class Rounds:
    """`begin` a round as often as you like: a mailbox that is being read, or rests, is not taken up twice."""

    def __init__(
        self,
        settings: Settings,
        sessions: sessionmaker[Session],
        reading: sessionmaker[Session],
        vault: Vault,
        clock: Clock,
        *,
        build: Build = build_mailbox,
        short: Lane = SHORT,
        long: Lane = LONG,
        turn: float = TURN,
    ) -> None:
        self._reading, self._clock = reading, clock
        self._turns = Turns(settings, sessions, reading, vault, clock, build=build, seconds=turn)
        self._lanes = Lanes[int](self._take_turn, short=short, long=long)
        self._programmes: dict[int, Programme] = {}  # of each mailbox
        self._unread: set[int] | None = None  # mailboxes that were not read yet since the start
        self._waiting_until = clock.now() + CATCH_UP

    def begin(self, programmes: Sequence[Programme]) -> None:
        """Offers every mailbox that may be read now."""
        now, due = self._clock.now(), list[MailboxFacts]()
        for programme in programmes:
            with self._reading() as session:
                boxes = mailboxes(session, programme.workspace_id, ledger=False)
            self._programmes |= {box.id: programme for box in boxes}
            due += [box for box in boxes if may_be_read(box, now)]
        if self._unread is None:
            self._unread = {box.id for box in due}
        for box in due:
            self._lanes.offer(box.id, long=box.last_ok_at is None)

    def caught_up(self) -> bool:
        """Whether every mailbox was read once since the start: after an outage the read would else see nobody's mail.

        A mailbox that takes long, or never answers, holds nothing up for more than a few minutes.
        """
        return self._unread == set() or self._clock.now() >= self._waiting_until

    def stop(self) -> None:
        """Lets what runs finish its page. A server that does not answer is left alone: the next start goes on."""
        self._turns.stop()
        if not self._lanes.stop(LAST_PAGES):
            log.info("rounds.left_behind")

    def _take_turn(self, mailbox_id: int) -> float | None:
        """Answers for how long the mailbox rests, or None: it is read."""
        rest: float | None = None
        try:
            rest = self._turns.take(self._programmes[mailbox_id], mailbox_id).rest
        finally:
            if self._unread is not None and rest is None:
                self._unread.discard(mailbox_id)
        return rest
