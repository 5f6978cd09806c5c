"""Google's table of prices and limits, and the buckets that keep mailboxes and their project below it. It calls nobody.

Each call draws on the mailbox's bucket and on the project's. What walks back also has a bucket of half the mailbox's
rate, so that what is new never waits for what is old, and stops when the day's free units run out.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from urllib.parse import urlsplit

from models.settings import SettingsError

SHARE = 0.8  # of a limit that flows in evenly; the rest is there at the start, so that no window exceeds the limit
MINUTE, DAY = 60.0, 86_400.0
TO_BEGIN = 50  # units that a page may cost beside its messages: a listing, and a look at a date or two


@dataclass(frozen=True, slots=True)
class Quota:
    """What Google charges for each call, and what may be spent. `units_per_second` None: the server sets the pace."""

    profile: int = 1
    history: int = 2
    listing: int = 5
    message: int = 20
    user: int = 6_000  # units a minute and user
    project: int = 1_200_000  # units a minute and project
    day: int = 80_000_000  # units a day and project that cost nothing
    units_per_second: float | None = 80.0  # of one mailbox: four fifths of what its user may spend
    batch_size: int = 20


GENERATIONS = {
    "2026": Quota(),  # since May 2026
    "2025": Quota(message=5, user=15_000),  # of projects that used the API between November 2025 and April 2026
}


def quota_for(api_url: str, units_per_second: float | None = None, words: str = "2026") -> Quota:
    """The table that was chosen, such as `2025` or `2026 user=3000`, and the pace of one mailbox.

    Where none was set it is Google's on Google's servers, and on others none: they say 429 when it is enough.
    """
    name, *changes = words.split()
    try:
        numbers = {key: int(value) for key, _, value in (change.partition("=") for change in changes)}
        quota = replace(GENERATIONS[name], **numbers)
    except (KeyError, TypeError, ValueError) as error:
        raise SettingsError(f"GMAIL_QUOTA: '{words}' names no table of prices: give 2026 or 2025") from error
    if units_per_second is None and (urlsplit(api_url).hostname or "").endswith(".googleapis.com"):
        units_per_second = quota.user * SHARE / MINUTE
    return replace(quota, units_per_second=units_per_second)


class Bucket:
    """Units that may be spent now; refills with time. Threads may share it. It never sleeps: it says how long to."""

    def __init__(self, limit: float | None, window: float = MINUTE, tick: Callable[[], float] = time.monotonic) -> None:
        self._tick = tick
        self._rate = (limit or 0.0) * SHARE / window
        self.full = float("inf") if limit is None else limit * (1 - SHARE)
        self._left, self._at, self._held_until = self.full, tick(), float("-inf")
        self._lock = threading.Lock()

    def spend(self, units: float) -> float:
        """Takes the units; answers in how many seconds they are paid for."""
        with self._lock:
            now = self._refill()
            self._left -= units
            return self._until(0, now)

    def lacks(self, units: float) -> float:
        """In how many seconds so many units can be had, or as many as it holds."""
        with self._lock:
            return self._until(min(units, self.full), self._refill())

    def held(self) -> float:
        """For how many seconds nobody may spend anything."""
        with self._lock:
            return max(0.0, self._held_until - self._tick())

    def hold(self, seconds: float) -> None:
        """Nobody spends anything before then."""
        with self._lock:
            self._held_until = max(self._held_until, self._tick() + seconds)

    def _refill(self) -> float:
        now = self._tick()
        self._left = min(self.full, self._left + (now - self._at) * self._rate)
        self._at = now
        return now

    def _until(self, units: float, now: float) -> float:
        short = (units - self._left) / self._rate if units > self._left else 0.0
        return max(short, self._held_until - now, 0.0)


@dataclass(slots=True)
class Project:
    """What the mailboxes of one Google project share. One object in a process; several processes share Google's 429."""

    quota: Quota
    tick: Callable[[], float] = time.monotonic
    minute: Bucket = field(init=False)
    day: Bucket = field(init=False)

    def __post_init__(self) -> None:
        paced = self.quota.units_per_second is not None
        self.minute = Bucket(self.quota.project if paced else None, MINUTE, self.tick)
        self.day = Bucket(self.quota.day if paced else None, DAY, self.tick)


@lru_cache(maxsize=64)
def project_named(name: str, api_url: str, quota: Quota) -> Project:
    """The project that credentials belong to, kept: its mailboxes are built one by one."""
    return Project(quota)


@dataclass(slots=True)
class Pace:
    """How fast one mailbox may be read."""

    quota: Quota
    project: Project
    tick: Callable[[], float] = time.monotonic
    _mailbox: Bucket = field(init=False)
    _walk: Bucket = field(init=False)

    def __post_init__(self) -> None:
        per_second = self.quota.units_per_second
        limit = None if per_second is None else per_second * MINUTE / SHARE
        self._mailbox = Bucket(limit, MINUTE, self.tick)
        self._walk = Bucket(limit and limit / 2, MINUTE, self.tick)

    def spend(self, units: int, *, walking: bool) -> float:
        """Takes the units; answers how many seconds to wait before they are used."""
        waits = [bucket.spend(units) for bucket in self._concerned(walking)]
        if not walking:
            self.project.day.spend(units)  # counted; what is new is little, and does not wait for tomorrow
        return max(waits)

    def rest(self, messages: int, *, walking: bool) -> float:
        """In how many seconds so many messages can be fetched without a wait."""
        units = messages * self.quota.message + TO_BEGIN
        return max(bucket.lacks(units) for bucket in self._concerned(walking))

    def affords(self, messages: int, *, walking: bool) -> int:
        """How many messages full buckets pay for at once: so many or fewer, and a batch at least."""
        pays_for = (min(bucket.full for bucket in self._concerned(walking)) - TO_BEGIN) / self.quota.message
        return int(min(messages, max(pays_for, self.quota.batch_size)))

    def _concerned(self, walking: bool) -> tuple[Bucket, ...]:
        always = self._mailbox, self.project.minute
        return (*always, self._walk, self.project.day) if walking else always
