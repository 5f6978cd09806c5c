"""Going quiet, from the database: every partner's rhythm and words beside a hand-written aggregate of the same mail.

SIZE=n partners with a hundred touches each; without it 1,000 and 4,000.
"""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from sqlalchemy import text

from models.clock import local_day
from models.queries.quiet import YEARS_BACK, newly_quiet, rhythms
from models.queries.standings import standings
from models.rhythm import quiet
from tests.benchmarks._programme import NOW, databases, fill
from tests.databases import Database

ROUNDS = 3
FLOOR = """
SELECT partner_id, count(*), max(at) FROM touch
WHERE workspace_id = 1 AND direction = 'inbound' AND verdict = 'human' AND voided_at IS NULL AND at > :since
GROUP BY partner_id
"""


def run(options: Mapping[str, str]) -> dict[str, Any]:
    sizes = [int(options["SIZE"])] if "SIZE" in options else [1_000, 4_000]
    figures: dict[str, Any] = {}
    print(
        f"{'':10}{'partners':>9}{'touches':>10} |{'rhythms':>9}{'floor':>9}{'ratio':>7} |{'words':>9}{'read names':>12}"
    )
    for size in sizes:
        with databases("sqlite", "postgresql") as found:
            for database in found:
                figures[f"{database.backend} {size}"] = measured(database, size)
    print("Target: ten thousand partners with a million touches in under 2 s, words and all; linear growth.")
    return figures


def measured(database: Database, size: int) -> dict[str, float]:
    programme = fill(database, size)
    since = NOW - YEARS_BACK
    known = {"since": since if database.backend == "postgresql" else f"{since:%Y-%m-%d %H:%M:%S.%f}"}
    with database.reading() as session:
        floor = _seconds(lambda: session.execute(text(FLOOR), known).all())
        read = _seconds(lambda: rhythms(session, programme, NOW))
        found, today = rhythms(session, programme, NOW), local_day(NOW, programme.zone)
        words = _seconds(lambda: [quiet(one, today) for one in found.values()])
        lines = standings(session, programme, NOW)
        named = _seconds(lambda: newly_quiet(session, programme, NOW, lines))
    print(
        f"{database.backend:10}{size:9,}{size * 100:10,} |{read:7.2f} s{floor:7.2f} s{read / floor:7.1f} |"
        f"{words:7.2f} s{named:10.2f} s"
    )
    return {"rhythms": read, "floor": floor, "words": words, "read_names": named}


def _seconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return median(taken)
