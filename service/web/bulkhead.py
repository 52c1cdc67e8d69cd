"""Callers have places of their own, so that webhooks and probes always find a thread.

A request holds its place until its answer is sent. Those that find none wait for one, a bounded
number of them for a bounded time. There are more threads than both together can take: the others
are for Flux, whose webhooks nobody repeats for long, and for whoever asks whether we are alive.
"""

import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, request
from werkzeug.wsgi import ClosingIterator

from service.errors import Busy

#: Requests of callers that one process works on at a time.
PLACES = 16
#: Requests that may wait for a place; more are answered 503 at once. A burst of a few hundred is
#: an ordinary caller's.
WAITING = 240
#: How long one waits, seconds; with the database away a place is given back in two at most.
WAIT_SECONDS = 15.0
#: Threads that callers cannot take.
RESERVED = 8
#: What runs on them.
RESERVED_PATHS = ("/webhooks/", "/healthz", "/readyz", "/metrics")

_BUSY = "darkroom.busy"


def threads() -> int:
    """Return how many threads a process needs."""
    return PLACES + WAITING + RESERVED


class Bulkhead:
    """WSGI middleware that lets callers take only their share of the threads."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._places = threading.BoundedSemaphore(PLACES)
        self._waiting = threading.BoundedSemaphore(WAITING)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, or have it answered that there is no room."""
        if environ["PATH_INFO"].startswith(RESERVED_PATHS):
            return self._app(environ, start_response)
        if not self._take():
            environ[_BUSY] = True
            return self._app(environ, start_response)
        try:
            answer = self._app(environ, start_response)
        except BaseException:
            self._places.release()
            raise
        return ClosingIterator(answer, self._places.release)

    def _take(self) -> bool:
        if self._places.acquire(blocking=False):
            return True
        if not self._waiting.acquire(blocking=False):
            return False
        try:
            return self._places.acquire(timeout=WAIT_SECONDS)
        finally:
            self._waiting.release()


def register_bulkhead(app: Flask) -> None:
    """Put the bulkhead in front of an app, which words the refusal as it words every error."""
    app.wsgi_app = Bulkhead(app.wsgi_app)  # type: ignore[method-assign] # Flask's way for middleware

    @app.before_request
    def refuse() -> None:
        if request.environ.get(_BUSY):
            raise Busy("All places are taken; none became free in time.")
