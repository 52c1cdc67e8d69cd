"""Whatever `/openapi.json` allows is answered as it says, and what it does not allow is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

from factories import enqueue, project_id
from secrecy import witness
from web.gunicorn_process import GunicornProcess

from service.ids import Kind, public_id
from service.keys import NewKey
from service.wiring import Wiring

HERE = Path(__file__).parent
#: Of each operation and phase; `--rounds` multiplies it.
EXAMPLES = 4
#: Further rounds begin anew with another seed: what schemathesis has seen slows it down.
ROUNDS_PER_SEED = 25


def known(wiring: Wiring, key: NewKey) -> dict[str, str]:
    """Return ids of things that are there, by their names in paths."""
    job_id = enqueue(wiring, key, callback_url="http://127.0.0.1:9/hook")
    project = project_id(wiring, key)
    wiring.enqueue.cancel(project, job_id)
    (delivery,) = wiring.browse.deliveries(project, job_id)[0]
    return {
        "job_id": public_id(Kind.JOB, job_id),
        "delivery_id": public_id(Kind.DELIVERY, delivery.id),
    }


def test_the_api_keeps_its_contract(
    web: GunicornProcess,
    web_environment: dict[str, str],
    web_wiring: Wiring,
    rounds: int,
    tmp_path: Path,
) -> None:
    for seed in range(1, 1 + max(1, rounds // ROUNDS_PER_SEED)):
        examples = EXAMPLES * min(rounds, ROUNDS_PER_SEED)
        ended = run(
            web, web_wiring, web_environment, tmp_path,
            ["--seed", str(seed), "--max-examples", str(examples)],
        )  # fmt: skip
        print(f"seed {seed}, {examples} examples:", *ended.stdout.splitlines()[-8:], sep="\n")  # noqa: T201 - for who waits
        assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr


def run(
    web: GunicornProcess,
    wiring: Wiring,
    web_environment: dict[str, str],
    folder: Path,
    options: list[str],
) -> "subprocess.CompletedProcess[str]":
    """Have schemathesis ask, with a key of its own."""
    key = wiring.keys.create("default")
    command: list[str | Path] = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", HERE / "schemathesis.toml"),
        *("run", f"http://127.0.0.1:{web.port}/openapi.json"),
        *("--no-shrink", "--continue-on-failure", *options),
    ]
    environment = {
        # what schemathesis makes up for a secret may be a word that is in any log
        **{name: value for name, value in os.environ.items() if name != witness.VARIABLE},
        "SECRET_KEY": web_environment["SECRET_KEY"],
        "CONTRACT_KEY": key.api_key,
        "CONTRACT_KEY_ID": key.key_id,
        "CONTRACT_KNOWN": json.dumps(known(wiring, key)),
        "SCHEMATHESIS_HOOKS": "web.contract_hooks",
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(HERE.parent), str(HERE.parents[1]), os.environ.get("PYTHONPATH")])
        ),
    }
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
