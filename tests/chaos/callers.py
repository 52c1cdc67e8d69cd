"""Callers: hand in jobs, each under its key until it is answered, and note every answer."""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import urllib3
from chaos.plan import Order

_TIMEOUT_SECONDS = 6.0
_PAUSE_SECONDS = 0.25


@dataclass
class Answers:
    """What a caller was told about one order."""

    #: Every id that a 202 named.
    job_ids: set[str] = field(default_factory=set)
    #: Statuses, and names of errors on the wire, in order.
    said: list[str] = field(default_factory=list)
    #: When each of these was said, as the wall clock has it, and after how long, seconds.
    said_at: list[float] = field(default_factory=list)
    took_seconds: list[float] = field(default_factory=list)


class Callers:
    """Hands in orders from a few threads; ends when all that were begun with are answered."""

    def __init__(
        self, url: str, keys: Mapping[str, str], callback_port: int, orders: Sequence[Order]
    ) -> None:
        self._url = url
        self._keys = keys
        self._callback_port = callback_port
        self.orders = orders
        self._http = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(connect=2, read=_TIMEOUT_SECONDS), maxsize=32
        )
        self.answers = {order.marker: Answers() for order in orders}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, orders: Sequence[Order], seconds: float, threads: int = 8) -> None:
        """Begin with these, evenly: the last is handed in after `seconds`."""
        began = time.monotonic()
        gap = seconds / max(len(orders), 1)

        def work(first: int) -> None:
            for place in range(first, len(orders), threads):
                if self._stop.wait(max(0.0, began + gap * place - time.monotonic())):
                    return
                self._hand_in(orders[place])

        begun = [
            threading.Thread(target=work, args=(first,), name=f"caller-{first}")
            for first in range(threads)
        ]
        self._threads += begun
        for thread in begun:
            thread.start()

    def headers(self, project: str) -> dict[str, str]:
        """Return what lets a project's caller in."""
        return {"Authorization": f"Bearer {self._keys[project]}"}

    @property
    def done(self) -> bool:
        """Whether every order begun with has its answer."""
        return not any(thread.is_alive() for thread in self._threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Give up what is not answered yet."""
        self._stop.set()
        for thread in self._threads:
            thread.join(3 * _TIMEOUT_SECONDS)
        self._http.clear()

    def _hand_in(self, order: Order) -> None:
        """Send it until it is taken, and once more now and then: a repeat must find the same."""
        body: dict[str, Any] = {
            "model": "flux-2-pro",
            "input": {"prompt": order.prompt, "width": 256, "height": 256, **order.more},
        }
        if order.callback is not None:
            address = f"http://127.0.0.1:{self._callback_port}/{order.project}/{order.marker}"
            body["callback_url"] = address
        wanted = 2 if order.marker.endswith("7-end") else 1
        while wanted and not self._stop.is_set():
            if self._send(order, body):
                wanted -= 1
            else:
                self._stop.wait(_PAUSE_SECONDS)

    def _send(self, order: Order, body: dict[str, Any]) -> bool:
        answers = self.answers[order.marker]
        began = time.monotonic()
        try:
            answer = self._http.request(
                "POST",
                f"{self._url}/v1/jobs",
                body=json.dumps(body).encode(),
                headers={
                    **self.headers(order.project),
                    "Content-Type": "application/json",
                    "Idempotency-Key": order.key,
                },
            )
            answers.said.append(str(answer.status))
            if answer.status == 202:
                answers.job_ids.add(answer.json()["id"])
                return True
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            answers.said.append(type(error).__name__)
        finally:
            answers.said_at.append(time.time())
            answers.took_seconds.append(time.monotonic() - began)
        return False
