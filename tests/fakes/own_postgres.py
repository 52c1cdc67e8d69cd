"""A migrated PostgreSQL that one test may stop, crash and cut off, behind a proxy."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
from chaos.crashable import Crashable, through
from chaos.proxy import TcpProxy
from conftest import migrate
from embedded.processes import reachable_directory
from sqlalchemy.engine import make_url

from service.embedded.postgres import Postgres
from service.embedded.stack import running


class OwnPostgres(Crashable):
    """A server of a test's own; `url` leads through the proxy."""

    @property
    def url(self) -> str:
        """The address as the service would be given it."""
        return through(self.proxy, self.server.environment[self.variable])

    def heal(self) -> None:
        """Let everything pass again."""
        self.proxy.set(self.proxy.mode.PASS)


@contextlib.contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """Run one; call it from the main thread."""
    with reachable_directory() as home, TcpProxy() as proxy:
        data = home / "postgres"
        server = Postgres(data, home / "postgres.log", durable=False)
        with running(server):
            own = OwnPostgres(server, _pid_file(data), "DATABASE_URL", proxy)
            own.aim()
            migrate(server.environment["DATABASE_URL"])
            _keep_commits(server.environment["DATABASE_URL"])
            yield own


def _keep_commits(url: str) -> None:
    """Have what is committed survive a crash of the server, though not of the machine."""
    address = make_url(url)
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {address.database} SET synchronous_commit TO on")


def _pid_file(directory: Path) -> Path:
    return directory / "data" / "postmaster.pid"
