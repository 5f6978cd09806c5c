"""Reads one mailbox: fetch → decide → store, one transaction per page, network outside of it.

A crash at any statement repeats a page at most, and the unique keys absorb the repeat. Nothing here knows a provider.
"""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import structlog
from sqlalchemy.orm import Session, sessionmaker

from jobs.mailbox.base import Mailbox, NeedsAuth, Page, Paused, ProviderError
from models.actions import episodes, hints, mail, mailboxes, touches
from models.actions.forget import hide_forgotten
from models.clock import Clock
from models.matching import Decision, Roster, decide, references_of
from models.message import Message
from models.queries import mail as mail_queries
from models.queries.mail import MailboxFacts
from models.queries.programme import Programme
from models.verdict import Verdict

BACKFILL = timedelta(days=90)
log = structlog.get_logger(__name__)


class Outcome(StrEnum):
    DONE = "done"
    PAUSED = "paused"
    NEEDS_AUTH = "needs_auth"
    ERROR = "error"


@dataclass(slots=True)
class Report:
    """What one pass over one mailbox did, in numbers that add up: every message stands under one reason."""

    address: str
    outcome: Outcome = Outcome.DONE
    detail: str = ""
    messages: int = 0
    touches: int = 0
    failed: int = 0
    reasons: dict[str, int] = field(default_factory=dict)  # "touch", or why there is none → messages

    def count(self, what: str, messages: int = 1) -> None:
        self.messages += messages
        self.reasons[what] = self.reasons.get(what, 0) + messages


@dataclass(frozen=True, slots=True)
class Judged:
    """A page with the decision on each of its messages, and the version of the roster that they rest on."""

    page: Page
    mailbox: str  # its address
    decisions: tuple[Decision, ...]
    roster_version: int


