"""A process that reads or imports one mail file and says how much memory that took. Run by the area `mbox`.

`read FILE` loads the reader alone; `import FILE DATABASE` all that an import needs.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks._mail_file import OWNER

EVER = datetime(1970, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
STEP = 5_000  # messages between two looks at what is held

Follow = Callable[[int], None]
Work = Callable[[Follow], tuple[int, int]]  # answers messages and touches


class Still:
    def now(self) -> datetime:
        return NOW


def megabytes(name: str) -> float:
    """VmHWM, the most that this process ever held, or VmRSS, what it holds; elsewhere than on Linux only the first."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines[name].split()[0]) / 1024


def reader(path: str) -> Work:
    from jobs.mailbox.mbox import MboxFile

    def work(follow: Follow) -> tuple[int, int]:
        done = 0
        for page in MboxFile(path).pages(None, since=EVER, last_ok_at=None, unseen=set):
            done += len(page.messages)
            follow(done)
        return done, 0

    return work


def importer(path: str, url: str) -> Work:
    from jobs.capture import Capture
    from jobs.imports import import_mbox
    from jobs.mailbox.mbox import MboxFile
    from models.db import make_engine, make_sessions
    from models.queries.mail import mailboxes
    from models.queries.programme import programmes
    from models.settings import Settings

    engine = make_engine(url)
    looking = make_sessions(engine, reading=True)
    with looking() as session:
        [programme] = programmes(session, Settings())
        [box] = mailboxes(session, programme.workspace_id)

    def work(follow: Follow) -> tuple[int, int]:
        capture = Capture(make_sessions(engine), looking, Still(), lambda report: follow(report.messages))
        report = import_mbox(capture, programme, box.id, OWNER, MboxFile(path))
        return report.messages, report.touches

    return work


def main(what: str, *arguments: str) -> None:
    work = reader(*arguments) if what == "read" else importer(*arguments)
    loaded, started, held = megabytes("VmHWM"), time.perf_counter(), [(0, megabytes("VmRSS"))]

    def follow(done: int) -> None:
        if done >= held[-1][0] + STEP:
            held.append((done, megabytes("VmRSS")))

    messages, touches = work(follow)
    seconds = time.perf_counter() - started
    figures = {"loaded": loaded, "peak": megabytes("VmHWM"), "seconds": seconds, "held": held}
    print(json.dumps(figures | {"messages": messages, "touches": touches}))


if __name__ == "__main__":
    main(*sys.argv[1:])
