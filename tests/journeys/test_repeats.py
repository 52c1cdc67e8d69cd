"""Callers who repeat a request, and lose the answers: each job is made once and paid once."""

import json
import random
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto
from functools import partial
from urllib.parse import urlsplit

import pytest
from fakes.simulator import Simulator
from fakes.waiting import wait_until
from journeys.running_service import BODY, ENDED, RunningService
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

SEED = 50
KEYS = 20
REPEATS = 50
_RESET = struct.pack("ii", 1, 0)


class Heard(Enum):
    """How much of its answer a caller waits for."""

    NOTHING = auto()
    THE_FIRST_BYTES = auto()
    ALL = auto()


def hand_in(service: RunningService, key: str, heard: Heard) -> str | None:
    """Hand in the job of a key; return its id if it was heard to be taken."""
    where, body = urlsplit(service.url), json.dumps(BODY).encode()
    head = (
        f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.api_key}\r\n"
        f"Idempotency-Key: {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall(head.encode() + body)
        if heard is Heard.ALL:
            answer = b""
            while part := connection.recv(65536):
                answer += part
            if answer.startswith(b"HTTP/1.1 503"):
                # too many at once: the caller is asked to repeat it, and does
                return None
            assert answer.startswith(b"HTTP/1.1 202"), answer
            return str(json.loads(answer.partition(b"\r\n\r\n")[2])["id"])
        if heard is Heard.THE_FIRST_BYTES:
            connection.recv(20)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    return None


def jobs_made(service: RunningService) -> int:
    """Count the rows."""
    engine = create_engine(service.environment["DATABASE_URL"], poolclass=NullPool)
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM jobs")).scalar_one())


def ended_jobs(service: RunningService) -> int:
    """Count those that need nothing more."""
    engine = create_engine(service.environment["DATABASE_URL"], poolclass=NullPool)
    ended = text("SELECT count(*) FROM jobs WHERE status = ANY(:ended)")
    with engine.connect() as connection:
        return int(connection.execute(ended, {"ended": sorted(ENDED)}).scalar_one())


@pytest.mark.timeout(600)
def test_fifty_equal_requests_at_once_make_one_job_though_answers_are_cut(
    service: RunningService, simulator: Simulator, rounds: int
) -> None:
    dice, keys = random.Random(SEED), [f"order-{number}" for number in range(KEYS * rounds)]  # noqa: S311 - repeatable on purpose
    before = len(simulator.ledger("accepted"))
    began = time.monotonic()
    known: dict[str, set[str]] = {}
    cut = 0
    with ThreadPoolExecutor(REPEATS) as callers:
        for key in keys:
            heard = dice.choices(list(Heard), k=REPEATS)
            answers = callers.map(lambda how, key=key: hand_in(service, key, how), heard)
            known[key] = {job_id for job_id in answers if job_id is not None}
            cut += REPEATS - heard.count(Heard.ALL)
    asked_seconds = time.monotonic() - began
    for key in keys:
        # who lost every answer learns with one more what became of it
        known[key].add(wait_until(partial(hand_in, service, key, Heard.ALL), bool) or "none")
        assert len(known[key]) == 1, known[key]
    assert len(set.union(*known.values())) == len(keys) == jobs_made(service)
    wait_until(lambda: ended_jobs(service), len(keys).__eq__, 120)
    paid = simulator.ledger("accepted")[before:]
    print(  # noqa: T201 - the figures of a run
        f"seed {SEED}: {len(keys)} keys, {len(keys) * REPEATS} requests in {asked_seconds:.0f} s, "
        f"{cut} answers cut, {jobs_made(service)} jobs, {len(paid)} paid, "
        f"{time.monotonic() - began:.0f} s in all"
    )
    assert len(paid) == len({line["task_id"] for line in paid}) == len(keys)
