"""The launcher's first visit, to a web process that answers by the contract."""

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from service.embedded.process import StartFailed
from service.embedded.welcome import Welcome, addresses, set_aside

_KEYS = {"project": "default", "api_key": "key_of_last_time", "callback_secret": "whsec_old"}
_IMAGE = {
    "bucket": "images",
    "key": "default/job_1.png",
    "width": 1024,
    "height": 768,
    "bytes": 4711,
}
_EVENTS = [
    {"seq": 1, "at": "2026-11-22T10:00:00.123456Z", "type": "queued", "message": "accepted"},
    {"seq": 2, "at": "2026-11-22T10:00:01.500000Z", "type": "succeeded", "message": "stored"},
]


class Web(ThreadingHTTPServer):
    """Answers as the web process does; `posted` keeps the bodies of the jobs sent to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.not_ready_for = 2
        self.posted: list[object] = []


class _Handler(BaseHTTPRequestHandler):
    server: Web

    def do_GET(self) -> None:
        job = {"id": "job_1", "status": "succeeded", "images": [_IMAGE]}
        if self.path == "/readyz":
            self.server.not_ready_for -= 1
            self._answer(503 if self.server.not_ready_for >= 0 else 200, {"status": "starting"})
        elif self.headers["Authorization"] != f"Bearer {_KEYS['api_key']}":
            self._answer(401, {"code": "unauthorized"})
        else:
            answers: dict[str, object] = {
                "/v1/jobs?limit=1": {"data": []},
                "/v1/jobs/job_1": job,
                "/v1/jobs/job_1/events": {"data": _EVENTS},
            }
            self._answer(200, answers[self.path])

    def do_POST(self) -> None:
        self.server.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer(202, {"id": "job_1", "status": "generating", "images": []})

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def environment(tmp_path: Path, web: Web) -> dict[str, str]:
    (tmp_path / "dev.json").write_text(json.dumps(_KEYS))
    set_aside(tmp_path)
    assert not (tmp_path / "dev.json").exists()
    return {
        "DARKROOM_HOME": str(tmp_path),
        "PORT": str(web.server_port),
        "PUBLIC_URL": f"http://127.0.0.1:{web.server_port}",
        "DATABASE_URL": "postgresql+psycopg://darkroom:secret@127.0.0.1:5432/darkroom",
        "CELERY_BROKER_URL": "redis://:secret@127.0.0.1:6379/0",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:8333",
        "S3_BUCKET": "images",
        "FLUX_PROVIDER": "simulator",
        "FLUX_API_URL": "http://127.0.0.1:9/v1",
    }


def welcome(environment: Mapping[str, str]) -> None:
    Welcome(environment, is_stopping=lambda: False).run()


def test_the_first_job_is_told_to_its_end(
    environment: dict[str, str], web: Web, capsys: pytest.CaptureFixture[str]
) -> None:
    welcome(environment)
    told = capsys.readouterr().out
    assert "  10:00:00.123  queued     accepted\n  10:00:01.500  succeeded  stored\n" in told
    assert "s3://images/default/job_1.png" in told
    assert "see the log" not in told
    assert f"Gallery    {environment['PUBLIC_URL']}/\n" in told
    # a link needs the database, which is not there
    assert f"Log in     {_KEYS['api_key']}\n" in told
    assert f"-H 'Authorization: Bearer {_KEYS['api_key']}'" in told
    assert len(web.posted) == 1


def test_dev_json_is_private_and_keeps_the_key_of_last_time(environment: dict[str, str]) -> None:
    welcome(environment)
    file = Path(environment["DARKROOM_HOME"]) / "dev.json"
    assert file.stat().st_mode & 0o777 == 0o600
    found = json.loads(file.read_text())
    assert (found["api_key"], found["callback_secret"]) == ("key_of_last_time", "whsec_old")
    assert found["s3"]["bucket"] == "images"
    assert found["url"] == environment["PUBLIC_URL"]


@pytest.mark.parametrize(
    "upstream",
    [
        {"FLUX_PROVIDER": "bfl", "FLUX_API_URL": ""},
        {"FLUX_PROVIDER": "cometapi", "FLUX_API_URL": "http://127.0.0.1:9/v1"},
        {"FLUX_PROVIDER": "simulator", "FLUX_API_URL": "https://flux.example/v1"},
    ],
)
def test_no_job_is_sent_where_it_may_cost_money(
    environment: dict[str, str],
    upstream: dict[str, str],
    web: Web,
    capsys: pytest.CaptureFixture[str],
) -> None:
    welcome(environment | upstream)
    assert web.posted == []
    assert "No first job is sent: this upstream may cost money." in capsys.readouterr().out


def test_a_web_that_is_never_ready_is_an_error_with_its_words(
    environment: dict[str, str], web: Web
) -> None:
    web.not_ready_for = 1_000_000
    with pytest.raises(StartFailed, match=r"readyz is not ready: .*starting"):
        Welcome(environment, is_stopping=lambda: False, ready_seconds=0.2).run()


def test_addresses_are_shown_without_credentials(environment: dict[str, str]) -> None:
    assert addresses(environment) == [
        "PostgreSQL 127.0.0.1:5432",
        "Broker     127.0.0.1:6379",
        "S3         127.0.0.1:8333",
        "Flux       127.0.0.1:9",
    ]
