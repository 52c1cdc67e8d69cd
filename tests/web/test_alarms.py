"""Alarms: each trouble is told in words, as long as it lasts and no longer."""

import json
from datetime import datetime
from uuid import uuid4

import pytest
from factories import ago, enqueue, put
from flask.testing import FlaskClient
from sqlalchemy import delete, insert, update
from web.numbers import value

from service.keys import NewKey
from service.models import HELD_PULSE, SPOOL_PULSE, Deployment, Pulse
from service.states import Status
from service.wiring import Wiring


@pytest.fixture(autouse=True)
def _swept(wiring: Wiring) -> None:
    """Let beat be alive."""
    wiring.sweep(by_beat=True)


def alarms(client: FlaskClient) -> list[str]:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    found: list[str] = json.loads(answer.data)["alarms"]
    return found


def pulse(wiring: Wiring, name: str, at: datetime) -> None:
    with wiring.database.transaction() as tx:
        tx.execute(delete(Pulse).where(Pulse.name == name))
        tx.execute(insert(Pulse).values(name=name, at=at))


def test_only_beats_own_sweep_says_that_beat_is_alive(client: FlaskClient, wiring: Wiring) -> None:
    assert alarms(client) == []
    pulse(wiring, "sweep", ago(60))
    wiring.sweep()
    (said,) = alarms(client)
    assert said == "no sweep has run lately: is beat alive, and a worker?"


def test_what_holds_a_worker_is_told_as_long_as_it_says_so(
    client: FlaskClient, wiring: Wiring
) -> None:
    wiring.examine.tell()
    assert alarms(client) == []
    wiring.vitals.bucket_is_away("S3 put: AccessDenied")
    wiring.examine.tell()
    assert alarms(client) == ["a worker submits nothing: S3 does not take results: AccessDenied"]
    text = client.get("/metrics").get_data(as_text=True)
    assert value(text, "darkroom_submit_held") == 1
    pulse(wiring, f"{HELD_PULSE}S3 does not take results: AccessDenied", ago(30))
    assert alarms(client) == []
    assert value(client.get("/metrics").get_data(as_text=True), "darkroom_submit_held") == 0


def test_troubles_of_long_ago_leave_no_rows(wiring: Wiring) -> None:
    pulse(wiring, f"{HELD_PULSE}something", ago(86_400))
    wiring.examine.tell()
    with wiring.database.transaction() as tx:
        assert tx.execute(delete(Pulse).where(Pulse.name.startswith(HELD_PULSE))) == 0


def test_a_held_deployment_is_told_with_its_reason(client: FlaskClient, wiring: Wiring) -> None:
    with wiring.database.transaction() as tx:
        tx.execute(delete(Deployment))
        held = {"held_at": ago(1), "held_reason": "the mark is ahead of the database"}
        tx.execute(insert(Deployment).values(id=uuid4(), **held))
    (said,) = alarms(client)
    assert "the mark is ahead of the database" in said
    with wiring.database.transaction() as tx:
        tx.execute(update(Deployment).values(held_at=None, held_reason=None))
    assert alarms(client) == []


def test_a_receiver_that_no_worker_reaches_is_told(client: FlaskClient, wiring: Wiring) -> None:
    pulse(wiring, "receiver", ago(5))
    assert alarms(client) == []
    pulse(wiring, "receiver", ago(45))
    (said,) = alarms(client)
    assert said.startswith("no worker has reached us at PUBLIC_URL for 4")


def test_a_url_that_dies_soon_is_told_unless_its_image_is_safe_on_a_disk(
    client: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    put(wiring, job_id, status=Status.STORING, result_expires_at=ago(-300))
    assert alarms(client) == []
    put(wiring, job_id, result_expires_at=ago(-30))
    (said,) = alarms(client)
    assert said.startswith("a result is not stored, and its URL dies in ")
    pulse(wiring, f"{SPOOL_PULSE}here", ago(1))
    put(wiring, job_id, kept_by="here")
    assert alarms(client) == []


def test_results_on_a_disk_that_no_worker_looks_after_are_told(
    client: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    for host in ("here", "away", "never"):
        put(wiring, enqueue(wiring, key), status=Status.STORING, kept_by=host)
    pulse(wiring, f"{SPOOL_PULSE}here", ago(1))
    pulse(wiring, f"{SPOOL_PULSE}away", ago(600))
    (said,) = alarms(client)
    assert said.startswith("2 results lie on a disk that no worker looks after")
    text = client.get("/metrics").get_data(as_text=True)
    assert value(text, "darkroom_results_stranded") == 2


def test_gates_and_the_spool_are_numbers_too(client: FlaskClient, wiring: Wiring) -> None:
    folder = wiring.settings.spool_dir / "results"
    folder.mkdir(parents=True)
    (folder / f"{uuid4().hex}.{'a' * 64}.result").write_bytes(b"x" * 1234)
    text = client.get("/metrics").get_data(as_text=True)
    assert value(text, 'darkroom_gate_closed{provider="simulator"}') == 0
    assert value(text, "darkroom_spool_bytes") == 1234
    assert value(text, "darkroom_spool_limit_bytes") == wiring.settings.spool_max_bytes
