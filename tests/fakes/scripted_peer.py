"""A TCP or TLS server on loopback that does to each connection what a test says."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self

Script = Callable[[socket.socket, "ScriptedPeer"], None]

_JOIN_SECONDS = 10.0
_SILENCE_SECONDS = 30.0


class ScriptedPeer:
    """Runs `script` in a thread for each connection; a script's network errors end it quietly."""

    def __init__(
        self, script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self._script = script
        self._tls = tls
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self.requests: list[bytes] = []
        self.connections = 0
        self.closing = threading.Event()
        self._last: tuple[str, int] | None = None
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._acceptor = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        # A last connection of our own stands behind all others, so none goes uncounted.
        with socket.socket() as last:
            last.bind((self._listener.getsockname()[0], 0))
            self._last = last.getsockname()
            last.connect(self._listener.getsockname())
            self._acceptor.join(_JOIN_SECONDS)
        self._listener.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)

    def read_request(self, sock: socket.socket) -> bytes:
        """Read one request, body included, and keep it."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive(sock)
        head = data.partition(b"\r\n\r\n")[0]
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(data) < len(head) + 4 + length:
            data += self._receive(sock)
        self.requests.append(data)
        return data

    def drip(self, sock: socket.socket, data: bytes) -> None:
        """Send `data` byte by byte, 50 ms apart, until the test is over."""
        for place in range(len(data)):
            if self.closing.wait(0.05):
                return
            sock.sendall(data[place : place + 1])

    def _receive(self, sock: socket.socket) -> bytes:
        received = sock.recv(65536)
        if not received:
            raise ConnectionAbortedError
        return received

    def _accept(self) -> None:
        while True:
            sock, address = self._listener.accept()
            if address == self._last:
                sock.close()
                return
            self.connections += 1
            self._open.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(_SILENCE_SECONDS)
        with contextlib.suppress(OSError), contextlib.closing(sock):
            if self._tls is None:
                self._script(sock, self)
                return
            with self._tls.wrap_socket(sock, server_side=True) as secure:
                self._script(secure, self)


def answer(data: bytes) -> Script:
    """Return a script that reads a request, sends `data` and closes.

    A client that keeps connections has to be told in `data`: else it may send its next request
    into one that is just being closed.
    """

    def script(sock: socket.socket, peer: ScriptedPeer) -> None:
        peer.read_request(sock)
        sock.sendall(data)

    return script


def ok(body: bytes = b"") -> bytes:
    """Return a whole 200 answer, the connection's last."""
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body
