"""Servers of a run that may be killed, shut down or frozen, and come back on the same data."""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from chaos.processes import processes
from chaos.proxy import TcpProxy

from service.embedded.process import StartFailed, command_line
from service.embedded.stack import Server


@dataclass
class Crashable:
    """A server of ours behind a proxy."""

    server: Server
    pid_file: Path
    variable: str
    proxy: TcpProxy
    crashes: int = 0

    def crash(self) -> None:
        """Kill it as power loss would."""
        os.kill(self._pid(), signal.SIGKILL)
        self.server.stop()
        self.crashes += 1

    def shut_down(self) -> None:
        """Have it end in order."""
        self.server.stop()

    def start(self) -> None:
        """Bring it back, from the main thread; it must find its own data again.

        Raises:
            StartFailed: it did not come back in several tries.
        """
        for final in (False, False, False, True):
            try:
                self.server.launch()
                self.server.wait_ready()
            except StartFailed:
                # what the killed one started may still be ending
                self.server.stop()
                if final:
                    raise
            else:
                break
        self.aim()

    def aim(self) -> None:
        """Have the proxy lead to where the server is now."""
        self.proxy.target = port_of(self.server.environment[self.variable])

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop it and its children inside; connections stay open and nobody answers."""
        leader = self._pid()
        os.kill(leader, signal.SIGSTOP)
        # a leader that is stopped starts and reaps no children: their numbers stay theirs
        children = [one.pid for one in processes() if one.parent == leader and one.state != "Z"]
        try:
            for pid in children:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in (*children, leader):
                os.kill(pid, signal.SIGCONT)

    def _pid(self) -> int:
        pid = int(self.pid_file.read_text().split()[0])
        home = str(self.pid_file.parent.resolve())
        assert home in command_line(pid), "the number in the file is not that of our server"
        return pid


def port_of(url: str) -> int:
    """Return the port of an address that must name one."""
    port = urlsplit(url).port
    assert port is not None, "an address without a port"
    return port


def through(proxy: TcpProxy, url: str) -> str:
    """Return the address by which the same server is reached through a proxy."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{proxy.port}"))
