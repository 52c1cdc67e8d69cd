"""The service's own processes, each started again when it dies, as a platform would."""

import contextlib
import os
import shlex
import signal
import subprocess
import sysconfig
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from chaos.processes import processes

from service.embedded.guardian import Guardian

#: A program that cannot live is not started more often than this, seconds.
_BREATH_SECONDS = 0.3
_MOST_STARTS = 2_000
_TICK_SECONDS = 0.05


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
    """Runs `commands` in process groups of their own, and starts again what dies.

    A program whose leader died loses the rest of its group before it starts again, as in a
    container. Nothing outlives the block, however this process ends.
    """

    commands: Mapping[str, str]
    environment: Mapping[str, str]
    cwd: Path
    logs: Path
    _running: dict[str, _Program] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._tending = threading.Thread(target=self._tend, name="platform")

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
        self._tending.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._tending.join()
        for program in self._running.values():
            if program.leader:
                self._bury(program.leader)
        self._guardian.close()

    @property
    def restarts(self) -> dict[str, int]:
        """How often each program had to be started again."""
        return {name: program.starts - 1 for name, program in self._running.items()}

    def start(self, name: str, command: str, **more: str) -> None:
        """Start a program, in place of the one of that name; it comes back without `more`."""
        with self._lock:
            self.end(name)
            self._running[name] = _Program(shlex.split(command))
            self._start(name, more)

    def end(self, name: str) -> None:
        """Kill a program for good, if there is one."""
        with self._lock:
            program = self._running.pop(name, None)
            if program and program.leader:
                self._bury(program.leader)

    def members(self) -> list[Victim]:
        """Return every living process of ours."""
        with self._lock:
            names = {
                program.leader.pid: name
                for name, program in self._running.items()
                if program.leader
            }
            return [
                Victim(names[one.group], one.pid, leads=one.pid == one.group)
                for one in processes()
                if one.group in names and one.state != "Z"
            ]

    def signal(self, victim: Victim, number: signal.Signals) -> bool:
        """Signal a process if it is still the one of ours that it was; True if it was."""
        try:
            handle = os.pidfd_open(victim.pid)
        except ProcessLookupError:
            return False
        try:
            # the handle holds on to one process, the lock to its group: what is found out now
            # stays true
            with self._lock:
                if victim not in self.members():
                    return False
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        else:
            return True
        finally:
            os.close(handle)

    def _tend(self) -> None:
        while not self._over.wait(_TICK_SECONDS):
            with self._lock:
                for name, program in self._running.items():
                    self._revive(name, program)

    def _revive(self, name: str, program: _Program) -> None:
        if program.leader and _has_ended(program.leader.pid):
            self._bury(program.leader)
            program.leader = None
        if (
            program.leader is None
            and program.starts < _MOST_STARTS
            and time.monotonic() - program.started_at >= _BREATH_SECONDS
        ):
            self._start(name)

    def _start(self, name: str, more: Mapping[str, str] | None = None) -> None:
        program = self._running[name]
        with (self.logs / f"{name}.log").open("ab") as log:
            program.leader = subprocess.Popen(
                program.command,
                cwd=self.cwd,
                env={**self.environment, **(more or {})},
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
