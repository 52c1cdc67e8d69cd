"""The tables of what every statement costs by size, and the plans behind them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from growth_watch import WRITES, Statement

MOST_MS = 1.0
MOST_TIMES_AS_LONG = 2.0
#: What takes no longer may take twice as long: a level more of an index, and the machine's mood.
UNHEARD_MS = 0.1
#: Of a table that does not grow with the jobs.
FEW_ROWS = 5_000
_HEAD = (
    "| statement | {sizes} | ratio | of the fastest | planning | buffers | |\n"
    "|---|{lines}--:|--:|--:|--:|---|\n"
)


@dataclass(frozen=True)
class Found:
    """What was measured at one size."""

    size: int
    statements: Mapping[tuple[str, str], Statement]
    #: Rows of each table.
    tables: Mapping[str, int]
    #: Where the product executes statements that did not run.
    missed: Sequence[str]


@dataclass(frozen=True)
class Line:
    """One statement at all sizes; None where it was not executed."""

    name: str
    text: str
    period: str
    p50_ms: list[float | None]
    fastest_ms: list[float | None]
    planning_ms: list[float | None]
    buffers: list[int | None]
    rows: list[int | None]
    faults: list[str]

    @property
    def ratio(self) -> float | None:
        """What the last size costs in terms of the first."""
        return _ratio(self.p50_ms)

    @property
    def ratio_of_fastest(self) -> float | None:
        """The same of the fastest runs, which a busy machine changes less."""
        return _ratio(self.fastest_ms)


def _ratio(of: Sequence[float | None]) -> float | None:
    first, last = of[0], of[-1]
    return None if first is None or last is None or len(of) < 2 else last / first  # noqa: PLR2004 - two ends


def faulty(found: Sequence[Found]) -> list[Line]:
    """Return what is not as it should be."""
    return [line for line in lines_of(found) if line.faults]


def write(results: Path, found: Sequence[Found]) -> None:
    """Write tables and plans, and print what is not as it should be."""
    lines = lines_of(found)
    (results / "growth").mkdir(parents=True, exist_ok=True)
    for one in found:
        (results / "growth" / f"{one.size}.txt").write_text(_plans(one, lines))
    written = {
        "sizes": [one.size for one in found],
        "tables": {one.size: dict(one.tables) for one in found},
        "not_run": found[-1].missed,
        "statements": [
            {**vars(line), "ratio": line.ratio, "ratio_of_fastest": line.ratio_of_fastest}
            for line in lines
        ],
    }
    (results / "growth.json").write_text(json.dumps(written, indent=1) + "\n")
    (results / "growth.md").write_text(_tables(found, lines))
    bad = [line for line in lines if line.faults]
    for line in bad:
        print(f"{line.name}: {', '.join(line.faults)}  {_figures(line)}", flush=True)
    print(f"{len(lines)} statements, {len(bad)} not as they should be", flush=True)


def lines_of(found: Sequence[Found]) -> list[Line]:
    """Put what was measured of a statement at each size beside each other."""
    keys = dict.fromkeys(key for one in found for key in one.statements)
    growing = {
        name
        for name, rows in found[-1].tables.items()
        if rows > FEW_ROWS and rows > MOST_TIMES_AS_LONG * found[0].tables.get(name, 0)
    }
    numbers: dict[str, int] = {}
    lines = []
    for name, text in keys:
        numbers[name] = numbers.get(name, 0) + 1
        each = [one.statements.get((name, text)) for one in found]
        lines.append(_line(f"{name} #{numbers[name]}", text, each, growing))
    return lines


def _line(name: str, text: str, each: Sequence[Statement | None], growing: set[str]) -> Line:
    costs = [one.dearest if one and one.costs else None for one in each]
    period = next(one.period for one in each if one)
    line = Line(
        name, text, period,
        [round(cost.execution_ms, 3) if cost else None for cost in costs],
        [round(cost.fastest_ms, 3) if cost else None for cost in costs],
        [round(cost.planning_ms, 3) if cost else None for cost in costs],
        [cost.buffers if cost else None for cost in costs],
        [cost.rows if cost else None for cost in costs],
        [],
    )  # fmt: skip
    last = line.p50_ms[-1]
    # who writes many jobs down at once has the time of all of them
    jobs = max(1, line.rows[-1] or 1) if WRITES.search(text) else 1
    if last is not None and last > MOST_MS * jobs and not period:
        line.faults.append("slow")
    least = min(line.ratio or 0, line.ratio_of_fastest or 0)
    if last is not None and last > UNHEARD_MS and least > MOST_TIMES_AS_LONG:
        line.faults.append("grows")
    scanned = costs[-1].scanned & growing if costs[-1] else set()
    line.faults.extend(f"reads all of {table}" for table in sorted(scanned))
    line.faults.extend(f"not measured: {one.failure}" for one in each if one and one.failure)
    return line


def _tables(found: Sequence[Found], lines: Sequence[Line]) -> str:
    head = _HEAD.format(
        sizes=" | ".join(f"p50 ms at {one.size:,}" for one in found), lines="--:|" * len(found)
    )
    kinds = {
        "Waited for by a job or a caller": [line for line in lines if not line.period],
        "Done by time or by hand": [line for line in lines if line.period],
    }
    parts = [
        f"## {title}\n\n{head}" + "".join(f"{_row(line)}\n" for line in some)
        for title, some in kinds.items()
    ]
    missing = "".join(f"- {place}\n" for place in found[-1].missed)
    parts.append(f"## Not run\n\nPlaces of `service/` that did not come to execute.\n\n{missing}")
    return "# What every statement costs by the number of jobs\n\n" + "\n".join(parts)


def _row(line: Line) -> str:
    period = f", {line.period}" if line.period else ""
    p50 = " | ".join("" if one is None else f"{one:.3f}" for one in line.p50_ms)
    ratios = " | ".join(
        "" if one is None else f"{one:.2f}" for one in (line.ratio, line.ratio_of_fastest)
    )
    planning = "" if line.planning_ms[-1] is None else f"{line.planning_ms[-1]:.2f}"
    buffers = " → ".join("" if one is None else str(one) for one in line.buffers)
    faults = ", ".join(line.faults)
    return f"| {line.name}{period} | {p50} | {ratios} | {planning} | {buffers} | {faults} |"


def _figures(line: Line) -> str:
    return (
        f"p50 {line.p50_ms} ms, fastest {line.fastest_ms}, buffers {line.buffers}, rows {line.rows}"
    )


def _plans(one: Found, lines: Sequence[Line]) -> str:
    parts = []
    for (_, text), statement in one.statements.items():
        name = next(line.name for line in lines if line.text == text and _is_of(line, statement))
        plan = statement.dearest.plan if statement.costs else statement.failure
        parts.append(f"=== {name}\n{text}\n\n{plan}\n")
    return "\n".join(parts)


def _is_of(line: Line, statement: Statement) -> bool:
    return line.name.rpartition(" #")[0] == statement.name
