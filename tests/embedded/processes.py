"""What the kernel knows about processes (Linux), for the tests of the launcher."""

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
Launch = Callable[[str, Path], "subprocess.Popen[str]"]


def running(marker: str) -> list[int]:
    """Return the other processes with `marker` in their command line; zombies have none."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if (
                entry.name.isdigit()
                and int(entry.name) != os.getpid()
                and marker in (entry / "cmdline").read_text(errors="replace").replace("\0", " ")
            ):
                found.append(int(entry.name))
    return found


def listening_addresses(pid: int) -> set[str]:
    """Return the local IPv4 addresses, in hexadecimal, and IPv6 ones that a process listens on."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]"))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and columns[9] in inodes:
                found.add(columns[1].split(":")[0])
    return found


def eventually(question: Callable[[], T], seconds: float = 20) -> T:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(0.02)
    return answer


@contextlib.contextmanager
def reachable_directory() -> Iterator[Path]:
    """Make a directory that every user can enter, as most homes of projects are."""
    with tempfile.TemporaryDirectory(prefix="darkroom-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)
