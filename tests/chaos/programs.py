"""The service's own processes, each started again when it dies, as a platform would."""

import contextlib
import os
import shlex
import signal
import subprocess
import sysconfig
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from service.embedded.guardian import Guardian

#: A program that cannot live is not started more often than this, seconds.
_BREATH_SECONDS = 0.3
_MOST_STARTS = 2_000


@dataclass
class _Program:
    command: list[str]
    leader: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    starts: int = 0


@dataclass(frozen=True)
class Victim:
    """A process of ours: a program's leader or one that it started."""

    program: str
    pid: int
    leads: bool


@dataclass
class Programs:
    """Runs `commands` in process groups of their own; call `tend` often.

    A program whose leader died loses the rest of its group before it starts again, as in a
    container. Nothing outlives the block, however this process ends.
    """

    commands: Mapping[str, str]
    environment: Mapping[str, str]
    cwd: Path
    logs: Path
    _running: dict[str, _Program] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._guardian = Guardian()
        self.environment = {
            **self.environment,
            "PATH": f"{sysconfig.get_path('scripts')}:{self.environment.get('PATH', os.defpath)}",
            "PYTHONUNBUFFERED": "1",
        }
        for name, command in self.commands.items():
            self._running[name] = _Program(shlex.split(command))
            self._start(name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for program in self._running.values():
            if program.leader:
                self._bury(program.leader)
        self._guardian.close()

    @property
    def restarts(self) -> dict[str, int]:
        """How often each program had to be started again."""
        return {name: program.starts - 1 for name, program in self._running.items()}

    def tend(self) -> None:
        """Start again what has died."""
        for name, program in self._running.items():
            if program.leader and _has_ended(program.leader.pid):
                self._bury(program.leader)
                program.leader = None
            if (
                program.leader is None
                and program.starts < _MOST_STARTS
                and time.monotonic() - program.started_at >= _BREATH_SECONDS
            ):
                self._start(name)

    def members(self) -> list[Victim]:
        """Return every living process of ours."""
        names = {
            program.leader.pid: name for name, program in self._running.items() if program.leader
        }
        return [
            Victim(names[group], pid, leads=pid == group)
            for pid, group, state in _processes()
            if group in names and state != "Z"
        ]

    def signal(self, victim: Victim, number: signal.Signals) -> bool:
        """Signal a process if it is still the one of ours that it was; True if it was."""
        try:
            handle = os.pidfd_open(victim.pid)
        except ProcessLookupError:
            return False
        try:
            # the handle holds on to one process: what is found out about it now stays true
            if victim not in self.members():
                return False
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        else:
            return True
        finally:
            os.close(handle)

    def _start(self, name: str) -> None:
        program = self._running[name]
        with (self.logs / f"{name}.log").open("ab") as log:
            program.leader = subprocess.Popen(
                program.command,
                cwd=self.cwd,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._guardian.watch(program.leader.pid)
        program.starts += 1
        program.started_at = time.monotonic()

    def _bury(self, leader: subprocess.Popen[bytes]) -> None:
        # as long as the leader is not waited for, the number of its group is nobody else's
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader.pid, signal.SIGKILL)
        leader.wait(10)
        self._guardian.forget(leader.pid)


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _processes() -> list[tuple[int, int, str]]:
    """Return number, process group and state of every process (Linux)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # the name in parentheses may hold anything, also spaces and parentheses
                state, _parent, group, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
                found.append((int(entry.name), int(group), state))
    return found
