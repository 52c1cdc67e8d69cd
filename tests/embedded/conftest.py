import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded.processes import Launch, reachable_directory

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Start a launcher of `launch.py`; what still runs at the end of the test is killed."""
    with contextlib.ExitStack() as started:

        def start(what: str, path: Path) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("launch.py"), what, path],
                env={"PATH": os.defpath, "PYTHONPATH": str(_ROOT), "LANG": "C", "PORT": "8080"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield start


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty DARKROOM_HOME."""
    with reachable_directory() as directory:
        yield directory
