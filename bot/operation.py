"""What an operator's tools ask over HTTP: is it alive, can it work, how is it doing. Names nobody and no address.

`/healthz` answers as long as the process does: restarting helps against nothing else. `/readyz` says which part is not
as it should be. `/metrics` is for Prometheus.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from bot import measures
from bot.measures import Pulse, Spread
from models.clock import Clock
from models.queries.health import Health, Queues, Totals, health, oldest_post_due, totals

LATE_CLOCK = 300.0  # seconds beyond a job's own interval: a step over a large roster may take its time
LATE_POST = timedelta(minutes=15)
TOTALS_AGE = 600.0  # seconds for which figures that cost a whole index are told again

Part = dict[str, Any]


def add_operation(
    web: Flask,
    reading: sessionmaker[Session],
    clock: Clock,
    connected: Callable[[], bool],
    pulse: Pulse | None = None,
) -> None:
    """Adds `/healthz`, `/readyz` and `/metrics`. `connected`: whether Slack reaches us, as far as is known."""
    pulse = pulse or Pulse({})
    registry = CollectorRegistry()
    registry.register(_Counts(reading, clock, pulse, connected))

    @web.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @web.get("/readyz")
    def readyz() -> Response:
        database, jobs = _database_and_jobs(reading, clock.now(), pulse)
        parts = {"database": database, "slack": _slack(connected, pulse), "clock": _clock(pulse), "jobs": jobs}
        ready = all(part["ok"] for part in parts.values())
        answer = jsonify(ready=ready, **parts)
        answer.status_code = 200 if ready else 503
        return answer

    @web.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def operation_app(
    reading: sessionmaker[Session], clock: Clock, connected: Callable[[], bool], pulse: Pulse | None = None
) -> Flask:
    """The same on a port of its own."""
    web = Flask("operation")
    add_operation(web, reading, clock, connected, pulse)
    return web


def _database_and_jobs(reading: sessionmaker[Session], now: datetime, pulse: Pulse) -> tuple[Part, Part]:
    """One short statement is both: whether the database answers, and what it has waiting."""
    try:
        with reading() as session:
            post_due = oldest_post_due(session, now)
    except SQLAlchemyError as error:
        says = f"the database does not answer ({type(error).__name__})"
        return {"ok": False, "says": says}, {"ok": False, "says": "not known without the database"}
    read_due = pulse.oldest_read_due()
    ages = {"post": _age(post_due, now), "read": _age(read_due, now)}
    oldest = max(ages.values())
    # A read may be held up by its channel; other messages go out and buttons work all the same.
    well = ages["post"] <= LATE_POST.total_seconds()
    says = "nothing waits" if oldest == 0 else f"the oldest due job waits for {oldest:.0f} s"
    jobs = {"ok": well, "says": says, "oldest_due_seconds": oldest, "due_seconds": ages}
    return {"ok": True, "says": "answers"}, jobs


def _slack(connected: Callable[[], bool], pulse: Pulse) -> Part:
    if not connected():
        return {"ok": False, "says": "not connected to Slack; it is tried again by itself"}
    if pulse.resting and not pulse.reached:
        return {"ok": False, "says": "Slack took the access away: `cadence doctor` says what to do"}
    return {"ok": True, "says": "connected"}


def _clock(pulse: Pulse) -> Part:
    late = {job: age for job, age in pulse.ages().items() if age > pulse.every[job] + LATE_CLOCK}
    if late:
        job = max(late, key=lambda one: late[one])
        return {"ok": False, "says": f"{job} has not come to an end for {late[job]:.0f} s: see the log", "late": late}
    return {"ok": True, "says": "runs", "late": {}}


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


def _gauge(name: str, says: str, figures: Mapping[str, float | None], label: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"cadence_{name}", says, labels=[label])
    for value, figure in sorted(figures.items()):
        if figure is not None:
            family.add_metric([value], figure)
    return family


def _of_providers(queues: Mapping[str, Queues], now: datetime) -> Iterator[Metric]:
    def gauge(name: str, says: str, figure: Callable[[Queues], float | None]) -> GaugeMetricFamily:
        return _gauge(name, says, {provider: figure(one) for provider, one in queues.items()}, "provider")

    def lag(one: Queues) -> float | None:
        return (now - one.oldest_sync_at).total_seconds() if one.oldest_sync_at else None

    yield gauge("pending_fetches", "Messages that wait for another attempt.", lambda one: one.pending)
    yield gauge("dead_fetches", "Messages that could not be fetched in 48 hours.", lambda one: one.dead)
    yield gauge("gap_messages", "Messages that the provider lists and Cadence lacks.", lambda one: one.gap)
    yield gauge("unsynced_mailboxes", "Mailboxes never read to their end.", lambda one: one.never_synced)
    yield gauge("provider_lag_seconds", "Age of the clean sync of the mailbox that waits longest.", lag)


def _of_database(found: Health, grown: Totals, now: datetime) -> Iterator[Metric]:
    lag = (now - found.oldest_sync_at).total_seconds() if found.oldest_sync_at else 0.0
    yield GaugeMetricFamily("cadence_touches", "Touches stored; counted every ten minutes.", grown.touches)
    yield GaugeMetricFamily("cadence_open_episodes", "Recovery episodes that are open.", found.open_episodes)
    yield GaugeMetricFamily("cadence_sync_lag_seconds", "Age of the oldest clean sync of a polled mailbox.", lag)
    yield from _of_providers(found.queues, now)
    boxes = GaugeMetricFamily("cadence_mailboxes", "Mailboxes.", labels=["provider", "status"])
    for (provider, status), count in sorted(found.mailboxes.items()):
        boxes.add_metric([provider, status], count)
    yield boxes
    posts = {**found.outbox, "sent": grown.sent, "gone": grown.gone}
    yield _gauge("outbox_posts", "Slack messages; sent and gone are counted every ten minutes.", posts, "status")
    waiting = "Messages that do not show the newest facts yet."
    yield GaugeMetricFamily("cadence_redraws_waiting", waiting, found.redraws)
    troubled = "Programmes whose channel takes no message."
    yield GaugeMetricFamily("cadence_channels_in_trouble", troubled, found.channels_in_trouble)


def _of_process() -> Iterator[Metric]:
    for name, says, label, tally in (
        ("captured_messages", "Messages dealt with.", "provider", measures.CAPTURED_MESSAGES),
        ("captured_touches", "Touches found.", "provider", measures.CAPTURED_TOUCHES),
        ("redraws", "Redraws of messages.", "outcome", measures.REDRAWS),
        ("posts", "Attempts to post a message.", "outcome", measures.POSTS),
        ("busy", "Requests of Slack that found no free place.", "kind", measures.BUSY),
        ("failed_steps", "Steps of jobs that failed; they are offered again.", "step", measures.FAILED_STEPS),
    ):
        counter = CounterMetricFamily(f"cadence_{name}", f"{says} By this process, since its start.", labels=[label])
        for value, count in sorted(tally.counts().items()):
            counter.add_metric([value], count)
        yield counter
    yield _histogram("ack_seconds", "From a request of Slack to its acknowledgement.", "kind", measures.ACKS)


def _histogram(name: str, says: str, label: str, spread: Spread) -> HistogramMetricFamily:
    family = HistogramMetricFamily(f"cadence_{name}", says, labels=[label])
    for value, (numbers, total) in sorted(spread.found().items()):
        buckets, so_far = list[tuple[str, float]](), 0
        for bound, number in zip((*map(str, spread.bounds), "+Inf"), numbers, strict=True):
            so_far += number
            buckets.append((bound, so_far))
        family.add_metric([value], buckets, total)
    return family


class _Counts(Collector):
    """Facts are counted when asked, so that every process tells the same; the rest each tells of itself."""

    def __init__(
        self, reading: sessionmaker[Session], clock: Clock, pulse: Pulse, connected: Callable[[], bool]
    ) -> None:
        self._reading, self._clock, self._pulse, self._connected = reading, clock, pulse, connected
        self._totals: tuple[float, Totals] | None = None
        self._counting = threading.Lock()

    def describe(self) -> Iterator[Metric]:
        return iter(())  # registering must not ask the database

    def collect(self) -> Iterator[Metric]:
        now = self._clock.now()
        try:
            with self._reading() as session:
                found, grown = health(session, now), self._grown(session)
        except SQLAlchemyError:  # what the process knows of itself is told all the same
            found = None
        yield GaugeMetricFamily("cadence_database_up", "Whether the database answers.", found is not None)
        yield GaugeMetricFamily("cadence_slack_connected", "Whether Slack reaches this process.", self._connected())
        due: dict[str, float | None] = {"read": _age(self._pulse.oldest_read_due(), now)}
        if found is not None:
            yield from _of_database(found, grown, now)
            due |= {job: _age(found.due.get(job), now) for job in ("post", "fetch")}
        yield _gauge("oldest_due_seconds", "For how long the job that waits longest has been due.", due, "job")
        yield _gauge("job_age_seconds", "Since a job of this process came to its end.", self._pulse.ages(), "job")
        yield from _of_process()

    def _grown(self, session: Session) -> Totals:
        with self._counting:
            if self._totals is None or time.monotonic() - self._totals[0] > TOTALS_AGE:
                self._totals = time.monotonic(), totals(session)
            return self._totals[1]
