"""That webhooks and new jobs are answered in time while results are stored as fast as it goes.

Runs what the Procfile names beside a stub of upstream whose images have 1 MB. Hundreds of results
wait to be stored, and are topped up each second, so that the store lane is always full; meanwhile
jobs are handed in on a fixed schedule, 20 a second, and as many webhooks come. Both are measured
where they are sent: p99 of a webhook's answer is 60 ms at most, that of `POST /v1/jobs` 100 ms.

    python bench/stores.py --seconds 60
"""

import argparse
import asyncio
import dataclasses
import itertools
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvloop
from kept import keep, table, verdict
from load import asked
from outside import Outside, noise_png
from pipelines.darkroom import Darkroom
from pipelines.running import Running, running
from servers import new_database, servers
from waiting_jobs import add_storing
from waits import Waits, lateness

IMAGE_BYTES = 1_000_000
MOST_WEBHOOK_MS = 60.0
MOST_SUBMIT_MS = 100.0
#: With fewer results waiting the store lane is not full.
LEAST_WAITING = 100
WARM_UP_SECONDS = 5.0
#: Jobs of the stream have numbers from here on; those put into the tables have smaller ones.
FIRST_OF_STREAM = 1_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    """What was seen in the measured time."""

    webhooks: Waits
    submissions: Waits
    #: How late the bench's own event loop was, which is part of both.
    own: Waits
    submitted: int
    webhooks_unanswered: int
    stored_a_second: float
    least_waiting: int


async def stream(outside: Outside, ran: Running, numbers: Iterator[int], a_second: float) -> None:
    """Hand in jobs on a schedule that waits for nobody, until cancelled."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as jobs:
        for turn in itertools.count():
            await asyncio.sleep(began + turn / a_second - time.monotonic())
            jobs.create_task(outside.hand_in(ran.url, ran.caller.api_key, next(numbers)))


async def top_up(outside: Outside, ran: Running, want: int, seen: list[int]) -> None:
    """Keep so many results waiting; note each second how many were left."""
    url, numbers = ran.environment["DATABASE_URL"], itertools.count(1)
    while True:
        [(left,)] = await asyncio.to_thread(asked, url, _WAITING)
        seen.append(left)
        more = list(itertools.islice(numbers, max(0, want - left)))
        if more:
            await asyncio.to_thread(add_storing, outside, ran, more)
        await asyncio.sleep(1)


_WAITING = "SELECT count(*) FROM jobs WHERE status = 'storing'"
_STORED = "SELECT count(*) FROM jobs WHERE status = 'succeeded'"


async def measure(outside: Outside, ran: Running, chosen: argparse.Namespace) -> Measured:
    """Fill the lane, start the stream, and measure once both are under way."""
    url, own, waiting = ran.environment["DATABASE_URL"], list[float](), list[int]()
    going = [
        asyncio.create_task(top_up(outside, ran, chosen.waiting, waiting)),
        asyncio.create_task(stream(outside, ran, itertools.count(FIRST_OF_STREAM), chosen.rate)),
        asyncio.create_task(lateness(own)),
    ]
    await asyncio.sleep(WARM_UP_SECONDS)
    for seen in (own, waiting, outside.webhook_seconds, outside.submit_seconds):
        seen.clear()
    [(before,)] = await asyncio.to_thread(asked, url, _STORED)
    began = time.monotonic()
    await asyncio.sleep(chosen.seconds)
    [(after,)] = await asyncio.to_thread(asked, url, _STORED)
    took = time.monotonic() - began
    found = Measured(
        Waits.of(outside.webhook_seconds),
        Waits.of(outside.submit_seconds),
        Waits.of(own),
        len(outside.submit_seconds),
        outside.unanswered_webhooks,
        (after - before) / took,
        min(waiting),
    )
    for task in going:
        task.cancel()
    ended = await asyncio.gather(*going, return_exceptions=True)
    if crashed := [one for one in ended if not isinstance(one, asyncio.CancelledError)]:
        raise RuntimeError(f"it did not go on to the end: {crashed}")
    return found


async def bench(home: Path, chosen: argparse.Namespace) -> Measured:
    """Run the servers, the product, and the measurement."""
    outside = Outside(noise_png(IMAGE_BYTES))
    await outside.start()
    with servers(home) as found:
        url = new_database(found["DATABASE_URL"], "stores")
        # so many slots that a job of the stream never waits for one
        pipeline = Darkroom(has_thumbnails=chosen.thumbnails, more={"FLUX_MAX_ACTIVE": "1000"})
        mine = {**found, "DATABASE_URL": url}
        with running(pipeline, mine, outside.url, home / "place") as ran:
            outside.expect(ran.caller.callback_secret)
            measured = await measure(outside, ran, chosen)
    await outside.close()
    return measured


def main() -> None:
    """Run it, keep the results, and end with 1 if somebody waited for too long."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=60.0)
    arguments.add_argument("--rate", type=float, default=20.0, help="jobs handed in per second")
    arguments.add_argument("--waiting", type=int, default=500, help="results that wait")
    arguments.add_argument("--thumbnails", action="store_true", help="draw them as well")
    chosen = arguments.parse_args()
    with (
        tempfile.TemporaryDirectory() as place,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        found = runner.run(bench(Path(place), chosen))
    passed = (
        found.webhooks.p99 <= MOST_WEBHOOK_MS
        and found.submissions.p99 <= MOST_SUBMIT_MS
        and found.least_waiting >= LEAST_WAITING
        and not found.webhooks_unanswered
    )
    what = f"{found.submitted} jobs handed in, {chosen.rate:g} a second, "
    what += f"while {found.stored_a_second:.1f} images of 1 MB were stored a second"
    lines = [
        f"{what}, and {found.least_waiting} waited or more: {verdict(passed=passed)}",
        "",
        *table(
            ("ms", "p50", "p99", "most", "p99 allowed"),
            [
                ("webhook answered", *found.webhooks.cells(), f"{MOST_WEBHOOK_MS:g}"),
                ("`POST /v1/jobs` answered", *found.submissions.cells(), f"{MOST_SUBMIT_MS:g}"),
                ("the bench itself late", *found.own.cells(), ""),
            ],
        ),
        "",
        f"Webhooks not answered at first: {found.webhooks_unanswered}.",
    ]
    figures = {"passed": passed, **dataclasses.asdict(found)}
    keep("stores", shlex.join(["python", *sys.argv]), figures, lines)
    sys.exit(not passed)


if __name__ == "__main__":
    main()
