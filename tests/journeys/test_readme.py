"""What the README shows works as it stands there."""

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from fakes.webhook_sink import WebhookSink
from journeys.running_service import ROOT, RunningService

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def python_with(words: str) -> str:
    (found,) = [block for block in blocks("python") if words in block]
    return found


def test_the_curl_commands_run_one_after_the_other(service: RunningService, tmp_path: Path) -> None:
    (tmp_path / "dev.json").write_text(
        json.dumps({"url": service.url, "api_key": service.api_key}), encoding="utf-8"
    )
    shown = blocks("sh")
    assert any("curl" in block for block in shown)
    assert any("darkroom jobs submit" in block for block in shown)
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", "\n".join(shown)],
        cwd=ROOT,
        env={**service.environment, "DARKROOM_HOME": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert '"status":"succeeded"' in done.stdout


def test_the_python_snippet_hands_in_a_batch_and_saves_its_images(
    service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKROOM_URL", service.url)
    monkeypatch.setenv("DARKROOM_API_KEY", service.api_key)
    monkeypatch.chdir(tmp_path)
    exec(python_with("Client("), {})  # noqa: S102 - our own README
    assert len(list(tmp_path.iterdir())) == 2


def test_the_python_snippet_verifies_a_real_callback_and_nothing_else(
    service: RunningService, caller: WebhookSink
) -> None:
    names: dict[str, Any] = {}
    exec(python_with("def verified("), names)  # noqa: S102 - our own README
    verified: Callable[[str, bytes, Mapping[str, str]], dict[str, Any] | None] = names["verified"]
    job_id = service.enqueue(callback_url=caller.url)
    (call,) = caller.wait_for(1, 20)
    event = verified(service.callback_secret, call.body, call.headers)
    assert event is not None
    assert event["data"]["id"] == job_id
    assert verified(service.callback_secret, call.body + b" ", call.headers) is None
    broken = {**call.headers, "webhook-signature": "v1 without a comma"}
    assert verified(service.callback_secret, call.body, broken) is None
