"""The benches run: what they measure is no test's business, that they still fit the product is."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["throughput.py", "--quick", "--pipelines", "floor,darkroom"], "Darkroom"),
        (["growth.py", "--quick"], "statements"),
    ],
)
def test_a_bench_comes_to_its_end(command: list[str], said: str) -> None:
    name, *arguments = command
    ran = subprocess.run(
        [sys.executable, str(ROOT / "bench" / name), *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'bench'}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert said in ran.stdout, ran.stderr
    assert "Traceback" not in ran.stderr, ran.stderr
