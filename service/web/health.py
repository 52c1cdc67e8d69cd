"""`/healthz`, `/readyz`, `/metrics`: for supervisors, load balancers and Prometheus."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from http import HTTPStatus
from typing import TypeVar

from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from service.clients.spool import ResultSpool
from service.errors import ServiceError
from service.logs import get_log
from service.metrics import registry
from service.steps.watch import COUNTED_JOBS, Health
from service.web.alarms import alarms
from service.web.openapi.answers_beside import Health as Alive
from service.web.openapi.answers_beside import Readiness
from service.web.operation import Answer, described
from service.web.probing import NoAnswer, Probe, outcome
from service.web.queries import HealthQuery, read_query
from service.wiring import Wiring

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
    @described(
        "Ask whether the process is alive",
        query=HealthQuery,
        answers={200: Answer("It is.", Alive)},
    )
    def alive() -> Response:
        said: dict[str, object] = {"status": "ok"}
        if challenge := read_query(HealthQuery).challenge:
            said["proofs"] = wiring.presence.proofs(challenge)
        return jsonify(said)

    @routes.get("/readyz")
    @described(
        "Ask whether requests can be answered",
        answers={
            200: Answer("They can.", Readiness),
            503: Answer("The database or the bucket does not answer.", Readiness),
        },
    )
    def ready() -> tuple[Response, int]:
        reading, presence = database.begin(), bucket.begin()
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        database_says, bucket_says = _says(reading, give_up_at), _says(presence, give_up_at)
        health = reading.result() if database_says == "ok" else None
        fit = database_says == bucket_says == "ok"
        document = {
            "status": "ready" if fit else "unready",
            "checks": {"database": database_says, "bucket": bucket_says},
            "alarms": alarms(wiring.settings, health) if health else [],
            "next_url_dies_in_seconds": health.next_url_dies_in_seconds if health else None,
        }
        return jsonify(document), HTTPStatus.OK if fit else HTTPStatus.SERVICE_UNAVAILABLE

    @routes.get("/metrics")
    @described(
        "Read the metrics, for Prometheus",
        answers={200: Answer("All of them.", media_types=("text/plain",))},
    )
    def metrics() -> Response:
        tables = CollectorRegistry()
        tables.register(_Tables(read_tables, wiring.settings.flux_provider))
        tables.register(_Spool(wiring.result_spool))
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
        health = self._reading()
        yield _value("darkroom_database_up", "Whether the database answers", health is not None)
        if health is None:
            return
        text = f"Jobs on their way; at least, from {COUNTED_JOBS:,} on"
        yield _family("darkroom_jobs", text, "status", health.live_jobs)
        text = f"Age of the oldest due row; at least, with {COUNTED_JOBS:,} jobs queued"
        yield _family("darkroom_oldest_due_seconds", text, "lane", health.oldest_due_seconds)
        slots = {**dict.fromkeys(self._providers, 0), **health.slots_in_use}
        yield _family("darkroom_slots_in_use", "Tasks held upstream", "provider", slots)
        gates = {name: int(name in health.closed_gates) for name in self._providers}
        yield _family("darkroom_gate_closed", "Whether only probes are sent", "provider", gates)
        is_held = bool(health.held) or health.deployment_held is not None
        yield _value("darkroom_submit_held", "Whether a worker submits nothing", is_held)
        text = "Results on disks that no worker looks after"
        yield _value("darkroom_results_stranded", text, health.stranded_results)
        if health.next_url_dies_in_seconds is not None:
            name, text = "darkroom_next_url_dies_in_seconds", "Life left of the URL that dies first"
            yield _value(name, text, health.next_url_dies_in_seconds)


class _Spool:
    """What this host keeps for S3; only its own disk is seen."""

    def __init__(self, spool: ResultSpool) -> None:
        self._spool = spool

    def describe(self) -> list[Metric]:
        """Name nothing in advance."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield _value("darkroom_spool_bytes", "Results that wait for S3", self._spool.used_bytes)
        yield _value("darkroom_spool_limit_bytes", "Room for them", self._spool.max_bytes)


def _value(name: str, text: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, text)
    family.add_metric([], value)
    return family


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
