"""The blow at a point: arms a program, waits until it gets there, and ends what it did in time."""

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chaos.points.cases import RELIEF, WORKER, Action, Case
from chaos.proxy import Mode
from chaos.stage import Stage, until

#: Longer than a lease, and than the sweep waits for a silent submission.
STOP_SECONDS = 5.0
CUT_SECONDS = 2.0
#: In time for the first things to be said again, and too late for the last.
AWAY_SECONDS = 3.5
#: How long a job may take to get to the point.
MEET_SECONDS = 30.0
#: So slow is upstream where something has to be cut while it draws.
_SLOW = {"min_seconds": 2.0, "max_seconds": 3.0}
QUICK = {"min_seconds": 0.2, "max_seconds": 1.0}

_MODES = {Action.CUT: Mode.CUT, Action.CUT_AFTER_COMMIT: Mode.CUT_AFTER_COMMIT}


@dataclass(frozen=True)
class Blow:
    """The one of a case."""

    case: Case
    on: Stage

    def arm(self) -> None:
        """Start the program anew, so that it breaks at the point, once."""
        if self.case.away:
            self.on.around.simulator.change(**_SLOW)
        if self.case.step == "recover":
            # a database that was away is looked at closely before anything is bought again
            self.on.around.postgres.crash()
            self.on.around.postgres.start()
        self._program_starts(
            FAULT_POINT=self.case.point,
            FAULT_ACTION="tell" if self.case.action in _MODES else self.case.action.value,
            FAULT_MARK=str(self._mark),
            FAULT_SOCKET=str(self._socket),
        )

    def strike(self) -> bool:
        """Wait until the point is met and see the blow through; False if it never was."""
        with self._struck_when_told():
            if self.case.away:
                self._take_away(self.case.away)
            if not until(MEET_SECONDS, lambda: bool(self._pid())):
                return False
            if self.case.action is Action.STOP:
                self._relieve_and_continue()
            return True

    @property
    def _mark(self) -> Path:
        return self.on.around.home / f"{self.case}.met"

    @property
    def _socket(self) -> Path:
        return self.on.around.home / "fault"

    def _pid(self) -> int:
        return int(self._mark.read_text() or 0) if self._mark.exists() else 0

    def _program_starts(self, **more: str) -> None:
        programs = self.on.programs
        programs.start(self.case.program, programs.commands[self.case.program], **more)

    def _relieve_and_continue(self) -> None:
        """Let another worker take over meanwhile: the stopped one comes back to finished work."""
        programs = self.on.programs
        if self.case.program == WORKER:
            programs.start(RELIEF, programs.commands[WORKER])
        time.sleep(STOP_SECONDS)
        for member in programs.members():
            if member.pid == self._pid():
                programs.signal(member, signal.SIGCONT)

    @contextlib.contextmanager
    def _struck_when_told(self) -> Iterator[None]:
        """Have a thread cut the database when the process says that it is there."""
        if self.case.action not in _MODES:
            yield
            return
        self._socket.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self._socket))
            listener.listen()
            listener.settimeout(MEET_SECONDS)
            thread = threading.Thread(target=self._cut, args=(listener,), name="blow")
            thread.start()
            try:
                yield
            finally:
                thread.join()

    def _cut(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            there, _ = listener.accept()
            with there:
                self.on.around.proxies["database"].set(_MODES[self.case.action])
                there.sendall(b".")
            time.sleep(CUT_SECONDS)
            self.on.around.proxies["database"].set(Mode.PASS)

    def _take_away(self, name: str) -> None:
        """Cut what has to be away while upstream draws."""
        simulator, proxy = self.on.around.simulator, self.on.around.proxies[name]

        def all_accepted() -> bool:
            prompts = {line["request"]["prompt"] for line in simulator.ledger("accepted")}
            return prompts >= {order.prompt for order in self.case.orders}

        until(MEET_SECONDS, all_accepted)
        proxy.set(Mode.CUT)
        time.sleep(AWAY_SECONDS)
        proxy.set(Mode.PASS)
        simulator.change(**QUICK)
