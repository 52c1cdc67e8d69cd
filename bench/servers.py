"""The servers that a bench needs, on loopback and of its own, and how they look from outside."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import create_engine, text

from service.embedded.postgres import Postgres
from service.embedded.seaweedfs import SeaweedFS
from service.embedded.stack import running
from service.embedded.valkey import Valkey

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_BUCKET = "images"


@contextlib.contextmanager
def servers(home: Path, *, durable: bool = True) -> Iterator[dict[str, str]]:
    """Run PostgreSQL, Valkey and SeaweedFS; yield the variables by which they are found.

    Raises:
        StartFailed: one of them did not start; the others are stopped.
    """
    home.mkdir(parents=True, exist_ok=True)
    with running(
        SeaweedFS(home / "s3", home / "s3.log", bucket=_BUCKET),
        Valkey(home / "valkey", home / "valkey.log", durable=durable),
        Postgres(home / "postgres", home / "postgres.log", durable=durable),
    ) as found:
        yield {**found, "S3_BUCKET": _BUCKET}


def new_database(database_url: str, name: str) -> str:
    """Make an empty database beside the one of the URL; return its own URL."""
    engine = create_engine(
        database_url.replace("postgresql://", "postgresql+psycopg://", 1),
        isolation_level="AUTOCOMMIT",
    )
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    base, _, query = database_url.partition("?")
    return f"{base.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


def family(*roots: int) -> set[int]:
    """Return the processes that these have started, and they themselves."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += parents.get(pid, [])
    return found


def cpu_seconds(*roots: int) -> float:
    """Return the processor time of these processes and of all that they started."""
    ticks = 0
    for pid in family(*roots):
        if fields := _stat(pid):
            # its own, and that of children that have ended and were waited for
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / _TICKS_PER_SECOND


def machine_cpu_seconds() -> float:
    """Return the processor time of all that has run on this machine, whoever's it is."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq = map(int, fields[:7])
    return (user + nice + system + irq + softirq) / _TICKS_PER_SECOND


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process; 0 when it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name; none when it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
