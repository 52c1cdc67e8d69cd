"""Committed intents are sent, whatever becomes of the claim that made them."""

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from chaos.proxy import Mode, TcpProxy
from factories import Rewire, enqueue, job, run, upload
from fakes.pictures import drawn
from fakes.scripted_peer import ScriptedPeer, answer
from fakes.simulator import Simulator
from fakes.upstream_answers import http
from pydantic import SecretStr
from sqlalchemy import make_url, select

from service.errors import DatabaseUnavailable
from service.ids import new_id
from service.keys import NewKey
from service.models import Gate
from service.patience import WORKERS
from service.settings import Provider, Settings
from service.states import Status
from service.wiring import Wiring

YES = answer(http(200, b'{"id": "t-1"}'))


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    with TcpProxy() as proxy:
        yield proxy


def behind(proxy: TcpProxy, settings: Settings) -> SecretStr:
    """Return the database's address with the proxy in front of it."""
    direct = make_url(settings.database_url.get_secret_value())
    proxy.target = direct.port or 0
    there = direct.set(host="127.0.0.1", port=proxy.port)
    return SecretStr(there.render_as_string(hide_password=False))


def test_an_intent_whose_commit_was_not_acknowledged_is_sent_all_the_same(
    rewire: Rewire, wiring: Wiring, key: NewKey, proxy: TcpProxy, simulator: Simulator
) -> None:
    job_id = enqueue(wiring, key)
    cut_off = rewire(database_url=behind(proxy, wiring.settings))
    cut_off.submit.claim(0)
    proxy.set(Mode.CUT_AFTER_COMMIT)
    with pytest.raises(DatabaseUnavailable):
        cut_off.submit.claim(1)
    assert job(wiring, job_id).status is Status.SUBMITTING
    proxy.set(Mode.PASS)
    run(cut_off.submit)
    assert job(wiring, job_id).status is Status.GENERATING
    assert job(wiring, job_id).attempt_count == 1


def test_an_intent_that_was_not_committed_is_not_sent(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    job_id = enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    wiring.submit.unclear.append(dataclasses.replace(intent, attempt_id=new_id()))
    assert wiring.submit.claim(5) == []
    assert wiring.submit.unclear == []
    assert job(wiring, job_id).status is Status.SUBMITTING


def test_a_provider_whose_gate_cannot_be_had_costs_the_others_nothing(
    rewire: Rewire, wiring: Wiring, key: NewKey
) -> None:
    with ScriptedPeer(YES) as peer, ThreadPoolExecutor(1) as pool:
        two = rewire(
            flux_provider=[Provider.COMETAPI, Provider.BFL],
            flux_api_url=[peer.url, peer.url],
            flux_api_key=[SecretStr("comet-key"), SecretStr("bfl-key")],
            patience=dataclasses.replace(WORKERS, lock_timeout_ms=500),
        )
        two.submit.claim(1)
        job_id = enqueue(two, key, input={"prompt": "a fox"})
        with wiring.database.transaction() as tx:
            tx.rows(select(Gate.pool).where(Gate.provider == "bfl").with_for_update())
            # longer than a statement waits for a lock
            (outcome,) = pool.submit(run, two.submit).result(30)
    assert job(wiring, job_id).status is Status.GENERATING, outcome


def test_reading_pictures_does_not_use_up_the_time_to_send(
    rewire: Rewire,
    wiring: Wiring,
    key: NewKey,
    proxy: TcpProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    picture = upload(wiring, key, drawn("PNG", (256, 256)))
    job_id = enqueue(
        wiring, key, model="flux-pro-1.0-fill", input={"image": picture, "mask": picture}
    )
    proxy.target = int(wiring.object_store.origin.rpartition(":")[2])
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{proxy.port}")
    slow = rewire(send_deadline_seconds=0.5, flux_timeout_seconds=20.0)
    proxy.set(Mode.LATENCY, delay_seconds=0.4)
    run(slow.submit)
    assert job(wiring, job_id).status is Status.GENERATING
