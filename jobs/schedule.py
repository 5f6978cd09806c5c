"""Which job runs when: the only place that knows APScheduler. Due times live in our tables, so this is only a ticker.

Two schedulers on one database are safe: each job's unique row decides who does the work.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger


@dataclass(frozen=True, slots=True)
class Job:
    """A step that is safe to repeat, and how often it is offered."""

    name: str
    step: Callable[[], object]
    every_seconds: int


def scheduler(jobs: list[Job]) -> BackgroundScheduler:
    """A scheduler in memory. A step that still runs is not started twice; missed ticks become one."""
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a skipped tick is no news: the next one does its work
    ticker = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(max(4, len(jobs)))},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone=UTC,
    )
    for job in jobs:
        ticker.add_job(job.step, IntervalTrigger(seconds=job.every_seconds, timezone=UTC), id=job.name, name=job.name)
    return ticker
