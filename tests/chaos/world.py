"""The world of a run: servers of its own, a proxy before each, the simulator, the callers' sink."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
import urllib3
from chaos.crashable import Crashable, port_of, through
from chaos.plan import FAULTS
from chaos.proxy import TcpProxy
from chaos.sink import CallbackSink
from egress import audit
from fakes.simulator import Simulator

from service.embedded.postgres import Postgres
from service.embedded.seaweedfs import SeaweedFS
from service.embedded.stack import Server, running
from service.embedded.state import free_ports
from service.embedded.valkey import Valkey

ROOT = Path(__file__).parents[2]
BUCKET = "images"

#: The product's schedules in the scale of a run: generation 0.2 to 1.5 s, results live for 20 s.
SCALE = {
    "SWEEP_INTERVAL_SECONDS": "1",
    "LEASE_SECONDS": "3",
    "FLUX_TIMEOUT_SECONDS": "3",
    "SEND_DEADLINE_SECONDS": "1",
    "UNCONFIRMED_GRACE_SECONDS": "15",
    "BREAKER_PROBE_SECONDS": "1",
    "ACCOUNT_PROBE_SECONDS": "4",
    "S3_TIMEOUT_SECONDS": "1.5",
    "POLL_AFTER_SECONDS": "3",
    "POLL_INTERVAL_SECONDS": "1",
    "UPSTREAM_DEADLINE_SECONDS": "60",
    "CALLBACK_SCHEDULE_SECONDS": "0,0.2,0.5,1,2,4,8,16",
}
_RESULT_LIFE_SECONDS = 20
_WEBHOOK_WAITS_SECONDS = "0.5,2,8"


@dataclass(frozen=True)
class World:
    """Everything around the service."""

    home: Path
    postgres: Crashable
    broker: Crashable
    proxies: Mapping[str, TcpProxy]
    simulator: Simulator
    sink: CallbackSink
    #: Where the bucket really is, for the checker.
    s3: Mapping[str, str]
    #: Every variable of the service; each address leads through a proxy.
    environment: Mapping[str, str]
    #: Where web listens, and where callers and the simulator reach it: through a proxy.
    url: str

    def heal(self) -> None:
        """Let every proxy pass everything."""
        for proxy in self.proxies.values():
            proxy.set(proxy.mode.PASS)


#: Makes the broker's server, its data and its file `pid` in a directory, its words in a log.
MakeBroker = Callable[[Path, Path], Server]


def valkey(directory: Path, log: Path) -> Server:
    """Return the broker of `make run`, without a disk."""
    return Valkey(directory, log, durable=False)


@contextlib.contextmanager
def world(
    home: Path,
    *,
    seed: int,
    slots: int,
    sink: CallbackSink,
    settings: Mapping[str, str],
    make_broker: MakeBroker,
) -> Iterator[World]:
    """Start everything but the service, whose `settings` differ; call it from the main thread."""
    home.chmod(0o755)
    with contextlib.ExitStack() as stack:
        names = ("database", "broker", "bucket", "upstream", "callers", "public")
        proxies = {
            name: stack.enter_context(TcpProxy(seed=seed + place))
            for place, name in enumerate(names)
        }
        s3 = SeaweedFS(home / "s3", home / "s3.log", bucket=BUCKET)
        broker = make_broker(home / "broker", home / "broker.log")
        postgres = Postgres(home / "postgres", home / "postgres.log")
        found = stack.enter_context(running(s3, broker, postgres))
        simulator = stack.enter_context(_simulator(home, seed, slots, proxies["upstream"]))
        (web,) = free_ports()
        proxies["bucket"].target = port_of(found["AWS_ENDPOINT_URL_S3"])
        proxies["upstream"].target = port_of(simulator.url)
        proxies["callers"].target = sink.port
        proxies["public"].target = web
        _spare_the_disk(found["DATABASE_URL"])
        data = home / "postgres" / "data" / "postmaster.pid"
        crashable = (
            Crashable(postgres, data, "DATABASE_URL", proxies["database"]),
            Crashable(broker, home / "broker" / "pid", "CELERY_BROKER_URL", proxies["broker"]),
        )
        for server in crashable:
            server.aim()
        url = f"http://127.0.0.1:{proxies['public'].port}"
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            **found,
            **SCALE,
            "DATABASE_URL": through(proxies["database"], found["DATABASE_URL"]),
            "CELERY_BROKER_URL": through(proxies["broker"], found["CELERY_BROKER_URL"]),
            "AWS_ENDPOINT_URL_S3": through(proxies["bucket"], found["AWS_ENDPOINT_URL_S3"]),
            "SECRET_KEY": "a-key-for-chaos-long-enough-to-be-one",
            "PORT": str(web),
            "PUBLIC_URL": url,
            "FLUX_PROVIDER": "simulator",
            "FLUX_API_URL": f"http://127.0.0.1:{proxies['upstream'].port}/v1",
            "FLUX_API_KEY": "simulator-key",
            "FLUX_MAX_ACTIVE": str(slots),
            "EGRESS_ALLOWED_NETWORKS": "127.0.0.0/8",
            "DARKROOM_HOME": str(home),
            **settings,
            **audit.inherited(),
        }
        subprocess.run(
            [sys.executable, "-m", "alembic", "upgrade", "head"],
            cwd=ROOT,
            env={**os.environ, **environment},
            check=True,
            capture_output=True,
        )
        yield World(home, *crashable, proxies, simulator, sink, found, environment, url)


def _spare_the_disk(url: str) -> None:
    """Have commits wait for the kernel, not for the disk: processes are killed here, no machine."""
    plain = url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync TO off")
        connection.execute("SELECT pg_reload_conf()")


@contextlib.contextmanager
def _simulator(home: Path, seed: int, slots: int, proxy: TcpProxy) -> Iterator[Simulator]:
    flags = (
        *("--seed", str(seed), "--min-seconds", "0.2", "--max-seconds", "1.5"),
        *("--result-lifetime-seconds", str(_RESULT_LIFE_SECONDS)),
        *("--webhook-retry-seconds", _WEBHOOK_WAITS_SECONDS),
        # it would take more than we may send, so that one too many is seen
        *("--max-active", str(4 * slots)),
        *("--public-url", f"http://127.0.0.1:{proxy.port}"),
    )
    with Simulator.start(home / "ledger.jsonl", *flags) as simulator:
        answer = urllib3.request("GET", f"{simulator.url}/control/state", retries=False, timeout=5)
        # a fresh ledger, written by the process that we started: it is ours
        assert answer.json()["counts"] == {}
        for name, fault in FAULTS.items():
            simulator.set_fault(
                fault.rule,
                match={"prompt_contains": f"[{name}]"},
                probability=fault.probability,
                args=fault.args,
            )
        yield simulator
