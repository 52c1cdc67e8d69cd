"""What a job costs, and how many a second: Darkroom beside what people would write or pick.

Every pipeline does the same job on the same servers: takes it over HTTP, pays a stub of upstream,
is called back by it, copies a 1 MB image to S3 with a record in PostgreSQL, calls its caller,
signed. They take turns for some rounds; the table holds medians and the spread, as ratios of the
round they were measured in:

    python bench/throughput.py --rounds 5 --jobs 400
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop
from outside import Outside, noise_png
from pipelines.darkroom import Darkroom
from pipelines.running import Pipeline, Running, running
from servers import cpu_seconds, new_database, servers

#: Jobs under way at a time, at saturation.
AT_A_TIME = 64
WARM_UP_JOBS = 40
IMAGE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    """One pipeline in one round."""

    jobs_per_second: float
    cpu_ms: float
    #: At low load, beyond upstream's own time.
    p50_ms: float
    p99_ms: float
    #: Processor time of upstream, sink and load for each job.
    outside_cpu_ms: float
    cpu_ms_by_process: Mapping[str, float]


async def measure(outside: Outside, ran: Running, *, jobs: int, low_load_jobs: int) -> Measured:
    """Warm up, saturate, then hand in one at a time."""
    numbers = iter(range(1, 10**9))
    await saturate(outside, ran, [next(numbers) for _ in range(WARM_UP_JOBS)])
    cpu = {name: cpu_seconds(pid) for name, pid in ran.pids.items()}
    own, began = time.process_time(), time.monotonic()
    await saturate(outside, ran, [next(numbers) for _ in range(jobs)])
    took, own = time.monotonic() - began, time.process_time() - own
    spent = {name: (cpu_seconds(pid) - cpu[name]) * 1000 / jobs for name, pid in ran.pids.items()}
    waits = []
    for _ in range(low_load_jobs):
        number = next(numbers)
        await outside.hand_in(ran.url, ran.caller.api_key, number)
        await outside.called_back(number)
        waits.append(outside.jobs[number].added_seconds * 1000)
    assert all(job.paid == 1 for job in outside.jobs.values()), "paid twice"
    cuts = statistics.quantiles(waits, n=100, method="inclusive")
    return Measured(jobs / took, sum(spent.values()), cuts[49], cuts[98], own * 1000 / jobs, spent)


async def saturate(outside: Outside, ran: Running, numbers: Sequence[int]) -> None:
    """Have AT_A_TIME jobs under way until all of these have ended."""
    waiting = iter(numbers)

    async def go_on() -> None:
        for number in waiting:
            await outside.hand_in(ran.url, ran.caller.api_key, number)
            await outside.called_back(number)

    await asyncio.gather(*(go_on() for _ in range(AT_A_TIME)))


async def bench(home: Path, pipelines: Sequence[Pipeline], arguments: argparse.Namespace) -> None:
    """Run the rounds and print the table."""
    outside = Outside(noise_png(IMAGE_BYTES))
    await outside.start()
    with servers(home) as found:
        for turn in range(arguments.rounds):
            for pipeline in pipelines:
                url = new_database(found["DATABASE_URL"], "bench")
                mine = {**found, "DATABASE_URL": url}
                with running(pipeline, mine, outside.url, home / "place") as ran:
                    outside.expect(ran.caller.callback_secret)
                    one = await measure(
                        outside, ran, jobs=arguments.jobs, low_load_jobs=arguments.low_load_jobs
                    )
                print(turn, pipeline.name, one, flush=True)


def main() -> None:
    """Read the arguments and run."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--jobs", type=int, default=400)
    arguments.add_argument("--low-load-jobs", type=int, default=100)
    chosen = arguments.parse_args()
    with (
        tempfile.TemporaryDirectory() as place,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(bench(Path(place), [Darkroom(), Darkroom(has_thumbnails=True)], chosen))


if __name__ == "__main__":
    main()
