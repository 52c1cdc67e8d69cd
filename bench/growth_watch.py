"""Measures the product's statements where they run: in its own transactions, before they do.

Whatever a step is about to execute is first explained and undone again and again, with the step's
own parameters, locks and rows; then it goes on as if nothing had been. A process that plans a
statement once for all its parameters has that plan measured, and no other.
"""

import re
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from growth_sites import here
from psycopg import sql
from sqlalchemy import Engine, event

#: Of one occurrence of a statement, after one that warms the caches.
REPEATS = 40
#: What is written and undone lies in the way of what is written next.
REPEATS_OFWRITES = 15
FEW_REPEATS = 3
#: With a median so far above the fastest run the machine was busy with something else.
CALM = 1.4
MOST_ROUNDS = 3
#: A statement that takes long is not repeated so often, seconds.
MOST_SECONDS = 4.0
#: Occurrences that are measured, with other parameters each; the dearest counts.
OCCURRENCES = 3
_FIGURES = "ANALYZE, TIMING OFF, BUFFERS, SERIALIZE TEXT, FORMAT JSON"
_PLAN = "ANALYZE, BUFFERS, SETTINGS"
#: Lists of parameters have another length each time.
_LIST = re.compile(r"(%\(\w+\)s(?:::[\w\[\]]+)?)(?:, %\(\w+\)s(?:::[\w\[\]]+)?)+")
WRITES = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM)\b")
_NUMBERED = re.compile(r"(_\d+)+\)s")
_PARAMETER = re.compile(r"%\((\w+)\)s|%(%)")

#: The top of a plan, and milliseconds of each run: executing, planning.
Runs = tuple[Mapping[str, Any], list[float], list[float]]


@dataclass(frozen=True)
class Asked:
    """What is explained: a statement, or the plan that a connection keeps of it."""

    text: str
    parameters: Mapping[str, Any] | None
    #: What its own name stands for; empty for a statement that is planned each time.
    kept: str = ""

    @classmethod
    def of(cls, raw: Any, text: str, parameters: Mapping[str, Any]) -> "Asked":  # noqa: ANN401 - psycopg's
        """Return what a connection would run."""
        if raw.execute("SHOW plan_cache_mode").fetchone()[0] != "force_generic_plan":
            return cls(text, parameters)
        names = list(dict.fromkeys(found[1] for found in _PARAMETER.finditer(text) if found[1]))
        numbered = _PARAMETER.sub(
            lambda found: f"${1 + names.index(found[1])}" if found[1] else "%", text
        )
        values = ", ".join(sql.Literal(parameters[name]).as_string(raw) for name in names)
        return cls(f"EXECUTE kept{f'({values})' if values else ''}", None, numbered)


@dataclass
class Cost:
    """What one occurrence of a statement costs; the medians of its runs."""

    execution_ms: float
    #: The fastest run: what another process did meanwhile is not in it.
    fastest_ms: float
    planning_ms: float
    #: Shared buffers touched, of the cache or not.
    buffers: int
    rows: int
    plan: str
    #: Tables that were read from end to end.
    scanned: set[str]


@dataclass
class Statement:
    """A statement of a step."""

    name: str
    text: str
    #: How often time sets it off, or who does; empty for what a job or a caller waits for.
    period: str
    costs: list[Cost] = field(default_factory=list)
    #: Why it could not be measured.
    failure: str = ""

    @property
    def dearest(self) -> Cost:
        """Of its occurrences."""
        return max(self.costs, key=lambda cost: cost.execution_ms)


