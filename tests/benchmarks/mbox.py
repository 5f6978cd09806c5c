"""Mail files: reading and importing beside the standard library's `mailbox`, and memory that no file makes grow.

The floor is the fastest way that `mailbox` offers: its table of contents, then each message's header lines alone
through compat32's parser. Both sides answer the same wanted headers. SIZE is how many messages one import is
followed over, a look at its memory every 5,000.
"""

import json
import mailbox
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.parser import BytesHeaderParser
from email.policy import compat32
from pathlib import Path
from typing import Any

from jobs.mailbox.mbox import MboxFile
from models.actions import mailboxes
from models.actions.partners import PartnerRow, put_partner
from models.actions.people import PersonRow, put_person
from models.actions.programme import the_workspace
from models.actions.write import COMMAND_LINE
from models.message import WANTED_HEADERS
from tests.benchmarks import _mail_file as mail_file
from tests.benchmarks._area import Area
from tests.benchmarks._mail_file_child import EVER
from tests.benchmarks.verdict import corpus_messages
from tests.databases import ROOT, Database, SqliteDatabases, opened

TARGET = 2.0  # × the floor, reading
UNIT = "messages/s"
MEMORY = 80  # megabytes of the reader, whatever the file
MEBI = 1 << 20


def run(options: Mapping[str, str], area: Area) -> None:
    size = int(options.get("SIZE", 20_000))
    with tempfile.TemporaryDirectory(prefix="cadence-bench-") as name:
        folder = Path(name)
        speed(area, folder, min(size, 4_000), options.get("CORPUS"))
        memory(area, folder)
        followed(area, folder, size)


def speed(area: Area, folder: Path, count: int, corpus: str | None) -> None:
    files = {
        "with bodies": mail_file.write(folder / "bodies.mbox", count),
        "headers only": mail_file.write(folder / "headers.mbox", count, bodies=False),
    }
    if corpus:
        files["corpus headers"] = from_corpus(folder / "corpus.mbox", Path(corpus), count)
    for name, path in files.items():
        total = ours(path)
        rates = {one: total / min(_seconds(one, path) for _ in range(3)) for one in (as_shown, floor, ours)}
        read, imported = child("read", path), child("import", path)
        about = f"{name}, {path.stat().st_size / MEBI:,.0f} MB, {total:,} messages"
        target = f"≥ {TARGET} ×"
        area.row(f"read: {about}", rates[ours], UNIT, floor=rates[floor], memory=_grew(read), target=target)
        area.row("  beside mailbox.mbox as its manual shows it", rates[ours], UNIT, floor=rates[as_shown])
        each = imported["messages"] / imported["seconds"]
        area.row("  imported: judged and stored too, on SQLite", each, UNIT, floor=rates[floor], memory=_grew(imported))
        path.unlink()


def memory(area: Area, folder: Path) -> None:
    for name, write in FILES.items():
        path = folder / "large.mbox"
        write(path)
        for what in ("read", "import"):
            figures = child(what, path)
            target = f"≤ {MEMORY}" if what == "read" else ""
            about = f"whole process, {what}: {name}, {path.stat().st_size / MEBI:,.0f} MB"
            area.row(about, figures["peak"], "MB", memory=_grew(figures), target=target)
        path.unlink()


