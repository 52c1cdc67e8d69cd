"""A broker that a test may kill and bring back at the same place."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import redis
from fakes.waiting import wait_until

from service.embedded.process import Process
from service.embedded.valkey import Valkey


class Broker:
    """A Valkey server; its configuration file survives it, port included."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._first = Valkey(home / "valkey", home / "valkey.log", durable=False)
        self._first.launch()
        self._first.wait_ready()
        self.url = self._first.url
        self._pid = int((home / "valkey" / "pid").read_text())
        self._program = Path(f"/proc/{self._pid}/exe").resolve()
        self._later: Process | None = None

    def kill(self) -> None:
        """Kill it; whatever it held is gone."""
        os.kill(self._later.pid if self._later else self._pid, signal.SIGKILL)
        if self._later:
            self._later.stop()
        else:
            self._first.stop()

    def start(self) -> None:
        """Bring it back, empty, at the same address."""
        self._later = Process(
            "Valkey",
            [self._program, self._home / "valkey" / "valkey.conf"],
            env={"PATH": os.defpath},
            cwd=self._home / "valkey",
            log=self._home / "valkey-again.log",
        )
        wait_until(self._answers, bool)

    def flush(self) -> None:
        """Lose every message."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(ProcessLookupError):
            self.kill()

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@contextlib.contextmanager
def broker(home: Path) -> Iterator[Broker]:
    """Run a broker of this test's own."""
    server = Broker(home)
    try:
        yield server
    finally:
        server.close()
