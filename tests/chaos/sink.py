"""The callers' address: records every callback with its proof, and answers as it was told."""

import hashlib
import json
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from standardwebhooks import Webhook, WebhookVerificationError

#: In place of a status: hang up without a word.
HANG_UP = 0
#: Where our 3xx lead: nobody was told to call there.
ELSEWHERE = "/elsewhere/"
_REDIRECTIONS = range(300, 400)


#: A job, what happened to it, and the number of that in its timeline.
Event = tuple[str, str, int]


@dataclass(frozen=True)
class Heard:
    """One callback as it came in and as it was answered.

    `job_id`, `type` and `sequence`, the number of the event in its job's timeline, are its own
    words.
    """

    webhook_id: str
    job_id: str
    type: str
    sequence: int
    body_sha256: str
    #: Whether the project's secret signed it, by an independent library.
    verified: bool
    #: What it was answered; HANG_UP is no answer at all.
    answered: int
    #: Whether it came to where only a redirect of ours leads.
    redirected: bool = False

    @property
    def taken(self) -> bool:
        return 200 <= self.answered < 300

    @property
    def event(self) -> Event:
        """What it is about."""
        return self.job_id, self.type, self.sequence


class CallbackSink:
    """Takes `POST /{project}/{marker}`; never killed, so that its record can judge.

    `rudeness` holds the answers to the first calls about a marker; after them it is 200.
    """

    def __init__(self, rudeness: Mapping[str, Sequence[int]]) -> None:
        self.secrets: dict[str, str] = {}
        self._rudeness = {marker: list(answers) for marker, answers in rudeness.items()}
        self._lock = threading.Lock()
        self._heard: list[Heard] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 30

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                body = self.rfile.read(length)
                if len(body) < length:
                    return  # who called was killed meanwhile
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = sink._take(self.path, headers, body)
                self.close_connection = True
                if status == HANG_UP:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(status)
                if status in _REDIRECTIONS:
                    self.send_header("Location", f"http://127.0.0.1:{sink.port}{ELSEWHERE}")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                """Take what a redirect has turned into a GET."""
                self.do_POST()

            def log_message(self, *_args: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.port = self._server.server_port

    @property
    def heard(self) -> list[Heard]:
        """Everything up to now, in order."""
        with self._lock:
            return list(self._heard)

    def _take(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        project, _, marker = path.strip("/").partition("/")
        verified = self._verifies(project, headers, body)
        said: dict[str, Any] = json.loads(body) if verified else {"data": {}}
        with self._lock:
            waiting = self._rudeness.get(marker)
            answered = waiting.pop(0) if waiting else 200
            self._heard.append(
                Heard(
                    headers.get("webhook-id", ""),
                    said["data"].get("id", ""),
                    said.get("type", ""),
                    said.get("sequence", 0),
                    hashlib.sha256(body).hexdigest(),
                    verified,
                    answered,
                    redirected=path.startswith(ELSEWHERE),
                )
            )
        return answered

    def _verifies(self, project: str, headers: Mapping[str, str], body: bytes) -> bool:
        try:
            Webhook(self.secrets[project]).verify(body.decode(), dict(headers))
        except (WebhookVerificationError, ValueError, KeyError):
            return False
        return True

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A worker that was killed in the middle of a callback is no news."""
