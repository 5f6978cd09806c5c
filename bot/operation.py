"""What an operator's tools ask over HTTP: is it alive, and how is it doing. No names and no addresses leave here."""

from collections.abc import Callable, Iterator

from flask import Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from models.clock import Clock
from models.queries.health import health


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
        yield GaugeMetricFamily("cadence_pending_fetches", "Messages that wait for another attempt.", found.pending)
        yield GaugeMetricFamily("cadence_dead_fetches", "Messages that could not be fetched in 48 hours.", found.dead)
        boxes = GaugeMetricFamily("cadence_mailboxes", "Mailboxes.", labels=["provider", "status"])
        for (provider, status), count in found.mailboxes.items():
            boxes.add_metric([provider, status], count)
        yield boxes
        posts = GaugeMetricFamily("cadence_outbox_posts", "Slack messages of the outbox.", labels=["status"])
        for status, count in found.outbox.items():
            posts.add_metric([status], count)
        yield posts
