"""`python -m chaos`, with `tests` on the path: a run of any size; exits 1 for a broken promise."""

import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import click
from chaos.nemesis import Wanted
from chaos.run import run


@click.command(
    params=[
        click.Option(
            [f"--{name.replace('_', '-')}"],
            type=type(default),
            default=default,
            show_default=True,
        )
        for name, default in Wanted.sizes().items()
    ]
)
@click.option("--seed", type=int, help="Repeats a run; chosen at random and printed if not given.")
@click.option("--keep", is_flag=True, help="Keep logs and data even if no promise was broken.")
def chaos(seed: int | None, *, keep: bool, **sizes: float | str) -> None:
    """Break the service in every way at once and judge what it did."""
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    home = Path(tempfile.mkdtemp(prefix="darkroom-chaos-"))
    click.echo(f"seed {seed}, logs in {home}")
    report = run(Wanted(seed=seed, **sizes), home)  # type: ignore[arg-type] # click read their types
    (home / "diary.txt").write_text("\n".join(report.diary), encoding="utf-8")
    click.echo(str(report))
    if report.ok and not keep:
        shutil.rmtree(home, ignore_errors=True)
    sys.exit(not report.ok)


if __name__ == "__main__":
    chaos()
