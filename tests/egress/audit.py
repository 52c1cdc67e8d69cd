"""Notes where a process sends anything, and which of upstream's keys are in it.

Seen is every byte that Python hands to a TCP connection which it opened, before TLS, whichever
library asked for it. Not seen are connections of C libraries (libpq's to PostgreSQL), answers to
those who called, and keys in another form than their own text.

The file that `VARIABLE` names holds JSON lines of two kinds, from all processes: what was sent
(`peer`, `keys`) and which key may be sent where (`upstream`, `key`).
"""

import contextlib
import json
import os
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

VARIABLE = "EGRESS_AUDIT"
STARTUP = Path(__file__).parent / "startup"

#: A shorter one could be in anything by chance.
_MIN_KEY_CHARS = 6
_PORTS = {"http": 80, "https": 443}

#: Told of everything that is sent, with the peer as host:port.
watchers: list[Callable[[str, bytes], None]] = []

_keys: set[str] = set()
_accepted: set[tuple[object, object]] = set()
_noted: set[tuple[str, tuple[str, ...]]] = set()


def variables(file: Path) -> dict[str, str]:
    """Return the environment that puts a Python process under audit."""
    path = os.pathsep.join(filter(None, (str(STARTUP), os.environ.get("PYTHONPATH"))))
    return {VARIABLE: str(file), "PYTHONPATH": path}


def inherited() -> dict[str, str]:
    """Return the same of this process, for one that is given an environment of its own."""
    names = (VARIABLE, "SECRECY_FOLDER", "PYTHONPATH")
    return {name: os.environ[name] for name in names if name in os.environ}


def install() -> None:
    """Put this process under audit, with the keys and addresses of its environment."""
    for kind, name in (
        (socket.socket, "send"),
        (socket.socket, "sendall"),
        (socket.socket, "sendmsg"),
        (ssl.SSLSocket, "send"),
    ):
        setattr(kind, name, _noting(getattr(kind, name)))
    accept = socket.socket.accept

    def noting_accept(listener: socket.socket) -> tuple[socket.socket, Any]:
        sock, address = accept(listener)
        with contextlib.suppress(OSError):
            _accepted.add((sock.getsockname(), sock.getpeername()))
        return sock, address

    setattr(socket.socket, "accept", noting_accept)  # noqa: B010 - mypy knows accept as it was
    allow_configured(os.environ)


def allow_configured(environment: Mapping[str, str]) -> None:
    """Let the keys that an environment names go to its upstreams."""
    urls = environment.get("FLUX_API_URL", "").split(",")
    allow_each(urls, environment.get("FLUX_API_KEY", "").split(","))


def allow_each(urls: Sequence[str], keys: Sequence[str]) -> None:
    """Let each key go to the base URL at the same place."""
    for url, key in zip_longest(urls, keys, fillvalue=""):
        allow(url.strip(), key.strip())


def allow(url: str, key: str) -> None:
    """Let a key go to the host of a URL, if there is one, and look for it from now on."""
    if not key:
        return
    assert len(key) >= _MIN_KEY_CHARS, f"{key!r} is too short to be looked for"
    _keys.add(key)
    parts = urlsplit(url)
    if parts.hostname:
        host = parts.hostname.replace("localhost", "127.0.0.1")
        _append({"upstream": f"{host}:{parts.port or _PORTS[parts.scheme]}", "key": key})


def leaks(file: Path) -> list[tuple[str, str]]:
    """Return each address that was sent a key which is not for it, with the key."""
    lines = list(_read(file))
    allowed = {(line["upstream"], line["key"]) for line in lines if "upstream" in line}
    sent = {(line["peer"], key) for line in lines if "peer" in line for key in line["keys"]}
    return sorted(sent - allowed)


def summary(file: Path) -> str:
    """Say in a line what was seen."""
    sent = [line for line in _read(file) if "peer" in line]
    upstreams = {line["peer"] for line in sent if line["keys"]}
    peers = {line["peer"] for line in sent}
    return f"{len(peers)} addresses were sent something, {len(upstreams)} of them a key"


def _noting(send: Callable[..., Any]) -> Callable[..., Any]:
    def noting(sock: socket.socket, data: Any, *rest: Any) -> Any:  # noqa: ANN401 - as sockets take it
        _note(sock, b"".join(data) if isinstance(data, list | tuple) else bytes(data))
        return send(sock, data, *rest)

    return noting


def _note(sock: socket.socket, data: bytes) -> None:
    if sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    try:
        own, peer = sock.getsockname(), sock.getpeername()
    except OSError:
        return  # not connected, so nothing leaves
    if (own, peer) in _accepted:
        return
    for watch in watchers:
        watch(f"{peer[0]}:{peer[1]}", data)
    line = (f"{peer[0]}:{peer[1]}", tuple(key for key in sorted(_keys) if key.encode() in data))
    if line not in _noted:
        _noted.add(line)
        _append({"peer": line[0], "keys": line[1]})


def _append(line: Mapping[str, object]) -> None:
    if file := os.environ.get(VARIABLE):
        # one write at the end of the file, so that lines of many processes do not mix
        with Path(file).open("ab", buffering=0) as lines:
            lines.write(json.dumps(line).encode() + b"\n")


def _read(file: Path) -> Iterator[dict[str, Any]]:
    return map(json.loads, file.read_text().splitlines())
