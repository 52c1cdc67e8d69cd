"""A real web process, and sockets that say to it whatever a test wants."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from fakes.waiting import wait_until

from service.embedded.state import free_ports

ROOT = Path(__file__).parents[2]
CONFIGURATION = Path(__file__).with_name("impatient_gunicorn_conf.py")


class GunicornProcess:
    """gunicorn with a variant of the product's configuration, on a free port."""

    def __init__(
        self, environment: Mapping[str, str], log: Path, configuration: Path = CONFIGURATION
    ) -> None:
        (self.port,) = free_ports()
        self._log = log
        command = [sys.executable, "-m", "gunicorn", "service.web.wsgi:app"]
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [*command, "--config", str(configuration)],
                cwd=ROOT,
                env={**os.environ, **environment, "PORT": str(self.port)},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(errors="replace")

    def connect(self) -> socket.socket:
        """Return a connection on which a wait ends after ten seconds."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def say(self, sent: bytes) -> bytes:
        """Send bytes and return all that comes back until the other side closes."""
        with self.connect() as connection:
            connection.sendall(sent)
            return heard(connection)

    def status(self, sent: bytes) -> int:
        """Send bytes and return the status of the first answer; 0 when there is none."""
        return status_of(self.say(sent))

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log
        try:
            return self.status(request("GET /healthz")) == 200
        except OSError:
            return False

    def __enter__(self) -> Self:
        wait_until(self._answers, bool, 30)
        return self

    def __exit__(self, *_: object) -> None:
        # a test may have stopped it
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """Return a request that asks to be the last of its connection."""
    head = [f"{line} HTTP/1.1", "Host: darkroom", "Connection: close", *headers]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def heard(connection: socket.socket) -> bytes:
    """Return everything until the other side closes or resets."""
    parts = []
    deadline = time.monotonic() + 10
    try:
        while (part := connection.recv(65536)) and time.monotonic() < deadline:
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def statuses_of(answers: bytes) -> list[int]:
    """Return the statuses of all answers, `100 Continue` left out."""
    found = [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]
    return [status for status in found if status != 100]


def status_of(answer: bytes) -> int:
    """Return the status of the first answer; 0 when there is none."""
    return next(iter(statuses_of(answer)), 0)