def followed(area: Area, folder: Path, size: int) -> None:
    figures = child("import", mail_file.write(folder / "long.mbox", size, bodies=False))
    each = figures["messages"] / figures["seconds"]
    area.row(f"an import of {size:,} messages", each, UNIT, memory=_grew(figures))
    held = area.details["held"] = figures["held"]
    print("holds in megabytes, after so many messages:")
    for done, megabytes in held[:: max(1, len(held) // 10)]:
        print(f"{done:12,} {megabytes:9.0f}")


def _grew(figures: Mapping[str, float]) -> float:
    return figures["peak"] - figures["loaded"]


def floor(path: Path) -> int:
    """`mailbox` where it is fastest: no message is built, no body is parsed."""
    box, parser, count = mailbox.mbox(path, create=False), BytesHeaderParser(policy=compat32), 0
    for key in box.iterkeys():
        file = box.get_file(key)
        lines = []
        while (line := file.readline()).strip():
            lines.append(line)
        headers = parser.parsebytes(b"".join(lines))
        for name in WANTED_HEADERS:
            headers.get_all(name)
        count += 1
    box.close()
    return count


def as_shown(path: Path) -> int:
    """`mailbox` as its manual shows it."""
    box, count = mailbox.mbox(path, create=False), 0
    for message in box:
        for name in WANTED_HEADERS:
            message.get_all(name)
        count += 1
    box.close()
    return count


def ours(path: Path) -> int:
    return sum(len(page.messages) for page in MboxFile(path).pages(None, since=EVER, last_ok_at=None, unseen=set))


def from_corpus(path: Path, corpus: Path, count: int) -> Path:
    blocks = [each.block.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n\n" for each in corpus_messages(corpus)]
    with path.open("wb") as file:
        for number in range(count):
            file.write(b"From nobody Mon Nov 23 09:00:00 2026\n" + blocks[number % len(blocks)])
    return path


def child(what: str, path: Path) -> dict[str, Any]:
    with _roster() as url:
        arguments = [what, str(path), *([url] if what == "import" else [])]
        answer = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks._mail_file_child", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    if answer.returncode:
        raise SystemExit(answer.stderr)
    figures: dict[str, Any] = json.loads(answer.stdout)
    return figures


@contextmanager
def _roster() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="cadence-bench-") as name, opened(SqliteDatabases(Path(name))) as database:
        prepare(database, "mbox")
        yield database.url


def prepare(database: Database, provider: str) -> None:
    """A database that knows whose mail it is, and forty partners."""
    with database.sessions.begin() as session:
        workspace_id = the_workspace(session, mail_file.STARTED)
        owner = PersonRow(mail_file.OWNER, "Dana Kim", "manager")
        put_person(session, workspace_id, COMMAND_LINE, owner, mail_file.STARTED)
        for number in range(mail_file.PARTNERS):
            row = PartnerRow(f"P{number}", 1, owner.email, (f"partner{number}.example",))
            put_partner(session, workspace_id, COMMAND_LINE, row, mail_file.STARTED)
        mailboxes.put_mailbox(session, workspace_id, COMMAND_LINE, owner.email, provider, mail_file.STARTED)


def _large(parts: Callable[[], Sequence[tuple[bytes, int]]]) -> Callable[[Path], None]:
    """Writes pieces over and over: (bytes, how often)."""

    def write(path: Path) -> None:
        with path.open("wb") as file:
            file.writelines(piece for piece, times in parts() for _ in range(times))

    return write


def _seconds(work: Callable[[Path], object], path: Path) -> float:
    started = time.process_time()
    work(path)
    return time.process_time() - started


ONE, OTHER = (b"".join(mail_file.mails(count, bodies=False)) for count in (1, 2))
HEAD = ONE.removesuffix(b"\nHello\n\n")
FILES: dict[str, Callable[[Path], object]] = {
    "one small message": _large(lambda: [(ONE, 1)]),
    "100 MB of mail": lambda path: mail_file.write(path, 3_800),
    "500 MB of mail": lambda path: mail_file.write(path, 19_000),
    "one body of 200 MB": _large(lambda: [(ONE, 1), (mail_file.PROSE, 200 * MEBI // len(mail_file.PROSE)), (OTHER, 1)]),
    "one line of 200 MB": _large(lambda: [(ONE, 1), (b"x" * MEBI, 200), (b"\n\n" + OTHER, 1)]),
    "one header block of 200 MB": _large(lambda: [(HEAD, 1), (b"X-Long: y\n" * 1000, 20_000), (b"\n" + OTHER, 1)]),
    "one header of 200 MB": _large(
        lambda: [(HEAD + b"To: ", 1), (b"a@b.example, " * 1000, 16_000), (b"\n\n" + OTHER, 1)]
    ),
    "two hundred headers of 1 MB": _large(lambda: [(HEAD + b"X-Long: " + b"y" * MEBI + b"\n\n\n", 200)]),
}
