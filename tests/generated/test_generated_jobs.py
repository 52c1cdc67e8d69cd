"""Jobs by the thousand, over every model and parameter, against an upstream that checks them.

`make models` hands in 10,000; here are fewer.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from conftest import QUICK, named, new_database
from egress import audit
from fakes.ringing import Ringing
from fakes.simulator import Simulator
from generated.handing_in import HandedIn, HandingIn, paid, task_id
from generated.pictures import Form, stock

from service.generation import CATALOGUE
from service.settings import load_settings
from service.simulator.catalogue import MODELS
from service.simulator.model import Field
from service.upstream import Accepted
from service.web.app import create_app
from service.wiring import Wiring

COUNT = int(os.environ.get("GENERATED_JOBS", "600"))
TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
WEBHOOK = {"webhook_url", "webhook_secret"}


@dataclass(frozen=True)
class Run:
    """All jobs that we accepted, and upstream's ledger."""

    jobs: list[HandedIn] = field(repr=False)
    ledger: dict[str, dict[str, Any]] = field(repr=False)

    def lines(self) -> Iterator[tuple[HandedIn, dict[str, Any]]]:
        """Yield each job with the ledger's line of it."""
        for one in self.jobs:
            yield one, self.ledger[task_id(one)]


@pytest.fixture(scope="module")
def run(servers: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    place = tmp_path_factory.mktemp("generated")
    ledger = place / "ledger.jsonl"
    at_once = ("--min-seconds", "0", "--max-seconds", "0", "--max-active", "1000000")
    with (
        Simulator.start(ledger, *at_once) as simulator,
        new_database(servers["DATABASE_URL"]) as database,
        pytest.MonkeyPatch.context() as patch,
        contextlib.ExitStack() as ending,
    ):
        environment = {
            **servers,
            **QUICK,
            "DATABASE_URL": named(servers["DATABASE_URL"], database),
            "S3_PREFIX": f"generated-{uuid4().hex[:8]}/",
            "SECRET_KEY": "a-key-for-tests-long-enough-to-be-one",
            "PUBLIC_URL": "http://127.0.0.1:9",
            "FLUX_PROVIDER": "simulator",
            "FLUX_API_URL": f"{simulator.url}/v1",
            "FLUX_API_KEY": "simulator-key",
            "EGRESS_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
            "DARKROOM_HOME": str(place),
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        audit.allow_configured(environment)
        wiring = Wiring(load_settings(), ring=Ringing())
        ending.callback(wiring.close)
        key = wiring.keys.create("default")
        pictures = stock(wiring, key, simulator)
        simulator.clear_faults()
        # nobody looks at the results of the others, nor hears of them
        simulator.change(max_drawn_pixels=1024, webhook_retry_seconds=[])
        jobs = HandingIn(wiring, create_app(wiring), key.api_key, pictures).sent(COUNT)
        yield Run(jobs, paid(ledger))


def test_upstream_refuses_none_that_we_accepted(run: Run) -> None:
    assert len(run.jobs) == COUNT
    assert [one for one in run.jobs if not isinstance(one.outcome, Accepted)] == []


def test_the_run_covers_every_parameter_of_every_model_and_every_form_of_a_picture(
    run: Run,
) -> None:
    given = {(one.job.model, name) for one in run.jobs for name in one.job.given}
    everything = {(m.name, name) for m in CATALOGUE.models.values() for name in m.parameters}
    assert everything <= given
    assert {form for one in run.jobs for form, _ in one.job.pictures.values()} == set(Form)


def test_what_is_sent_is_what_the_caller_meant_and_the_webhook(run: Run) -> None:
    for one, line in run.lines():
        request = {
            name: value
            for name, value in line["request"].items()
            if name not in WEBHOOK | set(one.job.pictures)
        }
        # 1024 and 1024.0 are equal, but not to upstream
        assert json.dumps(request, sort_keys=True) == json.dumps(one.job.meant, sort_keys=True)
        assert set(line["request"]) - set(one.job.meant) - WEBHOOK == set(one.job.pictures)
        assert WEBHOOK & set(line["request"]) == WEBHOOK & set(MODELS[one.job.model].fields)


def test_what_is_sent_are_parameters_that_upstream_knows_of_the_type_it_wants(run: Run) -> None:
    for _, line in run.lines():
        fields = MODELS[line["model"]].fields
        assert set(line["request"]) <= set(fields)
        for name, value in line["request"].items():
            assert_fits(fields[name], value)


def assert_fits(field: Field, value: object) -> None:
    if field.is_image and isinstance(value, dict):
        return  # a long text, of which the ledger keeps a digest
    assert isinstance(value, TYPES[field.kind])
    assert isinstance(value, bool) == (field.kind == "boolean")
    assert value not in ("", "custom")


def test_upstream_sees_the_very_picture_and_fetches_it_wherever_it_can(run: Run) -> None:
    for one, line in run.lines():
        fields = MODELS[one.job.model].fields
        assert set(line["inputs"]) == set(one.job.pictures)
        for name, (form, picture) in one.job.pictures.items():
            seen = line["inputs"][name]
            by_url = fields[name].takes_url and one.job.meant.get("mode") != "fast"
            assert seen["sha256"] == picture.sha256
            assert seen["source"] == ("url" if by_url else "base64")
            assert form is not Form.URL or seen["url"] == picture.given[form]


def test_the_price_shown_before_is_the_cost_on_upstreams_ledger_after(run: Run) -> None:
    for one, line in run.lines():
        has_url = Form.URL in {form for form, _ in one.job.pictures.values()}
        # of a caller's own URL nobody knows the size, so a price by sizes is a guess, and says so
        if one.price["exact"] or not has_url:
            shown, cost = one.price["credits"], line["cost"]
            assert (shown and Decimal(shown)) == (cost and Decimal(str(cost))), one.job
