"""Pulses: when something that must go on happening last happened, by the database's clock."""

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from service.database import Transaction
from service.models import Pulse

#: Only the sweeps that beat sets off: without it /readyz says so.
SWEEP_PULSE = "sweep"


def beat(tx: Transaction, name: str) -> None:
    """Note that it has happened now."""
    now = {"at": func.now()}
    pulse = insert(Pulse).values(name=name, **now)
    tx.execute(pulse.on_conflict_do_update(index_elements=["name"], set_=now))
