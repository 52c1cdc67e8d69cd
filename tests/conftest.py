"""Real servers once per run, a database of its own per test."""

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import structlog
from egress import audit
from factories import Rewire
from fakes.ringing import Ringing
from fakes.simulator import Simulator
from flask.testing import FlaskClient
from secrecy import witness
from secrecy.database import shown
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from service.embedded.postgres import Postgres
from service.embedded.seaweedfs import SeaweedFS
from service.embedded.stack import running
from service.embedded.valkey import Valkey
from service.keys import NewKey
from service.logs import configure_logs
from service.patience import WORKERS, Patience
from service.settings import Settings, load_settings
from service.web.app import create_app
from service.wiring import Wiring

pytest_plugins = ["egress.plugin", "secrecy.plugin", "journeys.services"]

ROOT = Path(__file__).parents[1]
TEMPLATE = "darkroom_template"
#: Variable by which xdist's workers learn of the servers that their controller started.
SERVERS = "DARKROOM_TEST_SERVERS"

#: Folders of tests that wait for whole processes, again and again.
LONG = frozenset({"browser", "chaos", "cli", "generated", "journeys", "model", "simulator"})

#: The product's schedules, fast enough to watch.
QUICK = {
    "SWEEP_INTERVAL_SECONDS": "0.3",
    "LEASE_SECONDS": "3",
    "FLUX_TIMEOUT_SECONDS": "3",
    "SEND_DEADLINE_SECONDS": "1",
    "UNCONFIRMED_GRACE_SECONDS": "2",
    "POLL_AFTER_SECONDS": "1.5",
    "POLL_INTERVAL_SECONDS": "0.5",
    "UPSTREAM_DEADLINE_SECONDS": "30",
    "CALLBACK_SCHEDULE_SECONDS": "0,0.2,0.4,0.8,1.6,3.2",
}


@contextlib.contextmanager
def _running_servers() -> Iterator[dict[str, str]]:
    """Run PostgreSQL, Valkey and S3, with a migrated database to copy from."""
    with tempfile.TemporaryDirectory(prefix="darkroom-test-") as folder:
        home = Path(folder)
        # a server that must not be root reaches its data only through open doors
        home.chmod(0o755)
        with running(
            SeaweedFS(home / "s3", home / "s3.log", bucket="images"),
            Valkey(home / "valkey", home / "valkey.log", durable=False),
            Postgres(home / "postgres", home / "postgres.log", durable=False),
        ) as environment:
            url = environment["DATABASE_URL"]
            _administer(url, f"CREATE DATABASE {TEMPLATE}")
            migrate(named(url, TEMPLATE))
            yield environment


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the random cases of hostile input be so many times more."""
    parser.addoption("--rounds", type=int, default=1)


@pytest.fixture(scope="session")
def rounds(request: pytest.FixtureRequest) -> int:
    """How many times more random cases are tried than in every run."""
    found: int = request.config.getoption("rounds")
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with those few that take long, so that no worker is still at one when all is done."""
    items.sort(key=lambda item: item.path.relative_to(ROOT / "tests").parts[0] not in LONG)


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers once for all of xdist's workers: they die with who started them."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        stack = contextlib.ExitStack()
        os.environ[SERVERS] = json.dumps(stack.enter_context(_running_servers()))
        config.add_cleanup(stack.close)


@pytest.fixture(scope="session")
def servers() -> Iterator[Mapping[str, str]]:
    """PostgreSQL, Valkey and S3 of this run, as the variables that name them.

    With those that put whoever uses the servers under the audit of what leaves a process.
    """
    audited = audit.inherited()
    if SERVERS in os.environ:
        yield json.loads(os.environ[SERVERS]) | audited
    else:
        with _running_servers() as environment:
            yield environment | audited


def _administer(url: str, statement: str) -> None:
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))


def named(url: str, database: str) -> str:
    """Return the address of another database on the same server."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def migrate(database_url: str, *arguments: str) -> None:
    """Run Alembic as the Procfile's release does."""
    subprocess.run(
        [sys.executable, "-m", "alembic", *(arguments or ("upgrade", "head"))],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url},
        check=True,
        capture_output=True,
    )


@pytest.fixture
def database_url(servers: Mapping[str, str]) -> Iterator[str]:
    """A database of this test's own."""
    with new_database(servers["DATABASE_URL"]) as name:
        yield named(servers["DATABASE_URL"], name)


