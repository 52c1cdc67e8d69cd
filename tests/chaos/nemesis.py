"""Breaks things as planned, and mends each when its time is over."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from chaos.killer import Killer, beats
from chaos.programs import Programs
from chaos.proxy import Mode
from chaos.weather import Weather
from chaos.world import World

_TICK_SECONDS = 0.05


@dataclass(frozen=True)
class Wanted:
    """What a run consists of; the same `seed` gives the same orders, faults and strikes."""

    seed: int
    jobs: int = 2_000
    projects: int = 4
    slots: int = 24
    workers: int = 4
    #: How long things break, and how long they may take to heal.
    seconds: float = 120.0
    heal_seconds: float = 60.0
    #: Share of the submissions, and of the webhooks, that meet a fault.
    fault_share: float = 0.3
    #: Submissions that are answered 402 or 403, and so close the gate for a minute.
    account_faults: int = 0
    kills_per_second: float = 1.0
    postgres_crashes: int = 4
    broker_crashes: int = 4
    #: How often a proxy misbehaves for a while, and in which ways: all whose `name: mode` holds
    #: this text.
    network_faults: int = 0
    network: str = ""
    #: One such `name: mode` that holds from a tenth of the time on, and for how long.
    outage: str = ""
    outage_seconds: float = 0.0
    #: A fault that every job meets besides its own.
    every_job: str = ""

    @classmethod
    def sizes(cls) -> dict[str, int | float | str]:
        """Return everything but the seed with its default, by name."""
        return {name: size for name, size in vars(cls(seed=0)).items() if name != "seed"}


class Nemesis:
    """Strikes from the main thread; a thread of its own ends what lasts for a while."""

    def __init__(self, wanted: Wanted, around: World, programs: Programs) -> None:
        self._wanted = wanted
        self._around = around
        self.killer = Killer(programs, wanted.seed)
        self.weather = Weather(around.proxies, wanted.seed, wanted.network)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._mending = threading.Thread(target=self._mend, name="mending")

    def break_things(self) -> None:
        """Strike as planned until the time is up, then let go of everything."""
        began = time.monotonic()
        for moment, blow in self._plan():
            time.sleep(max(0.0, began + moment - time.monotonic()))
            blow()
        time.sleep(max(0.0, began + self._wanted.seconds - time.monotonic()))
        with self._lock:
            self.killer.wake(everybody=True)
            self.weather.clear()

    @property
    def diary(self) -> list[str]:
        """What was done, in order."""
        return sorted([*self.killer.diary, *self.weather.diary])

    def _plan(self) -> list[tuple[float, Callable[[], None]]]:
        wanted = self._wanted
        outage = [(wanted.seconds / 10, self._begin_outage)] if wanted.outage else []
        blows: list[tuple[int, Callable[[], None]]] = [
            (int(wanted.seconds * wanted.kills_per_second), self._strike),
            (wanted.postgres_crashes, self._crash_postgres),
            (wanted.broker_crashes, self._crash_broker),
            (wanted.network_faults, self._change_weather),
        ]
        spread = [
            (moment, blow)
            for place, (count, blow) in enumerate(blows)
            for moment in beats(f"{wanted.seed} {place}", 0.5, wanted.seconds, count)
        ]
        return sorted([*outage, *spread], key=lambda planned: planned[0])

    def _strike(self) -> None:
        with self._lock:
            self.killer.strike()

    def _change_weather(self) -> None:
        with self._lock:
            self.weather.change()

    def _begin_outage(self) -> None:
        name, _, mode = self._wanted.outage.partition(": ")
        with self._lock:
            self.weather.turn(name, Mode(mode), self._wanted.outage_seconds)

    def _crash_postgres(self) -> None:
        self._around.postgres.crash()
        self.killer.note("PostgreSQL killed")
        self._around.postgres.start()
        self.killer.note("PostgreSQL is back")

    def _crash_broker(self) -> None:
        self._around.broker.crash()
        self._around.broker.start()
        self.killer.note("the broker killed and started again")

    def _mend(self) -> None:
        while not self._over.wait(_TICK_SECONDS):
            with self._lock:
                self.killer.wake()
                self.weather.pass_by()

    def __enter__(self) -> Self:
        self._mending.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._mending.join()
