"""Thousands of connections that mean no good: none is answered 5xx, and nobody else notices."""

import re
import socket
import struct
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from web.fuzz.raw import Case, End, Raw
from web.fuzz.watch import Watch
from web.gunicorn_process import GunicornProcess, heard

SEED = 20261122
CASES = 500
CLIENTS = 24
#: A body of unsaid length counts as big, of which a process works on four at a time.
CHUNKED_AT_ONCE = 3
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_RESET = struct.pack("ii", 1, 0)

chunked = threading.BoundedSemaphore(CHUNKED_AT_ONCE)


def say(web: GunicornProcess, case: Case) -> list[int]:
    """Do what a case says; return the statuses of all answers."""
    with web.connect() as connection:
        try:
            for number, piece in enumerate(case.pieces):
                time.sleep(case.pause_seconds if number else 0)
                connection.sendall(piece)
            if case.end is End.HALF:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before it was at its end
        if case.end is End.RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        return [] if case.end in {End.CLOSE, End.RESET} else statuses(heard(connection))


def statuses(said: bytes) -> list[int]:
    return [status for found in _STATUS.findall(said) if (status := int(found)) != 100]


@pytest.mark.timeout(3600)
def test_no_connection_is_answered_5xx_nor_keeps_others_waiting(
    web: GunicornProcess, bearer: str, rounds: int
) -> None:
    raw = Raw(SEED, bearer)
    cases = [raw.case() for _ in range(CASES * rounds)]
    seen: Counter[int] = Counter()
    failed: list[tuple[Case, list[int]]] = []

    def one(case: Case) -> None:
        if any(b"chunked" in piece.lower() for piece in case.pieces):
            with chunked:
                found = say(web, case)
        else:
            found = say(web, case)
        seen.update(found or [0])
        if any(status >= 500 for status in found):
            failed.append((case, found))

    began = time.monotonic()
    with Watch(web, bearer) as watch, ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(one, cases[: len(cases) // 2]))
        half = watch.growth_bytes
        list(clients.map(one, cases[len(cases) // 2 :]))
    print(  # noqa: T201 - the figures of a run
        f"seed {SEED}: {len(cases)} connections in {time.monotonic() - began:.0f} s, answers "
        f"{dict(sorted(seen.items()))}, a good one took {watch.slowest_seconds:.2f} s at most, "
        f"{watch.growth_bytes / 2**20:.0f} MiB more, {half / 2**20:.0f} at half time"
    )
    assert not failed, failed[:5]
    assert {200, 400, 404, 405} <= set(seen)
