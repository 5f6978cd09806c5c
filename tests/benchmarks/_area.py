"""What every area answers with: rows with a floor of the same run, printed as they are measured and kept for JSON.

`ratio` is ours ÷ floor: of a time less is better, of a rate (…/s) more is. `memory` is in megabytes, by how much the
process that does the work grows meanwhile, at most.
"""

import ctypes
import gc
import os
import platform
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Row:
    work: str
    unit: str
    floor: float | None
    ours: float
    ratio: float | None
    memory: float | None
    target: str
    reached: bool | None


@dataclass
class Area:
    """The rows of one area, and in `details` what is no row: counts, curves, confusion tables."""

    rows: list[Row] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    head: str = ""

    def row(
        self,
        work: str,
        ours: float,
        unit: str,
        *,
        floor: float | None = None,
        memory: float | None = None,
        target: str = "",
    ) -> None:
        """A work that begins with spaces belongs to the last one that does not, and is kept under both names.

        `target` is a sign and a number, "≤ 300"; with a × behind them they speak of the ratio, "≥ 0.8 ×".
        """
        ratio = ours / floor if floor else None
        if not work.startswith(" "):
            self.head = work
        name = work if work == self.head else f"{self.head}, {work.strip()}"
        row = Row(name, unit, floor, ours, ratio, memory, target, _reached(target, ours, ratio))
        if not self.rows:
            print(f"{'work':62}{'unit':>11}{'floor':>11}{'ours':>11}{'ratio':>8}{'memory':>8}   target")
        self.rows.append(row)
        mark = {None: "", True: "  ok", False: "  MISSED"}[row.reached]
        numbers = f"{_shown(floor):>11}{_shown(ours):>11}{_shown(ratio):>8}{_shown(memory):>8}"
        print(f"{work:62}{unit:>11}{numbers}   {target}{mark}", flush=True)

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(row) for row in self.rows]


@dataclass
class Held:
    """None where the system does not tell."""

    megabytes: float | None = None


@contextmanager
def held() -> Iterator[Held]:
    """By how many megabytes this process grows inside the block, at most. Linux tells."""
    found = Held()
    try:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # what was freed before is not to be had again unnoticed
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forgets the highest mark
        before = megabytes_of("VmRSS")
    except (OSError, AttributeError):
        yield found
        return
    yield found
    found.megabytes = max(0.0, megabytes_of("VmHWM") - before)


def megabytes_of(name: str, status: Path = STATUS) -> float:
    """VmRSS, what a process holds, or VmHWM, the most that it held."""
    return int(status.read_text(encoding="ascii").split(f"{name}:")[1].split()[0]) / 1024


def timed(work: Callable[[], object], rounds: int = 5) -> tuple[float, float | None]:
    """The median of so many rounds in milliseconds, and the memory of one more before them."""
    with held() as found:
        work()
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1000)
    return median(taken), found.megabytes


def machine() -> dict[str, Any]:
    """What the figures were measured on. `load` is how many others wanted a core in the last minute."""
    model = ""
    memory = 0
    if (about := Path("/proc/cpuinfo")).exists():
        names = [line.partition(":")[2].strip() for line in about.read_text().splitlines() if "model name" in line]
        model = names[0] if names else ""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": model,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_mb": memory,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "began_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _reached(target: str, ours: float, ratio: float | None) -> bool | None:
    if not target:
        return None
    sign, number, *of_ratio = target.split()
    value, bound = ratio if of_ratio else ours, float(number.replace(",", ""))
    assert value is not None, "a target of × needs a floor"
    return {"≤": value <= bound, "≥": value >= bound, "=": value == bound}[sign]


def _shown(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.{0 if value == int(value) or value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 4}f}"
