"""What the stack keeps between runs: secrets that only their owner reads, and ports."""

import os
import secrets
import socket
from pathlib import Path

#: Below every system's range for outgoing connections (Linux 32768-60999, macOS 49152-65535), so
#: that no connection takes a port between our look and the server's bind.
_PORTS = range(15_000, 32_000)


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 600 that appears whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def keep_secret(path: Path) -> str:
    """Return the secret kept in this file; made up on first use. 43 characters, safe in a URL."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # Connections of the last run that linger in TIME_WAIT are no obstacle to a server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int = 1) -> list[int]:
    """Return different ports of 127.0.0.1 that nobody listens on, all below 32,000."""
    found: set[int] = set()
    while len(found) < count:
        port = _PORTS.start + secrets.randbelow(len(_PORTS))
        if is_free(port):
            found.add(port)
    return sorted(found)
