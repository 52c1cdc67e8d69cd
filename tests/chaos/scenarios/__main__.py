"""`python -m chaos.scenarios NAME|all`, with `tests` on the path: one kind of outage at a time.

Prints what was measured as JSON. Exits 1 if a bound or a promise was broken, 2 if a scenario could
not be played here.
"""

import functools
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import click
from chaos.rabbitmq import RabbitMQ, find_rabbitmq
from chaos.scenarios import broker, bucket, database, upstream, webhooks
from chaos.scenarios.scenario import Scenario, Size, run
from chaos.world import MakeBroker, valkey

RABBITMQ = "broker-rabbitmq"
_BROKEN, _NOT_PLAYED = 1, 2

#: Result URLs live for longer than the database is away.
_PATIENT = {"UPSTREAM_DEADLINE_SECONDS": "300"}
_MANY_SLOTS = 500
_S3 = functools.partial(Scenario, size=Size(200), slots=200, orders_per_job=1 + bucket.LATER_SHARE)

SCENARIOS = {
    "broker-valkey": Scenario(broker.play, Size(600), settings=broker.SETTINGS),
    RABBITMQ: Scenario(broker.play, Size(600), settings=broker.SETTINGS),
    "s3-down": _S3(bucket.refused),
    "s3-black-hole": _S3(bucket.black_hole),
    "database-frozen": Scenario(database.frozen, Size(300, 30)),
    "database-down": Scenario(database.shut_down, Size(300, 30)),
    "database-crashes": Scenario(database.crashes, Size(300, times=10)),
    "no-webhooks": Scenario(webhooks.none_at_all, Size(500)),
    "late-webhooks": Scenario(webhooks.all_late, Size(500)),
    "webhooks-without-database": Scenario(
        webhooks.without_database, Size(500), slots=_MANY_SLOTS, settings=_PATIENT
    ),
    "upstream-500": Scenario(
        upstream.answers_500,
        Size(500),
        settings={"BREAKER_PROBE_SECONDS": str(upstream.PROBE_SECONDS)},
    ),
}


@click.command()
@click.argument("name", type=click.Choice([*SCENARIOS, "all"]))
@click.option("--jobs", type=int, help="Fewer or more than what was promised.")
@click.option("--seconds", type=float, help="How long the outage lasts.")
@click.option("--times", type=int, help="How often a server is killed.")
@click.option("--seed", type=int, help="Chosen at random and printed if not given.")
@click.option("--rabbitmq", help="Path of rabbitmq-server, if it is not on the PATH.")
@click.option("--keep", is_flag=True, help="Keep logs and data even if no promise was broken.")
def scenarios(
    *,
    name: str,
    jobs: int | None,
    seconds: float | None,
    times: int | None,
    seed: int | None,
    rabbitmq: str | None,
    keep: bool,
) -> None:
    """Play one kind of outage, or all of them one after the other."""
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    brokers = {RABBITMQ: _rabbitmq(rabbitmq)}
    status = 0
    for each in SCENARIOS if name == "all" else [name]:
        make_broker = brokers.get(each, valkey)
        if make_broker is None:
            click.echo(f"{each}: not played, no rabbitmq-server or no epmd was found", err=True)
            status = status or _NOT_PLAYED
            continue
        home = Path(tempfile.mkdtemp(prefix="darkroom-scenario-"))
        click.echo(f"{each}: logs in {home}", err=True)
        promised = SCENARIOS[each].size
        size = Size(jobs or promised.jobs, seconds or promised.seconds, times or promised.times)
        report = run(each, SCENARIOS[each], size, seed=seed, home=home, make_broker=make_broker)
        click.echo(str(report))
        if report.findings:
            status = _BROKEN
        elif not keep:
            shutil.rmtree(home, ignore_errors=True)
    sys.exit(status)


def _rabbitmq(given: str | None) -> MakeBroker | None:
    script = find_rabbitmq(given)
    return functools.partial(RabbitMQ, script) if script else None


if __name__ == "__main__":
    scenarios()
