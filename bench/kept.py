"""Results that stay: figures for programs, and a table for people."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def keep(name: str, command: str, figures: Mapping[str, Any], lines: Sequence[str]) -> None:
    """Write `results/NAME.json` and `.md`, with what is needed to judge and repeat them."""
    RESULTS.mkdir(exist_ok=True)
    ran = {
        "command": command,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    written = json.dumps({"ran": ran, **figures}, indent=1) + "\n"
    (RESULTS / f"{name}.json").write_text(written, encoding="utf-8")
    where = f"commit {ran['commit']}, {ran['cores']} cores, Python {ran['python']}"
    head = [f"`{command}`, {ran['at']}, {where}", ""]
    (RESULTS / f"{name}.md").write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
    print("\n".join(lines), flush=True)


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return a Markdown table; all but its first column are figures."""
    rule = ["---", *("---:" for _ in heads[1:])]
    return ["| " + " | ".join(map(str, row)) + " |" for row in (heads, rule, *rows)]


def verdict(*, passed: bool) -> str:
    """Return how a bench ended, in a word."""
    return "**passed**" if passed else "**failed**"


def _commit() -> str:
    return subprocess.run(
        ["git", "-C", str(RESULTS.parent), "rev-parse", "--short", "HEAD"],  # noqa: S607 - git of the path
        check=False,
        capture_output=True,
        text=True,
    ).stdout.strip()
