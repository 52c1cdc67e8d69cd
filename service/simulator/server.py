"""The HTTP server: plain sockets, for faults need to hang up, cut short and reset."""

import socketserver
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from service.simulator.wire import Reply, Request, detail, send

_MOST_CONNECTIONS = 1024
_MOST_BODY_BYTES = 64 * 1024 * 1024
_IDLE_SECONDS = 75


class Handler(BaseHTTPRequestHandler):
    """Reads requests off one connection, one after the other, and sends their replies."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS
    server: "Server"

    def answer(self) -> None:
        """Answer the request whose head was just read."""
        reply = self._read_and_answer()
        self.close_connection = not send(
            self.connection,
            reply,
            head_only=self.command == "HEAD",
            close=self.close_connection,
        )

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Let every method be answered in the same way."""
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def log_message(self, *_args: object) -> None:
        """Keep quiet: the ledger says what counts."""

    def _read_and_answer(self) -> Reply:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.close_connection = True
            return detail(411, "Length Required")
        if int(length) > _MOST_BODY_BYTES:
            self.close_connection = True
            return detail(413, "Request Entity Too Large")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionAbortedError("the client left before its body was complete")
        parts = urlsplit(self.path)
        query = dict(reversed(parse_qsl(parts.query, keep_blank_values=True)))
        request = Request(self.command, unquote(parts.path), query, self.headers, body)
        return self.server.answer(request)


class Server(ThreadingHTTPServer):
    """Listens from the moment it is made; `answer` must be set before it serves."""

    request_queue_size = 1024
    answer: Callable[[Request], Reply]

    def __init__(self, host: str, port: int) -> None:
        self._free = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__((host, port), Handler)

    @property
    def url(self) -> str:
        """The address it listens on."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    def server_bind(self) -> None:
        """Bind without asking the name service about the host, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as inherited
        """Start a thread for a connection; with too many open the next ones wait."""
        self._free.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as inherited
        """Serve one connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as inherited
        """Report a failure of ours; a client that left is none."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
