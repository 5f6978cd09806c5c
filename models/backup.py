"""A copy of a SQLite database while it is written to. PostgreSQL has programs of its own for that."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

PATIENCE_SECONDS = 30


class BackupError(Exception):
    """No copy was made; the text says what to do."""


def copy_sqlite(source: Path, target: Path) -> int:
    """One moment of the database as one file that only its owner can read; answers its bytes. Writers go on.

    An existing file is never touched. The copy is whole and checked, or it is not there.
    """
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        raise BackupError(f"{target} is there already: name another file") from error
    try:
        with closing(sqlite3.connect(source, timeout=PATIENCE_SECONDS, isolation_level=None)) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))
        with closing(sqlite3.connect(target)) as copy:
            [said] = copy.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            raise BackupError(f"the copy is damaged, and so may be the database ({said}): keep your older copies")
        with target.open("rb") as file:
            os.fsync(file.fileno())
        return target.stat().st_size
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise BackupError(f"the database could not be copied ({error}): see that {target.parent} has room") from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise
