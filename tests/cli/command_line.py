"""`darkroom` as people run it: a process with an environment, and nothing else of ours."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 60


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class CommandLine:
    """Runs commands with these variables; no output of theirs may hold a secret or a traceback."""

    environment: Mapping[str, str]
    secret: str

    def __call__(self, *arguments: str, stdin: str = "") -> Done:
        """Run a command to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "service", *arguments],
            cwd=ROOT,
            env=self._whole,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        assert self.secret not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command and return its process."""
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "service", *arguments],
            cwd=ROOT,
            env=self._whole,
            stdout=subprocess.PIPE,
            text=True,
        )

    def having(self, **variables: str) -> Self:
        """Return a command line with more variables; an empty one is as good as none."""
        return replace(self, environment={**self.environment, **variables})

    @property
    def _whole(self) -> dict[str, str]:
        return {"PATH": os.defpath, "LANG": "C.UTF-8", **self.environment}
