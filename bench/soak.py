"""That no process grows and nothing slows down over many jobs, at saturation.

Runs what the Procfile names, one process each, beside a stub of upstream, and keeps 64 jobs under
way. Each process's resident memory is looked at every 500 jobs: of the second tenth of the run and
of its last, the medians may be 10 MB apart. The jobs per second of the last thousand are at least
95 % of those of the first thousand after the warm-up; with rows before, the tables already hold so
many ended jobs when the run begins.

    python bench/soak.py --jobs 20000 --rows-before 1000000
"""

import argparse
import asyncio
import os
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from ended_jobs import add_ended_jobs
from kept import keep, table, verdict
from load import asked, keep_busy
from outside import Outside, noise_png
from pipelines.darkroom import Darkroom
from pipelines.running import Running, running
from processes import resident_mb
from servers import cpu_seconds, new_database, servers

AT_A_TIME = 64
WARM_UP_JOBS = 200
MOST_GROWTH_MB = 10.0
LEAST_SPEED = 0.95


@dataclass
class Watch:
    """Draws the numbers of jobs; after the warm-up a number drawn is a job ended."""

    ran: Running
    every: int
    #: Resident MB of each part, at each look.
    looks: list[Mapping[str, float]] = field(default_factory=list)
    #: When each look was, and the processor time of all processes by then.
    moments: list[tuple[float, float]] = field(default_factory=list)

    def numbers(self, jobs: int) -> Iterator[int]:
        """Yield numbers, and look at the processes now and then, as long as all are busy."""
        yield from range(1, WARM_UP_JOBS + 1)
        for drawn in range(jobs):
            if drawn % self.every == 0:
                self.look()
            yield WARM_UP_JOBS + 1 + drawn
        self.look()

    def look(self) -> None:
        """Note memory, time, and processor time of pipeline and servers."""
        self.looks.append(resident_mb(self.ran.pids))
        self.moments.append((time.monotonic(), cpu_seconds(os.getpid())))


@dataclass(frozen=True, slots=True)
class Part:
    """Some jobs in a row."""

    jobs_per_second: float
    #: Of the pipeline, its servers, the stub and the load.
    cpu_ms_a_job: float


async def soak(home: Path, chosen: argparse.Namespace) -> tuple[Watch, Mapping[str, int]]:
    """Fill the tables, warm up, and run; return what was seen, and what was left undone."""
    outside = Outside(noise_png(chosen.image_bytes))
    await outside.start()
    with servers(home) as found:
        url = new_database(found["DATABASE_URL"], "soak")
        pipeline = Darkroom(has_thumbnails=True)
        mine = {**found, "DATABASE_URL": url}
        with running(pipeline, mine, outside.url, home / "place") as ran:
            outside.expect(ran.caller.callback_secret)
            await asyncio.to_thread(add_ended_jobs, url, chosen.rows_before)
            watch = Watch(ran, chosen.every)
            numbers = watch.numbers(chosen.jobs)
            await keep_busy(outside, ran.url, ran.caller, numbers, AT_A_TIME)
            (undrawn,) = asked(url, "SELECT count(*) FROM images WHERE due_at IS NOT NULL")
    paid = [job.paid for job in outside.jobs.values()]
    facts = {
        "jobs_ended": sum(job.called_back_at > 0 for job in outside.jobs.values()),
        "jobs_not_paid_once": sum(count != 1 for count in paid),
        "thumbnails_still_to_draw": undrawn[0],
        "webhooks_unanswered": outside.unanswered_webhooks,
    }
    return watch, facts


def growths(looks: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Return the median MB of each part in the second tenth of the run, and in the last."""
    tenth = max(1, len(looks) // 10)
    early, late = looks[tenth : 2 * tenth], looks[-tenth:]
    return {
        role: (
            statistics.median(look[role] for look in early if role in look),
            statistics.median(look[role] for look in late if role in look),
        )
        for role in late[-1]
        if any(role in look for look in early)
    }


def speeds(watch: Watch, jobs: int) -> tuple[Part, Part]:
    """Return the first and the last of the run, so many jobs each."""
    looks = max(1, jobs // watch.every)
    found = []
    for began, ended in ((0, looks), (-1 - looks, -1)):
        took, spent = (
            after - before
            for before, after in zip(watch.moments[began], watch.moments[ended], strict=True)
        )
        count = looks * watch.every
        found.append(Part(count / took, spent * 1000 / count))
    return found[0], found[1]


def main() -> None:
    """Run it, keep the results, and end with 1 if something grew or slowed down."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--jobs", type=int, default=20_000)
    arguments.add_argument("--every", type=int, default=500, help="jobs between two looks")
    arguments.add_argument("--compare", type=int, default=1000, help="jobs at each end")
    arguments.add_argument("--image-bytes", type=int, default=20_000)
    arguments.add_argument("--rows-before", type=int, default=0)
    chosen = arguments.parse_args()
    if chosen.jobs % chosen.every or chosen.compare % chosen.every:
        arguments.error("--jobs and --compare are multiples of --every")
    with (
        tempfile.TemporaryDirectory() as place,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        watch, facts = runner.run(soak(Path(place), chosen))
    sys.exit(not report(watch, facts, chosen))


def report(watch: Watch, facts: Mapping[str, int], chosen: argparse.Namespace) -> bool:
    """Keep the results; return whether all is well."""
    memory = growths(watch.looks)
    first, last = speeds(watch, chosen.compare)
    speed = last.jobs_per_second / first.jobs_per_second
    is_flat = all(abs(late - early) <= MOST_GROWTH_MB for early, late in memory.values())
    is_whole = facts["jobs_ended"] == chosen.jobs + WARM_UP_JOBS and not facts["jobs_not_paid_once"]
    passed = is_flat and is_whole and speed >= LEAST_SPEED
    parts = (("first", first), ("last", last))
    what = f"{chosen.jobs:,} jobs with {chosen.image_bytes:,} bytes each, {AT_A_TIME} at a time"
    where = f"on tables with {chosen.rows_before:,} ended jobs"
    lines = [
        f"{what}, {where}: {verdict(passed=passed)}",
        "",
        *table(
            ("process, MB resident", "second tenth", "last tenth", "growth"),
            [
                (role, f"{early:.1f}", f"{late:.1f}", f"{late - early:+.1f}")
                for role, (early, late) in memory.items()
            ],
        ),
        "",
        *table(
            (f"{chosen.compare:,} jobs", "jobs/s", "CPU ms a job, servers and load too"),
            [
                (name, f"{one.jobs_per_second:.1f}", f"{one.cpu_ms_a_job:.1f}")
                for name, one in parts
            ],
        ),
        "",
        f"The last are {speed:.0%} as fast as the first. "
        + ", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in facts.items()),
    ]
    began = watch.moments[0][0]
    figures = {
        "passed": passed,
        "speed": speed,
        **facts,
        "growth_mb": {role: late - early for role, (early, late) in memory.items()},
        "jobs_per_second": {name: one.jobs_per_second for name, one in parts},
        "cpu_ms_a_job": {name: one.cpu_ms_a_job for name, one in parts},
        "seconds": [moment - began for moment, _ in watch.moments],
        "resident_mb": watch.looks,
    }
    keep("soak", shlex.join(["python", *sys.argv]), figures, lines)
    return passed


if __name__ == "__main__":
    main()
