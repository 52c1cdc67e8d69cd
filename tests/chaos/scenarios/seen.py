"""What several scenarios watch, and read out of the same evidence."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import urllib3
from chaos.evidence import Document, Evidence
from chaos.stage import Stage

_PATIENCE_SECONDS = 8.0
_EVERY_SECONDS = 0.25


@dataclass(frozen=True)
class Said:
    """One answer: when it was complete by the wall clock, after how long, its status and text."""

    at: float
    took_seconds: float
    #: The status, or the name of an error on the wire.
    status: str
    text: str


class Watch:
    """Asks one address again and again inside and keeps what is said."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self._url = url
        self._headers = dict(headers or {})
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch")
        self.said: list[Said] = []

    def first(self, since: float, fits: Callable[[Said], bool]) -> float | None:
        """Return how long after a moment the first answer that fits came, seconds."""
        return next((one.at - since for one in self.said if one.at >= since and fits(one)), None)

    def first_after(self, since: float, status: str) -> float | None:
        """Return the same of the first answer with this status."""
        return self.first(since, lambda one: one.status == status)

    def _watch(self) -> None:
        with urllib3.PoolManager(retries=False, timeout=_PATIENCE_SECONDS) as http:
            while not self._over.wait(_EVERY_SECONDS):
                began = time.monotonic()
                try:
                    answer = http.request("GET", self._url, headers=self._headers)
                    status, text = str(answer.status), answer.data.decode(errors="replace")
                except urllib3.exceptions.HTTPError as error:
                    status, text = type(error).__name__, str(error)
                took_seconds = time.monotonic() - began
                self.said.append(Said(time.time(), took_seconds, status, text))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def accepted(stage: Stage) -> dict[str, float]:
    """Return when upstream accepted each order, by its marker, wall clock."""
    return accepted_at(stage.around.simulator.ledger("accepted"))


def accepted_at(ledger: Sequence[Document]) -> dict[str, float]:
    """Return the same of lines of the ledger."""
    return {
        line["request"]["prompt"].split()[2]: datetime.fromisoformat(line["ts"]).timestamp()
        for line in ledger
        if line["kind"] == "accepted"
    }


def taken_at(evidence: Evidence) -> dict[str, float]:
    """Return when each order was answered 202, wall clock."""
    return {
        marker: answers.said_at[answers.said.index("202")]
        for marker, answers in evidence.answers.items()
        if "202" in answers.said
    }
