"""S3: nothing is stored before S3 has confirmed its checksum. A real server."""

import base64
import hashlib
import ssl
import time
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
import trustme
import urllib3
from botocore.config import Config
from fakes.scripted_peer import Script, ScriptedPeer, answer
from fakes.silent_peer import silent_peer

from service.clients.object_store import ObjectStore
from service.errors import StorageUnavailable
from service.pictures import Spooled

DATA = b"image bytes" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()
TIMEOUT_SECONDS = 10.0
CONFIRMED = base64.b64encode(hashlib.sha256(DATA).digest())


@pytest.fixture
def store(servers: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    for name, value in servers.items():
        monkeypatch.setenv(name, value)
    return ObjectStore("images", timeout_seconds=TIMEOUT_SECONDS)


@pytest.fixture
def spooled(tmp_path: Path) -> Spooled:
    path = tmp_path / "result"
    path.write_bytes(DATA)
    return Spooled(path, SHA256, len(DATA))


def key() -> str:
    return f"{uuid4().hex}/Zwölf + 1 & 2.png"


def test_a_file_is_stored_with_its_type_and_metadata(store: ObjectStore, spooled: Spooled) -> None:
    place = key()
    store.put_file(place, spooled, "image/png", {"job-id": "job_1"})
    store.put_file(place, spooled, "image/png", {"job-id": "job_1"})
    client = boto3.client("s3", region_name="us-east-1", config=Config(signature_version="s3v4"))
    found = client.get_object(Bucket="images", Key=place)
    assert hashlib.sha256(found["Body"].read()).hexdigest() == SHA256
    assert (found["ContentType"], found["Metadata"]) == ("image/png", {"job-id": "job_1"})
    assert store.get("images", place) == DATA


def test_bytes_that_are_not_what_was_downloaded_are_not_stored(
    store: ObjectStore, spooled: Spooled
) -> None:
    place = key()
    assert isinstance(spooled.content, Path)
    spooled.content.write_bytes(DATA[:-1] + b"X")
    with pytest.raises(StorageUnavailable):
        store.put_file(place, spooled, "image/png", {})
    with pytest.raises(FileNotFoundError):
        store.get("images", place)


def test_a_large_file_is_stored_in_little_memory(store: ObjectStore, tmp_path: Path) -> None:
    much = bytes(20_000_000)
    path = tmp_path / "much"
    path.write_bytes(much)
    place = key()
    large = Spooled(path, hashlib.sha256(much).hexdigest(), len(much))
    store.put_file(place, large, "image/png", {})
    tracemalloc.start()
    store.put_file(place, large, "image/png", {})
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1_000_000
    assert store.get("images", place) == much
    store.delete("images", place)


def test_what_is_deleted_is_gone_and_may_be_deleted_again(store: ObjectStore) -> None:
    place = key()
    store.put_bytes(place, DATA, "image/png")
    for _ in range(2):
        store.delete("images", place)
        with pytest.raises(FileNotFoundError):
            store.get("images", place)


def test_a_presigned_url_opens_the_object_without_a_key(store: ObjectStore) -> None:
    place = key()
    store.put_bytes(place, DATA, "image/png")
    http = urllib3.PoolManager(retries=False)
    url = store.presign("images", place, 60)
    assert url.startswith(store.origin + "/images/")
    opened = http.request("GET", url)
    assert (opened.status, opened.data) == (200, DATA)
    assert http.request("GET", url.partition("?")[0]).status == 403
    assert http.request("GET", url[:-1] + ("0" if url[-1] != "0" else "1")).status == 403
    http.clear()


def test_a_bucket_that_is_there_is_fit_and_one_that_is_not_is_not(store: ObjectStore) -> None:
    store.check()
    with pytest.raises(StorageUnavailable):
        ObjectStore("no-such-bucket", timeout_seconds=TIMEOUT_SECONDS).check()


def http(status: int, *headers: bytes) -> Script:
    lines = [b"HTTP/1.1 %d Whatever" % status, b"Content-Length: 0", *headers, b"", b""]
    return answer(b"\r\n".join(lines))


NOT_CONFIRMED = {
    "nothing about a checksum": http(200, b'ETag: "x"'),
    "another checksum": http(200, b"x-amz-checksum-sha256: " + b"A" * 43 + b"="),
    "503": http(503),
    "403": http(403),
    "nothing": answer(b""),
}


@pytest.mark.parametrize("name", NOT_CONFIRMED)
def test_what_s3_does_not_confirm_is_not_stored(
    store: ObjectStore, spooled: Spooled, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with ScriptedPeer(NOT_CONFIRMED[name]) as peer:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", peer.url)
        with pytest.raises(StorageUnavailable) as failure:
            ObjectStore("images", timeout_seconds=TIMEOUT_SECONDS).put_file(
                "k", spooled, "image/png", {}
            )
    assert str(peer.port) not in str(failure.value)
    assert len([one for one in peer.requests if one.startswith(b"PUT")]) == 1


@pytest.mark.parametrize(
    ("length", "stored"), [(len(DATA), True), (len(DATA) - 1, False)], ids=["same", "short"]
)
def test_where_the_answer_says_nothing_a_head_is_asked_for_checksum_and_size(
    spooled: Spooled,
    store: ObjectStore,
    monkeypatch: pytest.MonkeyPatch,
    length: int,
    *,
    stored: bool,
) -> None:
    last = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
    head = last + b"Content-Length: %d\r\nx-amz-checksum-sha256: %b\r\n\r\n"

    def script(sock: object, peer: ScriptedPeer) -> None:
        asked = peer.read_request(sock)  # type: ignore[arg-type]
        put = last + b"Content-Length: 0\r\n\r\n"
        said = put if asked.startswith(b"PUT") else head % (length, CONFIRMED)
        sock.sendall(said)  # type: ignore[attr-defined]

    with ScriptedPeer(script) as peer:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", peer.url)
        careful = ObjectStore("images", timeout_seconds=TIMEOUT_SECONDS)
        if stored:
            careful.put_file("k", spooled, "image/png", {})
        else:
            with pytest.raises(StorageUnavailable, match="checksum"):
                careful.put_file("k", spooled, "image/png", {})
    assert [one.split(b" ")[0] for one in peer.requests] == [b"PUT", b"HEAD"]


def test_a_name_is_asked_of_the_proxy_that_the_environment_names(
    store: ObjectStore, spooled: Spooled, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmed = http(200, b"x-amz-checksum-sha256: " + CONFIRMED)
    with ScriptedPeer(confirmed) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://s3.test")
        monkeypatch.setenv("HTTP_PROXY", f"http://user:word@127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        ObjectStore("images", timeout_seconds=TIMEOUT_SECONDS).put_file(
            "k", spooled, "image/png", {}
        )
    (asked,) = proxy.requests
    assert asked.startswith(b"PUT http://s3.test/images/k ")
    assert b"\r\nProxy-Authorization: Basic dXNlcjp3b3Jk\r\n" in asked


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_only_an_authority_of_the_environment_or_of_all_vouches_for_s3(
    store: ObjectStore,
    spooled: Spooled,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    known: bool,
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(str(bundle))
    if known:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    confirmed = http(200, b"x-amz-checksum-sha256: " + CONFIRMED)
    with ScriptedPeer(confirmed, tls=context) as peer:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", peer.url)
        one = ObjectStore("images", timeout_seconds=TIMEOUT_SECONDS)
        if known:
            one.put_file("k", spooled, "image/png", {})
        else:
            with pytest.raises(StorageUnavailable, match="SSLError"):
                one.put_file("k", spooled, "image/png", {})
    assert len(peer.requests) == known


def test_an_object_that_comes_cut_short_is_not_taken_for_whole(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nfour")
    with ScriptedPeer(cut) as peer:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", peer.url)
        with pytest.raises(StorageUnavailable):
            ObjectStore("images", timeout_seconds=TIMEOUT_SECONDS).get("images", "k")


def test_a_silent_server_holds_nobody_up_for_long(
    store: ObjectStore, spooled: Spooled, monkeypatch: pytest.MonkeyPatch
) -> None:
    with silent_peer() as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
        patient = ObjectStore("images", timeout_seconds=60)
        quick = ObjectStore("images", timeout_seconds=0.5)
        began = time.monotonic()
        with pytest.raises(StorageUnavailable):
            patient.check()
        with pytest.raises(StorageUnavailable):
            patient.probe("k")
        with pytest.raises(StorageUnavailable):
            quick.put_file("k", spooled, "image/png", {})
        assert time.monotonic() - began < 30


def test_a_server_that_is_down_is_unavailable_for_everything(
    store: ObjectStore, spooled: Spooled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    down = ObjectStore("images", timeout_seconds=TIMEOUT_SECONDS)
    for act in (
        lambda: down.put_file("k", spooled, "image/png", {}),
        lambda: down.put_bytes("k", DATA, "image/png"),
        lambda: down.get("images", "k"),
        lambda: down.delete("images", "k"),
        down.check,
    ):
        with pytest.raises(StorageUnavailable):
            act()
    assert down.presign("images", "k", 60).startswith("http://127.0.0.1:9/images/k?")
