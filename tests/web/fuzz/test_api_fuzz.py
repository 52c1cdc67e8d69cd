"""Thousands of requests that are nearly good, of every route: none is answered 5xx."""

import itertools
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
from web.fuzz.keep_alive import Answer, KeepAlive, with_body
from web.fuzz.mutations import Mutant, Mutations
from web.fuzz.watch import Watch
from web.gunicorn_process import GunicornProcess
from web.things import made, rules

from service.keys import NewKey
from service.web.app import create_app
from service.wiring import Wiring

SEED = 20261123
REQUESTS = 1000
CLIENTS = 4
#: A project may try one callback at a time; who asks meanwhile is told to come again.
ONE_AT_A_TIME = "/v1/callbacks/test"

testing = threading.Lock()


def wrong_with(one: Mutant, answer: Answer) -> str | None:
    """Say what is wrong with an answer, None if nothing is."""
    if not 200 <= answer.status < 500:
        return "its status"
    if answer.status < 400 or one.method == "HEAD":
        return None
    if b"text/html" in answer.head:
        of_the_api = one.route.startswith(("/v1/", "/flux/", "/webhooks/"))
        # gunicorn's own words for what is no request
        return "a page" if of_the_api and answer.status not in {400, 414, 417, 431} else None
    document = json.loads(answer.body)
    return None if {"code", "detail", "id"} & set(document) else "no word of what is wrong"


def cookie(web: GunicornProcess, key: NewKey) -> str:
    """Log in and return the session's cookie."""
    form = urlencode({"api_key": key.api_key}).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    with KeepAlive(web) as connection:
        answer = connection.ask(with_body("POST /login", kind, form))
    found = re.search(rb"Set-Cookie: (darkroom=[^;]+)", answer.head)
    assert found, answer
    return found[1].decode()


@pytest.mark.timeout(3600)
def test_no_mutated_request_is_answered_5xx_nor_keeps_others_waiting(
    web: GunicornProcess, web_wiring: Wiring, bearer: str, rounds: int
) -> None:
    key, app = web_wiring.keys.create("default"), create_app(web_wiring)
    proof = {"Authorization": f"Bearer {key.api_key}", "Cookie": cookie(web, key)}
    things = made(web_wiring, key)
    count = REQUESTS * rounds
    seen: Counter[int] = Counter()
    routes: Counter[str] = Counter()
    failed: list[tuple[str, Mutant, Answer]] = []

    def send(number: int) -> None:
        mutations = Mutations(app, things, proof, SEED + number)
        with KeepAlive(web) as connection:
            for one in itertools.islice(requests(mutations), count // CLIENTS):
                with testing if one.route == ONE_AT_A_TIME else threading.Lock():
                    answer = connection.ask(one.sent, is_head=one.method == "HEAD")
                seen[answer.status] += 1
                routes[one.route] += 1
                if wrong := wrong_with(one, answer):
                    failed.append((wrong, one, answer))

    began = time.monotonic()
    with Watch(web, bearer) as watch, ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(send, range(CLIENTS)))
    print(  # noqa: T201 - the figures of a run
        f"seed {SEED}: {sum(seen.values())} requests in {time.monotonic() - began:.0f} s, answers "
        f"{dict(sorted(seen.items()))}, a good one took {watch.slowest_seconds:.2f} s at most, "
        f"{watch.growth_bytes / 2**20:.0f} MiB more"
    )
    assert not failed, failed[:5]
    assert sum(seen.values()) == count
    assert set(routes) == {rule.rule for rule in rules(app)}
    assert {200, 202, 400, 404, 415, 422} <= set(seen)


def requests(mutations: Mutations) -> Iterator[Mutant]:
    """Yield one after the other, without an end."""
    while True:
        yield mutations.next()
