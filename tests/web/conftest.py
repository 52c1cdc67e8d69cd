"""A second tenant, a Flux client, and a real web process."""

import re
from collections.abc import Iterator, Mapping

import pytest
from conftest import Api, named, new_database
from flask.testing import FlaskClient
from web.browser import log_in
from web.facade import Facade
from web.gunicorn_process import GunicornProcess
from web.sent_job import Sent, sent_job

from service.keys import NewKey
from service.settings import load_settings
from service.wiring import Wiring


@pytest.fixture
def other(client: FlaskClient, other_key: NewKey) -> Api:
    """A caller of another project."""
    return Api(client, other_key.api_key)


@pytest.fixture
def flux(client: FlaskClient, key: NewKey) -> Facade:
    """A Flux client with a key of the project `default`."""
    return Facade(client, {"x-key": key.api_key})


@pytest.fixture(scope="module")
def web_environment(
    servers: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The variables of a web process of a module's own; nothing is ever submitted."""
    with new_database(servers["DATABASE_URL"]) as database:
        yield {
            **servers,
            "DATABASE_URL": named(servers["DATABASE_URL"], database),
            "SECRET_KEY": "a-key-for-tests-long-enough-to-be-one",
            "FLUX_API_URL": "http://127.0.0.1:9/v1",
            "EGRESS_ALLOWED_NETWORKS": "127.0.0.0/8",
            "DARKROOM_HOME": str(tmp_path_factory.mktemp("home")),
        }


@pytest.fixture(scope="module")
def web(
    web_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GunicornProcess]:
    """A web process that is there at the end as at the start, whatever was sent to it."""
    with GunicornProcess(web_environment, tmp_path_factory.mktemp("web") / "web.log") as web:
        yield web
        assert web.process.poll() is None
        assert "Traceback" not in web.log
        assert "request_crashed" not in web.log
        # every request has a key, and gunicorn quotes some of what it refuses
        assert not re.search(r"dk_\w", web.log)


@pytest.fixture(scope="module")
def web_wiring(web: GunicornProcess, web_environment: dict[str, str]) -> Iterator[Wiring]:
    """The parts of a web process, over the same servers."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in web_environment.items():
            patch.setenv(name, value)
        wiring = Wiring(load_settings())
        # what it connects with later is read then
        yield wiring
        wiring.close()


@pytest.fixture(scope="module")
def bearer(web_wiring: Wiring) -> str:
    """The header of a caller."""
    return f"Authorization: Bearer {web_wiring.keys.create('default').api_key}"


@pytest.fixture
def browser(client: FlaskClient, key: NewKey) -> FlaskClient:
    """A person of the project `default`, logged in."""
    return log_in(client, key)


@pytest.fixture
def sent(wiring: Wiring, key: NewKey) -> Sent:
    """A job whose paid POST may be on the wire."""
    return sent_job(wiring, key)
