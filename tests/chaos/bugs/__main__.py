"""`python -m chaos.bugs`, with `tests` on the path: puts in each bug and has the harness find it.

Exits 1 if one is not found. With `--sound` the same runs are made without the bugs, and must find
none of what the bugs break.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
from chaos.bugs.bug import Bug, copy_of_the_source
from chaos.bugs.seeded import BUGS
from chaos.checker import Broken

_LIMIT_SECONDS = 240


@click.command()
@click.argument("words", nargs=-1)
@click.option("--sound", is_flag=True, help="Leave the bugs out.")
def bugs(words: Sequence[str], *, sound: bool) -> None:
    """Play all of them, or those whose name holds one of the words."""
    chosen = [bug for bug in BUGS if not words or any(word in bug.name for word in words)]
    good = 0
    for bug in chosen:
        found = _play(bug, sound=sound)
        caught = bool(found & bug.breaks)
        good += caught != sound
        seen = ", ".join(sorted(one.name for one in found)) or "nothing"
        click.echo(f"{'caught' if caught else 'not caught'}: {bug.name} ({seen})")
    click.echo(f"{good} of {len(chosen)} as it should be")
    sys.exit(good < len(chosen))


def _play(bug: Bug, *, sound: bool) -> set[Broken]:
    """Return what a run finds in a copy of the source that has this bug."""
    with tempfile.TemporaryDirectory(prefix="darkroom-bug-") as folder:
        tree = Path(folder)
        tree.chmod(0o755)  # the database may run as another user
        copy_of_the_source(tree)
        if not sound:
            bug.put_into(tree)
        done = subprocess.run(
            [sys.executable, *bug.arguments],
            cwd=tree,
            # for the processes of the service as well: what is installed is not this copy
            env={
                **os.environ,
                "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'tests'}",
                "TMPDIR": folder,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_SECONDS,
        )
        assert bug.was_run(tree), f"the copy was not run:\n{done.stderr}"
    lines = done.stdout.splitlines()
    assert lines, done.stderr
    return {one for one in Broken if any(line.strip().startswith(f"{one.name} ") for line in lines)}


if __name__ == "__main__":
    bugs()
