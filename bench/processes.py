"""The memory of a pipeline's processes, by the part they play."""

import re
from collections.abc import Mapping
from pathlib import Path

from servers import family, resident_bytes

_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def roles(pids: Mapping[str, int]) -> dict[str, list[int]]:
    """Return the processes of each part: those of the Procfile, and what each has started.

    Children that come and go are one part; gunicorn's workers stay, and are one each.
    """
    found: dict[str, list[int]] = {}
    for name, pid in pids.items():
        found[name] = [pid]
        children = sorted(family(pid) - {pid})
        if name == "images":
            found["images, children"] = children
        else:
            numbered = enumerate(children, start=1)
            found |= {f"{name}, child {number}": [child] for number, child in numbered}
    return found


def resident_mb(pids: Mapping[str, int]) -> dict[str, float]:
    """Return the resident memory of each part now: the mean of its processes, in MB."""
    sizes = {
        role: [size for size in map(resident_bytes, mine) if size]
        for role, mine in roles(pids).items()
    }
    return {role: sum(found) / len(found) / 1e6 for role, found in sizes.items() if found}


def peak_mb(pids: Mapping[str, int]) -> dict[str, float]:
    """Return the most that a process of each part has ever held, in MB."""
    peaks = {
        role: [peak for peak in map(_peak_bytes, mine) if peak]
        for role, mine in roles(pids).items()
    }
    return {role: max(found) / 1e6 for role, found in peaks.items() if found}


def _peak_bytes(pid: int) -> int:
    try:
        found = _PEAK.search(Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0
