"""Coverage now and 52 weeks of trend, beside the floors of hand-written SQL over the same programme.

SIZE=n partners with a hundred touches each; without it 1,000 and 10,000. SIZE=100000 takes more than half an
hour and ten gigabytes: four on the disk for SQLite, six in memory for PostgreSQL.
"""

import time
from collections.abc import Mapping

from sqlalchemy import select, text

from models.actions.clocks import refresh_clocks
from models.queries.standings import standings
from models.queries.trend import coverage_now, trend
from models.tables import WeekSpan
from models.weekly_read import coverage_lines
from tests.benchmarks._area import Area, held, timed
from tests.benchmarks._programme import NOW, _analyze, databases, fill
from tests.databases import Database

WEEKS = 52

# The floor of coverage now: one pass over the denormalised last touch.
NOW_FLOOR = """
SELECT tier_rank, count(*), sum(CASE WHEN last_touch_at >= CASE tier_rank WHEN 1 THEN :one WHEN 2 THEN :two
       ELSE :three END THEN 1 ELSE 0 END) FROM partner_clock WHERE workspace_id = 1 GROUP BY tier_rank
"""
# The floor of the trend: covered intervals, merged, counted by a difference sum.
ISLANDS = "CREATE TABLE floor_island (partner_id INTEGER, tier_rank INTEGER, from_week INTEGER, until_week INTEGER)"
TREND_FLOOR = """
SELECT week, tier_rank, sum(step) OVER (PARTITION BY tier_rank ORDER BY week) FROM (
  SELECT week, tier_rank, sum(step) AS step FROM (
    SELECT from_week AS week, tier_rank, 1 AS step FROM floor_island
    UNION ALL SELECT until_week + 1, tier_rank, -1 FROM floor_island
  ) AS edges GROUP BY week, tier_rank
) AS steps ORDER BY week
"""


def run(options: Mapping[str, str], area: Area) -> None:
    sizes = [int(options["SIZE"])] if "SIZE" in options else [1_000, 10_000]
    for size in sizes:
        with databases("sqlite", "postgresql") as found:
            for database in found:
                measured(area, database, size)


def measured(area: Area, database: Database, size: int) -> None:
    programme = fill(database, size)
    started = time.perf_counter()
    with held() as making:
        refresh_clocks(database.sessions, database.reading, programme, NOW, limit=size)
    anew = time.perf_counter() - started
    islands(database)
    if database.backend == "postgresql":
        _analyze(database)
    edges = edges_of(database)
    with database.reading() as session:
        now_floor, _ = timed(lambda: session.execute(text(NOW_FLOOR), edges).all())
        now, now_memory = timed(lambda: coverage_now(session, programme, NOW))
        trend_floor, _ = timed(lambda: session.execute(text(TREND_FLOOR)).all())
        weeks, weeks_memory = timed(lambda: trend(session, programme, NOW, WEEKS))
        started = time.perf_counter()
        with held() as reading:
            facts = coverage_lines(standings(session, programme, NOW), [])
        from_facts = time.perf_counter() - started
        counted = coverage_now(session, programme, NOW)
    if [line.coverage for line in facts] != [line.coverage for line in counted]:
        raise SystemExit("the clocks say something else than the facts")
    about = f"{size:,} partners, {database.backend}"
    target = "≤ 3 ×" if size >= 10_000 else ""  # of few partners the aggregate takes no time
    area.row(f"coverage now: {about}", now, "ms", floor=now_floor, memory=now_memory, target=target)
    area.row(f"{WEEKS} weeks of it: {about}", weeks, "ms", floor=trend_floor, memory=weeks_memory, target=target)
    area.row(
        f"coverage now, from the facts: {about}", from_facts * 1000, "ms", floor=now_floor, memory=reading.megabytes
    )
    area.row(f"all clocks made anew: {about}", anew, "s", memory=making.megabytes)


def edges_of(database: Database) -> dict[str, object]:
    """Since when a touch covers a partner of each tier, as the driver wants it."""
    edges = {"one": NOW.replace(day=16), "two": NOW.replace(day=9), "three": NOW.replace(day=24, month=10)}
    plain = database.backend == "sqlite"
    return {name: at.strftime("%Y-%m-%d %H:%M:%S.%f") if plain else at for name, at in edges.items()}


def islands(database: Database) -> None:
    """Weeks in a row in which a partner was covered, whoever answered."""
    covered = select(WeekSpan).where(WeekSpan.kind.like("covered%")).order_by(WeekSpan.partner_id, WeekSpan.from_week)
    merged: list[dict[str, int]] = []
    with database.reading() as session:
        for one in session.scalars(covered):
            last = merged[-1] if merged else {}
            if last.get("partner_id") == one.partner_id and last["until_week"] == one.from_week - 1:
                last["until_week"] = one.until_week
            else:
                names = ("partner_id", "tier_rank", "from_week", "until_week")
                merged.append({name: getattr(one, name) for name in names})
    with database.sessions.begin() as session:
        session.execute(text(ISLANDS))
        insert = "INSERT INTO floor_island VALUES (:partner_id, :tier_rank, :from_week, :until_week)"
        session.execute(text(insert), merged)
