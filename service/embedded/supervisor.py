"""Runs the processes of a Procfile and keeps them running."""

import os
import selectors
import signal
import sys
import sysconfig
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from types import FrameType
from typing import IO, Self

from service.embedded.guardian import Guardian
from service.embedded.process import Process, StartFailed, stop_signals

RELEASE = "release"

_FIRST_DELAY_SECONDS = 0.5
_MAX_DELAY_SECONDS = 10.0
_SETTLED_AFTER_SECONDS = 30.0  # a process that lived this long starts again without delay history
_STOP_SECONDS = 25.0  # the servers below need some of the promised 30 s
_TICK_SECONDS = 0.1
_COLOURS = (36, 33, 32, 35, 34, 31)  # ANSI foregrounds


@dataclass
class _Program:
    name: str
    command: str
    colour: int
    process: Process | None = None
    start_at: float = 0.0
    started_at: float = 0.0
    delay_seconds: float = _FIRST_DELAY_SECONDS
    unfinished: bytes = b""  # line whose end has not come yet


def read_procfile(path: Path) -> dict[str, str]:
    """Return the commands of a Procfile by name.

    Raises:
        StartFailed: there is no such file, or a line is not `name: command`.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise StartFailed(f"no Procfile: {error}") from None
    commands = {}
    for line in filter(None, map(str.strip, lines)):
        name, colon, command = line.partition(":")
        if line.startswith("#"):
            continue
        if not (name.strip() and colon and command.strip()):
            raise StartFailed(f"{path}: not `name: command`: {line}")
        commands[name.strip()] = command.strip()
    return commands


class Supervisor:
    """Starts each command through the shell, starts again what ends, forwards the output.

    A command is one program with its arguments; `$NAME` is expanded by the shell and must be set.
    Programs of the running interpreter's environment come first on the path. Use it as a context,
    from the main thread only, except `request_stop`: after the block everything is gone, and so it
    is when this process is killed inside.
    """

    def __init__(
        self, commands: Mapping[str, str], environment: Mapping[str, str], cwd: Path
    ) -> None:
        path = environment.get("PATH", os.defpath)
        self._environment = {
            **environment,
            "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{path}",
            "PYTHONUNBUFFERED": "1",
        }
        self._cwd = cwd
        self._programs = [
            _Program(name, command, colour)
            for (name, command), colour in zip(commands.items(), cycle(_COLOURS), strict=False)
        ]
        self._width = max(map(len, commands), default=0)
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self._in_a_hurry = False

    def __enter__(self) -> Self:
        self._guardian = Guardian()
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        self._guardian.close()

    def release(self) -> None:
        """Run the command named `release`, if there is one, to its end.

        Raises:
            StartFailed: it failed.
        """
        for program in [each for each in self._programs if each.name == RELEASE]:
            self._programs.remove(program)
            process = self._start(program)
            try:
                while (code := process.exit_code()) is None:
                    self._forward()
            finally:
                self._end(program, process)
            if code != 0:
                raise StartFailed(f"`{program.command}` ended with code {code}")

    def run(self) -> None:
        """Run the other commands until SIGINT, SIGTERM, SIGHUP or `request_stop`.

        Then each gets SIGTERM (the leader alone: Celery's pool children would drop their task) and,
        after 25 s or a second signal, its whole group SIGKILL.
        """
        handled = stop_signals()
        before = [signal.signal(number, self._on_signal) for number in handled]
        try:
            while not self._stopping:
                for program in self._programs:
                    self._tend(program)
                self._forward()
        finally:
            self._stop()
            for number, handler in zip(handled, before, strict=True):
                signal.signal(number, handler)

    def request_stop(self) -> None:
        """Make `run` return soon. May be called from any thread."""
        self._stopping = True

    @property
    def stopping(self) -> bool:
        """Whether a stop was requested."""
        return self._stopping

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._in_a_hurry = self._stopping
        self._stopping = True

    def _start(self, program: _Program) -> Process:
        process = Process(
            program.name,
            ["/bin/sh", "-uc", f"exec {program.command}"],
            env=self._environment,
            cwd=self._cwd,
        )
        self._guardian.watch(process.pid)
        program.process = process
        program.started_at = time.monotonic()
        os.set_blocking(self._pipe(process).fileno(), False)
        self._selector.register(self._pipe(process), selectors.EVENT_READ, program)
        return process

    def _tend(self, program: _Program) -> None:
        now = time.monotonic()
        if program.process is None:
            if now >= program.start_at:
                self._start(program)
        elif (code := program.process.exit_code()) is not None:
            self._end(program, program.process)
            if now - program.started_at >= _SETTLED_AFTER_SECONDS:
                program.delay_seconds = _FIRST_DELAY_SECONDS
            delay = program.delay_seconds
            self._print(program, f"ended with code {code}, starts again in {delay:g} s")
            program.start_at = now + delay
            program.delay_seconds = min(2 * delay, _MAX_DELAY_SECONDS)

    def _end(self, program: _Program, process: Process) -> None:
        process.kill_group()
        while self._read(program, process):
            pass
        if program.unfinished:
            self._print(program, program.unfinished.decode(errors="replace"))
            program.unfinished = b""
        if self._pipe(process) in self._selector.get_map():
            self._selector.unregister(self._pipe(process))
        process.stop()
        self._guardian.forget(process.pid)
        program.process = None

    def _stop(self) -> None:
        print("Stopping", flush=True)
        running = [each for each in self._programs if each.process]
        for program in running:
            if program.process:
                program.process.send(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while running and time.monotonic() < deadline and not self._in_a_hurry:
            self._forward()
            running = [
                each for each in running if each.process and each.process.exit_code() is None
            ]
        for program in self._programs:
            if program.process:
                self._end(program, program.process)

    def _forward(self) -> None:
        if not self._selector.get_map():
            time.sleep(_TICK_SECONDS)
        for key, _ in self._selector.select(_TICK_SECONDS):
            if key.data.process:
                self._read(key.data, key.data.process)

    def _read(self, program: _Program, process: Process) -> bool:
        """Forward what one read gives; False when there was nothing, now or for good."""
        pipe = self._pipe(process)
        try:
            chunk = os.read(pipe.fileno(), 65_536)
        except BlockingIOError:
            return False
        if not chunk and pipe in self._selector.get_map():
            self._selector.unregister(pipe)
        *lines, program.unfinished = (program.unfinished + chunk).split(b"\n")
        for line in lines:
            self._print(program, line.decode(errors="replace"))
        return bool(chunk)

    def _print(self, program: _Program, line: str) -> None:
        label = f"{program.name:<{self._width}} |"
        if sys.stdout.isatty():
            label = f"\x1b[{program.colour}m{label}\x1b[0m"
        print(f"{label} {line}", flush=True)

    @staticmethod
    def _pipe(process: Process) -> IO[bytes]:
        if process.output is None:
            raise TypeError(f"{process.name} was started without a pipe")
        return process.output
