"""The rules that make the simulator misbehave: which fault, for whom, how often."""

import inspect
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

_Value = TypeVar("_Value")
_Args = ParamSpec("_Args")


@dataclass(frozen=True)
class Stage(Generic[_Value]):
    """A point on a task's way at which faults may replace a value, and a sample of the value."""

    name: str
    sample: _Value

    def fault(
        self, act: Callable[Concatenate[_Value, _Args], _Value]
    ) -> Callable[Concatenate[_Value, _Args], _Value]:
        """Register a fault of this stage under the function's name.

        Its keyword parameters are the rule's `args`; each needs a default, which tells its type.
        """
        FAULTS[act.__name__] = Fault(self.name, act, self.sample)
        return act


@dataclass(frozen=True)
class Fault:
    """One registered fault."""

    stage: str
    act: Callable[..., Any]
    sample: object

    def check(self, args: Mapping[str, object]) -> None:
        """Try the fault on its stage's sample.

        Raises:
            ValueError: The fault has no such argument, or the argument is of another type.
        """
        parameters = inspect.signature(self.act).parameters
        for name, value in args.items():
            default = parameters[name].default if name in parameters else value
            kinds = (int, float) if isinstance(default, float) else type(default)
            if not isinstance(value, kinds):
                raise ValueError(f"{name} is not like {default!r}")  # noqa: TRY004 - one kind of refusal
        try:
            self.act(self.sample, **args)
        except TypeError as problem:
            raise ValueError(str(problem)) from problem


FAULTS: dict[str, Fault] = {}


@dataclass(frozen=True)
class Subject:
    """What rules may match: the submission that a value belongs to."""

    model: str
    prompt: str


@dataclass
class Rule:
    """One fault in force. `times` counts down; None is without end."""

    fault: str
    args: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    prompt_contains: str = ""
    times: int | None = None
    probability: float = 1
    fired: int = 0

    def matches(self, subject: Subject) -> bool:
        """Tell whether the rule is about this submission and not used up."""
        return (
            self.times != 0
            and self.model in {None, subject.model}
            and self.prompt_contains in subject.prompt
        )


class Rules:
    """The rules in force, asked at every stage by any thread.

    Whenever a stage is passed, each fault takes part at most once, in the order of the rules:
    different faults add up, while rules for the same fault take turns.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._lock = threading.Lock()
        self._rules: list[Rule] = []

    def add(self, wanted: Mapping[str, Any]) -> None:
        """Add a rule as the control endpoint takes it.

        Raises:
            ValueError: The fault or one of its arguments is unknown, or a value is wrong.
        """
        rule = _rule(wanted)
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        """Drop all rules."""
        with self._lock:
            self._rules.clear()

    def listed(self) -> list[dict[str, object]]:
        """Return the rules as they stand: `times` left, and how often each has `fired`."""
        with self._lock:
            return [dict(vars(rule)) for rule in self._rules]

    def apply(self, stage: Stage[_Value], value: _Value, subject: Subject) -> _Value:
        """Return the value as the faults of this stage leave it."""
        for rule in self._taking_part(stage.name, subject):
            value = FAULTS[rule.fault].act(value, **rule.args)
        return value

    def _taking_part(self, stage: str, subject: Subject) -> list[Rule]:
        chosen: dict[str, Rule] = {}
        with self._lock:
            for rule in self._rules:
                if (
                    rule.fault not in chosen
                    and FAULTS[rule.fault].stage == stage
                    and rule.matches(subject)
                    and (rule.probability == 1 or self._chance.random() < rule.probability)
                ):
                    chosen[rule.fault] = rule
                    rule.fired += 1
                    rule.times = None if rule.times is None else rule.times - 1
        return list(chosen.values())


def _rule(wanted: Mapping[str, Any]) -> Rule:
    known = {"fault", "match", "times", "probability", "args"}
    if unknown := sorted(set(wanted) - known):
        raise ValueError(f"no such field: {', '.join(unknown)}")
    fault, args, match = wanted.get("fault"), wanted.get("args", {}), wanted.get("match", {})
    times, probability = wanted.get("times"), wanted.get("probability", 1)
    if not isinstance(fault, str) or fault not in FAULTS:
        raise ValueError(f"no such fault: {fault}")
    if not isinstance(args, dict) or not isinstance(match, dict):
        raise ValueError("args and match must be objects")  # noqa: TRY004 - one kind of refusal
    if set(match) - {"model", "prompt_contains"} or not _all_text(match):
        raise ValueError("match takes the texts model and prompt_contains")
    if times is not None and (not isinstance(times, int) or times < 1):
        raise ValueError("times must be a whole number above 0")
    if not isinstance(probability, int | float) or not 0 <= probability <= 1:
        raise ValueError("probability must be within 0 and 1")
    FAULTS[fault].check(args)
    return Rule(fault, args, **match, times=times, probability=probability)


def _all_text(match: Mapping[str, object]) -> bool:
    return all(isinstance(value, str) for value in match.values())
