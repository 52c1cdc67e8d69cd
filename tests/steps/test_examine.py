"""Examine: the bucket and the receiver are asked before anybody needs them."""

import socket
from collections.abc import Iterator

import pytest
from factories import Rewire, ago, enqueue, hear, webhook
from fakes.ringing import Ringing
from fakes.scripted_peer import ScriptedPeer, answer, ok
from sqlalchemy import delete, insert, select, update

from service.keys import NewKey
from service.messages import Message
from service.models import FluxWebhook, Pulse
from service.vitals import RECEIVER_FORGOTTEN_SECONDS
from service.wiring import Wiring

UNREACHED = "the receiver does not answer at PUBLIC_URL"
AWAY = "S3 does not take results: AccessDenied"


DENIED = b"<Error><Code>AccessDenied</Code></Error>"


class Moody:
    """S3 as far as a small question goes: the methods in `refused` are answered 403."""

    def __init__(self) -> None:
        self.refused: set[str] = set()

    def __call__(self, sock: socket.socket, peer: ScriptedPeer) -> None:
        method = peer.read_request(sock).split()[0].decode()
        is_refused = method in self.refused
        head = b"403 Forbidden" if is_refused else b"200 OK"
        body = DENIED if is_refused and method != "HEAD" else b""
        length = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
        sock.sendall(b"HTTP/1.1 %b\r\n%b%b" % (head, length, body))


@pytest.fixture
def moody() -> Moody:
    return Moody()


@pytest.fixture
def peer(moody: Moody) -> Iterator[ScriptedPeer]:
    with ScriptedPeer(moody) as peer:
        yield peer


