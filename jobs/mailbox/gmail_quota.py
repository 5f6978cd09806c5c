"""What Gmail charges for each call, and the bucket that keeps one mailbox below its limit. It calls nobody."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Quota:
    """Google's prices since May 2026 and four fifths of what a user may spend: 80 of 100 units a second.

    With the burst, no minute exceeds 6,000 units. Projects of before May 2026 pay 5 for a message.
    `units_per_second` None leaves the pace to the server's own answers.
    """

    profile: int = 1
    history: int = 2
    listing: int = 5
    message: int = 20
    units_per_second: float | None = 80.0
    burst: float = 1200.0
    batch_size: int = 20


def quota_for(api_url: str, units_per_second: float | None = None) -> Quota:
    """The pace that was set. Else Google's on Google's servers, and on others none: they say 429 when it is enough."""
    if units_per_second is not None:
        return Quota(units_per_second=units_per_second)
    host = urlsplit(api_url).hostname or ""
    return Quota() if host.endswith("googleapis.com") else Quota(units_per_second=None)


@dataclass(slots=True)
class Bucket:
    """Units that may be spent now; refills with time. One mailbox has one worker, so there is no lock."""

    quota: Quota
    tick: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep
    _left: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._left, self._at = self.quota.burst, self.tick()

    def spend(self, units: int) -> None:
        """Takes the units, then waits until they are paid for."""
        rate = self.quota.units_per_second
        if rate is None:
            return
        now = self.tick()
        self._left = min(self.quota.burst, self._left + (now - self._at) * rate) - units
        self._at = now
        if self._left < 0:
            self.wait(-self._left / rate)
