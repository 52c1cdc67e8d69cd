"""RabbitMQ as a broker of a run: everything it has in one directory, nothing beyond loopback.

It is not among the project's dependencies. `RABBITMQ` is the path of its `rabbitmq-server` script;
`erl` and `epmd` must be on the PATH.
"""

import os
import shutil
import signal
from pathlib import Path

from kombu import Connection
from kombu.exceptions import OperationalError

from service.embedded.process import Process
from service.embedded.state import free_ports, keep_secret, write_private

_USER = "darkroom"
_START_SECONDS = 60


def find_rabbitmq(given: str | None) -> Path | None:
    """Return the server's script: the given one, or that on the PATH."""
    found = shutil.which(given or "rabbitmq-server")
    return Path(found).resolve() if found and shutil.which("epmd") else None


class RabbitMQ:
    """A RabbitMQ server on 127.0.0.1 with an `epmd` of its own; its data live in `directory`."""

    name = "RabbitMQ"

    def __init__(self, script: Path, directory: Path, log: Path) -> None:
        self._script = script
        self._directory = directory
        self._log = log
        self._epmd: Process | None = None

    def launch(self) -> None:
        """Start the server; the name service lives on until it is told to stop.

        Raises:
            StartFailed: it cannot be started.
        """
        self._directory.mkdir(mode=0o700, exist_ok=True)
        self._password = keep_secret(self._directory / "password")
        self._port, distribution_port = free_ports(2)
        write_private(
            self._directory / "rabbitmq.conf",
            f"listeners.tcp.1 = 127.0.0.1:{self._port}\n"
            f"default_user = {_USER}\ndefault_pass = {self._password}\n"
            "loopback_users = none\nlog.console = true\nlog.file = false\n"
            # the disk of a test is not its concern
            "disk_free_limit.absolute = 1MB\n",
        )
        self._find_names()
        self._process = Process(
            self.name,
            [self._script],
            env={
                **self._environment,
                # its data belong to this name, which only its own epmd knows
                "RABBITMQ_NODENAME": "darkroom@localhost",
                "RABBITMQ_DIST_PORT": str(distribution_port),
                "RABBITMQ_CONF_ENV_FILE": "/dev/null",
                "RABBITMQ_CONFIG_FILE": str(self._directory / "rabbitmq.conf"),
                "RABBITMQ_ADVANCED_CONFIG_FILE": str(self._directory / "none.config"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._directory / "enabled_plugins"),
                "RABBITMQ_MNESIA_DIR": str(self._directory / "data"),
                "RABBITMQ_LOG_BASE": str(self._directory),
                "RABBITMQ_PID_FILE": str(self._directory / "pid"),
                # the server itself and no shell around it, so that a kill reaches it
                "RABBITMQ_ALLOW_INPUT": "1",
                "RABBITMQ_SERVER_START_ARGS": "-noinput",
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                    "-kernel inet_dist_use_interface {127,0,0,1}"
                ),
            },
            cwd=self._directory,
            log=self._log,
        )
        write_private(self._directory / "pid", str(self._process.pid))

    def wait_ready(self) -> None:
        """Wait until the server lets us in, with the password that only it knows.

        Raises:
            StartFailed: it does not.
        """
        self._process.wait_until(self._answers, _START_SECONDS)

    @property
    def url(self) -> str:
        """Celery's address of the broker, password included."""
        return f"amqp://{_USER}:{self._password}@127.0.0.1:{self._port}//"

    @property
    def environment(self) -> dict[str, str]:
        """What the app needs to know of it."""
        return {"CELERY_BROKER_URL": self.url}

    def stop(self) -> None:
        """Write everything down and end, and the name service with it."""
        self._process.stop()
        if self._epmd:
            self._epmd.stop(signal.SIGKILL)
            self._epmd = None

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._directory),  # also in its command line, by which it is known
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def _find_names(self) -> None:
        (self._names_port,) = free_ports()
        self._epmd = Process(
            "epmd",
            ["epmd", "-port", str(self._names_port), "-address", "127.0.0.1"],
            env=self._environment,
            cwd=self._directory,
            log=self._directory / "epmd.log",
        )

    def _answers(self) -> bool:
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
        except (OSError, OperationalError):
            return False
        return True
