"""The submit protocol of one job: who may do what in a state of the world, and where it leads.

Left out, because they only make steps wait: the gate and its slots, `start_at`, backoff. Left out,
because they are about other rows: rerouting, fairness. Taken for granted: PostgreSQL keeps what it
has committed, a refusal of upstream is true, and the sweep parks only after the send deadline.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from model.record import answer, begin, move, polled, stored, swept, take_result, told
from model.world import (
    Asked,
    At,
    Brought,
    Decided,
    Heard,
    Kept,
    Rules,
    Sweeping,
    Task,
    Worker,
    World,
)

from service.states import TERMINAL, Status


class Action(NamedTuple):
    """Something that happens; `what` tells cases apart."""

    name: str
    attempt: int = 0
    what: str = ""

    def __repr__(self) -> str:
        return " ".join(filter(None, (self.name, self.what, f"#{self.attempt}")))


Item = TypeVar("Item", bound=tuple[object, ...])
Steps = Iterator[tuple[Action, World]]

#: What happens without luck: our own processes, begun anew, and time.
SURE = frozenset(
    {
        "claim",
        "deadline",
        "ask_in_vain",
        "record_poll",
        "store",
        "record_store",
        "look",
        "end",
        "kill_sweep",
    }
)

WITHOUT_ACCEPTANCE = (At.REFUSED, At.NOT_SENT, At.REJECTED, At.UNUSABLE, At.LOST, At.SERVER_ERROR)
_FOR_NOW = (At.REFUSED, At.NOT_SENT)
_BEFORE_SENDING = (At.INTENT, At.TOO_LATE, At.CLEARED)


def is_sure(action: Action) -> bool:
    """Say whether an action needs no luck; not every job has an `expires_at`."""
    return action.name in SURE and action.what != Sweeping.EXPIRY


@dataclass(frozen=True)
class Protocol:
    """The steps under some rules."""

    rules: Rules

    def steps(self, world: World) -> Steps:
        """Yield everything that may happen next, and count the ends."""
        before = world.job.status, world.job.code
        for action, after in self._all(world):
            now = after.job.status, after.job.code
            is_end = now != before and after.job.status in TERMINAL
            yield action, after._replace(ends=world.ends + 1) if is_end else after

    def _all(self, world: World) -> Steps:
        yield from self._caller(world)
        yield from self._claim(world)
        for worker in sorted(set(world.workers)):
            others = _without(world.workers, worker)
            yield Action("kill", worker.attempt, worker.at), world._replace(workers=others)
            yield from self._work(world, worker, others)
        yield from self._upstream(world)
        yield from self._poll(world)
        yield from self._store(world)
        if self.rules.sweeps:
            yield from self._sweep(world)

    def _caller(self, world: World) -> Steps:
        moved = move(self.rules, world.job, Status.CANCELED)
        yield Action("cancel"), world._replace(job=moved or world.job)

    def _claim(self, world: World) -> Steps:
        job = world.job
        begun = begin(self.rules, job)
        if begun is None or begun.attempt > self.rules.max_attempts:
            return
        if not self.rules.commits_intent_first:
            if len(world.workers) == self.rules.max_attempts:
                return
            begun, attempt = job, job.attempt + 1
        else:
            attempt = begun.attempt
        workers = _with(world.workers, Worker(attempt, At.INTENT))
        yield Action("claim", attempt), world._replace(job=begun, workers=workers)

    def _work(self, world: World, worker: Worker, others: tuple[Worker, ...]) -> Steps:
        def at(where: At) -> World:
            return world._replace(workers=_with(others, Worker(worker.attempt, where)))

        number, here = worker
        if here is At.INTENT:
            yield Action("deadline", number), at(At.TOO_LATE)
        if here is At.INTENT and self.rules.stops_before_the_first_byte:
            yield Action("clear", number), at(At.CLEARED)
        elif here is At.TOO_LATE and self.rules.fences_the_send:
            yield Action("fence", number), at(At.NOT_SENT)
            is_ours = (world.job.status, world.job.attempt) == (Status.SUBMITTING, number)
            if self.rules.renews and (is_ours or self.rules.renews_blindly):
                yield Action("renew", number), at(At.INTENT)
        elif here in _BEFORE_SENDING:
            yield from self._post(world, worker, others)
        elif here is At.SENT:
            for said in (At.ACCEPTED, At.LOST, At.SERVER_ERROR):
                yield Action("answer", number, said), at(said)
            if self.rules.library_sends_again:
                again = Task(number, Heard.RUNNING, 0)
                yield (
                    Action("post", number, At.SENT),
                    world._replace(tasks=_with(world.tasks, again)),
                )
        else:
            yield from self._record(world, worker, others)

    def _post(self, world: World, worker: Worker, others: tuple[Worker, ...]) -> Steps:
        number = worker.attempt
        task, sender = Task(number, Heard.RUNNING, 0), Worker(number, At.SENT)
        accepted = world._replace(tasks=_with(world.tasks, task), workers=_with(others, sender))
        yield Action("post", number, At.SENT), accepted
        for said in WITHOUT_ACCEPTANCE:
            refusals = world.refusals + (said in _FOR_NOW)
            if refusals <= self.rules.max_refusals:
                workers = _with(others, Worker(number, said))
                after = world._replace(workers=workers, refusals=refusals)
                yield Action("post", number, said), after
                if said is At.REFUSED and self.rules.refusals_may_be_false:
                    yield Action("post_belied", number, said), after._replace(tasks=accepted.tasks)

    def _record(self, world: World, worker: Worker, others: tuple[Worker, ...]) -> Steps:
        job = world.job
        if not self.rules.commits_intent_first and job.attempt < worker.attempt:
            job = begin(self.rules, job) or job
            if job.attempt < worker.attempt:
                return
        job = answer(self.rules, job, worker)
        is_yes = worker.at is At.ACCEPTED and worker.attempt == job.attempt
        after = world._replace(job=job, is_proved=world.is_proved or is_yes)
        # the commit's own answer may be lost: then the worker does it again
        yield Action("record_unacknowledged", *worker), after
        yield Action("record", *worker), after._replace(workers=others)

    def _upstream(self, world: World) -> Steps:
        for task in sorted(set(world.tasks)):
            number, others = task.attempt, _without(world.tasks, task)
            is_known = number <= len(world.job.outcomes)
            if is_known:
                # it may also come late, after a result
                yield Action("progress", number), self._be_told(world, number)
            if task.stands is Heard.RUNNING:
                for ended in (Heard.READY, Heard.ENDED):
                    tasks = _with(others, Task(number, ended, self.rules.max_calls))
                    yield Action("finish", number, ended), world._replace(tasks=tasks)
            if task.calls:
                fewer = _with(others, task._replace(calls=task.calls - 1))
                if not self.rules.is_patient:
                    yield Action("lose_webhook", number), world._replace(tasks=fewer)
                if is_known:
                    heard = self._hear(world, number, task.stands)
                    yield Action("webhook", number, task.stands), heard._replace(tasks=fewer)

    def _be_told(self, world: World, number: int) -> World:
        job = told(self.rules, world.job, number)
        return world._replace(job=job, is_proved=world.is_proved or number == job.attempt)

    def _hear(self, world: World, number: int, heard: Heard) -> World:
        job = take_result(self.rules, world.job, number, heard)
        return world._replace(job=job, is_heard=world.is_heard or heard is Heard.READY)

    def _poll(self, world: World) -> Steps:
        job = world.job
        number = job.attempt
        if job.status is Status.GENERATING:
            yield Action("ask_in_vain", number), world
            for silence in (Heard.UNANSWERED, Heard.HOPELESS):
                given_up = polled(self.rules, job, Asked(number, silence))
                yield Action("ask_in_vain", number, silence), world._replace(job=given_up)
        if job.status is Status.GENERATING and len(world.pollers) < self.rules.max_at_once:
            stands = next((task.stands for task in world.tasks if task.attempt == number), None)
            if stands in (Heard.READY, Heard.ENDED):
                yield self._asked(world, stands)
            yield self._asked(world, Heard.OVERDUE)
        for asked in sorted(set(world.pollers)):
            others = _without(world.pollers, asked)
            gone = world._replace(pollers=others)
            yield Action("kill_poller", *asked), gone
            after = gone._replace(
                job=polled(self.rules, job, asked),
                is_heard=gone.is_heard or asked.heard is Heard.READY,
            )
            yield Action("record_poll", *asked), after

    def _asked(self, world: World, heard: Heard) -> tuple[Action, World]:
        asked = Asked(world.job.attempt, heard)
        return Action("ask", *asked), world._replace(pollers=_with(world.pollers, asked))

    def _store(self, world: World) -> Steps:
        job = world.job
        if job.status is Status.STORING and len(world.storers) < self.rules.max_at_once:
            for kept in Kept:
                storers = _with(world.storers, Brought(job.attempt, kept))
                yield Action("store", job.attempt, kept), world._replace(storers=storers)
        for brought in sorted(set(world.storers)):
            gone = world._replace(storers=_without(world.storers, brought))
            yield Action("kill_storer", *brought), gone
            after = gone._replace(job=stored(self.rules, job, brought))
            yield Action("record_store", *brought), after

    def _sweep(self, world: World) -> Steps:
        for what in self._due(world):
            seen = Decided(world.job.attempt, what)
            if self.rules.sweep_holds_the_row:
                yield Action("end", *seen), world._replace(job=swept(self.rules, world.job, seen))
            elif not world.sweeps:
                yield Action("look", *seen), world._replace(sweeps=(seen,))
        for seen in world.sweeps:
            yield Action("kill_sweep"), world._replace(sweeps=())
            after = world._replace(job=swept(self.rules, world.job, seen), sweeps=())
            yield Action("end", *seen), after

    def _due(self, world: World) -> Iterator[Sweeping]:
        job = world.job
        if job.status is Status.SUBMITTING and Worker(job.attempt, At.INTENT) not in world.workers:
            yield Sweeping.SILENCE
        if job.status is Status.UNCONFIRMED and not self._has_to_wait(world):
            yield Sweeping.GRACE
        if job.status is Status.QUEUED:
            yield Sweeping.EXPIRY

    def _has_to_wait(self, world: World) -> bool:
        to_come = any(task.stands is Heard.RUNNING or task.calls for task in world.tasks)
        return self.rules.is_patient and to_come


def _with(items: tuple[Item, ...], item: Item) -> tuple[Item, ...]:
    # in one order: who of two alike does what makes no difference
    return tuple(sorted((*items, item)))


def _without(items: tuple[Item, ...], item: Item) -> tuple[Item, ...]:
    place = items.index(item)
    return items[:place] + items[place + 1 :]
