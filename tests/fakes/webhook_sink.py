"""A receiver of webhooks that keeps what it was sent and answers as it was told."""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Received:
    """One call as it came in; `at` is on the monotonic clock."""

    headers: Mapping[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def json(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content


class WebhookSink:
    """Answers with `statuses`, one for each call, and with 200 once they are used up."""

    def __init__(self, *statuses: int, headers: Mapping[str, str] | None = None) -> None:
        self._statuses = list(statuses)
        self._headers = headers or {}
        self._changed = threading.Condition()
        self._calls: list[Received] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(sink._take(Received(headers, self.rfile.read(length))))
                for name, value in sink._headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def wait_for(self, count: int, timeout_seconds: float = 10) -> list[Received]:
        """Wait until so many calls have come in and return all there are."""
        with self._changed:
            enough = self._changed.wait_for(lambda: len(self._calls) >= count, timeout_seconds)
            assert enough, f"{len(self._calls)} calls of {count}"
            return list(self._calls)

    @property
    def calls(self) -> list[Received]:
        with self._changed:
            return list(self._calls)

    def _take(self, call: Received) -> int:
        with self._changed:
            self._calls.append(call)
            self._changed.notify_all()
            return self._statuses.pop(0) if self._statuses else 200

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
