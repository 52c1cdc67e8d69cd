"""One named outage: what it needs, what it does, and how it is judged."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chaos.checker import Verdict, judge
from chaos.evidence import Evidence
from chaos.plan import plain_orders
from chaos.scenarios.figures import Figures
from chaos.stage import Stage, stage
from chaos.world import MakeBroker, valkey


@dataclass(frozen=True)
class Size:
    """How much of it; the defaults are those that were promised."""

    jobs: int
    #: How long the outage lasts, seconds.
    seconds: float = 60.0
    #: How often a server is killed, where that is what happens.
    times: int = 10


#: Plays the outage, takes the figures down, and returns what is known after healing.
Play = Callable[[Stage, Size, Figures], Evidence]


@dataclass(frozen=True)
class Scenario:
    """What befalls the service, and how it is set up for it."""

    play: Play
    size: Size
    slots: int = 24
    #: How the service differs from a run of `make chaos`.
    settings: Mapping[str, str] = field(default_factory=dict)
    #: How many jobs are handed in for each one in the size.
    orders_per_job: float = 1.0


@dataclass(frozen=True)
class Report:
    """What it came to."""

    name: str
    seed: int
    size: Size
    figures: Figures
    verdict: Verdict

    @property
    def findings(self) -> list[str]:
        """Every promise that was not kept, in words."""
        return [
            *(str(figure) for figure in self.figures.taken if not figure.kept),
            *(f"{one.broken.name} {one.about}: {one.seen}" for one in self.verdict.findings),
        ]

    def __str__(self) -> str:
        """Return it as JSON."""
        said = {
            "scenario": self.name,
            "seed": self.seed,
            **vars(self.size),
            "kept": not self.findings,
            "figures": {one.name: one.value for one in self.figures.taken},
            "bounds": {
                one.name: {
                    word: bound
                    for word, bound in (("most", one.most), ("least", one.least))
                    if bound is not None
                }
                for one in self.figures.taken
                if one.most is not None or one.least is not None
            },
            "counts": dict(self.verdict.counts),
            "findings": self.findings,
        }
        return json.dumps(said, indent=2)


def run(
    name: str,
    scenario: Scenario,
    size: Size,
    *,
    seed: int,
    home: Path,
    make_broker: MakeBroker = valkey,
) -> Report:
    """Do it, with everything under `home`; call it from the main thread."""
    count = round(size.jobs * scenario.orders_per_job)
    orders = plain_orders(seed, count, projects=4)
    figures = Figures()
    with stage(
        home,
        orders,
        seed=seed,
        slots=scenario.slots,
        workers=2,
        settings=scenario.settings,
        make_broker=make_broker,
    ) as on:
        evidence = scenario.play(on, size, figures)
    return Report(name, seed, size, figures, judge(evidence))
