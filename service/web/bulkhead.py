"""Callers have places of their own, so that webhooks and probes always find a thread.

A request holds its place from when its body is there until its answer is sent: a client that sends
slowly keeps a thread, but no place. Longer bodies, and those of unknown length, are read as they
are worked on and can take only some of the places. Those that find none wait for one, a bounded
number of them for a bounded time. There are more threads than both together can take: the others
are for Flux, whose webhooks nobody repeats for long, and for whoever asks whether we are alive.
"""

import io
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, request
from werkzeug.wsgi import ClosingIterator

from service.errors import Busy
from service.web import waiting
from service.web.deadlines import DEADLINES
from service.web.parsing import MAX_BODY_BYTES

#: Requests of callers that one process works on at a time.
PLACES = 16
#: Of these, how many may be read while they are worked on.
LONG_PLACES = 8
#: Up to this length a body is read before its request takes a place, bytes.
SHORT_BODY_BYTES = MAX_BODY_BYTES
#: Requests that may be read, or wait for a place; more are answered 503 at once. A burst of a few
#: hundred is an ordinary caller's.
WAITING = 240
#: How long one waits, seconds; with the database away a place is given back in two at most.
WAIT_SECONDS = 15.0
#: Of the places, how many those may take at a time who stepped aside; many may come back at once.
RETURNING_PLACES = 4
#: Zips that one process sends at a time. Each takes as long as its client, and none of the places.
ZIPS = 2
#: Threads that callers cannot take.
RESERVED = 8
#: What runs on them.
RESERVED_PATHS = ("/webhooks/", "/healthz", "/readyz", "/metrics")

_BUSY = "darkroom.busy"
_PLACE = "darkroom.place"


def threads() -> int:
    """Return how many threads a process needs."""
    return PLACES + WAITING + waiting.PLACES + ZIPS + RESERVED


class Bulkhead:
    """WSGI middleware that lets callers take only their share of the threads."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._places = threading.BoundedSemaphore(PLACES)
        self._long = threading.BoundedSemaphore(LONG_PLACES)
        self._returning = threading.BoundedSemaphore(RETURNING_PLACES)
        self._waiting = threading.BoundedSemaphore(WAITING)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, or have it answered that there is no room."""
        if environ["PATH_INFO"].startswith(RESERVED_PATHS):
            return self._app(environ, start_response)
        held = self._admit(environ)
        if held is None:
            environ[_BUSY] = True
            return self._app(environ, start_response)
        environ[_PLACE] = place = Place(self, held)
        try:
            answer = self._app(environ, start_response)
        except BaseException:
            place.give_back()
            raise
        return ClosingIterator(answer, place.give_back)

    def come_back(self) -> ExitStack | None:
        """Return what gives a place back to one who stepped aside; None if none became free."""
        return self._wait_for(self._returning, self._places)

    def _admit(self, environ: WSGIEnvironment) -> ExitStack | None:
        """Return what gives the request's places back; None if there is no room."""
        length = _length(environ)
        if length == 0 and self._places.acquire(blocking=False):
            return _holding(self._places)
        if not self._waiting.acquire(blocking=False):
            return None
        try:
            if length is not None and length <= SHORT_BODY_BYTES:
                _take_in(environ, length)
                return self._wait_for(self._places)
            return self._wait_for(self._long, self._places)
        finally:
            self._waiting.release()

    def _wait_for(self, *wanted: threading.BoundedSemaphore) -> ExitStack | None:
        give_up_at = time.monotonic() + WAIT_SECONDS
        held = ExitStack()
        for places in wanted:
            if not places.acquire(timeout=max(0.0, give_up_at - time.monotonic())):
                held.close()
                return None
            held.callback(places.release)
        return held


class Place:
    """What one request holds."""

    def __init__(self, bulkhead: Bulkhead, held: ExitStack) -> None:
        self._bulkhead = bulkhead
        self._held = held

    def give_back(self) -> None:
        """Let another request have it, if it is held."""
        self._held.close()

    def take_again(self) -> None:
        """Take a place after it was given back.

        Raises:
            Busy: none became free in time.
        """
        held = self._bulkhead.come_back()
        if held is None:
            raise Busy(
                "All places are taken; what was asked for is done. Look it up, or repeat it."
            )
        self._held = held


def step_aside(environ: WSGIEnvironment) -> None:
    """Give a request's place back; it needs none any more, or not for long, and keeps no body."""
    if _PLACE in environ:
        environ[_PLACE].give_back()
        DEADLINES.lift(environ["gunicorn.socket"])
        if isinstance(environ["wsgi.input"], io.BytesIO):
            environ["wsgi.input"].close()


@contextmanager
def aside(environ: WSGIEnvironment) -> Iterator[None]:
    """Give a request's place back for as long as the block waits.

    Raises:
        Busy: afterwards no place became free in time.
    """
    step_aside(environ)
    yield
    if _PLACE in environ:
        environ[_PLACE].take_again()


def _holding(places: threading.BoundedSemaphore) -> ExitStack:
    held = ExitStack()
    held.callback(places.release)
    return held


def _length(environ: WSGIEnvironment) -> int | None:
    """Return the body's length in bytes; None if only its end will tell."""
    if environ.get("HTTP_TRANSFER_ENCODING"):
        return None
    return int(environ.get("CONTENT_LENGTH") or 0)


def _take_in(environ: WSGIEnvironment, length: int) -> None:
    """Read the body; the app notices for itself when it has ended early."""
    try:
        body = environ["wsgi.input"].read(length)
    except OSError:
        body = b""
    environ["wsgi.input"] = io.BytesIO(body)


def register_bulkhead(app: Flask) -> None:
    """Put the bulkhead in front of an app, which words the refusal as it words every error."""
    app.wsgi_app = Bulkhead(app.wsgi_app)  # type: ignore[method-assign] # Flask's way for middleware

    @app.before_request
    def refuse() -> None:
        if request.environ.get(_BUSY):
            raise Busy("All places are taken; none became free in time.")
