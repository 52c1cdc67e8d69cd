"""The servers behind Darkroom on a bare machine: those that the environment does not name."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from service.embedded.postgres import Postgres
from service.embedded.process import StartFailed
from service.embedded.seaweedfs import SeaweedFS
from service.embedded.simulator import Simulator
from service.embedded.state import free_ports, is_free, keep_secret
from service.embedded.valkey import Valkey

_WEB_PORT = 8080
_LOOPBACK = "127.0.0.0/8,::1/128"
_REAL_PROVIDERS = {"cometapi", "bfl"}


class Server(Protocol):
    """One server of the stack."""

    def launch(self) -> None:
        """Start it without waiting; from the main thread only. Raises StartFailed."""

    def wait_ready(self) -> None:
        """Wait until it truly answers. Raises StartFailed."""

    def stop(self) -> None:
        """End it and wait for its end."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the app finds it; known once it is launched."""


@contextlib.contextmanager
def running(*servers: Server) -> Iterator[dict[str, str]]:
    """Run the servers side by side; they are ready inside and gone after.

    Call it from the main thread, which must outlive the block: see `process`.

    Yields:
        The variables by which the app finds them.

    Raises:
        StartFailed: one of them did not start; the others are stopped.
    """
    with contextlib.ExitStack() as started:
        for server in servers:
            server.launch()
            started.callback(server.stop)
        found: dict[str, str] = {}
        for server in servers:
            server.wait_ready()
            found |= server.environment
        yield found


@contextlib.contextmanager
def stack(
    home: Path, given: Mapping[str, str] = os.environ, *, durable: bool = True
) -> Iterator[dict[str, str]]:
    """Run what the `given` environment lacks, with its data under `home`.

    `DATABASE_URL`, `CELERY_BROKER_URL`, `AWS_ENDPOINT_URL_S3` and `FLUX_API_URL` each replace
    their stand-in; so does a real provider in `FLUX_PROVIDER`. `durable=False` is for tests.

    Yields:
        The whole environment for the app.

    Raises:
        StartFailed: a server did not start, or another stack uses `home`.
    """
    home = home.absolute()
    environment = {name: value for name, value in given.items() if value}
    with _hold(home):
        logs = home / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        bucket = environment.get("S3_BUCKET", "images")
        # Slow starters first: they boot while initdb runs.
        stand_ins: dict[str, Server] = {
            "AWS_ENDPOINT_URL_S3": SeaweedFS(home / "s3", logs / "s3.log", bucket=bucket),
            "FLUX_API_URL": Simulator(
                home / "simulator", logs / "simulator.log", environment=environment
            ),
            "CELERY_BROKER_URL": Valkey(home / "valkey", logs / "valkey.log", durable=durable),
            "DATABASE_URL": Postgres(home / "postgres", logs / "postgres.log", durable=durable),
        }
        paid = {name.strip() for name in environment.get("FLUX_PROVIDER", "").split(",")}
        if paid & _REAL_PROVIDERS:
            del stand_ins["FLUX_API_URL"]
        if "AWS_ENDPOINT_URL_S3" not in environment:
            for foreign in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):  # would spoil our own key
                environment.pop(foreign, None)
        lacking = [server for name, server in stand_ins.items() if name not in environment]
        with running(*lacking) as found:
            yield _defaults(home, environment) | environment | found | _places(home)


def _defaults(home: Path, environment: Mapping[str, str]) -> dict[str, str]:
    port = environment.get("PORT") or _web_port(home / "port")
    return {
        "SECRET_KEY": keep_secret(home / "secret-key"),
        "EGRESS_ALLOWED_NETWORKS": _LOOPBACK,
        "PORT": port,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
    }


def _places(home: Path) -> dict[str, str]:
    metrics = home / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)  # counts of processes that are gone
    metrics.mkdir()
    return {"DARKROOM_HOME": str(home), "PROMETHEUS_MULTIPROC_DIR": str(metrics)}


def _web_port(file: Path) -> str:
    last = [int(file.read_text())] if file.exists() else []
    port = next(filter(is_free, [*last, _WEB_PORT]), None) or free_ports()[0]
    file.write_text(str(port))
    return str(port)


@contextlib.contextmanager
def _hold(home: Path) -> Iterator[None]:
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / "lock").open("a")
    except OSError as error:
        raise StartFailed(f"DARKROOM_HOME cannot be used: {error}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartFailed(f"another `darkroom up` is running on {home}") from None
        yield
