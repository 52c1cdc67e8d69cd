"""Bodies that hold pictures as base64 are few at a time: each costs several times its length."""

import threading

from flask import Flask, Request, g

from service.errors import Busy

#: From this length on a body counts as big, bytes; so does one that does not say its length.
BIG_BODY_BYTES = 1_000_000
#: Big bodies that one process works on at a time; at 30 MB each about half a gigabyte.
PLACES = 4

_places = threading.BoundedSemaphore(PLACES)


def take_place(request: Request) -> None:
    """Take a place for a big body until the end of its request, or until it is given back.

    Nobody waits for one: a waiting thread would be missing elsewhere, at the receiver first.

    Raises:
        Busy: all places are taken.
    """
    length = request.content_length
    if length is not None and length < BIG_BODY_BYTES:
        return
    if not _places.acquire(blocking=False):
        raise Busy(f"{PLACES} large bodies are being worked on; POST /v1/uploads takes any number.")
    g.has_place = True


def give_place_back() -> None:
    """Let another have the request's place for a big body, if it took one; its body is read."""
    if g.pop("has_place", False):
        _places.release()


def register_places(app: Flask) -> None:
    """Give places back when their requests have ended, however they did."""

    @app.teardown_request
    def leave(_error: BaseException | None) -> None:
        give_place_back()
