"""Those who wait for the same lock of the database are written in one transaction.

Whoever comes first is written alone. Whoever comes while that transaction runs waits for its end anyway, and all who
wait are then written by one of them: a burst of clicks costs a handful of transactions. The database stays the lock;
without this everything would be as true, and slower.
"""

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from bot.staff import Busy

PATIENCE_SECONDS = 1.5
MOST = 64  # in one transaction, so that nobody holds the lock for long
Ask = TypeVar("Ask")
Answer = TypeVar("Answer")


class NotWritten(Exception):
    """The transaction failed in which this was to be written, with all else in it."""


@dataclass(eq=False, slots=True)
class _Place:
    ask: Any
    called: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    answered: bool = False
    answer: Any = None
    error: Exception | None = None


@dataclass(eq=False, slots=True)
class _Line:
    busy: bool = False
    waiting: list[_Place] = field(default_factory=list)


class Together:
    def __init__(
        self, sessions: sessionmaker[Session], *, most: int = MOST, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._sessions, self._most, self._patience = sessions, most, patience
        self._lines: dict[Hashable, _Line] = {}
        self._lock = threading.Lock()

    def write(self, line: Hashable, ask: Ask, write: Callable[[Session, Sequence[Ask]], Sequence[Answer]]) -> Answer:
        """The answer to one ask, of those that `write` gives to some of the same line, in their order.

        Raises Busy when the turn does not come in time, NotWritten or what `write` raises: then it is not written.
        """
        place = _Place(ask)
        with self._lock:
            queue = self._lines.setdefault(line, _Line())
            queue.waiting.append(place)
            place.leads, queue.busy = not queue.busy, True
        if not place.leads and not place.called.wait(self._patience):
            with self._lock:
                if place in queue.waiting and not place.leads:
                    queue.waiting.remove(place)
                    raise Busy
            place.called.wait()  # it is being written: whoever does it waits for no lock any longer than we would
        if not place.answered and place.error is None:
            self._lead(queue, write)
        if place.error is not None:
            raise place.error
        answer: Answer = place.answer
        return answer

    def waiting(self, line: Hashable) -> int:
        """How many wait for their turn just now."""
        with self._lock:
            queue = self._lines.get(line)
            return len(queue.waiting) if queue else 0

    def _lead(self, queue: _Line, write: Callable[[Session, Sequence[Ask]], Sequence[Answer]]) -> None:
        with self._lock:
            batch, queue.waiting = queue.waiting[: self._most], queue.waiting[self._most :]
        try:
            self._write(batch, write)
        finally:
            with self._lock:
                queue.busy = bool(queue.waiting)
                heir = queue.waiting[0] if queue.waiting else None
                if heir is not None:
                    heir.leads = True
            for place in batch:
                if not place.answered and place.error is None:  # this thread is being stopped
                    place.error = NotWritten("the process stops")
                place.called.set()
            if heir is not None:
                heir.called.set()

    def _write(self, batch: list[_Place], write: Callable[[Session, Sequence[Ask]], Sequence[Answer]]) -> None:
        """All in one; when that fails by one of them, one by one, so that nobody pays for another's fault."""
        try:
            with self._sessions.begin() as session:
                answers = write(session, [place.ask for place in batch])
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, OperationalError):  # no lock, no database: the same for all
                for place in batch:
                    self._write([place], write)
                return
            batch[0].error = error
            for place in batch[1:]:
                place.error = NotWritten(str(error))
                place.error.__cause__ = error
        else:
            for place, answer in zip(batch, answers, strict=True):
                place.answer, place.answered = answer, True
