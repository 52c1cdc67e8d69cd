"""That workers on two hosts share the work, and that a host whose cable is pulled loses nothing.

Two network namespaces are the hosts; between them are the servers, a stub of upstream and the load.
PostgreSQL, Valkey and SeaweedFS listen on loopback only, so their ports are handed on by this
program, whose processor time is part of what the machine spends. The first host runs web and beat,
and workers are spread over both: first 1, 2 and 4 of them, for what they bring, then one on each,
and the second host's cable is pulled in the middle of the jobs. All end, paid once and called back.
Those whose paid POST was cut may end as `submission_unconfirmed`, which says that they may have
been charged: they are counted apart. Once all have ended the cable is back, and nothing changes.

Leases and timeouts are shorter than by default, so that the other host takes over soon. Needs root:

    python bench/two_hosts.py --jobs 1000
"""

import argparse
import asyncio
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop
from hosts import MIDDLE, Host, enter_own_world, forward, hosts
from kept import keep, table, verdict
from load import at_rest, keep_busy
from outside import Outside, noise_png
from pipelines.running import ROOT
from reckoning import Reckoning, reckon
from servers import cpu_seconds, machine_cpu_seconds, new_database, servers
from spread import Spread, spread

AT_A_TIME = 64
WARM_UP_JOBS = 100
#: What the host of the cable may still say and do once it is plugged in again.
AFTER_SECONDS = 15.0
#: So that the other host takes over soon, and no job waits for a slot.
SETTINGS = {
    "LEASE_SECONDS": "20",
    "SEND_DEADLINE_SECONDS": "2",
    "FLUX_TIMEOUT_SECONDS": "5",
    "UNCONFIRMED_GRACE_SECONDS": "10",
    "S3_TIMEOUT_SECONDS": "3",
    "POLL_AFTER_SECONDS": "3",
    "POLL_INTERVAL_SECONDS": "5",
    "FLUX_MAX_ACTIVE": "200",
}
_SERVERS = ("DATABASE_URL", "CELERY_BROKER_URL", "AWS_ENDPOINT_URL_S3")


@dataclass(frozen=True, slots=True)
class Scaled:
    """What so many workers bring."""

    workers: int
    jobs_per_second: float
    #: Cores that servers, product, stub and load kept busy.
    cores: float
    #: Those, and whatever else ran on the machine.
    machine_cores: float


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came of pulling a cable."""

    reckoning: Reckoning
    #: Jobs that were under way.
    under_way: int
    #: From the pull to the end of the last job that was under way.
    seconds_to_the_last_of_them: float


async def scale(outside: Outside, product: Spread, workers: int, jobs: int) -> Scaled:
    """Warm up, and measure."""
    url, caller = product.url, product.caller
    await keep_busy(outside, url, caller, range(1, WARM_UP_JOBS + 1), AT_A_TIME)
    began, spent, all_spent = time.monotonic(), cpu_seconds(os.getpid()), machine_cpu_seconds()
    numbers = range(WARM_UP_JOBS + 1, WARM_UP_JOBS + 1 + jobs)
    await keep_busy(outside, url, caller, numbers, AT_A_TIME)
    took = time.monotonic() - began
    return Scaled(
        workers,
        jobs / took,
        (cpu_seconds(os.getpid()) - spent) / took,
        (machine_cpu_seconds() - all_spent) / took,
    )


async def pull(outside: Outside, product: Spread, host: Host, jobs: int) -> Pulled:
    """Pull the cable after half of the jobs, plug it in again when all have ended."""
    url, cut = product.database_url, list[int]()
    pulled_at = 0.0

    def numbers() -> Iterator[int]:
        nonlocal pulled_at
        for number in range(1, jobs + 1):
            if number == jobs // 2:
                host.pull_cable()
                pulled_at = time.monotonic()
                cut.extend(of for of, job in outside.jobs.items() if not job.called_back_at)
            yield number

    await keep_busy(outside, product.url, product.caller, numbers(), AT_A_TIME)
    await at_rest(url, thumbnails=False)
    last = max(outside.jobs[number].called_back_at for number in cut)
    host.plug_in()
    await asyncio.sleep(AFTER_SECONDS)
    await at_rest(url, thumbnails=False)
    found = await asyncio.to_thread(reckon, outside, url)
    return Pulled(found, len(cut), last - pulled_at)


async def bench(home: Path, chosen: argparse.Namespace) -> tuple[list[Scaled], Pulled]:
    """Make the hosts, and run both parts."""
    outside = Outside(noise_png(chosen.image_bytes))
    with hosts("host-a", "host-b") as places, servers(home) as found:
        await outside.start(MIDDLE)
        for name in _SERVERS:
            await forward(found[name])

        def fresh(workers: int, name: str) -> AbstractAsyncContextManager[Spread]:
            url = new_database(found["DATABASE_URL"], f"{name}_{workers}")
            return spread(
                places,
                workers,
                servers={**found, "DATABASE_URL": url},
                upstream_url=outside.url,
                home=home / f"{name}-{workers}",
                settings=SETTINGS,
            )

        scaled = []
        for workers in chosen.workers:
            async with fresh(workers, "scale") as product:
                outside.expect(product.caller.callback_secret)
                scaled.append(await scale(outside, product, workers, chosen.jobs))
            await outside.close()
        async with fresh(len(places), "cable") as product:
            outside.expect(product.caller.callback_secret)
            pulled = await pull(outside, product, places[1], chosen.jobs)
        await outside.close()
        return scaled, pulled


def main() -> None:
    """Run it, keep the results, and end with 1 if a job was lost or paid twice."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--jobs", type=int, default=1000)
    arguments.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    arguments.add_argument("--image-bytes", type=int, default=20_000)
    chosen = arguments.parse_args()
    enter_own_world()
    os.chdir(ROOT)
    with (
        tempfile.TemporaryDirectory() as place,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        scaled, pulled = runner.run(bench(Path(place), chosen))
    sys.exit(not report(scaled, pulled, chosen))


def report(scaled: Sequence[Scaled], pulled: Pulled, chosen: argparse.Namespace) -> bool:
    """Keep the results; return whether all is well."""
    found = pulled.reckoning
    shorter = ", ".join(f"`{name}={value}`" for name, value in SETTINGS.items())
    last = f"{pulled.seconds_to_the_last_of_them:.1f} s"
    lines = [
        f"{chosen.jobs:,} jobs with {chosen.image_bytes:,} bytes each, {AT_A_TIME} at a time.",
        "",
        *table(
            ("workers on two hosts", "jobs/s", f"busy cores of {os.cpu_count()}", "others' too"),
            [
                (
                    one.workers,
                    f"{one.jobs_per_second:.1f}",
                    f"{one.cores:.2f}",
                    f"{one.machine_cores:.2f}",
                )
                for one in scaled
            ],
        ),
        "",
        f"A cable pulled in the middle: {verdict(passed=found.is_whole)}.",
        f"{pulled.under_way} jobs were under way, the last of them ended {last} later.",
        "",
        *table(
            ("jobs", "number"),
            [(name.replace("_", " "), count) for name, count in asdict(found).items()],
        ),
        "",
        f"Settings: {shorter}.",
    ]
    figures = {
        "passed": found.is_whole,
        "scaled": [asdict(one) for one in scaled],
        "pulled": asdict(pulled),
    }
    keep("two_hosts", shlex.join(["python", *sys.argv]), figures, lines)
    return found.is_whole


if __name__ == "__main__":
    main()
