"""What this host knows of its intents when the process that has them is killed.

A slip per intent, on this host's disk: `held` lies there from before the intent is committed until
right before its send, upstream's answer (`accepted`, `refused`) from its arrival until it is
recorded. Whoever finds the slips of a process that has ended knows what that one knew. Nothing is
synced: files outlive the process that wrote them and not the machine, so after a boot no slip
proves that nothing was sent.
"""

import contextlib
import fcntl
import os
import shutil
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from pydantic import TypeAdapter

from service.ids import new_id
from service.logs import get_log
from service.upstream import Accepted, NotSent, Refused, SubmitOutcome, Unusable

log = get_log(__name__)

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_HELD = ".held"
#: Outcomes that are worth as much from another process, by the slip's suffix.
_DEFINITE: Mapping[str, TypeAdapter[SubmitOutcome]] = {
    f".{kind.__name__.lower()}": TypeAdapter(kind)
    for kind in (Accepted, NotSent, Refused, Unusable)
}


@dataclass
class Slips:
    """The slips of this process, and of those before it; a folder each, locked while they live."""

    folder: Path
    _own: Path | None = None
    _held: set[UUID] = field(default_factory=set)

    def hold(self, attempt_ids: Iterable[UUID]) -> None:
        """Note that these will not be sent before `begin`; to be called before their commit."""
        try:
            own = self._open()
            for attempt_id in attempt_ids:
                (own / f"{attempt_id.hex}{_HELD}").touch()
                self._held.add(attempt_id)
        except OSError as error:
            # they are sent all the same; only a killed worker will leave them in doubt
            log.warning("slips_not_written", reason=str(error))

    def begin(self, attempt_id: UUID) -> None:
        """Note that this may have been sent from now on.

        Raises:
            OSError: it must not be sent, because another process would take it for unsent.
        """
        if attempt_id in self._held:
            self._path(attempt_id, _HELD).unlink()
            self._held.discard(attempt_id)

    def say(self, attempt_id: UUID, outcome: SubmitOutcome) -> None:
        """Keep what became of it until it is recorded."""
        kind = _kind(outcome)
        if self._own is None or kind not in _DEFINITE:
            return
        try:
            self._path(attempt_id, kind).write_bytes(_DEFINITE[kind].dump_json(outcome))
        except OSError as error:
            log.warning("slips_not_written", reason=str(error))

    def drop(self, attempt_ids: Iterable[UUID]) -> None:
        """Forget these: all that is known of them is recorded."""
        for attempt_id in attempt_ids if self._own else ():
            self._held.discard(attempt_id)
            for kind in (_HELD, *_DEFINITE):
                with contextlib.suppress(OSError):
                    self._path(attempt_id, kind).unlink()

    @contextlib.contextmanager
    def left(self) -> Iterator[Mapping[UUID, SubmitOutcome]]:
        """Yield what processes knew that have ended; it is forgotten unless the block raises."""
        known: dict[UUID, SubmitOutcome] = {}
        with contextlib.ExitStack() as locks:
            ended = [path for path in self._others() if _lock(path, locks)]
            for path in ended:
                known |= _read(path)
            yield known
            for path in ended:
                shutil.rmtree(path, ignore_errors=True)

    def _others(self) -> list[Path]:
        return [path for path in self.folder.glob("[!.]*") if path != self._own]

    def _open(self) -> Path:
        """Return this process's folder; others see it only once it is locked."""
        if self._own is None:
            name = f"{_boot_id()}.{new_id().hex}"
            unlocked = self.folder / f".{name}"
            unlocked.mkdir(parents=True)
            lock = os.open(unlocked / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            weakref.finalize(self, os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._own = unlocked.rename(self.folder / name)
        return self._own

    def _path(self, attempt_id: UUID, kind: str) -> Path:
        return self._open() / f"{attempt_id.hex}{kind}"


def _lock(folder: Path, locks: contextlib.ExitStack) -> bool:
    """Lock another process's folder, unless it lives or somebody else reads it."""
    try:
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
        locks.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _read(folder: Path) -> dict[UUID, SubmitOutcome]:
    known: dict[UUID, SubmitOutcome] = {}
    if folder.name.partition(".")[0] == _boot_id():
        for path in folder.glob(f"*{_HELD}"):
            known[UUID(hex=path.stem)] = NotSent("its worker ended before it began to send")
    for kind, adapter in _DEFINITE.items():
        for path in folder.glob(f"*{kind}"):
            try:
                known[UUID(hex=path.stem)] = adapter.validate_json(path.read_bytes())
            except ValueError:
                # killed while it wrote: as if it had not come to it
                log.warning("slip_unreadable", attempt_id=path.stem)
    return known


def _kind(outcome: SubmitOutcome) -> str:
    return f".{type(outcome).__name__.lower()}"


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        # no Linux: no slip is believed to prove anything
        return new_id().hex
