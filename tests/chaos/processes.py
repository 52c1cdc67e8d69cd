"""The processes of this machine, as the kernel lists them (Linux)."""

import contextlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Running:
    """One process at the moment of the look; a zombie is in state `Z`."""

    pid: int
    parent: int
    group: int
    state: str


def processes() -> list[Running]:
    """Return every process there is."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # the name in parentheses may hold anything, also spaces and parentheses
                state, parent, group, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
                found.append(Running(int(entry.name), int(parent), int(group), state))
    return found
