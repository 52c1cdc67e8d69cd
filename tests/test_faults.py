"""Fault points: each is in the code, and breaks one process in the way that was asked for."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from service.faults import POINTS

ROOT = Path(__file__).parents[1]
#: Gets to the point twice, and says that it lives.
PROGRAM = "from service.faults import fault_point as at; at('a.point'); at('a.point'); print('on')"


def started(folder: Path, action: str, point: str = "a.point") -> subprocess.Popen[str]:
    """Start a program that gets to `a.point`, with this fault in its environment."""
    fault = {"FAULT_POINT": point, "FAULT_ACTION": action, "PYTHONPATH": str(ROOT)}
    # relative, for a socket's address has to be short
    files = {"FAULT_MARK": "met", "FAULT_SOCKET": "socket"}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        env={**os.environ, **fault, **files},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_every_point_is_in_the_code_once() -> None:
    placed = Counter(
        name
        for path in (ROOT / "service").rglob("*.py")
        for name in re.findall(r'fault_point\("([\w.]+)"\)', path.read_text(encoding="utf-8"))
    )
    assert placed == Counter(POINTS)


def test_without_a_wish_nothing_happens(tmp_path: Path) -> None:
    with started(tmp_path, "kill", "") as process:
        assert process.communicate()[0] == "on\n"
    assert not (tmp_path / "met").exists()


def test_another_point_is_passed(tmp_path: Path) -> None:
    with started(tmp_path, "kill", "another.point") as process:
        assert process.communicate()[0] == "on\n"


def test_a_killed_process_leaves_its_number_and_the_next_one_passes(tmp_path: Path) -> None:
    with started(tmp_path, "kill") as first:
        assert first.wait() == -signal.SIGKILL
    assert (tmp_path / "met").read_text() == str(first.pid)
    with started(tmp_path, "kill") as second:
        assert second.communicate()[0] == "on\n"


def test_a_stopped_process_goes_on_when_it_is_told_to(tmp_path: Path) -> None:
    with started(tmp_path, "stop") as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
        assert process.communicate()[0] == "on\n"


def test_a_process_that_tells_waits_for_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        listener.listen()
        listener.settimeout(20)
        with started(tmp_path, "tell") as process:
            there, _ = listener.accept()
            with there:
                assert there.recv(100) == b"a.point"
                assert process.poll() is None
                there.sendall(b".")
            assert process.communicate()[0] == "on\n"


def test_an_action_that_there_is_not_is_no_fault_survived(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with started(tmp_path, "hope") as process:
        assert process.wait() != 0
    assert "FAULT_ACTION is hope" in capfd.readouterr().err
