"""The seeded bugs still fit the source."""

import ast
from pathlib import Path

import pytest
from chaos.bugs.bug import ROOT, Bug
from chaos.bugs.seeded import BUGS


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_its_texts_are_there_once_and_what_comes_of_them_is_python(
    bug: Bug, tmp_path: Path
) -> None:
    path = tmp_path / bug.file
    path.parent.mkdir(parents=True)
    path.write_text((ROOT / bug.file).read_text())
    bug.put_into(tmp_path)
    ast.parse(path.read_text())
    assert path.read_text() != (ROOT / bug.file).read_text()


def test_there_are_the_twelve_and_one_of_ours() -> None:
    assert len({bug.name for bug in BUGS}) == 12 + 1
