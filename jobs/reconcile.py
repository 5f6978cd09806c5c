"""One pass over a mailbox, and once a day the proof: what the provider lists, compared with what was dealt with.

Must not delete anything: a message that is no longer listed stays a touch. What is missing goes the ordinary way,
through the queue, so that nothing here fetches, judges or stores a message.
"""

from datetime import datetime, timedelta

import structlog

from jobs.capture import Capture, Outcome, Report
from jobs.mailbox.base import Mailbox, Paused, ProviderError
from models.actions import mail, mailboxes, reconciliation
from models.queries import mail as mail_queries
from models.queries.mail import MailboxFacts
from models.queries.programme import Programme
from models.queries.reconciliation import Unsettled, unsettled

EVERY = timedelta(days=1)
BACK = timedelta(hours=48)
log = structlog.get_logger(__name__)


def read_mailbox(capture: Capture, programme: Programme, facts: MailboxFacts, mailbox: Mailbox) -> Report:
    """Everything new; after a clean pass, once a day, the comparison and what it found missing."""
    report = capture.poll(programme, facts, mailbox)
    lacking = getattr(mailbox, "lacking", None)  # of providers with folders: the words are for people
    if report.outcome is Outcome.DONE and lacking != facts.lacking:
        with capture.sessions.begin() as session:
            mailboxes.note_lacking(session, facts.id, lacking)
    if report.outcome is Outcome.DONE and is_due(facts, capture.clock.now()):
        reconcile(capture, programme, facts, mailbox, report)
    return report


def is_due(facts: MailboxFacts, now: datetime) -> bool:
    compared = facts.reconciled_at
    return compared is None or now - compared >= EVERY or compared > now  # a clock that ran ahead was put right


def reconcile(
    capture: Capture, programme: Programme, facts: MailboxFacts, mailbox: Mailbox, report: Report
) -> Unsettled | None:
    """Compares and repairs; answers what was unsettled, or None when it could not be compared now."""
    try:
        found = _unsettled(capture, facts.id, _listed(capture, facts.id, mailbox))
        if found.missing or found.unsure:
            # What came between the reading and the listing is merely new: read once more before we call it missing.
            if not _poll(capture, programme, facts.id, mailbox, report):
                return None
            found = _unsettled(capture, facts.id, [*found.missing, *found.unsure])
        with capture.sessions.begin() as session:
            mail.hold_cursor(session, facts.id, _facts(capture, programme, facts.id).cursor_version)
            reconciliation.reconciled(session, programme.workspace_id, facts.id, found, capture.clock.now())
    except mail.StaleCursor as stale:
        log.info("reconcile.overtaken", mailbox=facts.id, detail=str(stale))
        return None
    except Paused as pause:
        with capture.sessions.begin() as session:
            mailboxes.pause_mailbox(session, facts.id, pause.until, str(pause))
        return None
    except ProviderError as error:  # tried again after the next pass, which tells of lasting trouble
        log.warning("reconcile.failed", mailbox=facts.id, detail=str(error))
        return None
    if found.missing:
        log.warning("reconcile.missed", mailbox=facts.id, messages=len(found.missing))
    if found.missing or found.unsure or facts.dead:
        _poll(capture, programme, facts.id, mailbox, report)
    return found


def _listed(capture: Capture, mailbox_id: int, mailbox: Mailbox) -> list[str]:
    """The ids of the last two days that the ledger has no final verdict for."""

    def unseen(provider_ids: list[str]) -> set[str]:
        with capture.reading() as session:
            return mail_queries.unseen(session, mailbox_id, provider_ids)

    pages = mailbox.recent(capture.clock.now() - BACK, lambda provider_ids: unseen(list(provider_ids)))
    return list(dict.fromkeys(key for page in pages for key in page))


def _unsettled(capture: Capture, mailbox_id: int, provider_ids: list[str]) -> Unsettled:
    with capture.reading() as session:
        return unsettled(session, mailbox_id, provider_ids)


def _poll(capture: Capture, programme: Programme, mailbox_id: int, mailbox: Mailbox, report: Report) -> bool:
    """Another ordinary pass, counted in the same report; answers whether it went well."""
    more = capture.poll(programme, _facts(capture, programme, mailbox_id), mailbox)
    report.outcome, report.detail = more.outcome, more.detail
    report.touches += more.touches
    report.failed += more.failed
    for what, messages in more.reasons.items():
        report.count(what, messages)
    return more.outcome is Outcome.DONE


def _facts(capture: Capture, programme: Programme, mailbox_id: int) -> MailboxFacts:
    with capture.reading() as session:
        [box] = mail_queries.mailboxes(
            session, programme.workspace_id, with_removed=True, only=mailbox_id, ledger=False
        )
    return box
