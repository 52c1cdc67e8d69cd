"""Legacy: small files by which one process tells the next of its host what it was about.

Each process has a folder of its own, locked as long as it lives. Whoever can lock a folder knows
that its process has ended, and does what is to be done about its files. Nothing is synced: files
outlive the process that wrote them, and not always the machine.
"""

import contextlib
import errno
import fcntl
import itertools
import os
import shutil
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from service.ids import new_id
from service.logs import get_log

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_LOCK = "lock"
#: What the name of a folder begins with that nobody looks into any more.
_GONE = ".gone-"
#: Folders that are looked into at a time; each costs a descriptor meanwhile.
_MAX_FOLDERS = 64

log = get_log(__name__)


@dataclass(frozen=True, slots=True)
class Left:
    """A file that a process left when it ended."""

    path: Path
    content: bytes
    #: Whether it is as its process left it: the machine has run ever since, and it is no copy.
    is_certain: bool

    @property
    def name(self) -> str:
        """How its process called it."""
        return self.path.name

    def seize(self, name: str) -> bool:
        """Make a file beside it; False if there is one already.

        Exactly one of two can, a process that is not dead after all included.
        """
        try:
            self.path.with_name(name).open("xb").close()
        except OSError:
            return False
        return True

    def leave(self, name: str, content: bytes) -> None:
        """Write a file beside it, if the disk takes it."""
        with contextlib.suppress(OSError):
            self.path.with_name(name).write_bytes(_headed(name, content))


@dataclass
class Legacy:
    """The files of this process, and those of the processes before it."""

    folder: Path
    _own: Path | None = None
    _has_failed: bool = False
    _opening: threading.Lock = field(default_factory=threading.Lock)
    #: Files that were taken back, to be written anew: to make one costs ten times as much, and
    #: keeps the folder's other threads waiting.
    _spares: list[Path] = field(default_factory=list)
    #: Names of files with a content of their own.
    _written: set[str] = field(default_factory=set)

    def put(self, name: str, content: bytes) -> None:
        """Write a file.

        Raises:
            OSError: the disk did not take it, or has no locks.
        """
        own = self._open()
        spare = self._spares.pop() if self._spares else own / f".{new_id().hex}"
        try:
            _write(spare, _headed(name, content))
            spare.rename(own / name)
        except OSError:
            self._spares.append(spare)
            raise
        self._written.add(name)

    def add(self, name: str, content: bytes) -> None:
        """Write to a file's end.

        Raises:
            OSError: as `put`.
        """
        if name not in self._written:
            self.put(name, content)
            return
        with (self._open() / name).open("ab", buffering=0) as file:
            file.write(content)

    def make(self, name: str) -> None:
        """Make a file that says all by its name.

        Raises:
            OSError: there is one already, or the disk did not take it.
        """
        own = self._open()
        try:
            os.link(own / _LOCK, own / name)
        except OSError:
            # there is one, which stops this as well, or the file system has no links
            (own / name).open("xb").close()

    def take_back(self, name: str) -> None:
        """Remove a file of ours.

        Raises:
            OSError: it is not there any more, or may still be.
        """
        if self._own is None:
            raise FileNotFoundError(name)
        if name in self._written:
            self._written.discard(name)
            self._spares.append((self._own / name).rename(self._own / f".{new_id().hex}"))
        else:
            (self._own / name).unlink()

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
            ended = [(path, lock) for path in self._others() if (lock := _lock(path, locks))]
            yield [file for path, lock in ended for file in _read(path, lock)]
            for path, _ in ended:
                # at once: some of the files without the others would say what is not true
                with contextlib.suppress(OSError):
                    gone = path.rename(path.with_name(f"{_GONE}{path.name}"))
                    shutil.rmtree(gone, ignore_errors=True)

    def _others(self) -> Iterator[Path]:
        others = (path for path in self.folder.glob("[!.]*") if path != self._own)
        return itertools.islice(others, _MAX_FOLDERS)

    def _open(self) -> Path:
        """Return this process's folder; others see it only once it is locked."""
        with self._opening:
            if self._has_failed:
                raise OSError("no folder could be locked")
            if self._own is None:
                self._has_failed = True
                self._own = self._made()
                self._has_failed = False
            return self._own

    def _made(self) -> Path:
        for gone in self.folder.glob(f"{_GONE}*"):
            # by somebody who was killed over it
            shutil.rmtree(gone, ignore_errors=True)
        name = new_id().hex
        unlocked = self.folder / f".{name}"
        unlocked.mkdir(parents=True)
        lock = os.open(unlocked / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.write(lock, _identity(lock))
            own = unlocked.rename(self.folder / name)
        except OSError:
            os.close(lock)
            shutil.rmtree(unlocked, ignore_errors=True)
            raise
        # not at the interpreter's exit, when threads may still be at work: the kernel does it later
        weakref.finalize(self, os.close, lock).atexit = False
        return own


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.write(handle, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        # not to nothing before: ext4 would put such a file on the disk at once
        os.ftruncate(handle, len(content))
    finally:
        os.close(handle)


def _headed(name: str, content: bytes) -> bytes:
    """Say in a file whose content it is: after a power cut it may be what it held before."""
    return name.encode() + b"\n" + content


def _lock(folder: Path, locks: contextlib.ExitStack) -> int | None:
    """Lock another process's folder, unless it lives or somebody else reads it."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        locks.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return None
    return lock


def _read(folder: Path, lock: int) -> Iterator[Left]:
    identity = _identity(lock)
    is_certain = os.pread(lock, len(identity) + 1, 0) == identity
    for path in folder.glob("[!.]*"):
        if path.name != _LOCK:
            try:
                header, _, content = path.read_bytes().partition(b"\n")
                is_own = header == path.name.encode()
                yield Left(path, content if is_own else b"", is_certain)
            except OSError as error:
                log.warning("legacy_unreadable", name=path.name, reason=str(error))


def _identity(lock: int) -> bytes:
    """Return what tells a boot of a machine, and a file from its copies."""
    try:
        boot_id = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        # no Linux: nothing is certain
        boot_id = new_id().hex
    status = os.fstat(lock)
    return f"{boot_id} {status.st_dev}:{status.st_ino}".encode()
