"""What a process leaves to the next is as it was written, or is not there."""

import subprocess
import sys
from pathlib import Path

import pytest

from service.legacy import Left, Legacy

_PROCESS = """
import os, sys
from pathlib import Path
from service.legacy import Legacy
legacy = Legacy(Path(sys.argv[1]))
{work}
os._exit(0)
"""


def left_by(folder: Path, work: str) -> dict[str, Left]:
    """Let a process work and end; return what it left."""
    process = _PROCESS.format(work=work)
    subprocess.run([sys.executable, "-c", process, str(folder)], check=True, timeout=30)
    with Legacy(folder).left() as files:
        return {file.name: file for file in files}


def test_what_was_put_and_added_is_left_and_what_was_taken_back_is_not(tmp_path: Path) -> None:
    work = """
legacy.put("gone", b"first, and longer than what comes after it")
legacy.take_back("gone")
legacy.put("put", b"second")
legacy.put("put", b"third")
legacy.add("added", b"one")
legacy.add("added", b"two")
legacy.make("made")
legacy.make("unmade")
legacy.take_back("unmade")
legacy.put("spare", b"")
legacy.take_back("spare")
"""
    left = left_by(tmp_path, work)
    contents = {name: file.content for name, file in left.items()}
    assert contents == {"put": b"third", "added": b"onetwo", "made": b""}


def test_what_a_file_held_under_another_name_is_nobodys_word(tmp_path: Path) -> None:
    # after a power cut a file that is used again may have its new name and its old content
    work = """
legacy.put("a", b"yes")
(own,) = Path(sys.argv[1]).iterdir()
(own / "a").rename(own / "b")
"""
    assert left_by(tmp_path, work)["b"].content == b""


def test_a_file_can_be_made_once_by_whoever_makes_it(tmp_path: Path) -> None:
    legacy = Legacy(tmp_path)
    legacy.make("begun")
    with pytest.raises(FileExistsError):
        legacy.make("begun")
    left = left_by(tmp_path, 'legacy.make("begun")')
    assert not left["begun"].seize("begun")


def test_taking_back_what_is_not_there_says_so(tmp_path: Path) -> None:
    legacy = Legacy(tmp_path)
    for name in ("never", "put"):
        if name == "put":
            legacy.put(name, b"")
            next(tmp_path.glob("*/put")).unlink()
        with pytest.raises(FileNotFoundError):
            legacy.take_back(name)
        legacy.forget(name)


def test_a_process_that_writes_again_and_again_makes_no_more_files(tmp_path: Path) -> None:
    legacy = Legacy(tmp_path)
    for number in range(100):
        legacy.put(f"slip-{number}", b"said")
        legacy.forget(f"slip-{number}")
    files = [path.name for path in tmp_path.glob("*/*")]
    assert len(files) == len({"lock", "spare"})
