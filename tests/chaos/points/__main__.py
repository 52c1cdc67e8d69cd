"""`python -m chaos.points`, with `tests` on the path: every action at every fault point."""

import multiprocessing
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import click
from chaos.points.cases import Action, Case
from chaos.points.play import print_all

from service.faults import POINTS


@click.command()
@click.option("--only", default="", help="Only points whose name holds this text.")
@click.option("--action", type=click.Choice([one.value for one in Action]), help="Only this one.")
@click.option("--side-by-side", default=2, show_default=True, help="So many worlds at a time.")
@click.option("--keep", is_flag=True, help="Keep logs and data even if no promise was broken.")
def points(only: str, action: str | None, side_by_side: int, *, keep: bool) -> None:
    """Kill, stop and cut at each point, and judge what became of the jobs that met it."""
    cases = [
        Case(point, one)
        for point in POINTS
        for one in Action
        if only in point and action in {None, one.value}
    ]
    home = Path(tempfile.mkdtemp(prefix="darkroom-points-"))
    home.chmod(0o755)
    click.echo(f"{len(cases)} cases, logs in {home}")
    worlds = [(home / str(place), cases[place::side_by_side]) for place in range(side_by_side)]
    with ProcessPoolExecutor(side_by_side, multiprocessing.get_context("spawn")) as pool:
        broken = sum(pool.map(print_all, *zip(*worlds, strict=True)))
    click.echo(f"{len(cases) - broken} of {len(cases)} kept every promise")
    if not broken and not keep:
        shutil.rmtree(home, ignore_errors=True)
    sys.exit(bool(broken))


if __name__ == "__main__":
    points()