@dataclass(frozen=True, slots=True)
class Capture:
    """One pass over a mailbox. `watch` hears of each stored page: a progress bar, or a test that pulls the plug."""

    sessions: sessionmaker[Session]
    reading: sessionmaker[Session]
    clock: Clock
    watch: Callable[[Report], None] = lambda report: None
    deciding: Callable[..., Decision] = decide
    rosters: dict[int, tuple[int, Roster]] = field(default_factory=dict)  # by programme, with its version

    def poll(self, programme: Programme, facts: MailboxFacts, mailbox: Mailbox) -> Report:
        """Everything new, then the queue of messages that failed before, also when nothing is new."""
        report = Report(facts.address)
        if facts.paused_until and facts.paused_until > self.clock.now():
            report.outcome, report.detail = Outcome.PAUSED, f"paused until {facts.paused_until:%H:%M} UTC"
            return report
        try:
            version = self._walk(programme, facts, mailbox, report)
            self._retry(programme, facts, mailbox, report, version)
        except mail.StaleCursor as stale:
            log.info("capture.overtaken", mailbox=facts.id, detail=str(stale))
        except Paused as pause:
            report.outcome, report.detail = Outcome.PAUSED, str(pause)
            with self.sessions.begin() as session:
                mailboxes.pause_mailbox(session, facts.id, pause.until, str(pause))
        except ProviderError as error:
            report.outcome = Outcome.NEEDS_AUTH if isinstance(error, NeedsAuth) else Outcome.ERROR
            report.detail = str(error)
            with self.sessions.begin() as session:
                mailboxes.mark_trouble(
                    session, programme.workspace_id, facts.id, report.outcome, report.detail, self.clock.now()
                )
        return report

    def decide(self, programme: Programme, address: str, page: Page) -> Judged:
        """Verdict and match of each message of a page. Reads the roster, writes nothing."""
        with self.reading() as session:
            return self._judged(session, programme, address, page)

    def store(
        self,
        session: Session,
        programme: Programme,
        mailbox_id: int,
        judged: Judged,
        report: Report,
        *,
        hinted: bool = True,
    ) -> None:
        """Ledger, touches, queue and recoveries of one page, in the caller's transaction.

        `hinted`: the provider can be asked for these messages again, when the roster knows more partners one day.
        """
        page, now = judged.page, self.clock.now()
        if hints.hold_roster(session, programme.workspace_id) != judged.roster_version:
            judged = self._judged(session, programme, judged.mailbox, page)
        pairs = list(zip((message.provider_id for message in page.messages), judged.decisions, strict=True))
        pairs = hide_forgotten(session, programme.workspace_id, pairs)
        verdicts = [(key, str(one.verdict), one.reason) for key, one in pairs]
        verdicts += [(key, "gone", None) for key in page.gone]
        verdicts += [(key, verdict, verdict) for key, verdict in page.set_aside]
        mail.record_seen(session, mailbox_id, verdicts, now)
        mail.settle_pending(session, mailbox_id, [key for key, _, _ in verdicts])
        mail.record_failed(session, mailbox_id, page.failed, now)
        if hinted:
            hints.record_hints(session, programme.workspace_id, mailbox_id, pairs, now)
        captured = touches.record_touches(session, programme.workspace_id, mailbox_id, pairs, now)
        if captured.partner_ids:
            episodes.reopen_if_voided(session, programme, now)
            episodes.settle_episodes(session, programme, now, captured.partner_ids)
        report.touches += captured.touches
        report.failed += len(page.failed)
        for _, verdict, reason in verdicts:
            report.count(reason or ("touch" if verdict == "human" else verdict))

    def _walk(self, programme: Programme, facts: MailboxFacts, mailbox: Mailbox, report: Report) -> int:
        """Stores what is new; answers the cursor's version after it."""
        version, started_at = facts.cursor_version, self.clock.now()
        pages = mailbox.pages(
            facts.cursor,
            since=started_at - BACKFILL,
            last_ok_at=facts.last_ok_at,
            unseen=lambda provider_ids: self._unseen(facts.id, provider_ids),
        )
        for page in pages:
            judged = self.decide(programme, facts.address, page)
            with self.sessions.begin() as session:
                version = mail.advance_cursor(session, facts.id, version, page.cursor)
                self.store(session, programme, facts.id, judged, report)
                if page.last:
                    observed_from = page.observed_from or facts.last_ok_at or started_at
                    mailboxes.mark_clean(session, facts.id, observed_from, started_at)
            self.watch(report)
        return version

    def _retry(self, programme: Programme, facts: MailboxFacts, mailbox: Mailbox, report: Report, version: int) -> None:
        """What is due now, a page at a time. Nothing is asked for twice in one pass, whatever the provider answers."""
        now, asked = self.clock.now(), set[str]()
        while True:
            with self.reading() as session:
                due = [one for one in mail_queries.due_fetches(session, facts.id, now) if one not in asked]
            if not due:
                return
            asked.update(due)
            page = mailbox.fetch(due)
            judged = self.decide(programme, facts.address, page)
            with self.sessions.begin() as session:
                version = mail.hold_cursor(session, facts.id, version)
                dead = mail.retry_failed(session, facts.id, page.failed, now)
                self.store(session, programme, facts.id, judged, report)
            if dead:
                log.warning("capture.gave_up", mailbox=facts.id, messages=len(dead))
            self.watch(report)

    def _judged(self, session: Session, programme: Programme, address: str, page: Page) -> Judged:
        if not page.messages:  # most polls: the roster may be large, and is not asked for nothing
            return Judged(page, address, (), mail_queries.roster_version(session, programme.workspace_id))
        version, roster = self._roster(session, programme.workspace_id)
        answers = [_references_of(message) for message in page.messages]
        named = {reference for references in answers for reference in references}
        known = mail_queries.known_message_ids(session, programme.workspace_id, named)
        now = self.clock.now()
        decisions = [self._decided(message, roster, address, now, known) for message in page.messages]
        # A mail and the answer to it can lie on one page.
        ours = {one.message_id for one in decisions for touch in one.touches if touch.direction == "outbound"}
        fresh = ours & named - known
        for place, message in enumerate(page.messages):
            if not fresh.isdisjoint(answers[place]):
                decisions[place] = self._decided(message, roster, address, now, known | fresh)
        return Judged(page, address, tuple(decisions), version)

    def _roster(self, session: Session, workspace_id: int) -> tuple[int, Roster]:
        """The roster and its version, which is read before: if it changes in between, storing finds that out."""
        version = mail_queries.roster_version(session, workspace_id)
        if workspace_id not in self.rosters or self.rosters[workspace_id][0] != version:
            self.rosters[workspace_id] = version, mail_queries.roster(session, workspace_id)
        return self.rosters[workspace_id]

    def _decided(
        self, message: Message, roster: Roster, address: str, now: datetime, known: frozenset[str]
    ) -> Decision:
        """One message that nobody has foreseen must not stop its mailbox for ever: it is counted, the rest goes on."""
        try:
            return self.deciding(message, roster, mailbox=address, captured_at=now, known_ids=known)
        except Exception as error:
            # Its words may be the mail's: only the kind and the place are told.
            log.error("capture.undecidable", error=type(error).__name__, place=_place_of(error))
            return Decision(Verdict.UNPARSED, "unreadable", "unparsed: unreadable", message.at or now)

    def _unseen(self, mailbox_id: int, provider_ids: Sequence[str]) -> set[str]:
        with self.reading() as session:
            return mail_queries.unseen(session, mailbox_id, provider_ids)


def _references_of(message: Message) -> tuple[str, ...]:
    try:
        return references_of(message)
    except Exception:  # `_decided` comes upon the same, and tells of it
        return ()


def _place_of(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"
