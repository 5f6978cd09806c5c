"""Reads one mailbox for as long as a turn lasts: what both engines do, threads on one machine and jobs on many.

Whose mailbox is read is decided by the list in the database alone: a delegation to Google or Microsoft may reach
further. Nothing here decides who is next, nor judges or stores a message.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from bot import measures
from bot.logs import working_on
from jobs.capture import Capture, Outcome, Report
from jobs.mailbox.base import Mailbox, Page, ProviderError, Unseen
from jobs.mailbox.providers import build_mailbox
from jobs.mailbox.renewal import keep_renewed
from jobs.reconcile import read_mailbox
from models.actions.mailboxes import mark_trouble
from models.clock import Clock
from models.matching import Roster
from models.queries.mail import MailboxFacts, mailboxes
from models.queries.programme import Programme
from models.settings import Settings, SettingsError
from models.vault import Vault, VaultError

TURN = 30.0  # seconds after which a turn ends with the page that was stored
A_MOMENT = 1.0  # seconds: a shorter rest is none
KEEPS = 3600.0  # seconds for which a mailbox is kept that nobody reads: so long an access token is good
log = structlog.get_logger(__name__)

Build = Callable[[MailboxFacts, Settings, Vault, Clock], Mailbox]


class TurnIsOver(Exception):
    """There is more to read, after a rest of so many seconds. What was stored stands."""

    def __init__(self, rest: float) -> None:
        super().__init__(f"rests for {rest:.0f} s")
        self.rest = rest


class Stopping(Exception):
    """Somebody asked Cadence to stop."""


@dataclass(frozen=True, slots=True)
class Taken:
    """How a turn ended. `rest`: there is more to read, after so many seconds; None: it is read, or cannot be now."""

    rest: float | None = None
    well: bool = True  # its provider answered
    interrupted: bool = False  # Cadence was asked to stop, or its database went away


@dataclass(slots=True)
class _Built:
    made_of: tuple[str, str | None, dict[str, Any]]
    mailbox: Mailbox
    used_at: float = 0.0


class Turns:
    """Takes a turn at one mailbox after the other, in as many threads as one likes; never two at one mailbox."""

    def __init__(
        self,
        settings: Settings,
        sessions: sessionmaker[Session],
        reading: sessionmaker[Session],
        vault: Vault,
        clock: Clock,
        *,
        build: Build = build_mailbox,
        seconds: float = TURN,
        keeps: float = KEEPS,
    ) -> None:
        self._settings, self._sessions, self._reading = settings, sessions, reading
        self._vault, self._clock, self._build, self._seconds, self._keeps = vault, clock, build, seconds, keeps
        self._built: OrderedDict[int, _Built] = OrderedDict()  # the one that was read longest ago first
        self._lock = threading.Lock()
        self._rosters: dict[int, tuple[int, Roster]] = {}  # of each programme, as `Capture` keeps them
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Turns that go on end with the page that they are at."""
        self._stopping.set()

    def take(self, programme: Programme, mailbox_id: int) -> Taken:
        """A turn at one mailbox, with its facts as they are now."""
        with working_on("capture", workspace=programme.workspace_id, mailbox=mailbox_id):
            return self._take(programme, mailbox_id)

    def _take(self, programme: Programme, mailbox_id: int) -> Taken:
        try:
            with self._reading() as session:
                found = mailboxes(session, programme.workspace_id, only=mailbox_id, ledger=False)
            for box in found:
                if may_be_read(box, self._clock.now()):
                    return self._read(programme, box)
        except Stopping:
            log.info("capture.interrupted", mailbox=mailbox_id)
            return Taken(interrupted=True)
        return Taken()

    def _read(self, programme: Programme, box: MailboxFacts) -> Taken:
        try:
            mailbox = self._mailbox(box)
            rest = _rest_of(mailbox)
            if rest > A_MOMENT:
                return Taken(rest)
            try:
                turn = _Turn(mailbox, box.provider, time.monotonic() + self._seconds, self._stopping)
                parts = self._sessions, self._reading, self._clock
                capture = Capture(*parts, turn.after_page, rosters=self._rosters)
                report = read_mailbox(capture, programme, box, turn)
            finally:
                keep_renewed(self._sessions, self._vault, box, mailbox)
            if report.outcome is Outcome.DONE:
                return Taken()
            log.warning("capture.stopped", mailbox=box.id, outcome=str(report.outcome), detail=report.detail)
        except TurnIsOver as over:
            return Taken(over.rest)
        except Stopping:
            raise
        except OperationalError as error:  # the database went away, and comes back: no fault of the mailbox
            log.warning("capture.no_database", mailbox=box.id, error=type(error.orig).__name__)
            return Taken(interrupted=True)
        except (ProviderError, SettingsError, VaultError) as error:
            log.warning("capture.not_started", mailbox=box.id, detail=str(error))
            self._mark(box, str(error))
        except (
            Exception
        ) as error:  # one mailbox must never stop the others; the next pass starts from the stored cursor
            log.exception("capture.failed", mailbox=box.id)
            # Its text may quote mail: people get its name, the log the rest.
            self._mark(box, f"Cadence failed while reading it ({type(error).__name__}): its log says where")
        return Taken(well=False)

    def _mark(self, box: MailboxFacts, reason: str) -> None:
        with self._sessions.begin() as session:
            mark_trouble(session, box.workspace_id, box.id, "error", reason, self._clock.now())

    def _mailbox(self, box: MailboxFacts) -> Mailbox:
        """The provider's side of a mailbox, kept between passes: it holds the access token and its pace."""
        made_of, now = (box.provider, box.credential, box.options), time.monotonic()
        with self._lock:
            while self._built and now - next(iter(self._built.values())).used_at > self._keeps:
                self._built.popitem(last=False)
            known = self._built.pop(box.id, None)
        if known is None or known.made_of != made_of:
            known = _Built(made_of, self._build(box, self._settings, self._vault, self._clock))
        known.used_at = now
        with self._lock:
            self._built[box.id] = known
        return known.mailbox


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


def may_be_read(box: MailboxFacts, now: datetime) -> bool:
    return box.provider != "mbox" and not (box.paused_until and box.paused_until > now)


def _rest_of(mailbox: Mailbox) -> float:
    """For how many seconds its quota wants it to rest, where a provider knows that before it is told."""
    rests_for = getattr(mailbox, "rests_for", None)
    return float(rests_for()) if rests_for is not None else 0.0
