"""House rules that matter are checks."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from service.messages import Message
from service.settings import Settings
from service.states import ENTERED_FROM, Status

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = [
    path
    for folder in ("service", "workers", "migrations", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
PRODUCT = [path for path in MODULES if path.is_relative_to(ROOT / "service")]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_longer_than_300_lines(path: Path) -> None:
    if path.parent.name != "versions":
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_only_database_commits() -> None:
    commits = {
        path.relative_to(ROOT).as_posix()
        for path in PRODUCT
        if re.search(r"\.commit\(\)|engine\.(begin|connect)\(", path.read_text(encoding="utf-8"))
    }
    assert commits == {"service/database.py"}


def test_every_message_has_a_task(environment: dict[str, str]) -> None:
    """A sender knows only the name; a typo in it would be silent."""
    found = subprocess.run(
        [sys.executable, "-c", "from workers.app import celery; print(*celery.tasks)"],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert {name for name in found if name.startswith("darkroom.")} == set(Message)


def table(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a README heading, without its head."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_the_readmes_states_are_those_of_states_py() -> None:
    rows = {row[0]: set(filter(None, row[1].split(", "))) for row in table("States")[: len(Status)]}
    assert list(rows) == [status.value for status in Status]
    for status, sources in ENTERED_FROM.items():
        assert rows[status.value] == {source.value for source in sources}


def test_the_readme_lists_every_setting_with_its_default() -> None:
    rows = {row[0].strip("`* "): row[1].strip("`") for row in table("Settings")}
    assert set(rows) == {name.upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        shown = rows[name.upper()]
        if isinstance(field.default, int | float):
            assert float(shown) == field.default


def test_every_module_named_in_the_readme_is_there() -> None:
    named = re.findall(r"`((?:service|workers|tests)/[\w/.]*)`", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
