"""The Flux simulator as tests use it: a real process, steered over its control endpoint."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import urllib3
from egress import audit

_ROOT = Path(__file__).parents[2]
_STOP_SECONDS = 5
#: The one that it lets in unless it is told another.
API_KEY = "simulator-key"


class Simulator:
    """A simulator, started here or attached to; stopped here only if it was started here."""

    def __init__(self, url: str, process: subprocess.Popen[str] | None = None) -> None:
        self.url = url
        audit.allow(url, API_KEY)
        self.process = process
        self._http = urllib3.PoolManager(retries=False, timeout=30)

    @classmethod
    def start(cls, ledger: Path, *flags: str) -> Self:
        """Start a process and return once it listens."""
        process = subprocess.Popen(
            [sys.executable, "-m", "service.simulator", "--ledger", str(ledger), *flags],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        with process.stdout as lines:
            ready = lines.readline()
        if not ready:
            raise RuntimeError(f"the simulator ended with {process.wait(_STOP_SECONDS)}")
        return cls(json.loads(ready)["url"], process)

    def control(self, method: str, path: str, content: object = None) -> Any:  # noqa: ANN401 - JSON
        """Call `/control/{path}` and return its JSON.

        Raises:
            ValueError: The simulator refused; carries its reason.
        """
        body = None if content is None else json.dumps(content)
        response = self._http.request(method, f"{self.url}/control/{path}", body=body)
        if response.status >= 400:
            raise ValueError(response.json()["detail"])
        return response.json() if response.data else None

    def ledger(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the ledger's lines, oldest first."""
        lines: list[dict[str, Any]] = self.control("GET", "ledger")["lines"]
        return [line for line in lines if kind in {None, line["kind"]}]

    def state(self) -> dict[str, Any]:
        """Return what is going on: tasks, submissions, keys seen, counts, settings, faults."""
        state: dict[str, Any] = self.control("GET", "state")
        return state

    def change(self, **settings: object) -> None:
        """Change settings for the tasks accepted from now on."""
        self.control("PUT", "settings", settings)

    def set_fault(
        self,
        fault: str,
        *,
        match: Mapping[str, str] | None = None,
        times: int | None = None,
        probability: float = 1,
        args: Mapping[str, object] | None = None,
    ) -> None:
        """Add a rule: who it matches, how many `times` and how likely it fires, its `args`."""
        rule = {
            "fault": fault,
            "match": match or {},
            "probability": probability,
            "args": args or {},
        }
        self.control("POST", "faults", rule | ({"times": times} if times else {}))

    def clear_faults(self) -> None:
        """Drop all rules."""
        self.control("DELETE", "faults")

    def stop(self) -> None:
        """End the process if it was started here, and the connections to it."""
        self._http.clear()
        if self.process:
            self.process.terminate()
            self.process.wait(_STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
