"""Kills or stops processes of the service at random, out of a seed."""

import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from chaos.programs import Programs, Victim


@dataclass
class Killer:
    """Strikes one process at a time: SIGKILL, or SIGSTOP and SIGCONT `stop_seconds` later."""

    programs: Programs
    seed: int
    stop_share: float = 0.2
    stop_seconds: float = 6.0
    #: What was done, in words, with the seconds since the first strike.
    diary: list[str] = field(default_factory=list)
    kills: int = 0
    stops: int = 0

    def __post_init__(self) -> None:
        self._chance = random.Random(f"{self.seed} killer")  # noqa: S311 - it guards nothing
        self._began = time.monotonic()
        self._asleep: list[tuple[float, Victim]] = []

    def strike(self) -> None:
        """Hit one process: first a program is chosen, then one of its processes."""
        members = sorted(self.programs.members(), key=lambda one: (one.program, one.pid))
        if not members:
            return
        program = self._chance.choice(sorted({one.program for one in members}))
        victim = self._chance.choice([one for one in members if one.program == program])
        stop = self._chance.random() < self.stop_share
        if not self.programs.signal(victim, signal.SIGSTOP if stop else signal.SIGKILL):
            return
        if stop:
            self.stops += 1
            self._asleep.append((time.monotonic() + self.stop_seconds, victim))
        else:
            self.kills += 1
        role = "leader" if victim.leads else "child"
        self.note(f"{'stop' if stop else 'kill'} {program} ({role} {victim.pid})")

    def wake(self, *, everybody: bool = False) -> None:
        """Let go on whoever has been stopped for long enough."""
        now = time.monotonic()
        for until, victim in list(self._asleep):
            if everybody or now >= until:
                self._asleep.remove((until, victim))
                self.programs.signal(victim, signal.SIGCONT)

    def note(self, text: str) -> None:
        """Write something into the diary."""
        self.diary.append(f"{time.monotonic() - self._began:7.2f} s  {text}")


def beats(seed: str, first: float, last: float, count: int) -> Iterator[float]:
    """Yield `count` moments between two, one in each equal part, in order."""
    chance = random.Random(f"{seed} beats")  # noqa: S311 - it guards nothing
    part = (last - first) / max(count, 1)
    for number in range(count):
        yield first + part * (number + chance.random())
