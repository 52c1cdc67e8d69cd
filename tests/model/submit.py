"""The submit protocol under the checker."""

from collections.abc import Collection, Iterable

from model.explore import Explored, System, explore
from model.promises import Promises
from model.protocol import Action, Protocol, is_sure
from model.world import Rules, World

from service.states import Status


def check(
    rules: Rules,
    *,
    only: Collection[str] = (),
    but_not: Collection[str] = (),
    until_broken: bool = False,
) -> Explored[World, Action]:
    """Explore the protocol under some rules; look at some promises, or at all but some."""
    promises = Promises(rules)

    def kept(names: Iterable[str]) -> list[str]:
        return [name for name in names if name not in but_not and (not only or name in only)]

    def is_end(world: World) -> bool:
        job = world.job
        # at the bound of the exploration the next claim is what would go on
        is_bound = job.status is Status.QUEUED and job.attempt == rules.max_attempts
        return job.status in rules.tables.terminal or is_bound

    system = System(
        start=World(),
        steps=Protocol(rules).steps,
        broken_by=lambda *step: kept(promises.broken_by(*step)),
        broken_in=lambda world: kept(promises.broken_in(world)),
        is_end=is_end,
        is_sure=is_sure,
    )
    return explore(system, until_broken=until_broken)
