"""Bytes that wait on this host's disk: for S3 the results, for the database the webhooks.

A file is complete when it has its final name: written under another, fsynced, renamed, directory
fsynced.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from service.faults import fault_point
from service.ids import new_id
from service.pictures import Spooled

Sink = Callable[[bytes], object]

_CHUNK_BYTES = 65_536
_UUID_BYTES = 16
#: With so much of the spool in use nothing more is bought: what is under way still has to fit.
_NEARLY_FULL = 0.8
#: A result up to this size is not written to the disk unless it has to be kept: making and removing
#: a file costs more than to send it. Times the acts of a worker this is memory.
_SMALL_BYTES = 2 * 1024 * 1024
#: A part of a file that is older was left by a killed process, seconds.
_LEFT_AFTER_SECONDS = 3600.0


class ResultSpool:
    """Results on their way from Flux to S3."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Use a folder of its own; it is made on first use."""
        self._folder = folder
        self.max_bytes = max_bytes

    def has_room(self) -> bool:
        """Say whether what is bought now could still be kept if S3 takes nothing."""
        return self.used_bytes < _NEARLY_FULL * self.max_bytes

    @property
    def used_bytes(self) -> int:
        """What S3 has not taken yet."""
        return sum(_size(path) for path in self._folder.glob("*.result"))

    @contextmanager
    def download(self, fetch: Callable[[Sink], str]) -> Iterator[Spooled]:
        """Have `fetch` write a result and return the SHA-256 of what it wrote.

        It is gone afterwards unless it was kept.
        """
        incoming = _Incoming(self._new_part)
        try:
            sha256 = fetch(incoming.write)
            fault_point("store.half_download")
            yield Spooled(incoming.content(), sha256, incoming.size_bytes)
        finally:
            incoming.close()

    @property
    def id(self) -> str:
        """The folder's own name, made once: restarts keep it, and all processes of a host share it.

        Raises:
            OSError: the disk did not take it.
        """
        path = self._folder / "id"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part") as file:
                file.write(new_id().hex.encode())
                file.flush()
                os.fsync(file.fileno())
                with suppress(FileExistsError):  # another process was first
                    os.link(file.name, path)
            _sync_folder(self._folder)
        return path.read_text(encoding="ascii")

    def keep(self, job_id: UUID, spooled: Spooled) -> None:
        """Make a result durable, because S3 does not take it now and its URL will die."""
        path = spooled.content
        if isinstance(path, bytes):
            with self._new_part() as file:
                file.write(path)
            path = Path(file.name)
        _publish(path, self._folder / f"{job_id.hex}.{spooled.sha256}.result")

    def kept(self, job_id: UUID) -> Spooled | None:
        """Return a result kept earlier on this host, if it is still what was downloaded."""
        for path in self._places(job_id):
            digest = hashlib.sha256()
            with suppress(FileNotFoundError), path.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
                if path.name == f"{job_id.hex}.{digest.hexdigest()}.result":
                    return Spooled(path, digest.hexdigest(), file.tell())
        return None

    def drop(self, job_id: UUID) -> None:
        """Forget a kept result; S3 has it."""
        for path in self._places(job_id):
            path.unlink(missing_ok=True)

    def put_aside(self, job_id: UUID) -> None:
        """Leave a kept result to a person: its job has failed all the same."""
        for path in self._places(job_id):
            with suppress(FileNotFoundError):  # another process did
                path.rename(path.with_suffix(".failed"))

    def waiting(self) -> list[UUID]:
        """Return the jobs whose results are kept here."""
        return [UUID(hex=path.name.partition(".")[0]) for path in self._folder.glob("*.result")]

    def _new_part(self) -> BinaryIO:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._clear_leftovers()
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
        os.close(handle)
        return Path(name).open("wb")

    def _clear_leftovers(self) -> None:
        for path in self._folder.glob("*.part"):
            with suppress(FileNotFoundError):  # another thread's download has ended
                if time.time() - path.stat().st_mtime > _LEFT_AFTER_SECONDS:
                    path.unlink()

    def _places(self, job_id: UUID) -> list[Path]:
        # by its listing: a pattern for each job would have to be compiled
        start = f"{job_id.hex}."
        with suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            ours = [Path(entry.path) for entry in entries if entry.name.startswith(start)]
            return [path for path in ours if path.suffix == ".result"]
        return []


class _Incoming:
    """What has come of a result so far: in memory while it is small, then in a file."""

    def __init__(self, new_part: Callable[[], BinaryIO]) -> None:
        self._new_part = new_part
        self._pieces: list[bytes] = []
        self._file: BinaryIO | None = None
        self.size_bytes = 0

    def write(self, piece: bytes) -> None:
        """Add the next piece."""
        self.size_bytes += len(piece)
        if self._file is None:
            self._pieces.append(piece)
            if self.size_bytes > _SMALL_BYTES:
                self._file = self._new_part()
                self._file.writelines(self._pieces)
                self._pieces.clear()
        else:
            self._file.write(piece)

    def content(self) -> Path | bytes:
        """Return it, complete."""
        if self._file is None:
            return b"".join(self._pieces)
        self._file.flush()
        return Path(self._file.name)

    def close(self) -> None:
        """Remove the file; a result that was kept has its final name by now."""
        self._pieces.clear()
        if self._file is not None:
            self._file.close()
            Path(self._file.name).unlink(missing_ok=True)


class WebhookSpool:
    """Verified webhooks that could not be committed; replayed by whichever process can."""

    def __init__(self, folder: Path) -> None:
        """Use a folder of its own; it is made on first use."""
        self._folder = folder

    def add(self, attempt_id: UUID, body: bytes) -> None:
        """Make a webhook durable.

        Raises:
            OSError: the disk did not take it; the sender must not be told that we have it.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
        path = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(attempt_id.bytes + body)
            fault_point("receive.before_publish")
            _publish(path, self._folder / f"{new_id().hex}.webhook")
        except OSError:
            path.unlink(missing_ok=True)
            raise

    def waiting(self) -> Iterator[tuple[UUID, bytes, Path]]:
        """Yield what waits, oldest first; `path` is to be unlinked once it is committed."""
        for path in sorted(self._folder.glob("*.webhook")):
            with suppress(FileNotFoundError):  # another process replayed it
                content = path.read_bytes()
                if len(content) < _UUID_BYTES:  # no file of ours: it must not hold up the others
                    path.rename(path.with_suffix(".damaged"))
                    continue
                yield UUID(bytes=content[:_UUID_BYTES]), content[_UUID_BYTES:], path


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # S3 has taken it meanwhile
        return 0


def _publish(source: Path, target: Path) -> None:
    with source.open("rb") as file:
        os.fsync(file.fileno())
    source.rename(target)
    _sync_folder(target.parent)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
