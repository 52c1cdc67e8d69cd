"""Several providers at once: who is sent what, with which key, over which slots."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from factories import Rewire, enqueue, job, run
from fakes.scripted_peer import ScriptedPeer, answer
from fakes.upstream_answers import http
from pydantic import SecretStr

from service.keys import NewKey
from service.settings import Provider
from service.wiring import Wiring

YES = answer(http(200, b'{"id": "t-1"}'))
PROMPT = {"prompt": "a lighthouse at dusk"}
BFL_ONLY = "flux-2-klein-4b"


@dataclass
class Two:
    """A service that pays CometAPI where it can, and BFL for the rest."""

    wiring: Wiring
    cometapi: ScriptedPeer
    bfl: ScriptedPeer


@pytest.fixture
def two(rewire: Rewire) -> Iterator[Two]:
    with ScriptedPeer(YES) as cometapi, ScriptedPeer(YES) as bfl:
        wiring = rewire(
            flux_provider=[Provider.COMETAPI, Provider.BFL],
            flux_api_url=[f"{cometapi.url}/flux/v1", f"{bfl.url}/v1"],
            flux_api_key=[SecretStr("comet-key"), SecretStr("bfl-key")],
            flux_max_active=2,
        )
        yield Two(wiring, cometapi, bfl)


def test_a_model_goes_to_the_first_that_serves_it_unless_the_job_names_one(
    two: Two, key: NewKey
) -> None:
    first = enqueue(two.wiring, key, input=PROMPT)
    only = enqueue(two.wiring, key, model=BFL_ONLY, input=PROMPT)
    named = enqueue(two.wiring, key, input=PROMPT, provider="bfl")
    run(two.wiring.submit)
    assert [job(two.wiring, one).provider for one in (first, only, named)] == [
        "cometapi",
        "bfl",
        "bfl",
    ]
    paths = [request.split(b" ")[1] for request in two.cometapi.requests + two.bfl.requests]
    assert sorted(paths) == [b"/flux/v1/flux-2-pro", b"/v1/flux-2-klein-4b", b"/v1/flux-2-pro"]


def test_each_provider_hears_its_own_key_in_its_own_header(two: Two, key: NewKey) -> None:
    enqueue(two.wiring, key, input=PROMPT)
    enqueue(two.wiring, key, input=PROMPT, provider="bfl")
    run(two.wiring.submit)
    (comet,), (bfl,) = two.cometapi.requests, two.bfl.requests
    assert b"authorization: bearer comet-key\r\n" in comet.lower()
    assert b"x-key: bfl-key\r\n" in bfl.lower()
    assert b"bfl-key" not in comet
    assert b"comet-key" not in bfl


def test_each_provider_has_slots_of_its_own(two: Two, key: NewKey) -> None:
    for provider in ("cometapi", "bfl"):
        for _ in range(3):
            enqueue(two.wiring, key, input=PROMPT, provider=provider)
    claimed = [intent.provider for intent in two.wiring.submit.claim(10)]
    assert sorted(claimed) == ["bfl", "bfl", "cometapi", "cometapi"]


def test_a_projects_own_limit_counts_what_it_has_at_all_of_them(two: Two, key: NewKey) -> None:
    two.wiring.projects.change("default", {"max_active": 3})
    for provider in ("cometapi", "bfl"):
        for _ in range(2):
            enqueue(two.wiring, key, input=PROMPT, provider=provider)
    claimed = [intent.provider for intent in two.wiring.submit.claim(10)]
    assert sorted(claimed) == ["bfl", "cometapi", "cometapi"]


def test_a_closed_gate_of_one_does_not_stop_the_other(rewire: Rewire, key: NewKey) -> None:
    with ScriptedPeer(answer(http(402))) as broke, ScriptedPeer(YES) as rich:
        wiring = rewire(
            flux_provider=[Provider.COMETAPI, Provider.BFL],
            flux_api_url=[broke.url, rich.url],
            flux_api_key=[SecretStr("comet-key"), SecretStr("bfl-key")],
        )
        for provider in ("cometapi", "bfl", "cometapi", "bfl"):
            enqueue(wiring, key, input=PROMPT, provider=provider)
            run(wiring.submit)
    assert (len(broke.requests), len(rich.requests)) == (1, 2)
