"""A base backup put back under a running service: nothing is paid again before a person agrees."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from cli.command_line import CommandLine
from conftest import migrate
from embedded.processes import reachable_directory
from fakes.simulator import Simulator
from fakes.waiting import wait_until
from journeys.running_service import RunningService
from journeys.services import StartService

from service.embedded.postgres import Postgres

#: Half of them are enqueued before the backup, half after it.
JOBS = 12


class Restorable:
    """A PostgreSQL server whose files can be copied and put back."""

    def __init__(self, home: Path) -> None:
        self._server = Postgres(home / "postgres", home / "postgres.log", durable=False)
        self.start()
        files = (home / "postgres").resolve()
        self._data, self._backup = files / "data", files / "backup"

    @property
    def url(self) -> str:
        return self._server.url

    def start(self) -> None:
        self._server.launch()
        self._server.wait_ready()

    def stop(self) -> None:
        self._server.stop()

    def back_up(self) -> None:
        """Copy the files of the stopped server."""
        subprocess.run(["/bin/cp", "-a", self._data, self._backup], check=True)

    def restore(self) -> None:
        """Put the copy in the place of the files of the stopped server."""
        self._data.rename(self._data.with_name("lost"))
        self._backup.rename(self._data)


@pytest.fixture
def postgres() -> Iterator[Restorable]:
    with reachable_directory() as home:
        server = Restorable(home)
        migrate(server.url)
        yield server
        server.stop()


def restart(
    service: RunningService, postgres: Restorable, meanwhile: Callable[[], None], *names: str
) -> None:
    """Stop everything, do something to the files, and start what is named."""
    service.kill(*service.processes)
    postgres.stop()
    meanwhile()
    postgres.start()
    service.environment["DATABASE_URL"] = postgres.url
    service.start(*names)


def succeeded(service: RunningService, job_ids: list[str]) -> bool:
    return {service.ended(job_id, 60)["status"] for job_id in job_ids} == {"succeeded"}


def sidecars(postgres: Restorable) -> int:
    with psycopg.connect(postgres.url.replace("+psycopg", "")) as connection:
        found = connection.execute("SELECT count(sidecar_key) FROM images").fetchone()
    return found[0] if found else 0


def test_a_restored_backup_buys_nothing_before_a_person_confirms(
    start_service: StartService, postgres: Restorable, simulator: Simulator
) -> None:
    with start_service("web", "worker", DATABASE_URL=postgres.url) as service:
        first = service.enqueue()
        assert succeeded(service, [first])
        service.kill("worker")
        before = [service.enqueue() for _ in range(JOBS // 2)]
        restart(service, postgres, postgres.back_up, "web", "worker", "images")
        after = [service.enqueue() for _ in range(JOBS // 2)]
        assert succeeded(service, before + after)
        wait_until(lambda: sidecars(postgres), lambda count: count == JOBS + 1, 60)

        restart(service, postgres, postgres.restore, "web", "worker")
        bought = len(simulator.ledger("accepted"))
        fresh = service.enqueue()
        wait_until(lambda: service.log("worker"), lambda log: "deployment_held" in log, 60)
        operator = CommandLine(service.environment, service.api_key)
        told = operator("recover", "--json")
        assert (told.code, told.json["held"]) == (1, True)
        # what came between the restart and the hold cannot be told from what came before
        assert {one["job"] for one in told.json["in_doubt"]} - {fresh} == {*before, *after}
        assert len(simulator.ledger("accepted")) == bought

        confirmed = operator("recover", "--confirm", "--json").json
        assert (confirmed["added"], confirmed["failed"]) == (JOBS, 0)
        assert succeeded(service, [first, *before, *after, fresh])
        assert len(simulator.ledger("accepted")) == bought + 1
