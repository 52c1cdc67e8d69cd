"""That the worker needs no more memory for large images than for small ones.

Runs what the Procfile names anew for each size, beside a stub of upstream, sends the same number of
jobs through, eight at a time, and waits until their thumbnails are drawn. The most that the worker
has ever held, its start included, may be 5 % more with images of 20 MB than with those of 1 MB: it
carries the bytes. The images processes look at pixels, and are shown besides.

    python bench/sizes.py --jobs 60 --megabytes 1 5 20 25
"""

import argparse
import asyncio
import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import uvloop
from kept import keep, table, verdict
from load import asked, at_rest, keep_busy
from outside import Outside, noise_png
from pipelines.darkroom import Darkroom
from pipelines.running import running
from processes import peak_mb
from servers import new_database, servers

#: The sizes that are compared, MB.
SMALL, LARGE = 1, 20
MOST_TIMES_AS_MUCH = 1.05
#: Of the largest image that is taken, so that PNG's own bytes still fit.
NEARLY = 0.995


async def peaks(home: Path, megabytes: int, chosen: argparse.Namespace) -> Mapping[str, float]:
    """Return the peak MB of each part after so many jobs of one size."""
    outside = Outside(noise_png(int(megabytes * 1e6 * NEARLY)))
    await outside.start()
    with servers(home) as found:
        url = new_database(found["DATABASE_URL"], "sizes")
        mine = {**found, "DATABASE_URL": url}
        with running(Darkroom(has_thumbnails=True), mine, outside.url, home / "place") as ran:
            outside.expect(ran.caller.callback_secret)
            numbers = range(1, chosen.jobs + 1)
            await keep_busy(outside, ran.url, ran.caller, numbers, chosen.at_a_time)
            await at_rest(url)
            stored = asked(url, f"SELECT count(*) FROM images WHERE bytes > {megabytes * 990_000}")
            if stored != [(chosen.jobs,)]:
                raise RuntimeError(f"not all images of {megabytes} MB were stored: {stored}")
            return peak_mb(ran.pids)


def main() -> None:
    """Run each size, keep the results, and end with 1 if the worker needs more for large ones."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--jobs", type=int, default=60)
    arguments.add_argument("--at-a-time", type=int, default=8)
    arguments.add_argument("--megabytes", type=int, nargs="+", default=[SMALL, 5, LARGE, 25])
    chosen = arguments.parse_args()
    if not {SMALL, LARGE} <= set(chosen.megabytes):
        arguments.error(f"--megabytes compares {SMALL} with {LARGE}")
    found = {}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for megabytes in chosen.megabytes:
            with tempfile.TemporaryDirectory() as place:
                found[megabytes] = runner.run(peaks(Path(place), megabytes, chosen))
    ratio = found[LARGE]["worker"] / found[SMALL]["worker"]
    passed = ratio <= MOST_TIMES_AS_MUCH
    what = f"{chosen.jobs} jobs of each size, {chosen.at_a_time} at a time"
    said = f"{ratio:.3f} times as much for {LARGE} MB as for {SMALL} MB"
    lines = [
        f"{what}; the worker needs {said}: {verdict(passed=passed)}",
        "",
        *table(
            ("peak MB resident", *(f"{megabytes} MB" for megabytes in found)),
            [
                (role, *(f"{one.get(role, 0):.1f}" for one in found.values()))
                for role in found[SMALL]
            ],
        ),
    ]
    figures = {"passed": passed, "ratio": ratio, "peak_mb": found}
    keep("sizes", shlex.join(["python", *sys.argv]), figures, lines)
    sys.exit(not passed)


if __name__ == "__main__":
    main()
