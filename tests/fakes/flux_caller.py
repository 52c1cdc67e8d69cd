"""A caller of the Flux API that knows nothing of Darkroom: plain requests, nothing retried."""

import json
from typing import Any, Self

import urllib3
from fakes.waiting import wait_until
from urllib3.response import BaseHTTPResponse

_DEADLINE_SECONDS = 10


class FluxCaller:
    """Calls one server in BFL's form of the API, or in CometAPI's."""

    def __init__(self, url: str, key: str = "simulator-key", *, comet: bool = False) -> None:
        self.url = url
        self.key = key
        self.base = f"{url}/flux/v1" if comet else f"{url}/v1"
        self.headers = {"Authorization": f"Bearer {key}"} if comet else {"x-key": key}
        self.http = urllib3.PoolManager(retries=False, timeout=_DEADLINE_SECONDS)

    def submit(self, model: str = "flux-2-pro", **body: object) -> BaseHTTPResponse:
        """Submit a task; a prompt is put in where none is given."""
        content = json.dumps({"prompt": "a red fox", **body})
        url = f"{self.base}/{model}"
        return self.http.request("POST", url, body=content, headers=self.headers)

    def submitted(self, model: str = "flux-2-pro", **body: object) -> str:
        """Submit a task that must be accepted and return its id."""
        response = self.submit(model, **body)
        assert response.status == 200, response.data
        task_id: str = response.json()["id"]
        return task_id

    def result(self, task_id: str) -> dict[str, Any]:
        """Return the get_result body."""
        url = f"{self.base}/get_result?id={task_id}"
        response = self.http.request("GET", url, headers=self.headers)
        assert response.status == 200, response.data
        body: dict[str, Any] = response.json()
        return body

    def finished(self, task_id: str) -> dict[str, Any]:
        """Poll until the task has ended and return its get_result body."""
        return wait_until(lambda: self.result(task_id), lambda body: body["status"] != "Pending")

    def download(self, task_id: str) -> BaseHTTPResponse:
        """Wait for the task's image and ask for it once."""
        return self.http.request("GET", self.finished(task_id)["result"]["sample"])

    def close(self) -> None:
        """Close the connections."""
        self.http.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
