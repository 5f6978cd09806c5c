"""What an operator's tools ask over HTTP: is it alive, and how is it doing. No names and no addresses leave here."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from flask import Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from models.clock import Clock
from models.queries.health import Queues, health


def add_operation(web: Flask, reading: sessionmaker[Session], clock: Clock, connected: Callable[[], bool]) -> None:
    """Adds `/healthz` and `/metrics`."""
    registry = CollectorRegistry()
    registry.register(_Counts(reading, clock))

    @web.get("/healthz")
    def healthz() -> Response:
        try:
            with reading() as session:
                health(session)
        except SQLAlchemyError:
            return Response("the database does not answer\n", 503, mimetype="text/plain")
        if not connected():
            return Response("not connected to Slack\n", 503, mimetype="text/plain")
        return Response("ok\n", mimetype="text/plain")

    @web.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _of_providers(queues: Mapping[str, Queues], now: datetime) -> Iterator[GaugeMetricFamily]:
    def gauge(name: str, says: str, figures: Mapping[str, float | None]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(f"cadence_{name}", says, labels=["provider"])
        for provider, figure in sorted(figures.items()):
            if figure is not None:
                family.add_metric([provider], figure)
        return family

    def each(figure: Callable[[Queues], float | None]) -> dict[str, float | None]:
        return {provider: figure(one) for provider, one in queues.items()}

    def lag(one: Queues) -> float | None:
        return (now - one.oldest_sync_at).total_seconds() if one.oldest_sync_at else None

    yield gauge("pending_fetches", "Messages that wait for another attempt.", each(lambda one: one.pending))
    yield gauge("dead_fetches", "Messages that could not be fetched in 48 hours.", each(lambda one: one.dead))
    yield gauge("gap_messages", "Messages that the provider lists and Cadence lacks.", each(lambda one: one.gap))
    yield gauge("unsynced_mailboxes", "Mailboxes never read to their end.", each(lambda one: one.never_synced))
    yield gauge("provider_lag_seconds", "Age of the clean sync of the mailbox that waits longest.", each(lag))


class _Counts(Collector):
    """Counted when asked, so that every process tells the same."""

    def __init__(self, reading: sessionmaker[Session], clock: Clock) -> None:
        self._reading, self._clock = reading, clock

    def describe(self) -> Iterator[GaugeMetricFamily]:
        return iter(())  # registering must not ask the database

    def collect(self) -> Iterator[GaugeMetricFamily]:
        with self._reading() as session:
            now, found = self._clock.now(), health(session)
        lag = (now - found.oldest_sync_at).total_seconds() if found.oldest_sync_at else 0.0
        yield GaugeMetricFamily("cadence_touches", "Touches stored, counting or not.", found.touches)
        yield GaugeMetricFamily("cadence_open_episodes", "Recovery episodes that are open.", found.open_episodes)
        yield GaugeMetricFamily("cadence_sync_lag_seconds", "Age of the oldest clean sync of a polled mailbox.", lag)
        yield from _of_providers(found.queues, now)
        boxes = GaugeMetricFamily("cadence_mailboxes", "Mailboxes.", labels=["provider", "status"])
        for (provider, status), count in found.mailboxes.items():
            boxes.add_metric([provider, status], count)
        yield boxes
        posts = GaugeMetricFamily("cadence_outbox_posts", "Slack messages of the outbox.", labels=["status"])
        for status, count in found.outbox.items():
            posts.add_metric([status], count)
        yield posts
