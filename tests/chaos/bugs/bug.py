"""A bug that is put into a copy of the source, and the run that has to find it."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from chaos.checker import Broken
from chaos.points.cases import Case

ROOT = Path(__file__).parents[3]
#: What the service and its harness consist of.
_PARTS = ("service", "workers", "migrations", "tests", "Procfile", "pyproject.toml")


class Edit(NamedTuple):
    """A text that is there once, and what takes its place."""

    before: str
    after: str


@dataclass(frozen=True)
class Bug:
    """One wrong idea, as edits of one file."""

    name: str
    file: str
    edits: Sequence[Edit]
    #: The promises that it breaks; finding one of them is enough.
    breaks: frozenset[Broken]
    #: Sizes of the run, besides SIZES.
    run: Mapping[str, int | float | str] = field(default_factory=dict)
    #: The one to play instead of a run: no blow at random strikes its moment often enough.
    case: Case | None = None

    @property
    def arguments(self) -> Sequence[str]:
        """What to run with Python for the harness to find it."""
        if self.case:
            one = (f"--only={self.case.point}", f"--action={self.case.action}")
            return ["-m", "chaos.points", *one, "--side-by-side=1"]
        sizes = {**SIZES, **self.run}.items()
        return ["-m", "chaos", *(f"--{name.replace('_', '-')}={size}" for name, size in sizes)]

    def put_into(self, tree: Path) -> None:
        """Change the file in this tree."""
        path = tree / self.file
        text = path.read_text(encoding="utf-8")
        for before, after in self.edits:
            assert text.count(before) == 1, f"{self.name}: {self.file} has changed"
            text = text.replace(before, after)
        path.write_text(text, encoding="utf-8")

    def was_run(self, tree: Path) -> bool:
        """Whether Python has imported the changed file out of this tree."""
        path = tree / self.file
        return any((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"))


#: Of every run, unless a bug says otherwise: nothing is killed, one fault at a time is enough.
SIZES: Mapping[str, int | float | str] = {
    "seed": 1,
    "jobs": 40,
    "projects": 2,
    "workers": 2,
    "seconds": 6.0,
    "heal_seconds": 30.0,
    "fault_share": 0.0,
    "kills_per_second": 0.0,
    "postgres_crashes": 0,
    "broker_crashes": 0,
}


def copy_of_the_source(to: Path) -> None:
    """Copy what a run needs, without what Python has compiled of it."""
    without = shutil.ignore_patterns("__pycache__")
    for part in _PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, to / part, ignore=without)
        else:
            shutil.copy(ROOT / part, to / part)
