"""New values of a job's columns which the database has to compute.

A statement is built once for each kind of move and takes its values as parameters: to build one
costs more than to have it run.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, Float, Integer, and_, exists, func, or_
from sqlalchemy.types import TypeEngine

from service.clock import seconds
from service.constants import constants
from service.models import Attempt, jobs
from service.states import UNPAID


class Computed(ABC):
    """A value that depends on the row or on the database's clock, and on something said here."""

    def __init__(self, said: Any) -> None:  # noqa: ANN401 - the column's own type
        """Compute from `said`."""
        self.said = said

    #: The type of what is said; None is the column's own.
    kind: ClassVar[TypeEngine[Any] | None] = None

    @staticmethod
    @abstractmethod
    def sql(column: str, said: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the column's new value by what is said."""


class After(Computed):
    """The time that is in so many seconds."""

    kind = Float()

    @staticmethod
    def sql(column: str, said: ColumnElement[Any]) -> ColumnElement[Any]:  # noqa: ARG004 - the same for each
        """Return now and the seconds."""
        return func.now() + seconds(said)


class Kept(Computed):
    """What was known before; else what is said now."""

    @staticmethod
    def sql(column: str, said: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return one of the two."""
        return func.coalesce(jobs.c[column], said)


class DoubtsBut(Computed):
    """Whether a job that was sent once more may have been charged for other attempts than this."""

    kind = Integer()

    @staticmethod
    def sql(column: str, said: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return whether the job was in doubt and another attempt may be paid."""
        others = exists().where(
            Attempt.job_id == jobs.c.id,
            Attempt.number != said,
            or_(Attempt.outcome.is_(None), Attempt.outcome.not_in(constants(UNPAID))),
        )
        return and_(jobs.c[column], others)


#: By column, what computes its value; None is a value that is said as it is.
Kinds = tuple[tuple[str, type[Computed] | None], ...]


def kinds_of(columns: Mapping[str, Any]) -> Kinds:
    """Return what two moves must have in common to share a statement."""
    return tuple(
        (name, type(value) if isinstance(value, Computed) else None)
        for name, value in sorted(columns.items())
    )


def types(kinds: Kinds) -> dict[str, TypeEngine[Any]]:
    """Return the type of what is said of each column."""
    return {said(name): (kind.kind if kind else None) or jobs.c[name].type for name, kind in kinds}


def expressions(
    kinds: Kinds, all_said: Mapping[str, ColumnElement[Any]]
) -> dict[str, ColumnElement[Any]]:
    """Return what to set each column to, by all that is said."""
    return {
        name: kind.sql(name, all_said[said(name)]) if kind else all_said[said(name)]
        for name, kind in kinds
    }


def parameters(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said, by its name."""
    return {
        said(name): value.said if isinstance(value, Computed) else value
        for name, value in columns.items()
    }


def said(column: str) -> str:
    """Return the name of what is said of a column."""
    return f"said_{column}"
