"""The product on a disk that is full whenever the launcher says so: `-m tests.chaos.full_child CLOCK SLOT run …`.

SQLite may not make its file larger than so many pages, and says what it says when a disk is full.
"""

import sqlite3
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import Pool

from tests.chaos.child import main
from tests.chaos.clock import SharedClock

FULL = 60  # the slot that says how many pages there may be; 0: as many as you like
NO_LIMIT = 1_073_741_823


def begin() -> None:
    shared = SharedClock(Path(sys.argv[1]), FULL)

    def measure(connection: sqlite3.Connection, *_: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {shared.number() or NO_LIMIT}").fetchall()

    event.listen(Pool, "checkout", measure)
    main()


if __name__ == "__main__":
    begin()
