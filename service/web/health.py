"""`/healthz`, `/readyz`, `/metrics`: for supervisors, load balancers and Prometheus."""

import os
from collections.abc import Iterator
from http import HTTPStatus

from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from service.errors import DatabaseUnavailable, StorageUnavailable
from service.steps.watch import Health
from service.wiring import Wiring

#: A sweep older than this many of its intervals (and at least ten seconds) is an alarm.
SWEEP_ALARM_INTERVALS = 5
MIN_SWEEP_ALARM_SECONDS = 10.0


def health_blueprint(wiring: Wiring) -> Blueprint:
    """Return the routes that need no key."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def alive() -> Response:
        return jsonify({"status": "ok"})

    @routes.get("/readyz")
    def ready() -> tuple[Response, int]:
        checks, health = _checks(wiring)
        fit = all(checks[name] == "ok" for name in ("database", "bucket"))
        document = {
            "status": "ready" if fit else "unready",
            "checks": checks,
            "alarms": _alarms(wiring, health) if health else [],
            "next_url_dies_in_seconds": health.next_url_dies_in_seconds if health else None,
        }
        return jsonify(document), HTTPStatus.OK if fit else HTTPStatus.SERVICE_UNAVAILABLE

    @routes.get("/metrics")
    def metrics() -> Response:
        registry: CollectorRegistry = REGISTRY
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # no types in the library
        tables = CollectorRegistry()
        tables.register(_Tables(wiring))
        body = generate_latest(registry) + generate_latest(tables)
        return Response(body, content_type=CONTENT_TYPE_LATEST)

    return routes


class _Tables:
    """What only the database knows, read when Prometheus asks."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def describe(self) -> list[Metric]:
        """Name nothing in advance, so that registering asks the database nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("darkroom_database_up", "Whether the database answers")
        try:
            health = self._wiring.watch.health()
        except DatabaseUnavailable:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield _family("darkroom_jobs", "Jobs on their way", "status", health.live_jobs)
        yield _family(
            "darkroom_oldest_due_seconds", "Age of the oldest due row", "lane",
            health.oldest_due_seconds,
        )  # fmt: skip
        yield _family(
            "darkroom_slots_in_use", "Tasks held upstream", "provider", health.slots_in_use
        )
        if health.next_url_dies_in_seconds is not None:
            name = "darkroom_next_url_dies_in_seconds"
            margin = GaugeMetricFamily(name, "Life left of the result URL that dies first")
            margin.add_metric([], health.next_url_dies_in_seconds)
            yield margin


def _family(name: str, text: str, label: str, values: dict[str, int] | dict[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _checks(wiring: Wiring) -> tuple[dict[str, str], Health | None]:
    checks = {"database": "ok", "bucket": "ok"}
    health = None
    try:
        health = wiring.watch.health()
    except DatabaseUnavailable as error:
        checks["database"] = str(error)
    try:
        wiring.object_store.check()
    except StorageUnavailable as error:
        checks["bucket"] = str(error)
    return checks, health


def _alarms(wiring: Wiring, health: Health) -> list[str]:
    """Say what a person should look at although requests are still answered."""
    alarms = [
        f"nothing is submitted to {provider}: {reason}"
        for provider, reason in health.closed_gates.items()
    ]
    interval = wiring.settings.sweep_interval_seconds
    limit = max(MIN_SWEEP_ALARM_SECONDS, SWEEP_ALARM_INTERVALS * interval)
    if health.sweep_age_seconds is None or health.sweep_age_seconds > limit:
        alarms.append("no sweep has run lately: is beat alive, and a worker?")
    return alarms
