"""What a job costs, and how many a second: Darkroom beside what people would write or pick.

Every pipeline does the same job on the same servers: takes it over HTTP, pays a stub of upstream,
is called back by it, copies a 1 MB image to S3 with a record in PostgreSQL, calls its caller,
signed. They take turns for some rounds; `bench/results` gets the figures, a table of medians
with their spread, and a chart:

    python bench/throughput.py --rounds 5 --jobs 400
    python bench/throughput.py --pipelines floor,darkroom --rounds 1
    python bench/throughput.py --quick

BullMQ takes part where it is installed (bench/pipelines/peers.py).
"""

import argparse
import asyncio
import shlex
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import uvloop
from outside import Outside, noise_png
from pipelines import peers
from pipelines.darkroom import Darkroom
from pipelines.running import Pipeline, Running, running
from report import Measured, Rounds, write
from servers import cpu_seconds, servers

#: Jobs under way at a time, at saturation.
AT_A_TIME = 64
WARM_UP_JOBS = 40
IMAGE_BYTES = 1_000_000
RESULTS = Path(__file__).parent / "results"
PIPELINES: Mapping[str, Pipeline] = {
    "floor": peers.FLOOR,
    "darkroom": Darkroom(),
    "darkroom_thumbnails": Darkroom(has_thumbnails=True),
    "dramatiq_tuned": peers.DRAMATIQ_TUNED,
    "dramatiq_plain": peers.DRAMATIQ_PLAIN,
    "vendor_inline": peers.VENDOR_INLINE,
    "celery_tutorial": peers.CELERY_TUTORIAL,
    **({"bullmq": peers.BULLMQ} if peers.has_bullmq() else {}),
}
#: Enough to see that all of it runs.
QUICK = {
    "rounds": 1,
    "jobs": 20,
    "low_load_jobs": 5,
    "pipelines": "floor,darkroom,celery_tutorial",
}


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
    if any(job.paid != 1 for job in outside.jobs.values()):
        raise RuntimeError("a job was paid for more than once: these figures are of another job")
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


async def bench(home: Path, names: Sequence[str], chosen: argparse.Namespace) -> Rounds:
    """Run the rounds; each begins with another pipeline."""
    outside = Outside(noise_png(IMAGE_BYTES))
    await outside.start()
    measured: dict[str, list[Measured]] = {PIPELINES[name].name: [] for name in names}
    for turn in range(chosen.rounds):
        first = turn % len(names)
        for name in [*names[first:], *names[:first]]:
            pipeline = PIPELINES[name]
            # servers of its own: nobody finds what others left in a queue, a table or a cache
            shutil.rmtree(home / "servers", ignore_errors=True)
            with (
                servers(home / "servers") as found,
                running(pipeline, found, outside.url, home / "place") as ran,
            ):
                outside.expect(ran.caller.callback_secret)
                one = await measure(
                    outside, ran, jobs=chosen.jobs, low_load_jobs=chosen.low_load_jobs
                )
            measured[pipeline.name].append(one)
            print(turn, pipeline.name, one, flush=True)
    return measured


def main() -> None:
    """Read the arguments, run, and write the results."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--jobs", type=int, default=400)
    arguments.add_argument("--low-load-jobs", type=int, default=100)
    arguments.add_argument("--pipelines", default=",".join(PIPELINES))
    arguments.add_argument(
        "--quick", action="store_true", help="see that it runs; bench/results stays"
    )
    chosen = arguments.parse_args()
    if chosen.quick:
        arguments.set_defaults(**QUICK)
        chosen = arguments.parse_args()
    names = chosen.pipelines.split(",")
    if unknown := set(names) - set(PIPELINES):
        arguments.error(f"not here: {', '.join(unknown)}; there are {', '.join(PIPELINES)}")
    with (
        tempfile.TemporaryDirectory() as place,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        rounds = runner.run(bench(Path(place), names, chosen))
        folder = Path(place) / "results" if chosen.quick else RESULTS
        print(write(folder, rounds, shlex.join(["python", "bench/throughput.py", *sys.argv[1:]])))


if __name__ == "__main__":
    main()
