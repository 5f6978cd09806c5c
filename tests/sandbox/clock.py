"""The story's clock: starts where the story does, runs on with real time, and can be moved forward, never back."""

import threading
import time
from datetime import datetime, timedelta


class StoryClock:
    """A clock for the product and for both stand-ins, so that they agree what day it is."""

    def __init__(self, start: datetime) -> None:
        self._base, self._since = start, time.monotonic()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._base + timedelta(seconds=time.monotonic() - self._since)

    def move_to(self, at: datetime) -> None:
        """Jumps to an instant; one that is past already is left alone."""
        with self._lock:
            if at > self._base + timedelta(seconds=time.monotonic() - self._since):
                self._base, self._since = at, time.monotonic()
