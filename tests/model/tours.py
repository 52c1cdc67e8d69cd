"""Walks through an explored protocol that together take every kind of step."""

from collections import deque
from collections.abc import Hashable, Iterator

from model.explore import HANGS
from model.protocol import Action, Protocol
from model.submit import check
from model.world import Rules, World

#: What happens to our processes or at upstream, without a step of the product.
OUTSIDE = frozenset({"kill", "kill_poller", "kill_storer", "finish", "lose_webhook"})

Tour = list[tuple[Action, World]]


def kind(before: World, action: Action, after: World) -> Hashable:
    """Return what tells steps apart: what is said, of which attempt, and what the job does."""
    old, new = before.job, after.job
    is_current = action.attempt == old.attempt
    return old.status, old.code, action.name, action.what, is_current, new.status, new.code


def tours(*variants: Rules) -> Iterator[tuple[Rules, Tour]]:
    """Yield walks from the start, each to the nearest step of a new kind and on from there."""
    seen: set[Hashable] = set()
    for rules in variants:
        protocol = Protocol(rules)
        # whatever may be broken on the way: the product goes on as well
        worlds = check(rules, only=[HANGS]).came_from
        steps = {world: list(protocol.steps(world)) for world in worlds}
        kinds = {
            kind(world, action, after)
            for world, some in steps.items()
            for action, after in some
            if action.name not in OUTSIDE
        }
        yield from ((rules, tour) for tour in _walks(steps, kinds - seen))
        seen |= kinds


def _walks(steps: dict[World, Tour], left: set[Hashable]) -> Iterator[Tour]:
    while left:
        world, tour = World(), []
        while way := _to_new(steps, world, left):
            for action, after in way:
                left.discard(kind(world, action, after))
                world = after
            tour += way
        yield tour


def _to_new(steps: dict[World, Tour], start: World, left: set[Hashable]) -> Tour:
    """Return the shortest way that ends with a step of a kind that is left, or nothing."""
    ways: dict[World, Tour] = {start: []}
    waiting = deque([start])
    while waiting:
        world = waiting.popleft()
        for action, after in steps[world]:
            way = [*ways[world], (action, after)]
            if kind(world, action, after) in left:
                return way
            if after not in ways:
                ways[after] = way
                waiting.append(after)
    return []
