"""Imports a mail file into a mailbox. Reading the same file twice, or a mailbox that is polled as well, adds nothing.

Needs no Slack and no token: it is how somebody tries Cadence on the own mail.
"""

from datetime import datetime

from jobs.capture import Capture, Report
from jobs.mailbox.base import ProviderError
from jobs.mailbox.mbox import MboxFile
from models.actions import mailboxes
from models.queries.programme import Programme


def import_mbox(capture: Capture, programme: Programme, mailbox_id: int, address: str, file: MboxFile) -> Report:
    """Every message of the file, page by page; a killed import goes on at its checkpoint."""
    report = Report(address)
    with capture.sessions.begin() as session:
        row = mailboxes.import_of(session, mailbox_id, file.identity)
        import_id, cursor = row.id, row.cursor
    now = capture.clock.now()
    for page in file.pages(cursor, since=datetime.min.replace(tzinfo=now.tzinfo), last_ok_at=None, unseen=set):
        judged = capture.decide(programme, address, page)
        times = [message.at for message in page.messages if message.at and message.at <= now]
        try:
            with capture.sessions.begin() as session:
                mailboxes.advance_import(
                    session, import_id, page.cursor, min(times, default=None), max(times, default=None)
                )
                capture.store(session, programme, mailbox_id, judged, report, hinted=False)
                if page.last:
                    mailboxes.finish_import(session, programme.workspace_id, import_id, capture.clock.now())
        except mailboxes.MailboxRemoved:
            raise ProviderError(f"{address} was disconnected meanwhile: nothing more of the file is stored") from None
        capture.watch(report)
    return report
