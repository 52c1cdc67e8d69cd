"""The product's own receiver where the simulator can reach it; a wiring without S3."""

import threading
from collections.abc import Callable, Iterable, Iterator
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from factories import Rewire
from fakes.simulator import Simulator
from werkzeug.serving import make_server

from service.web.app import create_app
from service.wiring import Wiring


@pytest.fixture
def reachable(rewire: Rewire, simulator: Simulator) -> Iterator[Wiring]:
    """A wiring whose receiver the simulator can call; `simulator` ends first."""
    late: list[Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]] = []

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return late[0](environ, start)

    server = make_server("127.0.0.1", 0, app, threaded=True)
    wiring = rewire(public_url=f"http://127.0.0.1:{server.server_port}")
    late.append(create_app(wiring))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield wiring
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def without_s3(rewire: Rewire, monkeypatch: pytest.MonkeyPatch) -> Wiring:
    """A wiring whose S3 is down."""
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        wiring = rewire()
        assert wiring.object_store.origin == "http://127.0.0.1:9"
    return wiring
