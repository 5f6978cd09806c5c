"""One clock for many processes: a small file says how far it is from the machine's, and how wrong each process is."""

import mmap
import struct
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

SLOTS = 64
PLACE = struct.Struct("d")


class SharedClock:
    """The machine's time plus what stands in place 0, plus this process's own error. An eighth of a page is atomic."""

    def __init__(self, path: Path, slot: int = 0) -> None:
        if not path.exists():
            path.write_bytes(bytes(SLOTS * PLACE.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SLOTS * PLACE.size)
        self._slot = slot
        self._lock = threading.Lock()

    def now(self) -> datetime:
        own = self._get(self._slot) if self._slot else 0.0
        return datetime.now(UTC) + timedelta(seconds=self._get(0) + own)

    def move_to(self, at: datetime) -> None:
        """Everybody's clock, forward or back."""
        with self._lock:
            self._put(0, (at - datetime.now(UTC)).total_seconds())

    def skew(self, slot: int, seconds: float) -> None:
        """One process's clock is wrong by so much."""
        self._put(slot, seconds)

    def number(self) -> int:
        """What stands in this slot, where that is no error of a clock."""
        return round(self._get(self._slot))

    def _get(self, slot: int) -> float:
        return float(PLACE.unpack_from(self._map, slot * PLACE.size)[0])

    def _put(self, slot: int, value: float) -> None:
        PLACE.pack_into(self._map, slot * PLACE.size, value)
