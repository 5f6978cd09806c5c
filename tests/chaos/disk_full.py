"""One machine, SQLite, and a disk that fills up: what cannot be stored waits, and nothing is lost afterwards."""

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from tests.chaos.checker import check
from tests.chaos.faults import next_reads
from tests.chaos.findings import Finding
from tests.chaos.fleet import Fleet
from tests.chaos.full_child import FULL
from tests.chaos.life import Life
from tests.chaos.rows import sqlite_tables
from tests.chaos.settle import begun, settle
from tests.chaos.town import Town

SECONDS, ENOUGH, AT_MOST = 8.0, 5, 40.0  # so long the disk is full, or until that was noticed; a read is due meanwhile
FULL_WORDS = "database or disk is full"


def run(folder: Path, seed: int, say: Callable[[str], None]) -> list[Finding]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    path = folder / "cadence.db"
    with Town(folder, f"sqlite:///{path}", seed) as town:
        town.prepare()
        fleet, life = Fleet(town, alone="tests.chaos.full_child"), Life(town, seed)
        fleet.start()
        if not begun(town):
            return [Finding("never began", f"see {folder}")]
        life.start()
        with closing(sqlite3.connect(path)) as file:
            [(pages,)] = file.execute("PRAGMA page_count").fetchall()
        town.clock.skew(FULL, pages)  # not one more
        town.move_to(next_reads(town.clock.now()) - timedelta(seconds=2))
        began = time.monotonic()
        while time.monotonic() - began < SECONDS or (_refused(folder) < ENOUGH and time.monotonic() - began < AT_MOST):
            time.sleep(0.2)
        town.clock.skew(FULL, 0)
        life.stop()
        late = settle(town, lambda _: None)
        life.go_home()
        ended = fleet.stop()
        truth = town.truth()
        with closing(sqlite3.connect(path)) as file:
            tables = sqlite_tables(file)
            found = [Finding("not settled", one) for one in late]
            found += [Finding("did not stop", f"{name}: exit {code}") for name, code in ended.items() if code]
            found += check(tables, truth)
            refused = _refused(folder)
            if not refused:
                found.append(Finding("disk never full", f"nobody was told so: see {folder}"))
            counts = f"{len(tables['touch'])} touches, {len(tables['read'])} reads, {len(tables['claim'])} claims"
            say(f"SQLite on a disk that was full: refused {refused} times; {counts}.")
    return [Finding(f"disk full: {one.kind}", one.detail) for one in found]


def _refused(folder: Path) -> int:
    return (folder / "bot-0.log").read_text(errors="replace").count(FULL_WORDS)
