"""One run: orders come in, processes and servers die, all heals, and the checker judges."""

import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from chaos.checker import Verdict, judge
from chaos.evidence import Evidence
from chaos.nemesis import Nemesis, Wanted
from chaos.plan import make_orders
from chaos.stage import Stage, stage


@dataclass(frozen=True)
class Report:
    """What a run came to."""

    wanted: Wanted
    verdict: Verdict
    #: From the last strike until nothing was owed any more, or until the patience was over.
    healed_after_seconds: float
    facts: dict[str, object]
    diary: list[str]

    @property
    def ok(self) -> bool:
        """Whether every promise was kept, in time."""
        return not self.verdict.findings

    def __str__(self) -> str:
        """Say it in words, findings first."""
        found = [f"{one.broken.name} {one.about}: {one.seen}" for one in self.verdict.findings]
        facts = json.dumps({**self.verdict.counts, **self.facts})
        word = "kept" if self.ok else f"BROKEN ({len(found)})"
        healed = f"healed {self.healed_after_seconds:.1f} s after the last strike"
        size = f"seed {self.wanted.seed}, {self.wanted.jobs} jobs"
        return "\n".join([*found, facts, f"{word}: {size}, {healed}"])


def run(wanted: Wanted, home: Path) -> Report:
    """Do it, with everything under `home`; call it from the main thread."""
    orders = make_orders(
        wanted.seed,
        wanted.jobs,
        wanted.projects,
        wanted.fault_share,
        account_faults=wanted.account_faults,
        every_job=wanted.every_job,
    )
    with (
        stage(home, orders, seed=wanted.seed, slots=wanted.slots, workers=wanted.workers) as on,
        Nemesis(wanted, on.around, on.programs) as nemesis,
    ):
        on.callers.start(orders, 0.9 * wanted.seconds)
        nemesis.break_things()
        healed_after_seconds = on.heal(wanted.heal_seconds)
        evidence = on.evidence()
        facts = _facts(on, nemesis, evidence)
        return Report(wanted, judge(evidence), healed_after_seconds, facts, nemesis.diary)


def _facts(on: Stage, nemesis: Nemesis, evidence: Evidence) -> dict[str, object]:
    answers = evidence.answers.values()
    return {
        "kills": nemesis.killer.kills,
        "stops": nemesis.killer.stops,
        "restarts": on.programs.restarts,
        "postgres_crashes": on.around.postgres.crashes,
        "broker_crashes": on.around.broker.crashes,
        "commits_cut": on.around.proxies["database"].commits_cut,
        "answers": Counter(said for one in answers for said in one.said),
        "slowest_answer_seconds": round(
            max(max(one.took_seconds, default=0) for one in answers), 2
        ),
        "max_active_seen": evidence.max_active_seen,
        # callers, sink, proxies and judge, which share the machine with what they judge
        "harness_cpu_seconds": round(time.process_time()),
    }
