"""Health: quick and true, also when what we stand on is away."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Api, named
from factories import ACCEPTED, READY, ago, enqueue, put, run
from fakes.silent_peer import silent_peer
from fakes.simulator import Simulator
from flask.testing import FlaskClient
from pydantic import SecretStr
from web.numbers import value
from web.stored_image import succeeded

from service.keys import NewKey
from service.metrics import registry
from service.models import HeardBy
from service.settings import Settings
from service.upstream import Refused
from service.web.app import create_app
from service.wiring import Wiring

ROOT = Path(__file__).parents[2]
#: It answers within three seconds; a hang would be twenty, and this machine may be busy.
LIMIT_SECONDS = 10.0


def test_a_process_that_serves_is_alive_whatever_it_stands_on(settings: Settings) -> None:
    client = create_app(_without_database(settings, 9)).test_client()
    assert json.loads(client.get("/healthz").data) == {"status": "ok"}


def test_ready_means_database_and_bucket_were_asked(client: FlaskClient, wiring: Wiring) -> None:
    wiring.sweep(by_beat=True)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert json.loads(answer.data) == {
        "status": "ready",
        "checks": {"database": "ok", "bucket": "ok"},
        "alarms": [],
        "next_url_dies_in_seconds": None,
    }


def test_a_clock_that_never_ticked_and_a_closed_gate_are_alarms(
    client: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, Refused(402, "Payment Required"))])
    answer = client.get("/readyz")
    assert answer.status_code == 200
    sweep, gate = sorted(json.loads(answer.data)["alarms"])
    assert sweep.startswith("no sweep has run lately")
    assert gate == "nothing is submitted to simulator: the Flux account is out of credits (402)"
    text = client.get("/metrics").get_data(as_text=True)
    assert value(text, 'darkroom_gate_closed{provider="simulator"}') == 1


def _without_database(settings: Settings, port: int) -> Wiring:
    url = SecretStr(f"postgresql+psycopg://app:hush@127.0.0.1:{port}/none")
    return Wiring(settings.model_copy(update={"database_url": url}))


@contextlib.contextmanager
def _nobody() -> Iterator[int]:
    yield 9


def _asked(client: FlaskClient) -> Any:  # noqa: ANN401 - JSON
    began = time.monotonic()
    answer = client.get("/readyz")
    assert time.monotonic() - began < LIMIT_SECONDS
    assert answer.status_code == 503
    assert "hush" not in answer.get_data(as_text=True)
    said = json.loads(answer.data)
    assert said["status"] == "unready"
    return said["checks"]


@pytest.mark.parametrize("peer", [_nobody, silent_peer])
def test_a_database_that_is_away_is_told_within_three_seconds(
    settings: Settings,
    peer: Any,  # noqa: ANN401
) -> None:
    with peer() as port:
        wiring = _without_database(settings, port)
        client = create_app(wiring).test_client()
        checks = _asked(client)
        assert (checks["bucket"], checks["database"] != "ok") == ("ok", True)
        began = time.monotonic()
        metrics = client.get("/metrics").get_data(as_text=True)
        assert time.monotonic() - began < LIMIT_SECONDS
        assert "darkroom_database_up 0.0" in metrics
        wiring.close()


@pytest.mark.parametrize("peer", [_nobody, silent_peer])
def test_a_bucket_that_is_away_is_told_within_three_seconds(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    peer: Any,  # noqa: ANN401
) -> None:
    with peer() as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
        wiring = Wiring(settings)
        client = create_app(wiring).test_client()
        checks = _asked(client)
        assert (checks["database"], checks["bucket"] != "ok") == ("ok", True)
        # who asks while it is silent makes no further thread
        _asked(client)
        assert [thread.name for thread in threading.enumerate()].count("probe") <= 1
        wiring.close()


def test_a_bucket_that_is_not_there_is_unready(settings: Settings) -> None:
    wiring = Wiring(settings.model_copy(update={"s3_bucket": "no-such-bucket"}))
    assert _asked(create_app(wiring).test_client())["bucket"] == "S3 head: 404"
    wiring.close()


def test_a_database_without_our_tables_is_unready(settings: Settings) -> None:
    url = settings.database_url.get_secret_value()
    empty = SecretStr(named(url, "postgres"))
    wiring = Wiring(settings.model_copy(update={"database_url": empty}))
    assert _asked(create_app(wiring).test_client())["database"] == "ProgrammingError"
    wiring.close()


def test_metrics_show_live_jobs_the_oldest_due_rows_and_slots(
    api: Api, client: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    before = client.get("/metrics").get_data(as_text=True)
    assert value(before, 'darkroom_slots_in_use{provider="simulator"}') == 0
    assert value(before, 'darkroom_oldest_due_seconds{lane="submit"}') == 0
    enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, ACCEPTED)])
    put(wiring, enqueue(wiring, key), due_at=ago(5))
    enqueue(wiring, key, start_at=datetime.now(UTC) + timedelta(hours=1))
    text = client.get("/metrics").get_data(as_text=True)
    assert value(text, 'darkroom_jobs{status="generating"}') == 1
    assert value(text, 'darkroom_jobs{status="queued"}') == 2
    assert value(text, 'darkroom_jobs{status="storing"}') == 0
    assert value(text, 'darkroom_slots_in_use{provider="simulator"}') == 1
    assert 5 <= value(text, 'darkroom_oldest_due_seconds{lane="submit"}') < 60
    assert value(text, "darkroom_database_up") == 1
    for lane in ("poll", "store", "deliver", "derive"):
        assert value(text, f'darkroom_oldest_due_seconds{{lane="{lane}"}}') == 0
    for secret in (key.api_key, key.callback_secret, "lighthouse", str(intent.job_id)):
        assert secret not in text


def _counted(name: str, **labels: str) -> float:
    return registry().get_sample_value(name, labels) or 0.0


def test_what_happens_to_jobs_is_counted(wiring: Wiring, key: NewKey, simulator: Simulator) -> None:
    names: list[tuple[str, dict[str, str]]] = [
        ("darkroom_jobs_ended_total", {"status": "succeeded"}),
        ("darkroom_submissions_total", {"outcome": "accepted"}),
        ("darkroom_results_total", {"heard_by": "poll"}),
        ("darkroom_ready_to_stored_seconds_count", {}),
        ("darkroom_deliveries_total", {"outcome": "failed"}),
    ]
    before = [_counted(name, **labels) for name, labels in names]
    spent = _counted("darkroom_ready_to_stored_seconds_sum")
    succeeded(wiring, key, simulator, callback_url="http://127.0.0.1:9/nobody")
    run(wiring.deliver)
    after = [_counted(name, **labels) for name, labels in names]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 1, 1, 1]
    assert 0 < _counted("darkroom_ready_to_stored_seconds_sum") - spent < 30


def test_what_is_rolled_back_is_not_counted(wiring: Wiring, key: NewKey) -> None:
    enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    before = _counted("darkroom_results_total", heard_by="webhook")
    with contextlib.suppress(ZeroDivisionError), wiring.database.transaction() as tx:
        assert wiring.moves.take_result(tx, intent.job_id, 1, READY, HeardBy.WEBHOOK)
        raise ZeroDivisionError
    assert _counted("darkroom_results_total", heard_by="webhook") == before


COUNT = "from service.metrics import SUBMISSIONS; SUBMISSIONS.labels(outcome='accepted').inc()"
READ = (
    "from service.metrics import registry; import shutil, os;"
    "print(registry().get_sample_value('darkroom_submissions_total', {'outcome': 'accepted'}));"
    "shutil.rmtree(os.environ['PROMETHEUS_MULTIPROC_DIR']);"
    "print(registry().get_sample_value('darkroom_submissions_total', {'outcome': 'accepted'}))"
)


def test_all_processes_are_added_up_also_in_a_folder_that_was_not_there(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"

    def python(code: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    for _ in range(3):
        python(COUNT)
    assert python(READ).split() == ["3.0", "None"]


def test_health_is_open_to_all(client: FlaskClient) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert client.get(path).status_code == 200
