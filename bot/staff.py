"""The threads that answer Slack: so many requests may wait for their acknowledgement at once, and no more.

Slack waits three seconds. Whoever is acknowledged gives the place free, and may talk to a slow Slack for longer, but
lets those first for a moment who still wait.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

UNANSWERED = 32
"""Bolt's five would leave a burst of clicks waiting past the three seconds that Slack allows."""

TALKING = 256
PATIENCE_SECONDS = 0.8
COURTESY_SECONDS = 0.25
P = ParamSpec("P")
R = TypeVar("R")
_here = threading.local()


class Busy(Exception):
    """Every place is taken by a request that is not acknowledged yet: nothing was begun."""


class Staff(ThreadPoolExecutor):
    """Bolt's executor. `submit` waits a moment for a free place and then raises Busy."""

    def __init__(
        self, unanswered: int = UNANSWERED, talking: int = TALKING, patience: float = PATIENCE_SECONDS
    ) -> None:
        super().__init__(talking, thread_name_prefix="listener")
        self._places = threading.Semaphore(unanswered)
        self._threads_left = threading.Semaphore(talking)
        self._patience = patience
        self._waiting, self._fewer = 0, threading.Condition()

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Around a request, until it is acknowledged."""
        with self._fewer:
            self._waiting += 1
        try:
            yield
        finally:
            with self._fewer:
                self._waiting -= 1
                if not self._waiting:
                    self._fewer.notify_all()

    def let_others_first(self) -> None:
        with self._fewer:
            self._fewer.wait_for(lambda: not self._waiting, COURTESY_SECONDS)

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        if not self._places.acquire(timeout=self._patience):
            raise Busy
        if not self._threads_left.acquire(blocking=False):
            self._places.release()
            raise Busy

        def work() -> R:
            _here.leave, _here.staff = self._places.release, self
            try:
                return fn(*args, **kwargs)
            finally:
                acknowledged()
                self._threads_left.release()

        return super().submit(work)


def let_others_first() -> None:
    """Before what nobody's three seconds depend on: it would be in the way of acknowledgements."""
    staff: Staff | None = getattr(_here, "staff", None)
    if staff is not None:
        staff.let_others_first()


def acknowledged() -> None:
    """The request of this thread has its answer: another one may have its place."""
    leave: Callable[[], Any] | None = getattr(_here, "leave", None)
    _here.leave = None
    if leave is not None:
        leave()
