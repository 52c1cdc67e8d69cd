"""Hands jobs in through the API and sends each upstream, as the submit lane does, over HTTP."""

import json
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conftest import Api
from factories import job, known_job
from fakes.waiting import wait_until
from flask import Flask
from generated.jobs import Job, generate
from generated.pictures import Picture

from service.generation import CATALOGUE
from service.ids import new_id
from service.steps.submit import Intent
from service.upstream import Accepted, Refused, SubmitOutcome
from service.wiring import Wiring

_THREADS = 4
_SEND_WITHIN_SECONDS = 60.0


@dataclass(frozen=True)
class HandedIn:
    """A job that we accepted: its price before, and what became of it upstream."""

    job: Job
    price: dict[str, Any]
    outcome: SubmitOutcome


@dataclass(frozen=True)
class HandingIn:
    """A caller, and the service that it calls."""

    wiring: Wiring
    app: Flask
    api_key: str
    stock: Sequence[Picture]

    def sent(self, count: int) -> list[HandedIn]:
        """Hand in so many jobs, model by model, each of which must be accepted."""
        with ThreadPoolExecutor(_THREADS) as threads:
            return list(threads.map(self._hand_in, range(count)))

    def _hand_in(self, seed: int) -> HandedIn:
        """Ask for the price, hand in, send upstream."""
        turn, place = divmod(seed, len(CATALOGUE.models))
        model = CATALOGUE[CATALOGUE.names()[place]]
        including = list(model.parameters)[turn % len(model.parameters)]
        chance = random.Random(seed)  # noqa: S311 - it guards nothing
        wanted = generate(model, including, chance, self.stock)
        api = Api(self.app.test_client(), self.api_key)
        body = {"model": wanted.model, "input": wanted.given}
        price, answer = api.post("/v1/price", body), api.post("/v1/jobs", body)
        assert answer.status_code == 202, (answer.json, wanted)
        return HandedIn(wanted, price.json, self._send(answer.json))

    def _send(self, document: dict[str, Any]) -> SubmitOutcome:
        row = job(self.wiring, known_job(document))
        intent = Intent(
            job_id=row.id,
            project_id=row.project_id,
            attempt_id=new_id(),
            attempt_number=1,
            provider=row.provider,
            pool=row.pool,
            model=row.model,
            input=row.input,
            tries=0,
            send_by=time.monotonic() + _SEND_WITHIN_SECONDS,
        )
        # all slots taken is no word on the job
        return wait_until(lambda: self.wiring.submit.send(intent), _is_no_429)


def _is_no_429(outcome: SubmitOutcome) -> bool:
    return not (isinstance(outcome, Refused) and outcome.http_status == 429)


def paid(ledger: Path) -> dict[str, dict[str, Any]]:
    """Return the lines of what was accepted upstream by task."""
    lines = map(json.loads, ledger.read_text().splitlines())
    return {line["task_id"]: line for line in lines if line["kind"] == "accepted"}


def task_id(one: HandedIn) -> str:
    """Return upstream's name of a job that it accepted."""
    assert isinstance(one.outcome, Accepted), (one.outcome, one.job)
    return one.outcome.task_id
