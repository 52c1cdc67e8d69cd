"""What was measured of the pipelines, as JSON, as a table and as a chart.

A machine is not the same from one quarter of an hour to the next, so what is compared was measured
in one round: a ratio is the median of the rounds' own ratios, not a ratio of medians.
"""

import json
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from charts import Bar, Panel, drawn
from pipelines.peers import CELERY_TUTORIAL, FLOOR


@dataclass(frozen=True, slots=True)
class Measured:
    """One pipeline in one round."""

    jobs_per_second: float
    cpu_ms: float
    #: At low load, beyond upstream's own time.
    p50_ms: float
    p99_ms: float
    #: Processor time of upstream, sink and load for each job.
    outside_cpu_ms: float
    cpu_ms_by_process: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over the rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Sum up what the rounds say."""
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        if self.least == self.most:
            return _figure(self.median)
        return f"{_figure(self.median)} ({_figure(self.least)}–{_figure(self.most)})"  # noqa: RUF001 - a range


#: By pipeline, a figure for every round, in the order of the rounds.
Rounds = Mapping[str, Sequence[Measured]]
_FIGURES: Mapping[str, Callable[[Measured], float]] = {
    "jobs/s": lambda one: one.jobs_per_second,
    "CPU ms a job": lambda one: one.cpu_ms,
    "p50 ms": lambda one: one.p50_ms,
    "p99 ms": lambda one: one.p99_ms,
    "outside's CPU ms": lambda one: one.outside_cpu_ms,
}
_READING = (
    "Medians, with the least and the most of the rounds. CPU is the pipeline's own, without the "
    "servers. p50 and p99 are from the 202 to the callback with one job at a time, without "
    "upstream's own time. Outside is upstream, sink and load."
)
_COMPARED = ("CPU ms a job", "jobs/s")
_BASES = (FLOOR.name, CELERY_TUTORIAL.name)


def write(folder: Path, rounds: Rounds, command: str) -> str:
    """Write throughput.json, .md and .svg there; return the table."""
    folder.mkdir(parents=True, exist_ok=True)
    conditions = {
        "command": command,
        "machine": f"{len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}",
        "date": datetime.now(UTC).date().isoformat(),
        "rounds": str(max(len(measured) for measured in rounds.values())),
    }
    table = _markdown(rounds, conditions)
    (folder / "throughput.md").write_text(table)
    (folder / "throughput.json").write_text(_json(rounds, conditions))
    (folder / "throughput.svg").write_text(_chart(rounds))
    return table


def spreads(measured: Sequence[Measured]) -> dict[str, Spread]:
    """Return every figure of a pipeline over its rounds."""
    return {name: Spread.of([of(one) for one in measured]) for name, of in _FIGURES.items()}


def ratios(rounds: Rounds, name: str, base: str) -> dict[str, Spread]:
    """Return what a pipeline's figures are times those of another, each in the same round."""
    pairs = list(zip(rounds[name], rounds[base], strict=True))
    return {
        figure: Spread.of([_FIGURES[figure](one) / _FIGURES[figure](other) for one, other in pairs])
        for figure in _COMPARED
    }


def _markdown(rounds: Rounds, conditions: Mapping[str, str]) -> str:
    lines = [
        "# What a job costs, and how many a second",
        "",
        f"`{conditions['command']}`",
        "",
        f"{conditions['machine']}; {conditions['date']}; rounds: {conditions['rounds']}.",
        "",
        _READING,
        "",
        *_table(
            ["pipeline", *_FIGURES],
            {
                name: [str(spread) for spread in spreads(measured).values()]
                for name, measured in rounds.items()
            },
        ),
    ]
    if bases := [base for base in _BASES if base in rounds]:
        heads = [f"{figure}, × {base}" for base in bases for figure in _COMPARED]  # noqa: RUF001 - times
        rows = {
            name: [str(spread) for base in bases for spread in ratios(rounds, name, base).values()]
            for name in rounds
        }
        lines += ["", "Ratios, of the same round:", "", *_table(["pipeline", *heads], rows)]
    return "\n".join(lines) + "\n"


def _table(heads: Sequence[str], rows: Mapping[str, Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(heads)} |",
        f"|{' --- |'}{' ---: |' * (len(heads) - 1)}",
        *(f"| {' | '.join([name, *figures])} |" for name, figures in rows.items()),
    ]


def _json(rounds: Rounds, conditions: Mapping[str, str]) -> str:
    pipelines = {
        name: {
            "figures": {figure: asdict(one) for figure, one in spreads(measured).items()},
            "ratios": {
                base: {figure: asdict(one) for figure, one in ratios(rounds, name, base).items()}
                for base in _BASES
                if base in rounds
            },
            "rounds": [asdict(one) for one in measured],
        }
        for name, measured in rounds.items()
    }
    return json.dumps({**conditions, "pipelines": pipelines}, indent=1, ensure_ascii=False) + "\n"


def _chart(rounds: Rounds) -> str:
    panels = []
    for figure, title in (("CPU ms a job", "CPU a job, ms"), ("jobs/s", "jobs a second")):
        bars = []
        for measured in rounds.values():
            spread = spreads(measured)[figure]
            bars.append(Bar(spread.median, spread.least, spread.most, _figure(spread.median)))
        panels.append(Panel(title, bars))
    return drawn("CPU a job and jobs a second, by pipeline", list(rounds), panels)


def _figure(value: float) -> str:
    """Three digits are more than the spread deserves."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"  # noqa: PLR2004
