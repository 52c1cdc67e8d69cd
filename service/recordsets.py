"""Many rows of values as one parameter: a statement that costs the same for one row as for many."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Insert,
    TableValuedAlias,
    bindparam,
    column,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeEngine


def recordset(name: str, columns: Mapping[str, TypeEngine[Any]]) -> TableValuedAlias:
    """Select from the parameter `name`, which is a list of `records`."""
    documents = bindparam(name, type_=JSONB)
    named = (column(to, kind) for to, kind in columns.items())
    return (
        func.jsonb_to_recordset(documents)
        .table_valued(*named, name=name)
        .render_derived(with_types=True)
    )


def insert_all(
    model: type[DeclarativeBase], names: Sequence[str], **same: ColumnElement[Any]
) -> Insert:
    """Insert the `records` of the parameter `said`, each with these columns; some are the `same`.

    One statement, where a list of parameters would be one for each row.
    """
    said = recordset("said", {name: model.__table__.c[name].type for name in names})
    return insert(model).from_select([*names, *same], select(*said.c, *same.values()))


def records(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows as JSON that PostgreSQL reads back as the columns' types."""
    return [{name: _in_json(value) for name, value in row.items()} for row in rows]


def _in_json(value: Any) -> Any:  # noqa: ANN401 - a column's own type
    match value:
        case UUID():
            return value.hex
        case datetime():
            return value.isoformat()
        case Decimal():
            return str(value)
        case list():
            return [_in_json(one) for one in value]
        case _:
            return value
