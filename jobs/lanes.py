"""Takes turns at many pieces of work in threads, so that no slow piece holds up the others. It knows nothing of mail.

1. Work that was offered waits, has its turn in a thread, or rests: it is never in two places.
2. Short turns and long ones have lanes of their own: so many turns at once in each, first come, first served.
3. A turn that lasts longer than its lane's patience keeps its thread and no longer counts: another turn begins. That
   work takes its next turns in the long lane, until one of them was short. So whatever hangs takes a place in the
   short lane once, for as long as the patience lasts, and never again before it was quick.
4. A turn may end before its work does, and say for how long to rest. Then it queues again, behind all others.
"""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

Work = TypeVar("Work", bound=Hashable)
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Lane:
    """`at_once` turns side by side; one that takes longer than `patience` seconds is not waited for."""

    at_once: int
    patience: float


@dataclass(slots=True)
class _Queue(Generic[Work]):
    lane: Lane
    waiting: dict[Work, None] = field(default_factory=dict)
    began: dict[Work, float] = field(default_factory=dict)  # turns that go on, and when each began

    def has_place(self, now: float) -> bool:
        return sum(now - at < self.lane.patience for at in self.began.values()) < self.lane.at_once

    def frees_at(self, now: float) -> float | None:
        """When a turn will have lasted too long to be waited for, if somebody waits."""
        counted = [at + self.lane.patience for at in self.began.values() if now - at < self.lane.patience]
        return min(counted) if self.waiting and counted else None


class Lanes(Generic[Work]):
    """`turn(work)` does a part of the work and answers for how many seconds to rest, or None when it is done."""

    def __init__(
        self,
        turn: Callable[[Work], float | None],
        *,
        short: Lane,
        long: Lane,
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        self._turn, self._tick = turn, tick
        self._short, self._long = _Queue[Work](short), _Queue[Work](long)
        self._resting: dict[Work, float] = {}  # → when it queues again
        self._slow: set[Work] = set()
        self._changed = threading.Condition()
        self._stopping = False
        self._starter: threading.Thread | None = None

    def offer(self, work: Work, *, long: bool = False) -> bool:
        """Queues the work, unless it waits, runs or rests already. `long`: its turns are known to be."""
        with self._changed:
            if self._stopping or self._has(work):
                return False
            queue = self._long if long or work in self._slow else self._short
            queue.waiting[work] = None
            if self._starter is None:
                self._starter = threading.Thread(target=self._start_turns, name="lanes", daemon=True)
                self._starter.start()
            self._changed.notify()
            return True

    def stop(self, patience: float) -> bool:
        """Begins no further turn, and waits so long for those that go on; answers whether all have ended."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._short.began and not self._long.began, patience)

    def _has(self, work: Work) -> bool:
        queues = (self._short, self._long)
        return work in self._resting or any(work in queue.began or work in queue.waiting for queue in queues)

    def _start_turns(self) -> None:
        with self._changed:
            while not self._stopping:
                now = self._tick()
                for work in [work for work, at in self._resting.items() if at <= now]:
                    del self._resting[work]
                    self._long.waiting[work] = None
                for queue in (self._short, self._long):
                    while queue.waiting and queue.has_place(now):
                        self._begin(next(iter(queue.waiting)), queue, now)
                moments = [*self._resting.values(), self._short.frees_at(now), self._long.frees_at(now)]
                known = [at for at in moments if at is not None]
                self._changed.wait(max(0.0, min(known) - now) if known else None)

    def _begin(self, work: Work, queue: _Queue[Work], now: float) -> None:
        del queue.waiting[work]
        try:
            threading.Thread(target=self._take, args=(work, queue), name="turn", daemon=True).start()
            queue.began[work] = now
        except RuntimeError as error:  # the machine gives no more threads: this work is offered again
            log.error("turn.not_begun", work=work, detail=str(error))

    def _take(self, work: Work, queue: _Queue[Work]) -> None:
        rest: float | None = None
        try:
            rest = self._turn(work)
        except Exception:  # a turn that fails is offered again; the others go on
            log.exception("turn.failed", work=work)
        with self._changed:
            now = self._tick()
            lasted = now - queue.began.pop(work)
            if rest is not None:
                self._resting[work] = now + rest
            elif lasted < self._short.lane.patience:
                self._slow.discard(work)
            else:
                self._slow.add(work)
            self._changed.notify_all()
