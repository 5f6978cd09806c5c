"""Going quiet, from the database: every partner's rhythm and words beside a hand-written aggregate of the same mail.

SIZE=n partners with a hundred touches each; without it 1,000 and 4,000.
"""

from collections.abc import Mapping

from sqlalchemy import text

from models.clock import local_day
from models.queries.quiet import YEARS_BACK, newly_quiet, rhythms
from models.queries.standings import standings
from models.rhythm import quiet
from tests.benchmarks._area import Area, timed
from tests.benchmarks._programme import NOW, databases, fill
from tests.databases import Database

ROUNDS = 3
FLOOR = """
SELECT partner_id, count(*), max(at) FROM touch
WHERE workspace_id = 1 AND direction = 'inbound' AND verdict = 'human' AND voided_at IS NULL AND at > :since
GROUP BY partner_id
"""


def run(options: Mapping[str, str], area: Area) -> None:
    sizes = [int(options["SIZE"])] if "SIZE" in options else [1_000, 4_000]
    for size in sizes:
        with databases("sqlite", "postgresql") as found:
            for database in found:
                measured(area, database, size)
    print("Target: ten thousand partners with a million touches in under 2 s, words and all; linear growth.")


def measured(area: Area, database: Database, size: int) -> None:
    programme = fill(database, size)
    since = NOW - YEARS_BACK
    known = {"since": since if database.backend == "postgresql" else f"{since:%Y-%m-%d %H:%M:%S.%f}"}
    with database.reading() as session:
        floor, _ = timed(lambda: session.execute(text(FLOOR), known).all(), ROUNDS)
        read, memory = timed(lambda: rhythms(session, programme, NOW), ROUNDS)
        found, today = rhythms(session, programme, NOW), local_day(NOW, programme.zone)
        words, _ = timed(lambda: [quiet(one, today) for one in found.values()], ROUNDS)
        lines = standings(session, programme, NOW)
        named, named_memory = timed(lambda: newly_quiet(session, programme, NOW, lines), ROUNDS)
    about = f"{size:,} partners, {size * 100:,} touches, {database.backend}"
    area.row(f"rhythms: {about}", read, "ms", floor=floor, memory=memory)
    area.row("  and words", read + words, "ms", floor=floor, memory=memory, target="≤ 2000")
    area.row(f"whom the read names: {about}", named, "ms", floor=floor, memory=named_memory)
