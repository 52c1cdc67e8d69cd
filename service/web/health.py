"""`/healthz`, `/readyz`, `/metrics`: for supervisors, load balancers and Prometheus."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from http import HTTPStatus
from typing import TypeVar

from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from service.errors import ServiceError
from service.logs import get_log
from service.metrics import registry
from service.steps.watch import Health
from service.web.probing import NoAnswer, Probe, outcome
from service.wiring import Wiring

#: A sweep older than this many of its intervals (and at least ten seconds) is an alarm.
SWEEP_ALARM_INTERVALS = 5
MIN_SWEEP_ALARM_SECONDS = 10.0
#: Supervisors ask with timeouts of a few seconds: what has not answered by then counts as away.
PATIENCE_SECONDS = 2.5

Found = TypeVar("Found")

log = get_log(__name__)


def health_blueprint(wiring: Wiring) -> Blueprint:
    """Return the routes that need no key."""
    routes = Blueprint("health", __name__)
    database = Probe(wiring.watch.health)
    bucket = Probe(wiring.object_store.check)

    def read_tables() -> Health | None:
        reading = database.begin()
        says = _says(reading, time.monotonic() + PATIENCE_SECONDS)
        return reading.result() if says == "ok" else None

    @routes.get("/healthz")
    def alive() -> Response:
        return jsonify({"status": "ok"})

    @routes.get("/readyz")
    def ready() -> tuple[Response, int]:
        reading, presence = database.begin(), bucket.begin()
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        database_says, bucket_says = _says(reading, give_up_at), _says(presence, give_up_at)
        health = reading.result() if database_says == "ok" else None
        fit = database_says == bucket_says == "ok"
        document = {
            "status": "ready" if fit else "unready",
            "checks": {"database": database_says, "bucket": bucket_says},
            "alarms": _alarms(wiring, health) if health else [],
            "next_url_dies_in_seconds": health.next_url_dies_in_seconds if health else None,
        }
        return jsonify(document), HTTPStatus.OK if fit else HTTPStatus.SERVICE_UNAVAILABLE

    @routes.get("/metrics")
    def metrics() -> Response:
        tables = CollectorRegistry()
        tables.register(_Tables(read_tables, wiring.settings.flux_provider))
        body = generate_latest(registry()) + generate_latest(tables)
        return Response(body, content_type=CONTENT_TYPE_LATEST)

    return routes


class _Tables:
    """What only the database knows, read when Prometheus asks."""

    def __init__(self, reading: Callable[[], Health | None], providers: Sequence[str]) -> None:
        self._reading = reading
        self._providers = providers

    def describe(self) -> list[Metric]:
        """Name nothing in advance, so that registering asks the database nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("darkroom_database_up", "Whether the database answers")
        health = self._reading()
        up.add_metric([], 0 if health is None else 1)
        yield up
        if health is None:
            return
        yield _family("darkroom_jobs", "Jobs on their way", "status", health.live_jobs)
        yield _family(
            "darkroom_oldest_due_seconds", "Age of the oldest due row", "lane",
            health.oldest_due_seconds,
        )  # fmt: skip
        slots = {**dict.fromkeys(self._providers, 0), **health.slots_in_use}
        yield _family("darkroom_slots_in_use", "Tasks held upstream", "provider", slots)
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


def _says(check: Future[Found], give_up_at: float) -> str:
    """Return "ok", or why a check found nothing."""
    try:
        outcome(check, give_up_at)
    except (ServiceError, NoAnswer) as error:
        return str(error)
    except Exception as error:
        # a database without our tables, for one: no reason to say nothing at all
        log.exception("check_crashed")
        return type(error).__name__
    return "ok"


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