class Watch:
    """Every statement that was executed in a named block, in order."""

    def __init__(self, repeats: int) -> None:
        """Measure each occurrence so often."""
        self._repeats = repeats
        self._name: str | None = None
        self._period = ""
        self._common: set[str] = set()
        self._is_common = False
        self.statements: dict[tuple[str, str], Statement] = {}
        #: Files and lines of the product that have executed something.
        self.reached: set[tuple[str, int]] = set()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Look at what is executed in the block."""
        event.listen(Engine, "before_cursor_execute", self._look)
        try:
            yield
        finally:
            event.remove(Engine, "before_cursor_execute", self._look)

    @contextmanager
    def capturing(self, name: str, *, period: str = "", is_common: bool = False) -> Iterator[None]:
        """Measure what the block executes, as statements of this name.

        What `is_common`, as the check of a key, is not measured again under other names.
        """
        self._name, self._period, self._is_common = name, period, is_common
        try:
            yield
        finally:
            self._name = None

    def _look(self, *said: Any) -> None:  # noqa: ANN401 - SQLAlchemy's: connection, cursor, text, ...
        connection, _, text, parameters, _, is_many = said
        key = normal(text)
        if (place := here()) is not None:
            self.reached.add(place)
        if self._name is None or (key in self._common and not self._is_common):
            return
        if self._is_common:
            self._common.add(key)
        found = self.statements.setdefault(
            (self._name, key), Statement(self._name, key, self._period)
        )
        if len(found.costs) >= OCCURRENCES:
            return
        used = parameters[0] if is_many else parameters
        raw = connection.connection.driver_connection
        try:
            found.costs.append(self._cost(raw, Asked.of(raw, text, used)))
        except psycopg.Error as error:
            found.failure = str(error).splitlines()[0]

    def _cost(self, raw: Any, asked: Asked) -> Cost:  # noqa: ANN401 - psycopg's
        writes = WRITES.search(asked.kept or asked.text)
        repeats = min(self._repeats, REPEATS_OFWRITES) if writes else self._repeats
        top, executions, plannings = _calm(raw, asked, repeats)
        plan = "\n".join(row[0] for row in _explained(raw, _PLAN, asked))
        return Cost(
            statistics.median(executions),
            min(executions),
            statistics.median(plannings),
            top["Shared Hit Blocks"] + top["Shared Read Blocks"],
            int(top["Actual Rows"]),
            plan,
            {
                node["Relation Name"]
                for node in _nodes(top)
                if node["Node Type"] == "Seq Scan" and node["Actual Loops"]
            },
        )


def _calm(raw: Any, asked: Asked, repeats: int) -> Runs:  # noqa: ANN401 - psycopg's
    """Return the calmest of a few rounds."""
    rounds: list[Runs] = []
    while len(rounds) < MOST_ROUNDS:
        rounds.append(_round(raw, asked, repeats))
        _, executions, _ = rounds[-1]
        if statistics.median(executions) <= CALM * min(executions):
            break
    return min(rounds, key=lambda one: statistics.median(one[1]))


def _round(raw: Any, asked: Asked, repeats: int) -> Runs:  # noqa: ANN401 - psycopg's
    """Return the plan's top, and how long executing and planning took each time."""
    executions, plannings = [], []
    give_up_at = time.monotonic() + MOST_SECONDS
    top: Mapping[str, Any] = {}
    for number in range(1 + repeats):
        figures = _explained(raw, _FIGURES, asked)[0][0][0]
        top = figures["Plan"]
        if number:
            executions.append(figures["Execution Time"])
            plannings.append(figures["Planning Time"])
        if number >= FEW_REPEATS and time.monotonic() > give_up_at:
            break
    return top, executions, plannings


def normal(text: str) -> str:
    """Return a statement without what differs from one call to the next."""
    return _NUMBERED.sub(")s", _LIST.sub(r"\1, ...", text))


def _explained(raw: Any, options: str, asked: Asked) -> Sequence[Any]:  # noqa: ANN401 - psycopg's
    with raw.transaction(force_rollback=True):
        if asked.kept:
            raw.execute(f"PREPARE kept AS {asked.kept}".encode())
        said = f"EXPLAIN ({options}) {asked.text}".encode()
        found: Sequence[Any] = raw.execute(said, asked.parameters, prepare=False).fetchall()
        if asked.kept:
            raw.execute("DEALLOCATE kept")
        return found


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)