@contextlib.contextmanager
def new_database(url: str, template: str = TEMPLATE) -> Iterator[str]:
    """Copy a database, and drop the copy afterwards whoever still uses it."""
    name = f"test_{uuid4().hex}"
    _administer(url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield name
    witness.say(shown(named(url, name)))
    _administer(url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def shared_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    ledger = tmp_path_factory.mktemp("flux") / "ledger.jsonl"
    quick = ("--min-seconds", "0.02", "--max-seconds", "0.1", "--webhook-retry-seconds", "0.3,1,2")
    with Simulator.start(ledger, *quick) as simulator:
        yield simulator


@pytest.fixture
def simulator(shared_simulator: Simulator) -> Iterator[Simulator]:
    """The upstream of this run, without faults and as it was started."""
    before = shared_simulator.state()["settings"]
    yield shared_simulator
    shared_simulator.clear_faults()
    shared_simulator.change(**before)


@pytest.fixture
def environment(
    servers: Mapping[str, str], database_url: str, simulator: Simulator, tmp_path: Path
) -> dict[str, str]:
    """Every variable of a whole service of this test's own."""
    return {
        **{name: value for name, value in servers.items() if name != "DATABASE_URL"},
        **QUICK,
        "DATABASE_URL": database_url,
        "S3_PREFIX": f"{tmp_path.name}-{uuid4().hex[:8]}/",
        "SECRET_KEY": "a-key-for-tests-long-enough-to-be-one",
        # nobody hears webhooks but where a test wants it
        "PUBLIC_URL": "http://127.0.0.1:9",
        "FLUX_PROVIDER": "simulator",
        "FLUX_API_URL": f"{simulator.url}/v1",
        "FLUX_API_KEY": "simulator-key",
        "EGRESS_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
        "DARKROOM_HOME": str(tmp_path / "home"),
    }


@pytest.fixture
def settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of this test, read from the environment as the product reads them."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    audit.allow_configured(environment)
    witness.keep(environment)
    return load_settings()


@pytest.fixture
def ringing() -> Ringing:
    """What was rung, in order."""
    return Ringing()


@pytest.fixture
def wiring(settings: Settings, ringing: Ringing) -> Iterator[Wiring]:
    """The product's parts on real servers; doorbells are noted instead of rung."""
    wiring = Wiring(settings, ring=ringing)
    yield wiring
    wiring.close()


@pytest.fixture
def rewire(settings: Settings, ringing: Ringing) -> Iterator[Rewire]:
    """Make further wirings over the same servers, with some settings changed."""
    made: list[Wiring] = []

    def rewire(*, patience: Patience = WORKERS, **changes: object) -> Wiring:
        changed = settings.model_copy(update=changes)
        keys = [key.get_secret_value() for key in changed.flux_api_key]
        audit.allow_each(changed.flux_api_url, keys)
        made.append(Wiring(changed, ring=ringing, patience=patience))
        return made[-1]

    yield rewire
    for wiring in made:
        wiring.close()


@pytest.fixture
def other_key(wiring: Wiring) -> NewKey:
    """A key of another project."""
    return wiring.keys.create("other")


@pytest.fixture
def key(wiring: Wiring) -> NewKey:
    """A key of the project `default`."""
    return wiring.keys.create("default")


@dataclass(frozen=True)
class Api:
    """A caller with a key, over Flask's test client."""

    client: FlaskClient
    api_key: str

    def headers(self, **more: str) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return {"Authorization": f"Bearer {self.api_key}", **named}

    def get(self, path: str, **headers: str):  # type: ignore[no-untyped-def] # noqa: ANN201
        return self.client.get(path, headers=self.headers(**headers))

    def post(self, path: str, body: object = None, **headers: str):  # type: ignore[no-untyped-def] # noqa: ANN201
        return self.client.post(path, json=body, headers=self.headers(**headers))


@pytest.fixture
def client(wiring: Wiring) -> FlaskClient:
    """A browser or program without a key."""
    app = create_app(wiring)
    app.testing = False
    return app.test_client()


@pytest.fixture
def api(client: FlaskClient, key: NewKey) -> Api:
    """A caller of the project `default`."""
    return Api(client, key.api_key)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that is logged, down to debug, as the processes write it."""
    written = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "stderr", written)
    configure_logs("debug")
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
