"""Store: the step of its lane, and the way of the bytes."""

from service.steps.store.bring import Bring, Ripe
from service.steps.store.lane import Store

__all__ = ["Bring", "Ripe", "Store"]
