"""Calls webhooks as upstream does, with its proofs and its retries."""

import contextlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import certifi
import urllib3

from service.simulator.ledger import Ledger
from service.simulator.results import Call
from service.simulator.settings import Settings
from service.simulator.timetable import Timetable

_THREADS = 64
_TIMEOUT_SECONDS = 30
_MOST_ANSWER_BYTES = 65_536


@dataclass(frozen=True)
class Target:
    """Where a task's webhook goes, and the settings that hold for it."""

    task_id: str
    url: str
    settings: Settings


class Webhooks:
    """Calls webhooks from threads of its own: 2xx within 30 s is success, all else is retried."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._timetable = Timetable("webhook", _THREADS)
        self._pool = urllib3.PoolManager(
            num_pools=_THREADS, retries=False, timeout=_TIMEOUT_SECONDS, ca_certs=certifi.where()
        )
        #: The last call that was taken, which anybody on its way may have kept.
        self._overheard: Call | None = None

    def deliver(
        self, target: Target, calls: tuple[Call, ...], first_tries_over: Callable[[], object]
    ) -> None:
        """Make the calls one after the other, each retried on its own.

        `first_tries_over` is called once each has been tried for the first time.
        """
        if not calls:
            first_tries_over()
            return
        first, rest = calls[0], calls[1:]

        def work() -> None:
            self._try(target, first, attempt=1)
            self.deliver(target, rest, first_tries_over)

        self._timetable.after(first.delay_seconds, work)

    def _try(self, target: Target, call: Call, attempt: int) -> None:
        overheard = self._overheard if call.replayed else None
        status, problem = self._post(target, overheard or call)
        delivered = status is not None and 200 <= status < 300  # noqa: PLR2004 - the 2xx class
        waits = target.settings.webhook_retry_seconds if call.retried else ()
        if delivered and not call.replayed:
            self._overheard = call
        outcome = "delivered" if delivered else "retrying"
        if not delivered and attempt > len(waits):
            outcome = "given_up"
        self._ledger.append(
            "webhook",
            task_id=target.task_id,
            attempt=attempt,
            status=status,
            outcome=outcome,
            problem=problem,
        )
        if outcome == "retrying":
            again = partial(self._try, target, call, attempt + 1)
            self._timetable.after(waits[attempt - 1], again)

    def _post(self, target: Target, call: Call) -> tuple[int | None, str | None]:
        body = json.dumps(call.payload).encode()
        headers = {"Content-Type": "application/json", **proofs(body, call, target.settings)}
        try:
            response = self._pool.request(
                "POST",
                target.url,
                body=body,
                headers=headers,
                redirect=False,
                preload_content=False,
            )
            with contextlib.closing(response):
                response.read(_MOST_ANSWER_BYTES)
                return response.status, None
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as problem:
            return None, f"{type(problem).__name__}: {problem}"


def proofs(body: bytes, call: Call, settings: Settings) -> dict[str, str]:
    """Return the headers that prove a call comes from upstream; none without a secret."""
    if call.secret is None:
        return {}
    # http.client writes header texts as latin-1; this lets the secret's UTF-8 bytes through as is.
    key = call.secret.encode(errors="replace")
    headers = {}
    if settings.proofs != "signature":
        headers["X-Webhook-Secret"] = key.decode("latin-1")
    if settings.proofs != "secret":
        headers["X-BFL-Signature"] = "sha256=" + hmac.digest(key, body, "sha256").hex()
    return headers
