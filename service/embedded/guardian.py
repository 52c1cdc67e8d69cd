"""Ends what a killed launcher leaves: kill -9 reaches the launcher, not what its children started.

PR_SET_PDEATHSIG is about parents only. A pool child that Celery has just forked outlives its killed
parent for good; and macOS knows no such signal. So one small process waits for the launcher's end
and then kills the process groups that it was told of. It is this file, run by itself.
"""

import contextlib
import os
import signal
import subprocess
import sys


class Guardian:
    """The launcher's side. `close` dismisses the process; any other end of ours alarms it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        """Have this process group killed when we die."""
        self._tell(group)

    def forget(self, group: int) -> None:
        """The group is gone; its number may soon be another's."""
        self._tell(-group)

    def close(self) -> None:
        """Dismiss it. Groups still watched are killed."""
        self._process.communicate()

    def _tell(self, number: int) -> None:
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):  # somebody killed it: so be it
                self._process.stdin.write(f"{number}\n".encode())
                self._process.stdin.flush()


def _guard() -> None:
    groups = set()
    for number in map(int, sys.stdin):
        groups.add(number) if number > 0 else groups.discard(-number)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    _guard()
