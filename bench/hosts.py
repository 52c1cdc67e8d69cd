"""Hosts of their own on one machine: a network and a name each, and a cable that can be pulled.

All of them are in a network namespace without a way out, in which this program runs as well, on the
one address that they all reach. It needs root.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from service.embedded.process import Process

#: Where the hosts reach what is not theirs.
MIDDLE = "10.77.0.1"
NETWORK = "10.77.0.0/24"
_BRIDGE = "bench0"
_MARK = "BENCH_WORLD"
_START_SECONDS = 10.0


def enter_own_world() -> None:
    """Begin this program anew where there is no network but ours, unless it is there already."""
    if _MARK not in os.environ:
        os.environ[_MARK] = "entered"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])  # noqa: S606, S607 - util-linux's own
    _ip("link", "set", "lo", "up")


@dataclass(frozen=True, slots=True)
class Host:
    """One host, as long as the process that holds its namespaces."""

    name: str
    address: str
    holder: int

    def command(self, words: Sequence[str]) -> list[str]:
        """Return what runs a command there; it becomes that command, with the same number."""
        return ["nsenter", f"--target={self.holder}", "--net", "--uts", "--", *words]

    def pull_cable(self) -> None:
        """Let nothing through any more; neither end is told."""
        _ip("link", "set", self.name, "nomaster")

    def plug_in(self) -> None:
        """Let it through again."""
        _ip("link", "set", self.name, "master", _BRIDGE)


@contextlib.contextmanager
def hosts(*names: str) -> Iterator[list[Host]]:
    """Make hosts and the bridge between them; they are gone with this program."""
    _ip("link", "add", "name", _BRIDGE, "type", "bridge")
    _ip("address", "add", f"{MIDDLE}/24", "dev", _BRIDGE)
    _ip("link", "set", _BRIDGE, "up")
    with contextlib.ExitStack() as started:
        found = []
        for number, name in enumerate(names, start=2):
            script = f"hostname {name} && exec sleep infinity"
            command = ["unshare", "--net", "--uts", "sh", "-c", script]
            holder = Process(name, command, env=dict(os.environ), cwd=Path("/"))
            started.callback(holder.stop, signal.SIGKILL)
            found.append(host := Host(name, f"10.77.0.{number}", holder.pid))
            holder.wait_until(partial(_has_own_network, holder.pid), _START_SECONDS)
            _connect(host)
        yield found


async def forward(url: str) -> None:
    """Have the port of a URL of loopback answer on the address that the hosts reach, too."""
    port = urlsplit(url).port
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: _Incoming(port or 0), MIDDLE, port, backlog=1024)


def _connect(host: Host) -> None:
    _ip("link", "add", "name", host.name, "type", "veth", "peer", "eth0", "netns", str(host.holder))
    host.plug_in()
    _ip("link", "set", host.name, "up")
    for words in (
        ("link", "set", "lo", "up"),
        ("address", "add", f"{host.address}/24", "dev", "eth0"),
        ("link", "set", "eth0", "up"),
    ):
        subprocess.run(host.command(["ip", *words]), check=True)


def _has_own_network(pid: int) -> bool:
    return Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)  # noqa: S607 - iproute2's own


class _Half(asyncio.Protocol):
    """One side of a connection that is handed on: what comes in here goes out at the other."""

    def __init__(self, other: "_Half | None" = None) -> None:
        self.other = other
        #: What came before the other side was there.
        self.early = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.other:
            self.other.transport.write(data)
        else:
            self.early += data

    def connection_lost(self, _: Exception | None) -> None:
        if self.other:
            self.other.transport.close()

    def pause_writing(self) -> None:
        if self.other:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other:
            self.other.transport.resume_reading()


class _Incoming(_Half):
    """The side that a host has opened."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connecting = asyncio.create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        outgoing = _Half(self)
        try:
            await loop.create_connection(lambda: outgoing, "127.0.0.1", self._port)
        except OSError:
            self.transport.close()
            return
        if self.transport.is_closing():
            outgoing.transport.close()
            return
        outgoing.transport.write(bytes(self.early))
        self.other = outgoing
