"""The Flux simulator as a process of the stack; the product sees it only through its URL."""

import sys
from collections.abc import Mapping
from pathlib import Path

import urllib3

from service.embedded.process import Process
from service.embedded.state import free_ports, keep_secret


class Simulator:
    """A Flux upstream on 127.0.0.1 that keeps its ledger in `directory`."""

    name = "Flux simulator"

    def __init__(self, directory: Path, log: Path, *, environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._log = log
        self._environment = environment

    def launch(self) -> None:
        """Start it.

        Raises:
            StartFailed: it cannot be started.
        """
        self._directory.mkdir(mode=0o700, exist_ok=True)
        self._api_key = keep_secret(self._directory / "api-key")
        (port,) = free_ports()
        self._url = f"http://127.0.0.1:{port}"
        self._process = Process(
            self.name,
            [
                *(sys.executable, "-m", "service.simulator", "--port", str(port)),
                *("--ledger", self._directory / "ledger.jsonl", "--api-key", self._api_key),
            ],
            env=self._environment,
            cwd=Path(__file__).parents[2],
            log=self._log,
        )

    def wait_ready(self) -> None:
        """Wait until it answers.

        Raises:
            StartFailed: it does not.
        """
        with urllib3.PoolManager(timeout=2, retries=False) as client:

            def answers() -> bool:
                try:
                    answer = client.request("GET", f"{self._url}/healthz")
                    nonce: str = answer.json()["nonce"]
                except (urllib3.exceptions.HTTPError, ValueError, KeyError):
                    return False
                return nonce in self._log.read_text()  # printed at its start: so it is ours

            self._process.wait_until(answers, timeout_seconds=15)

    @property
    def environment(self) -> dict[str, str]:
        """What the app needs to know of it."""
        return {
            "FLUX_PROVIDER": "simulator",
            "FLUX_API_URL": f"{self._url}/v1",
            "FLUX_API_KEY": self._api_key,
        }

    def stop(self) -> None:
        """End it."""
        self._process.stop()
