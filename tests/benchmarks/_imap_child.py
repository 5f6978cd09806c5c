"""A process that captures one IMAP mailbox and says how long that took and how much memory it held meanwhile."""

import gc
import json
import sys
import time

from jobs.capture import Capture
from jobs.mailbox.imap import ImapMailbox
from jobs.mailbox.imap_access import access_of
from models.clock import Clock
from models.db import make_engine, make_sessions
from models.queries.mail import MailboxFacts, mailboxes
from models.queries.programme import Programme, programmes
from models.settings import Settings
from tests.benchmarks._mail_file_child import Still, megabytes

CLOCK: Clock = Still()
SECRET = json.dumps({"password": "secret"})


def opened(url: str) -> tuple[Capture, Programme, MailboxFacts]:
    """The one mailbox of a prepared database, ready to be polled."""
    engine = make_engine(url)
    capture = Capture(make_sessions(engine), make_sessions(engine, reading=True), CLOCK)
    with capture.reading() as session:
        [programme] = programmes(session, Settings())
        [box] = mailboxes(session, programme.workspace_id)
    return capture, programme, box


def mailbox_of(box: MailboxFacts) -> ImapMailbox:
    return ImapMailbox(access_of(box.address, SECRET, box.options), clock=CLOCK)


def main(url: str, step: int) -> None:
    gc.freeze()  # as the command line does
    capture, programme, box = opened(url)
    held = [(0, megabytes("VmRSS"))]

    def follow(report: object) -> None:
        done = getattr(report, "messages", 0)
        if done >= held[-1][0] + step:
            held.append((done, megabytes("VmRSS")))

    capture = Capture(capture.sessions, capture.reading, CLOCK, follow)
    started, burnt = time.perf_counter(), time.process_time()
    report = capture.poll(programme, box, mailbox_of(box))
    seconds, burnt = time.perf_counter() - started, time.process_time() - burnt
    if report.outcome != "done":
        raise SystemExit(report.detail)
    figures = {"seconds": seconds, "cpu": burnt, "messages": report.messages, "touches": report.touches}
    print(json.dumps(figures | {"peak": megabytes("VmHWM"), "held": held, "reasons": report.reasons}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
