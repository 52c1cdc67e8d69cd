"""What is done at which point, and the jobs that meet it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from chaos.plan import LOST_WEBHOOK, UNKNOWABLE, Order
from chaos.sink import HANG_UP
from fakes.pictures import as_base64, drawn

PROJECT = "points"
#: Each case's jobs are numbered like this: the caller of a 7 hands its job in twice.
_NUMBERS = range(3, 8)

_PROGRAMS = {"upload": "web", "enqueue": "web", "receive": "web", "derive": "images"}
WORKER = "worker-0"
#: Takes over what a stopped worker had.
RELIEF = "relief"
#: A fault of the simulator: the webhook comes after the sweep has taken a silent worker for dead,
#: and before the grace is over.
LATER = "later"
LATER_SECONDS = 6.5
_PICTURE = as_base64(drawn("PNG", (256, 256)))

#: Which proxy is cut for a while, as soon as all jobs are accepted upstream, so that the point is
#: met at all.
_AWAY = {
    "receive.before_publish": "database",
    "receive.after_spool": "database",
    "receive.before_replay": "database",
    "receive.after_replay": "database",
    "store.before_keep": "bucket",
    "store.after_keep": "bucket",
}
#: Faults of the simulator by a job's number, where a step or a point needs others than these.
_FAULTS: Mapping[int, tuple[str, ...]] = {4: ("double",), 5: ("early",)}
_FAULTS_OF: Mapping[str, Mapping[int, tuple[str, ...]]] = {
    "submit": {**_FAULTS, 6: (LATER,), 7: (LATER,)},
    "poll": dict.fromkeys(_NUMBERS, (LOST_WEBHOOK,)),
    "sweep": {**_FAULTS, 6: tuple(UNKNOWABLE)},
    # of one claim: what is in doubt is recorded while another is on the wire still
    "submit.after_drop": {**dict.fromkeys(_NUMBERS, ("reset", LATER)), 3: ("hang", LATER)},
}
#: What a caller's address answers first, by a job's number.
_RUDE = {4: (500,), 6: (HANG_UP,)}


class Action(StrEnum):
    """What happens at a point."""

    #: The process is killed.
    KILL = "kill"
    #: It stands still for longer than any lease.
    STOP = "stop"
    #: Every connection to the database is cut, and for a while none is made.
    CUT = "cut"
    #: For a while COMMITs happen and nobody is told.
    CUT_AFTER_COMMIT = "cut-after-commit"


@dataclass(frozen=True)
class Case:
    """One action at one point."""

    point: str
    action: Action

    def __str__(self) -> str:
        """Name it; no other case is named like this."""
        return f"{self.point}-{self.action}"

    @property
    def step(self) -> str:
        """The step that the point is in."""
        return self.point.partition(".")[0]

    @property
    def program(self) -> str:
        """The program that meets the point."""
        return _PROGRAMS.get(self.step, WORKER)

    @property
    def away(self) -> str | None:
        """The proxy that has to be cut for the point to be met."""
        return _AWAY.get(self.point)

    @property
    def orders(self) -> Sequence[Order]:
        """The jobs that meet it."""
        faults = _FAULTS_OF.get(self.point) or _FAULTS_OF.get(self.step, _FAULTS)
        return [
            Order(
                f"{self}-{number}-end",
                PROJECT,
                faults.get(number, ()),
                _RUDE.get(number, ()),
                {"input_image": _PICTURE} if self.step == "upload" else {},
            )
            for number in _NUMBERS
        ]
