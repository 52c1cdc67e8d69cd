"""Runs in a network namespace of its own, where every address of the world is this machine.

Every TCP connection that the product opens there is counted twice: by the kernel, whatever the
port, and by a listener that answers. Argument: the parent's network namespace. Prints JSON.
"""

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from service.clients.outbound import AddressGuard, Outbound
from service.clients.outbound.resolve import system_lookup
from service.errors import AddressForbidden, NotSent, OutcomeUnknown

VECTORS = Path(__file__).parents[2] / "vectors"
PORTS = (80, 443, 8080, 8443, 54321)
Lookup = Callable[[str], Sequence[str]]


class Canaries:
    """Listens on the served ports of every address there is, and notes which was called."""

    def __init__(self) -> None:
        self._called: list[str] = []
        for port in PORTS:
            listener = socket.create_server(
                ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=500
            )
            threading.Thread(target=self._listen, args=(listener,), daemon=True).start()

    def _listen(self, listener: socket.socket) -> None:
        while True:
            sock, _ = listener.accept()
            self._called.append(sock.getsockname()[0].removeprefix("::ffff:"))
            with sock, contextlib.suppress(OSError):
                if listener.getsockname()[1] not in {443, 8443}:
                    sock.recv(65536)
                    sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    def take(self) -> list[str]:
        """Return the addresses called since the last time."""
        called, self._called = self._called, []
        return called


def opened() -> int:
    """Return how many TCP connections this namespace ever began to open."""
    lines = Path("/proc/self/net/snmp").read_text().splitlines()
    names, values = (line.split() for line in lines if line.startswith("Tcp:"))
    return int(values[names.index("ActiveOpens")])


def send(url: str, networks: Sequence[str], lookup: Lookup) -> str:
    """Send one callback as the product does, and return the name of what came of it."""
    guard = AddressGuard(
        [ip_network(n) for n in networks], own_names=["flux.self-host.com"], lookup=lookup
    )
    try:
        Outbound(guard).post(
            url,
            body=b"{}",
            headers={},
            total_seconds=2.0,
            connect_seconds=1.0,
            max_body_bytes=1000,
        )
    except (AddressForbidden, NotSent, OutcomeUnknown) as error:
        return type(error).__name__
    return "Answer"


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (VECTORS / name).read_text().splitlines()]


def urls(expect: str) -> list[str]:
    return [row["url"] for row in rows("outbound_urls.jsonl") if row["expect"] == expect]


def control(canaries: Canaries) -> list[str]:
    """Show that the canaries sing: connect without the product to what it must never reach."""
    addresses = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "64:ff9b::a9fe:a9fe"]
    for address in addresses:
        with socket.create_connection((address, 80), timeout=2) as sock:
            sock.sendall(b"x")
            sock.recv(100)
    return canaries.take()


def blocked(networks: Sequence[str], lookup: Lookup) -> dict[str, Any]:
    before = opened()
    results = {url: send(url, networks, lookup) for url in urls("blocked")}
    return {"results": results, "opened": opened() - before}


def allowed(canaries: Canaries, address: str) -> dict[str, Any]:
    called = {}
    for url in urls("allowed"):
        send(url, [], lambda _name: [address])
        called[url] = canaries.take()
    return called


def names(canaries: Canaries) -> dict[str, Any]:
    """Send once for each look-up a row has; the last attempt is the one that counts."""
    called = {}
    for row in rows("outbound_names.jsonl"):
        for answer in row["lookups"]:
            canaries.take()
            send(row["url"], [], replies(answer))
            called[row["url"]] = canaries.take()
    return called


def replies(answer: str | list[str]) -> Lookup:
    def lookup(_name: str) -> list[str]:
        if isinstance(answer, str):
            raise socket.gaierror(socket.EAI_AGAIN, answer)
        return answer

    return lookup


def main(parents_namespace: str) -> None:
    if str(Path("/proc/self/ns/net").readlink()) == parents_namespace:
        sys.exit("refused: this must not run with a route to a real network")
    for words in (
        "link set lo up",
        "route add local 0.0.0.0/0 dev lo",
        "-6 route add local ::/0 dev lo",
    ):
        subprocess.run(["ip", *words.split()], check=True)  # noqa: S607 - iproute2, by the PATH
    canaries = Canaries()
    report = {
        "control": control(canaries),
        "blocked, names public": blocked([], lambda _name: ["8.8.8.8"]),
        "blocked, names as the system says": blocked([], system_lookup),
        "blocked, names are loopback, one address allowed": blocked(
            ["127.0.0.9/32"], lambda _name: ["127.0.0.1"]
        ),
        "called by the blocked": canaries.take(),
        "allowed, IPv4": allowed(canaries, "8.8.8.8"),
        "allowed, IPv6": allowed(canaries, "2606:4700:4700::1111"),
        "names": names(canaries),
        "sink": send("http://127.0.0.9:54321/", ["127.0.0.9/32"], system_lookup),
    }
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
