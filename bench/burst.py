"""That a burst of webhooks is answered and worked off: 10,000 of them, 300 a second.

Runs what the Procfile names beside a stub of upstream. So many jobs are put into the tables as
being generated, because no account has so many slots; then their webhooks come on a fixed schedule
that waits for nobody. A webhook's time runs from when it was due to the 2xx, further tries
included. All are answered, every job succeeds and is called back, and nothing has grown.

    python bench/burst.py --webhooks 10000 --rate 300
"""

import argparse
import asyncio
import dataclasses
import resource
import shlex
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop
from kept import keep, table, verdict
from load import asked, at_rest, keep_busy
from outside import Outside, noise_png
from pipelines.darkroom import Darkroom
from pipelines.running import Running, running
from processes import resident_mb
from servers import cpu_seconds, new_database, servers
from waiting_jobs import Awaited, add_generating
from waits import Waits, lateness

AT_A_TIME = 24
WARM_UP_JOBS = 200


@dataclass(frozen=True, slots=True)
class Measured:
    """What was seen."""

    answered: Waits
    #: How late the bench's own event loop was, which is part of it.
    own: Waits
    webhooks_unanswered_at_first: int
    #: Processor time of each process of the Procfile until all were answered, by webhook.
    cpu_ms: Mapping[str, float]
    #: From the first webhook to the answer to the last.
    answering_seconds: float
    #: From then until every job had succeeded and every thumbnail was drawn.
    backlog_seconds: float
    succeeded: int
    called_back: int
    before_mb: Mapping[str, float]
    after_mb: Mapping[str, float]


async def call_all(outside: Outside, awaited: Sequence[Awaited], a_second: float) -> list[float]:
    """Send the webhooks on their schedule; return how long after that each was answered."""
    began = time.monotonic()
    took: list[float] = []

    async def call(due_at: float, one: Awaited) -> None:
        await outside.call_webhook(one.task_id, one.webhook_url, one.webhook_secret)
        took.append(time.monotonic() - due_at)

    async with asyncio.TaskGroup() as calls:
        for turn, one in enumerate(awaited):
            due_at = began + turn / a_second
            if (wait_seconds := due_at - time.monotonic()) > 0:
                await asyncio.sleep(wait_seconds)
            calls.create_task(call(due_at, one))
    return took


async def measure(outside: Outside, ran: Running, chosen: argparse.Namespace) -> Measured:
    """Put the jobs in, call their webhooks, and wait for the end of all."""
    url = ran.environment["DATABASE_URL"]
    last = chosen.webhooks
    warm_up = range(last + 1, last + 1 + WARM_UP_JOBS)
    await keep_busy(outside, ran.url, ran.caller, warm_up, AT_A_TIME)
    await at_rest(url)
    numbers = range(1, last + 1)
    awaited = await asyncio.to_thread(add_generating, outside, ran, numbers)
    before, own = resident_mb(ran.pids), list[float]()
    outside.unanswered_webhooks = 0
    late = asyncio.create_task(lateness(own))
    spent = {name: cpu_seconds(pid) for name, pid in ran.pids.items()}
    began = time.monotonic()
    took = await call_all(outside, awaited, chosen.rate)
    answered_at = time.monotonic()
    spent = {name: cpu_seconds(pid) - spent[name] for name, pid in ran.pids.items()}
    late.cancel()
    await at_rest(url)
    [(succeeded,)] = asked(url, "SELECT count(*) FROM jobs WHERE status = 'succeeded'")
    return Measured(
        Waits.of(took),
        Waits.of(own),
        outside.unanswered_webhooks,
        {name: seconds * 1000 / chosen.webhooks for name, seconds in spent.items()},
        answered_at - began,
        time.monotonic() - answered_at,
        succeeded - WARM_UP_JOBS,
        sum(outside.jobs[number].called_back_at > 0 for number in numbers),
        before,
        resident_mb(ran.pids),
    )


async def bench(home: Path, chosen: argparse.Namespace) -> Measured:
    """Run the servers, the product, and the measurement."""
    outside = Outside(noise_png(chosen.image_bytes))
    await outside.start()
    with servers(home) as found:
        url = new_database(found["DATABASE_URL"], "burst")
        mine = {**found, "DATABASE_URL": url}
        with running(Darkroom(has_thumbnails=True), mine, outside.url, home / "place") as ran:
            outside.expect(ran.caller.callback_secret)
            return await measure(outside, ran, chosen)


def main() -> None:
    """Run it, keep the results, and end with 1 unless all is answered and succeeds."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--webhooks", type=int, default=10_000)
    arguments.add_argument("--rate", type=float, default=300.0, help="webhooks per second")
    arguments.add_argument("--image-bytes", type=int, default=20_000)
    chosen = arguments.parse_args()
    # each webhook that waits for its answer is a connection
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with (
        tempfile.TemporaryDirectory() as place,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        found = runner.run(bench(Path(place), chosen))
    passed = (
        found.succeeded == found.called_back == chosen.webhooks
        and not found.webhooks_unanswered_at_first
    )
    times = f"{found.answering_seconds:.1f} s, the backlog took {found.backlog_seconds:.1f} s more"
    cpu = ", ".join(f"{name} {spent_ms:.2f}" for name, spent_ms in found.cpu_ms.items())
    ends = f"{found.succeeded:,} jobs succeeded, {found.called_back:,} were called back"
    lines = [
        f"{chosen.webhooks:,} webhooks, {chosen.rate:g} a second: {verdict(passed=passed)}",
        "",
        *table(
            ("ms", "p50", "p99", "most"),
            [
                ("webhook answered", *found.answered.cells()),
                ("the bench itself late", *found.own.cells()),
            ],
        ),
        "",
        f"Not answered at first: {found.webhooks_unanswered_at_first}.",
        f"All had an answer after {times}; {ends}.",
        f"CPU until then, ms a webhook: {cpu}.",
        "",
        *table(
            ("process, MB resident", "before", "after"),
            [
                (role, f"{size:.1f}", f"{found.after_mb.get(role, 0):.1f}")
                for role, size in found.before_mb.items()
            ],
        ),
    ]
    figures = {"passed": passed, **dataclasses.asdict(found)}
    keep("burst", shlex.join(["python", *sys.argv]), figures, lines)
    sys.exit(not passed)


if __name__ == "__main__":
    main()
