"""Reads every connected mailbox, round after round, in turns that hold nobody up. It judges and stores nothing itself.

Whose mailbox is read is decided here, by the list in the database alone: a delegation to Google or Microsoft may
reach further. A mailbox that is paused takes no thread. One that is read for the first time, or has much to catch
up on, is read a turn at a time, and rests while its quota fills.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.orm import Session, sessionmaker

from bot import measures
from bot.logs import working_on
from jobs.capture import Capture, Outcome, Report
from jobs.lanes import Lane, Lanes
from jobs.mailbox.base import Mailbox, Page, ProviderError, Unseen
from jobs.mailbox.providers import build_mailbox
from jobs.mailbox.renewal import keep_renewed
from jobs.reconcile import read_mailbox
from models.actions.mailboxes import mark_trouble
from models.clock import Clock
from models.queries.mail import MailboxFacts, mailboxes
from models.queries.programme import Programme
from models.settings import Settings, SettingsError
from models.vault import Vault, VaultError

SHORT = Lane(at_once=8, patience=10.0)  # what is polled
LONG = Lane(at_once=4, patience=60.0)  # what is walked through
TURN = 30.0  # seconds after which a turn ends with the page that was stored
A_MOMENT = 1.0  # seconds: a shorter rest is none
CATCH_UP = timedelta(minutes=10)
LAST_PAGES = 20.0  # seconds that a stop waits for the pages that are being read
log = structlog.get_logger(__name__)

Build = Callable[[MailboxFacts, Settings, Vault, Clock], Mailbox]


class TurnIsOver(Exception):
    """There is more to read, after a rest of so many seconds. What was stored stands."""

    def __init__(self, rest: float) -> None:
        super().__init__(f"rests for {rest:.0f} s")
        self.rest = rest


class Stopping(Exception):
    """Somebody asked Cadence to stop."""


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
        self._settings, self._sessions, self._reading = settings, sessions, reading
        self._vault, self._clock, self._build = vault, clock, build
        self._turn_seconds = turn
        self._lanes = Lanes[int](self._take_turn, short=short, long=long)
        self._programmes: dict[int, Programme] = {}  # of each mailbox
        self._built: dict[int, tuple[tuple[str, str | None, dict[str, Any]], Mailbox]] = {}
        self._stopping = threading.Event()
        self._unread: set[int] | None = None  # mailboxes that were not read yet since the start
        self._waiting_until = clock.now() + CATCH_UP

    def begin(self, programmes: Sequence[Programme]) -> None:
        """Offers every mailbox that may be read now."""
        now, due = self._clock.now(), list[MailboxFacts]()
        for programme in programmes:
            with self._reading() as session:
                boxes = mailboxes(session, programme.workspace_id)
            self._programmes |= {box.id: programme for box in boxes}
            due += [box for box in boxes if _may_be_read(box, now)]
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
        self._stopping.set()
        if not self._lanes.stop(LAST_PAGES):
            log.info("rounds.left_behind")

    def _take_turn(self, mailbox_id: int) -> float | None:
        """A turn at one mailbox, with its facts as they are now; answers for how long it rests, or None: it is read."""
        with working_on("capture", workspace=self._programmes[mailbox_id].workspace_id, mailbox=mailbox_id):
            return self._turn_at(mailbox_id)

    def _turn_at(self, mailbox_id: int) -> float | None:
        rest: float | None = None
        try:
            programme = self._programmes[mailbox_id]
            with self._reading() as session:
                found = mailboxes(session, programme.workspace_id, only=mailbox_id)
            for box in found:
                if _may_be_read(box, self._clock.now()):
                    rest = self._read(programme, box)
        except Stopping:
            log.info("capture.interrupted", mailbox=mailbox_id)
        finally:
            if self._unread is not None and rest is None:
                self._unread.discard(mailbox_id)
        return rest

    def _read(self, programme: Programme, box: MailboxFacts) -> float | None:
        try:
            mailbox = self._mailbox(box)
            rest = _rest_of(mailbox)
            if rest > A_MOMENT:
                return rest
            try:
                turn = _Turn(mailbox, box.provider, time.monotonic() + self._turn_seconds, self._stopping)
                capture = Capture(self._sessions, self._reading, self._clock, turn.after_page)
                report = read_mailbox(capture, programme, box, turn)
            finally:
                keep_renewed(self._sessions, self._vault, box, mailbox)
            if report.outcome is not Outcome.DONE:
                log.warning("capture.stopped", mailbox=box.id, outcome=str(report.outcome), detail=report.detail)
        except TurnIsOver as over:
            return over.rest
        except Stopping:
            raise
        except (ProviderError, SettingsError, VaultError) as error:
            log.warning("capture.not_started", mailbox=box.id, detail=str(error))
            self._mark(box, str(error))
        except (
            Exception
        ) as error:  # one mailbox must never stop the others; the next pass starts from the stored cursor
            log.exception("capture.failed", mailbox=box.id)
            # Its text may quote mail: people get its name, the log the rest.
            self._mark(box, f"Cadence failed while reading it ({type(error).__name__}): its log says where")
        return None

    def _mark(self, box: MailboxFacts, reason: str) -> None:
        with self._sessions.begin() as session:
            mark_trouble(session, box.workspace_id, box.id, "error", reason, self._clock.now())

    def _mailbox(self, box: MailboxFacts) -> Mailbox:
        """The provider's side of a mailbox, kept between passes: it holds the access token and its pace."""
        known = self._built.get(box.id)
        if known is None or known[0] != (box.provider, box.credential, box.options):
            built = self._build(box, self._settings, self._vault, self._clock)
            known = self._built[box.id] = (box.provider, box.credential, box.options), built
        return known[1]


