"""A worker process of our own that is killed on its way."""

import os
import signal
import subprocess
import sys

from service.settings import Settings

_WORKER = """
import sys
from service.settings import load_settings
from service.wiring import Wiring

step = getattr(Wiring(load_settings()), sys.argv[1])
step.record([(claim, step.act(claim)) for claim in step.claim(10)])
"""


def be_killed_at(point: str, settings: Settings) -> None:
    """Have a worker process do what is due of the step of this fault point, and be killed there."""
    step, _, _ = point.partition(".")
    mark = settings.spool_dir.parent / f"mark-{os.urandom(4).hex()}"
    fault = {"FAULT_POINT": point, "FAULT_ACTION": "kill", "FAULT_MARK": str(mark)}
    mark.parent.mkdir(parents=True, exist_ok=True)
    ended = subprocess.run(
        [sys.executable, "-c", _WORKER, step], env={**os.environ, **fault}, timeout=60, check=False
    )
    assert ended.returncode == -signal.SIGKILL
