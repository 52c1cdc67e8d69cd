"""The command line: `darkroom simulator`, or `python -m service.simulator`."""

import json
import os
import random
import secrets
import signal
import threading
from pathlib import Path

import click

from service.simulator.api import FluxApi
from service.simulator.control import Control
from service.simulator.faults import Rules
from service.simulator.ledger import Ledger
from service.simulator.routes import Routes
from service.simulator.server import Server
from service.simulator.settings import Settings, flags
from service.simulator.tasks import TaskTable


@click.command(params=flags())
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=int, default=0, help="Port to listen on; 0 takes a free one.")
@click.option(
    "--ledger",
    "ledger_path",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File that each accepted submission is appended to.",
)
@click.option("--seed", type=int, help="Makes durations and chances repeatable.")
def simulator(
    host: str, port: int, ledger_path: Path, seed: int | None, **flag_values: object
) -> None:
    """Simulate the Flux API, image files and webhooks included.

    Prints one line of JSON with its url, pid and nonce once it listens, and serves until SIGTERM
    or SIGINT.
    """
    stop = {signal.SIGTERM, signal.SIGINT}
    # Blocked before any thread starts, so that only the wait below ever sees them.
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    try:
        server = Server(host, port)
        settings = Settings().changed({"public_url": server.url} | _given(flag_values))
        ledger = Ledger(ledger_path)
    except (OSError, ValueError) as problem:
        raise click.ClickException(str(problem)) from problem
    chance = random.Random(seed)  # noqa: S311 - it guards nothing
    rules = Rules(chance)
    api = FluxApi(settings, TaskTable(ledger, rules, chance), rules, ledger)
    nonce = secrets.token_hex(8)
    server.answer = Routes(api, Control(api, rules, ledger), nonce)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    click.echo(json.dumps({"url": server.url, "pid": os.getpid(), "nonce": nonce}))
    signal.sigwait(stop)
    ledger.close()
    # Threads may be held up by clients and receivers for long; with the ledger closed nothing
    # that they still do can count.
    os._exit(0)


def _given(flag_values: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in flag_values.items() if value != ""}