class _Turn:
    """A mailbox during one turn: knows when enough was read, and whether there is more."""

    def __init__(self, mailbox: Mailbox, provider: str, until: float, stopping: threading.Event) -> None:
        self._mailbox, self._provider, self._until, self._stopping = mailbox, provider, until, stopping
        self._more = False
        self._messages = self._touches = 0  # that were stored and counted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._mailbox, name)  # what only some providers have

    def after_page(self, report: Report) -> None:
        """Ends the turn between two pages, when the mailbox has to rest, or others have waited long enough."""
        measures.CAPTURED_MESSAGES.add(self._provider, report.messages - self._messages)
        measures.CAPTURED_TOUCHES.add(self._provider, report.touches - self._touches)
        self._messages, self._touches = report.messages, report.touches
        if self._stopping.is_set():
            raise Stopping
        if not self._more:
            return
        rest = _rest_of(self._mailbox)
        if rest > A_MOMENT or time.monotonic() > self._until:
            raise TurnIsOver(rest)

    def pages(
        self, cursor: str | None, *, since: datetime, last_ok_at: datetime | None, unseen: Unseen
    ) -> Iterator[Page]:
        for page in self._mailbox.pages(cursor, since=since, last_ok_at=last_ok_at, unseen=unseen):
            self._more = not page.last
            yield page

    def fetch(self, provider_ids: Sequence[str]) -> Page:
        self._more = True
        return self._mailbox.fetch(provider_ids)

    def recent(self, since: datetime, unseen: Unseen) -> Iterator[Sequence[str]]:
        return self._mailbox.recent(since, unseen)

    def check(self) -> str:
        return self._mailbox.check()


def _may_be_read(box: MailboxFacts, now: datetime) -> bool:
    return box.provider != "mbox" and not (box.paused_until and box.paused_until > now)


def _rest_of(mailbox: Mailbox) -> float:
    """For how many seconds its quota wants it to rest, where a provider knows that before it is told."""
    rests_for = getattr(mailbox, "rests_for", None)
    return float(rests_for()) if rests_for is not None else 0.0
