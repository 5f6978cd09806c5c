"""One `cadence run` per SQLite file: a second one would poll, tick and answer beside it. Other commands may look on."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from bot.cli.common import Failure


@contextmanager
def alone(engine: Engine) -> Iterator[None]:
    """Holds a file beside the database locked; the system lets go of it however the process ends.

    Failure when another process holds it. PostgreSQL is made for many processes, so nothing is held there.
    """
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path or path == ":memory:":
        yield
        return
    with open(f"{path}-run", "w", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Failure(
                f"another `cadence run` works with {path}: stop that one first, "
                "or use PostgreSQL, where several may run"
            ) from error
        yield
