"""Legacy: small files by which one process tells the next of its host what it was about.

Each process has a folder of its own, locked as long as it lives. Whoever can lock a folder knows
that its process has ended, and does what is to be done about its files. Nothing is synced: files
outlive the process that wrote them, and not always the machine.
"""

import contextlib
import fcntl
import os
import shutil
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from service.ids import new_id

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Left:
    """A file that a process left when it ended."""

    name: str
    content: bytes
    #: Whether the machine has run ever since: only then is it sure to be as its process left it.
    is_of_this_boot: bool


@dataclass
class Legacy:
    """The files of this process, and those of the processes before it."""

    folder: Path
    _own: Path | None = None
    _opening: threading.Lock = field(default_factory=threading.Lock)

    def put(self, name: str, content: bytes = b"") -> None:
        """Write a file.

        Raises:
            OSError: the disk did not take it.
        """
        (self._open() / name).write_bytes(content)

    def take_back(self, name: str) -> None:
        """Remove a file of ours.

        Raises:
            OSError: it is not there any more, or may still be.
        """
        (self._open() / name).unlink()

    def forget(self, name: str) -> None:
        """Remove a file of ours if it is there."""
        with contextlib.suppress(OSError):
            self.take_back(name)

    @contextlib.contextmanager
    def left(self) -> Iterator[list[Left]]:
        """Yield the files of processes that have ended; they are removed unless the block raises.

        Nobody else has them meanwhile.
        """
        with contextlib.ExitStack() as locks:
            ended = [path for path in self._others() if _lock(path, locks)]
            yield [file for path in ended for file in _read(path)]
            for path in ended:
                shutil.rmtree(path, ignore_errors=True)

    def _others(self) -> list[Path]:
        return [path for path in self.folder.glob("[!.]*") if path != self._own]

    def _open(self) -> Path:
        """Return this process's folder; others see it only once it is locked."""
        with self._opening:
            if self._own is None:
                name = f"{_boot_id()}.{new_id().hex}"
                unlocked = self.folder / f".{name}"
                unlocked.mkdir(parents=True)
                lock = os.open(unlocked / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                weakref.finalize(self, os.close, lock)
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._own = unlocked.rename(self.folder / name)
            return self._own


def _lock(folder: Path, locks: contextlib.ExitStack) -> bool:
    """Lock another process's folder, unless it lives or somebody else reads it."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        locks.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _read(folder: Path) -> Iterator[Left]:
    is_of_this_boot = folder.name.partition(".")[0] == _boot_id()
    for path in folder.iterdir() if folder.exists() else ():
        if path.name != _LOCK:
            yield Left(path.name, path.read_bytes(), is_of_this_boot)


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        # no Linux: nothing is sure
        return new_id().hex
