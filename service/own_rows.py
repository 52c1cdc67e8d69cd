"""Rows of one project in the order of their ids, by an index that begins with the project.

Asked plainly, the planner takes a project's rows for evenly spread among all others': with a limit
it may walk the ids of everybody, and that is millions of rows where a project has been silent for
long. An order that begins with the project is no order of the ids alone, and a list of projects,
even of one, is no constant that the planner could leave out of it.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, any_, cast, literal
from sqlalchemy.dialects.postgresql import array

#: Columns of a table: of `project_id` and `id`.
Columns = Any
Order = tuple[ColumnElement[Any], ColumnElement[Any]]


def of_project(columns: Columns, project_id: UUID | ColumnElement[UUID]) -> ColumnElement[bool]:
    """Return that a row is the project's, for a statement in an order of this module's."""
    one = literal(project_id, Uuid) if isinstance(project_id, UUID) else project_id
    mine: ColumnElement[bool] = columns.project_id == any_(cast(array([one]), ARRAY(Uuid)))
    return mine


def newest_first(columns: Columns) -> Order:
    """Return the order of a list."""
    return columns.project_id, columns.id.desc()


def oldest_first(columns: Columns) -> Order:
    """Return the order in which old rows are looked for: a list's, read backwards."""
    return columns.project_id.desc(), columns.id
