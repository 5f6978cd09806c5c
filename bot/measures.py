"""What one process counts about itself, for `/metrics` and `/readyz`. Labels are a few fixed words, never data.

Light, because commands that nobody asks for figures count as well: `bot.operation` puts it into Prometheus' words.
"""

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime

ACK_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)
"""Seconds; Slack waits three."""


class Tally:
    """Counts per label; only ever rises. Labels that are known begin at 0, so that the first one is a rise, too."""

    def __init__(self, *labels: str) -> None:
        self._counts = Counter(dict.fromkeys(labels, 0))
        self._lock = threading.Lock()

    def add(self, label: str, number: int = 1) -> None:
        with self._lock:
            self._counts[label] += number

    def counts(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)


class Spread:
    """How durations lie, per label: numbers per bound, the last without one, and their sum."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self._found: dict[str, tuple[list[int], float]] = {}
        self._lock = threading.Lock()

    def add(self, label: str, seconds: float) -> None:
        with self._lock:
            numbers, total = self._found.get(label, ([0] * (len(self.bounds) + 1), 0.0))
            numbers[bisect_left(self.bounds, seconds)] += 1
            self._found[label] = numbers, total + seconds

    def found(self) -> dict[str, tuple[list[int], float]]:
        """Label → numbers per bound, sum in seconds."""
        with self._lock:
            return {label: (list(numbers), total) for label, (numbers, total) in self._found.items()}


KINDS = ("command", "block_actions", "view_submission", "view_closed", "block_suggestion", "event_callback", "other")
PROVIDERS = ("gmail", "graph", "imap")
STEPS = (
    *("sweep", "read", "leads", "monthly", "nudges", "uncertain"),
    *("outbox", "clocks", "standings", "people"),
)

ACKS = Spread(ACK_BOUNDS)  # by kind of request
BUSY = Tally(*KINDS)  # requests that found no free place
REDRAWS = Tally("drawn", "unchanged", "refused")
POSTS = Tally("sent", "plain", "ratelimited", "refused", "unknown")
CAPTURED_MESSAGES = Tally(*PROVIDERS)
CAPTURED_TOUCHES = Tally(*PROVIDERS)
FAILED_STEPS = Tally(*STEPS)


def kind_of(body: Mapping[str, object]) -> str:
    """Of a request from Slack, one of KINDS."""
    kind = "command" if body.get("command") else body.get("type")
    return kind if isinstance(kind, str) and kind in KINDS else "other"


class Pulse:
    """When each job of this process last came to its end, and since when a read has been due that is not held."""

    def __init__(self, every: Mapping[str, int], now: Callable[[], float] = time.monotonic) -> None:
        self.every = dict(every)  # job → seconds
        self._now = now
        self._ended = dict.fromkeys(every, now())
        self._due: dict[int, datetime] = {}
        self.reached = self.resting = 0  # programmes that Cadence may speak to, and those that it may not any more

    def beat(self, job: str) -> None:
        self._ended[job] = self._now()

    def ages(self) -> dict[str, float]:
        """Job → seconds since it last came to its end; since the start, when it never did."""
        now = self._now()
        return {job: now - ended for job, ended in self._ended.items()}

    def note_read(self, workspace_id: int, due_at: datetime | None) -> None:
        """None: no read of this programme is due, or it is held."""
        if due_at is None:
            self._due.pop(workspace_id, None)
        else:
            self._due[workspace_id] = due_at

    def oldest_read_due(self) -> datetime | None:
        return min(list(self._due.values()), default=None)