@pytest.fixture
def sick(peer: ScriptedPeer, rewire: Rewire, monkeypatch: pytest.MonkeyPatch) -> Wiring:
    """A wiring whose bucket has moods."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", peer.url)
    return rewire()


def test_a_bucket_that_answers_is_well(wiring: Wiring, ringing: Ringing) -> None:
    wiring.examine.look_at_bucket()
    assert wiring.vitals.trouble() is None
    assert ringing.rung == []


def asked_for(peer: ScriptedPeer) -> list[str]:
    return [request.split()[0].decode() for request in peer.requests]


def test_a_bucket_that_takes_no_bytes_must_take_some_before_anything_is_bought(
    sick: Wiring, moody: Moody, peer: ScriptedPeer, ringing: Ringing
) -> None:
    sick.examine.look_at_bucket()
    assert sick.vitals.trouble() is None
    moody.refused = {"HEAD", "PUT"}
    sick.examine.look_at_bucket()
    assert sick.vitals.trouble() == AWAY
    moody.refused = set()
    sick.examine.look_at_bucket()
    assert sick.vitals.trouble() is None
    assert asked_for(peer) == ["HEAD", "HEAD", "PUT", "PUT"]
    assert ringing.rung == [Message.STORE]


def test_a_bucket_that_fails_a_check_and_takes_bytes_is_well(
    sick: Wiring, moody: Moody, peer: ScriptedPeer, ringing: Ringing
) -> None:
    moody.refused = {"HEAD"}
    for _ in range(3):
        sick.examine.look_at_bucket()
        assert sick.vitals.trouble() is None
    assert asked_for(peer) == ["HEAD", "PUT"] * 3
    assert ringing.rung == []


def test_nothing_is_bought_while_the_bucket_is_away(wiring: Wiring, key: NewKey) -> None:
    enqueue(wiring, key)
    wiring.vitals.bucket_is_away("S3 put: ConnectTimeoutError")
    assert wiring.submit.claim(1) == []
    wiring.examine.look_at_bucket()
    assert len(wiring.submit.claim(1)) == 1


def test_the_probe_is_taken_by_a_real_bucket(wiring: Wiring) -> None:
    wiring.vitals.bucket_is_away("S3 put: ConnectTimeoutError")
    wiring.examine.look_at_bucket()
    assert wiring.vitals.bucket_is_well
    prefix = f"{wiring.settings.s3_prefix}.darkroom/"
    assert f"{prefix}probe" in dict(wiring.object_store.listing(prefix))


def asked(wiring: Wiring, times: int) -> str | None:
    """Ask for the receiver so often, and return the trouble."""
    for _ in range(times):
        wiring.examine.look_at_receiver()
    return wiring.vitals.trouble()


def answered(wiring: Wiring, seconds_ago: float) -> None:
    """Say when a web process last answered a worker."""
    with wiring.database.transaction() as tx:
        tx.execute(delete(Pulse))
        tx.execute(insert(Pulse).values(name="receiver", at=ago(seconds_ago)))


def test_a_receiver_that_answers_is_noted_by_the_databases_clock(reachable: Wiring) -> None:
    answered(reachable, 500)
    assert asked(reachable, 1) is None
    with reachable.database.transaction() as tx:
        assert tx.scalar(select(Pulse.at).where(Pulse.name == "receiver")) > ago(60)


def test_a_receiver_that_answered_once_and_not_any_more_holds_after_three_failures(
    wiring: Wiring,
) -> None:
    answered(wiring, 60)
    assert asked(wiring, 2) is None
    assert asked(wiring, 1) == UNREACHED


def test_a_receiver_that_is_back_releases_at_once(reachable: Wiring) -> None:
    answered(reachable, 60)
    reachable.vitals.hold("receiver", UNREACHED)
    assert asked(reachable, 1) is None


def test_whom_nobody_of_us_ever_reached_holds_nothing(wiring: Wiring) -> None:
    assert asked(wiring, 5) is None


def test_whom_nobody_of_us_has_reached_for_long_holds_nothing(wiring: Wiring) -> None:
    answered(wiring, RECEIVER_FORGOTTEN_SECONDS - 60)
    assert asked(wiring, 3) == UNREACHED
    answered(wiring, RECEIVER_FORGOTTEN_SECONDS + 60)
    assert asked(wiring, 1) is None


def test_whom_another_worker_reaches_can_be_reached(wiring: Wiring) -> None:
    answered(wiring, 5)
    assert asked(wiring, 5) is None


def test_whom_flux_reaches_can_be_reached(wiring: Wiring, key: NewKey) -> None:
    answered(wiring, 60)
    assert asked(wiring, 3) == UNREACHED
    job_id = enqueue(wiring, key)
    wiring.vitals.release("receiver")
    assert wiring.submit.claim(1)
    hear(wiring, webhook(wiring, job_id))
    assert asked(wiring, 1) is None
    with wiring.database.transaction() as tx:
        tx.execute(update(FluxWebhook).values(received_at=ago(60)))
    assert asked(wiring, 1) == UNREACHED


@pytest.mark.parametrize(
    "said",
    [
        ok(b'{"status": "ok"}'),
        ok(b'{"status": "ok", "proofs": ["AAAA"]}'),
        ok(b"<h1>We will be back</h1>"),
        ok(b"[" * 4000),
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
        b"",
    ],
)
def test_somebody_elses_answer_is_none(said: bytes, rewire: Rewire) -> None:
    with ScriptedPeer(answer(said)) as peer:
        wiring = rewire(public_url=peer.url)
        answered(wiring, 60)
        assert asked(wiring, 3) == UNREACHED


def test_a_redirect_is_not_followed(reachable: Wiring, rewire: Rewire) -> None:
    place = b"Location: %b/healthz\r\n" % reachable.settings.public_url.encode()
    moved = b"HTTP/1.1 302 Found\r\n" + place + b"Content-Length: 0\r\n\r\n"
    with ScriptedPeer(answer(moved)) as peer:
        wiring = rewire(public_url=peer.url)
        answered(wiring, 60)
        assert asked(wiring, 3) == UNREACHED
