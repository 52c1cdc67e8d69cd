"""An image's bytes into a file: taken up where a cut left them, proved, and then renamed."""

import fcntl
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from io import BufferedRandom
from pathlib import Path

from urllib3 import BaseHTTPResponse

from service.client.documents import JobImage
from service.client.transport import (
    RETRY_PAUSES_SECONDS,
    ApiRefused,
    ApiUnreachable,
    Transport,
)
from service.errors import ServiceError

SILENCE_SECONDS = 30.0

_PIECE_BYTES = 64 * 1024
#: A bucket that says one of these may say something else later.
_LATER = {HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600)}
_RANGE = re.compile(r"bytes (\d+)-", re.ASCII)


class ContentAltered(ServiceError):
    """The bucket's bytes are not those that were stored."""


class FetchedElsewhere(ServiceError):
    """Another process is fetching the same image into the same place."""


def is_proved(path: Path, image: JobImage) -> bool:
    """Tell whether a file holds an image's bytes.

    Raises:
        OSError: it is there and cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == image["sha256"]
    except FileNotFoundError:
        return False


def fetch(transport: Transport, place_of: Callable[[], str], image: JobImage, path: Path) -> None:
    """Save an image at a path, whole and proved by its SHA-256, or not at all.

    `{path}.part` holds what has come so far; a later call goes on from there. `place_of` says where
    the bytes are, each time anew, because presigned URLs end.

    Raises:
        ContentAltered: the bucket holds other bytes.
        FetchedElsewhere: another process is at it.
        ApiRefused: the bucket says no.
        ApiUnreachable: it was cut again and again.
        OSError: the file cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    with _alone(part) as file:
        is_begun = file.seek(0, os.SEEK_END) > 0
        _complete(transport, place_of, image, file)
        if is_begun and not _is_proved(file, image):
            # what was there before may have been anything
            file.truncate(0)
            _complete(transport, place_of, image, file)
        if not _is_proved(file, image):
            part.unlink()
            raise ContentAltered("the bucket's bytes are not those that were stored")
        part.replace(path)


@contextmanager
def _alone(part: Path) -> Iterator[BufferedRandom]:
    """Yield the file for this process alone; what is written goes to its end."""
    with part.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # whoever held it until now may have given the file its name
            is_ours = os.path.samestat(os.fstat(file.fileno()), part.stat())
        except (BlockingIOError, FileNotFoundError):
            is_ours = False
        if not is_ours:
            raise FetchedElsewhere(f"{part} is being written by another process")
        yield file


def _complete(
    transport: Transport, place_of: Callable[[], str], image: JobImage, file: BufferedRandom
) -> None:
    """Append what is missing, over as many connections as it takes while bytes come."""
    pauses = iter(RETRY_PAUSES_SECONDS)
    while (size := file.seek(0, os.SEEK_END)) < image["bytes"]:
        place = place_of()
        # the key is for the API alone: the bucket sees the presigned URL and nothing else
        ranged = {"Range": f"bytes={size}-"} if size else {}
        try:
            with transport.open(place, ranged, silence_seconds=SILENCE_SECONDS) as response:
                if not _begins(response, size):
                    file.truncate(0)
                _append(response, image, file)
        except ApiUnreachable:
            if file.seek(0, os.SEEK_END) > size:
                pauses = iter(RETRY_PAUSES_SECONDS)
            pause = next(pauses, None)
            if pause is None:
                raise
            time.sleep(pause)


def _begins(response: BaseHTTPResponse, size: int) -> bool:
    """Tell whether the answer goes on from a size; else it is all from the beginning."""
    if response.status == HTTPStatus.OK:
        return size == 0
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        match = _RANGE.match(response.headers.get("Content-Range", ""))
        if match and int(match[1]) == size:
            return True
    if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise ContentAltered("the bucket's bytes are not those that were stored")
    told = f"the bucket answers {response.status}"
    if response.status in _LATER:
        raise ApiUnreachable(told)
    raise ApiRefused(response.status, told)


def _append(response: BaseHTTPResponse, image: JobImage, file: BufferedRandom) -> None:
    left = image["bytes"] - file.seek(0, os.SEEK_END)
    while left:
        piece = response.read1(min(left, _PIECE_BYTES))
        if not piece:
            raise ContentAltered("the bucket's bytes are not those that were stored")
        file.write(piece)
        left -= len(piece)


def _is_proved(file: BufferedRandom, image: JobImage) -> bool:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest() == image["sha256"]
