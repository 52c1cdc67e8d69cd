"""What a run hands in and which faults each job meets, all out of one seed."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.sink import HANG_UP


@dataclass(frozen=True)
class Fault:
    """One of the simulator's faults, for the jobs whose prompt names it."""

    rule: str
    args: Mapping[str, Any]
    #: How likely it strikes each time its place is passed.
    probability: float = 1.0


def _fault(rule: str, probability: float = 1.0, **args: object) -> Fault:
    return Fault(rule, args, probability)


#: The task is accepted and paid for; its answer does not get through.
ANSWER_LOST = {
    "reset": _fault("accept_then_reset"),
    "hang": _fault("accept_then_hang", seconds=5.0),
    "truncate": _fault("accept_truncate"),
    "bad-json": _fault("accept_bad_json"),
    "no-id": _fault("accept_no_id"),
    "accepted-500": _fault("accept_then_status", status=500),
    "accepted-502": _fault("accept_then_status", status=502),
    "accepted-503": _fault("accept_then_status", status=503, retry_after=1),
}
#: Not accepted now; half of the tries, so that the job gets through in the end.
NOT_NOW = {"refused-429": _fault("refuse", 0.5, status=429, retry_after=1)}
#: Not accepted, ever.
NEVER = {"refused-422": _fault("refuse", status=422)}
#: Not accepted, but nobody can know it: ends unconfirmed.
UNKNOWABLE = {"refused-500": _fault("refuse", status=500)}
#: Closes the gate for everybody until a probe gets through.
ACCOUNT = {
    "refused-402": _fault("refuse", 0.5, status=402),
    "refused-403": _fault("refuse", 0.5, status=403),
}
LOST_WEBHOOK = "lost"
WEBHOOK = {
    LOST_WEBHOOK: _fault("lose"),
    "late": _fault("late", seconds=4.0),
    "early": _fault("webhook_first"),
    "double": _fault("double", times=3),
    "forge": _fault("forge"),
    "replay": _fault("replay"),
    "old-words": _fault("old_words"),
    "progress": _fault("progress"),
}
RESULT = {"moderated": _fault("moderate"), "erred": _fault("error")}
DOWNLOAD = {
    "half-file": _fault("truncate", 0.3),
    "download-503": _fault("status", 0.3, status=503),
}
FAULTS = ANSWER_LOST | NOT_NOW | NEVER | UNKNOWABLE | ACCOUNT | WEBHOOK | RESULT | DOWNLOAD

#: One job in so many, and at least one, shows that what ends unconfirmed does end.
_UNKNOWABLE_EVERY, _UNKNOWABLE_FIRST = 500, 10

_RUDE = ((500,), (503, 500), (HANG_UP,), (302,))


@dataclass(frozen=True)
class Order:
    """A job that a caller will hand in, until it is taken."""

    marker: str
    project: str
    faults: tuple[str, ...]
    #: What the caller's address answers first; None: the caller wants no callback.
    callback: tuple[int, ...] | None
    #: What its input holds besides a prompt and a size.
    more: Mapping[str, Any] = field(default_factory=dict)
    #: An idempotency key that it shares with orders of other projects.
    shared_key: str = ""

    @property
    def key(self) -> str:
        """Its idempotency key; no other order of its project has it."""
        return self.shared_key or self.marker

    @property
    def prompt(self) -> str:
        """The text by which the simulator finds its faults and the checker its lines."""
        return " ".join(["a harbour", self.marker, *(f"[{name}]" for name in self.faults)])


def make_orders(
    seed: int,
    jobs: int,
    projects: int,
    fault_share: float,
    *,
    account_faults: int = 0,
    every_job: str = "",
) -> list[Order]:
    """Return the jobs of a run, the same for the same arguments.

    `fault_share` of the submissions meet a fault, `account_faults` of them one that closes the
    gate, and every job those of `every_job`, comma separated. As many webhooks meet one,
    independently, except that of a job whose answer is lost no webhook is lost as well: nothing
    could save that one.
    """
    chance = random.Random(f"{seed} orders")  # noqa: S311 - it guards nothing
    orders = []
    for number in range(jobs):
        faults = every_job.split(",") if every_job else []
        if 0 < number <= account_faults:
            faults.append(chance.choice(sorted(ACCOUNT)))
        elif fault_share and number % _UNKNOWABLE_EVERY == _UNKNOWABLE_FIRST:
            faults.extend(UNKNOWABLE)
        elif chance.random() < fault_share:
            faults.append(_submit_fault(chance))
        if chance.random() < fault_share:
            spared = {LOST_WEBHOOK} if ANSWER_LOST.keys() & set(faults) else set()
            faults.append(chance.choice(sorted(WEBHOOK.keys() - spared)))
        if chance.random() < 0.02:
            faults.append(chance.choice(sorted(RESULT)))
        if chance.random() < 0.05:
            faults.append(chance.choice(sorted(DOWNLOAD)))
        orders.append(
            Order(
                f"order-{seed}-{number:05}-end",
                f"project-{number % projects}",
                tuple(faults),
                None
                if chance.random() < 0.05
                else chance.choice(_RUDE)
                if chance.random() < 0.1
                else (),
                shared_key=f"key-{seed}-{number // projects:05}-end",
            )
        )
    return orders


def plain_orders(seed: int, jobs: int, projects: int) -> list[Order]:
    """Return jobs without a fault of their own, each with a callback that is taken at once."""
    return [
        Order(f"order-{seed}-{number:05}-end", f"project-{number % projects}", (), ())
        for number in range(jobs)
    ]


def _submit_fault(chance: random.Random) -> str:
    if chance.random() < 0.7:
        return chance.choice(sorted(ANSWER_LOST))
    if chance.random() < 0.9:
        return chance.choice(sorted(NOT_NOW))
    return chance.choice(sorted(NEVER))
