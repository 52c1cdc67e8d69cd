"""A small explicit-state model checker: every interleaving, shortest traces first.

Breadth first from the start; a state that breaks a promise is not gone on from. Afterwards every
state is asked whether an end can be reached from it by *sure* actions alone, those that need no
luck: one that has none hangs.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Action = TypeVar("Action")
State = TypeVar("State", bound=Hashable)

HANGS = "hangs"


@dataclass(frozen=True)
class System(Generic[State, Action]):
    """What is explored, and what it promises."""

    start: State
    #: What may happen next, and where it leads.
    steps: Callable[[State], Iterator[tuple[Action, State]]]
    #: Names of the promises that a step breaks, and of those that do not hold in a state.
    broken_by: Callable[[State, Action, State], Iterable[str]]
    broken_in: Callable[[State], Iterable[str]]
    is_end: Callable[[State], bool]
    is_sure: Callable[[Action], bool]


@dataclass
class Explored(Generic[State, Action]):
    """Every state that was reached, by which way, and the first way to each broken promise."""

    came_from: dict[State, tuple[State, Action] | None]
    #: Shortest trace by name of the promise.
    broken: dict[str, list[Action]] = field(default_factory=dict)

    def trace(self, state: State) -> list[Action]:
        """Return the shortest way from the start to a state."""
        actions = []
        while (step := self.came_from[state]) is not None:
            state, action = step
            actions.append(action)
        return actions[::-1]


def explore(
    system: System[State, Action], *, until_broken: bool = False
) -> Explored[State, Action]:
    """Visit every state that can be reached, or stop at the first broken promise."""
    found: Explored[State, Action] = Explored({system.start: None})
    surely_before: dict[State, list[State]] = {}
    waiting = deque([system.start])
    fallen: set[State] = set()
    while waiting and not (until_broken and found.broken):
        state = waiting.popleft()
        for action, after in system.steps(state):
            names = list(system.broken_by(state, action, after))
            if after not in found.came_from:
                names += system.broken_in(after)
                found.came_from[after] = (state, action)
                (fallen.add if names else waiting.append)(after)
            for name in names:
                found.broken.setdefault(name, [*found.trace(state), action])
            if system.is_sure(action):
                surely_before.setdefault(after, []).append(state)
    if not (until_broken and found.broken):
        ends = fallen | {state for state in found.came_from if system.is_end(state)}
        going = _before(ends, surely_before)
        stuck = next((state for state in found.came_from if state not in going), None)
        if stuck is not None:
            found.broken[HANGS] = found.trace(stuck)
    return found


def _before(ends: set[State], predecessors: dict[State, list[State]]) -> set[State]:
    """Return the states from which one of the ends can be reached."""
    reached, waiting = set(ends), deque(ends)
    while waiting:
        for state in predecessors.get(waiting.popleft(), ()):
            if state not in reached:
                reached.add(state)
                waiting.append(state)
    return reached
