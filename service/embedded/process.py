"""Child processes that end when we do, however we end.

Every child gets a session of its own: Ctrl-C in the terminal reaches only the launcher, which then
decides. On Linux the kernel signals each child when its parent dies (PR_SET_PDEATHSIG), so that
even kill -9 of the launcher ends them; what they start in turn is the `guardian`'s business. That
signal is sent when the *thread* that forked ends: start children from the main thread.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.errors import ServiceError

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None

_LOG_TAIL_LINES = 15
_POLL_SECONDS = 0.02


class StartFailed(ServiceError):
    """Something `darkroom up` needs did not start; the text is for the terminal."""


@dataclass(frozen=True)
class Account:
    """The user that a child becomes. It needs an entry in the password database."""

    uid: int
    gid: int


class Process:
    """A running child, leader of its own session and process group.

    Its output goes to `log`, or to the pipe `output` when there is no log. On Linux it gets
    `death_signal` when the thread that called this ends.

    Raises:
        StartFailed: the program cannot be executed.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path,
        log: Path | None = None,
        account: Account | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.log = log
        with contextlib.ExitStack() as files:
            sink = files.enter_context(log.open("wb")) if log else subprocess.PIPE
            try:
                self._popen = subprocess.Popen(
                    command,
                    env=env,
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    umask=0o077,
                    preexec_fn=_die_with_parent(death_signal),  # noqa: PLW1509 - prctl has no other door; main thread only
                    user=account.uid if account else None,
                    group=account.gid if account else None,
                    extra_groups=[] if account else None,
                )
            except (OSError, subprocess.SubprocessError) as error:
                raise StartFailed(f"{name} cannot be started: {error}") from None
        self.pid = self._popen.pid
        self.output = self._popen.stdout

    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal, or None while it runs."""
        return self._popen.poll()

    def finish(self, timeout_seconds: float) -> None:
        """Wait for its end.

        Raises:
            StartFailed: it did not succeed, or not in time; with the end of its log.
        """
        try:
            code = self._popen.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.stop(signal.SIGKILL)
            code = signal.SIGKILL
        if code != 0:
            raise StartFailed(f"{self.name} ended with code {code}{self._log_tail()}")

    def wait_until(self, answers: Callable[[], bool], timeout_seconds: float) -> None:
        """Ask again and again until `answers()` is true.

        Raises:
            StartFailed: it ended, or gave no answer in time; with the end of its log.
        """
        deadline = time.monotonic() + timeout_seconds
        while not answers():
            if (code := self.exit_code()) is not None:
                raise StartFailed(f"{self.name} ended with code {code}{self._log_tail()}")
            if time.monotonic() > deadline:
                raise StartFailed(
                    f"{self.name} gave no answer in {timeout_seconds:g} s{self._log_tail()}"
                )
            time.sleep(_POLL_SECONDS)

    def send(self, number: signal.Signals) -> None:
        """Signal the leader; what it started is its own business. Does nothing after its end."""
        self._popen.send_signal(number)

    def kill_group(self) -> None:
        """Kill whatever is left of the process group, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def stop(self, number: signal.Signals = signal.SIGTERM, grace_seconds: float = 10) -> None:
        """Ask the leader to end, wait, then kill what is left of its group."""
        self.send(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(grace_seconds)
        self.kill_group()
        self._popen.wait()
        if self.output:
            self.output.close()

    def _log_tail(self) -> str:
        if self.log is None:
            return ""
        lines = self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        return "".join([f"; {self.log} ends:", *(f"\n    {line}" for line in lines)])


def stop_signals() -> list[signal.Signals]:
    """Return the signals that ask a launcher to stop; not SIGHUP if `nohup` had it ignored."""
    hangup = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hangup]


def _die_with_parent(number: signal.Signals) -> Callable[[], None]:
    launcher = os.getpid()

    def in_child() -> None:  # after fork and change of user, before exec
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(number))
            if os.getppid() != launcher:  # it died before the kernel was told
                os._exit(1)

    return in_child


def end_leftover(pid_file: Path, marker: str) -> int | None:
    """Stop the server that an earlier launcher left behind, if the file still names one.

    Only a process with `marker` in its command line is touched: the number may long belong to
    somebody else. It gets 10 s before it is killed.

    Returns:
        The number in the file if a process still has it (another program, or a zombie), else None.
    """
    try:
        pid = int(pid_file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    deadline = time.monotonic() + 10
    if marker in command_line(pid):
        _send(pid, signal.SIGINT)
    while marker in command_line(pid):
        if time.monotonic() > deadline:
            _send(pid, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)
    return pid if _send(pid, 0) else None


def command_line(pid: int) -> str:
    """Return the command of a running process; empty for a zombie and when there is none."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
        except OSError:
            return ""
    ps = subprocess.run(
        ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False
    )
    return ps.stdout.decode(errors="replace")


def _send(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
