"""A Flux client that knows upstream's API alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient

PROMPT = {"prompt": "a lighthouse at dusk", "width": 256, "height": 256}
#: Where the service of a test says that it is reached.
BASE_URL = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Facade:
    """Speaks the API in the form of its `prefix`, and proves itself by its `proof`."""

    client: FlaskClient
    proof: Mapping[str, str]
    prefix: str = ""

    def post(self, model: str, body: object, **headers: str) -> Any:  # noqa: ANN401 - werkzeug's
        """Hand in a body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = {"data": body} if isinstance(body, bytes) else {"json": body}
        return self.client.post(
            f"{self.prefix}/v1/{model}", headers={**self.proof, **named}, **content
        )

    def submit(self, model: str = "flux-2-pro", **more: Any) -> dict[str, Any]:  # noqa: ANN401
        """Hand in a job; return upstream's answer."""
        answer = self.post(model, {**PROMPT, **more})
        assert answer.status_code == 200, answer.json
        document: dict[str, Any] = answer.json
        return document

    def result(self, job_id: str) -> Any:  # noqa: ANN401 - werkzeug's
        """Ask for a result by its id alone, with the key."""
        path, query = f"{self.prefix}/v1/get_result", {"id": job_id}
        return self.client.get(path, query_string=query, headers=self.proof)

    def poll(self, accepted: dict[str, Any]) -> dict[str, Any]:
        """Follow a `polling_url`, without a key."""
        answer = self.follow(accepted["polling_url"])
        assert answer.status_code == 200, answer.json
        document: dict[str, Any] = answer.json
        return document

    def follow(self, url: str, **headers: str) -> Any:  # noqa: ANN401 - werkzeug's
        """Open a URL of ours without a key."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        assert url.startswith(f"{BASE_URL}/")
        return self.client.get(url.removeprefix(BASE_URL), headers=named)
