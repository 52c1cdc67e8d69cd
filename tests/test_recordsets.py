"""Records come out of the database as they went in, whatever their types."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy import DateTime, Float, Integer, Numeric, Text, Uuid, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import TypeEngine

from service.recordsets import records, recordset
from service.states import Status
from service.wiring import Wiring

ONE = uuid4()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Uuid(), ONE),
        (ARRAY(Uuid), [ONE, UUID(int=7)]),
        (DateTime(timezone=True), datetime(2026, 11, 23, 12, 30, 1, 123456, tzinfo=UTC)),
        (Numeric(14, 4), Decimal("1234567890.1234")),
        (Float(), 0.25),
        (Integer(), -3),
        (Text(), 'a "quoted" ü \\ line\n'),
        (Text(), Status.STORING),
        (JSONB(), {"deep": [{"er": None}], "ü": "\\u"}),
        (JSONB(), None),
        (Text(), None),
    ],
)
def test_a_value_survives(wiring: Wiring, kind: TypeEngine[object], value: object) -> None:
    said = recordset("said", {"place": Integer(), "value": kind})
    rows: list[dict[str, object]] = [{"place": 1, "value": value}, {"place": 2, "value": None}]
    with wiring.database.transaction() as tx:
        found = tx.rows(select(*said.c).order_by(said.c.place), {"said": records(rows)})
    assert [tuple(row) for row in found] == [(1, value), (2, None)]
