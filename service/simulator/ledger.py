"""The append-only record of what was accepted, and so paid for, and what became of it."""

import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

_LONGEST_TEXT_CHARS = 4096


class Ledger:
    """A file of JSON lines that is only ever appended to, by any number of threads.

    It survives a restart: counts and the sum spent go on from what the file holds.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("a+b")
        self._writing = threading.Lock()
        self._syncing = threading.Lock()
        self._written = self._synced = 0
        self.counts: Counter[str] = Counter()
        self.spent_credits = 0.0
        self._end_torn_line()
        for line in self.lines():
            self._count(line)

    def append_durably(self, kind: str, **facts: object) -> None:
        """Append a line and return once it is on the disk.

        Threads that wait for the disk at the same time share one fsync.
        """
        number = self.append(kind, **facts)
        with self._syncing:
            if self._synced < number:
                reached = self._written
                os.fsync(self._file.fileno())
                self._synced = reached

    def append(self, kind: str, **facts: object) -> int:
        """Append a line without waiting for the disk and return its number in this run."""
        line = {"ts": datetime.now(UTC).isoformat(), "kind": kind, **facts}
        text = json.dumps(line).encode() + b"\n"
        with self._writing:
            self._file.write(text)
            self._file.flush()
            self._count(line)
            self._written += 1
            return self._written

    def lines(self) -> Iterator[dict[str, object]]:
        """Read the lines of this run and of those before; one torn by a crash is left out."""
        with self._path.open("rb") as file:
            for text in file:
                try:
                    yield json.loads(text)
                except ValueError:
                    continue

    def close(self) -> None:
        """Refuse all further lines."""
        with self._writing, self._syncing:
            self._file.close()

    def _count(self, line: dict[str, object]) -> None:
        self.counts[str(line["kind"])] += 1
        cost = line.get("cost")
        if isinstance(cost, float):
            self.spent_credits += cost

    def _end_torn_line(self) -> None:
        if self._file.tell():
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")


def recordable(body: Mapping[str, object]) -> dict[str, object]:
    """Return a request body fit for the ledger: no secret, and digests for whole images."""
    return {name: _recordable(name, value) for name, value in body.items()}


def _recordable(name: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    digest = hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()
    if name == "webhook_secret":
        return digest
    if len(value) > _LONGEST_TEXT_CHARS and name != "prompt":
        return {"sha256": digest, "chars": len(value)}
    return value
