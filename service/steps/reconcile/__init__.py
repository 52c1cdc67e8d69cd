"""Reconcile: what upstream charged, held against what we recorded; and what may have been paid.

Upstream names no charges, only what is left of the account. `balances.py` writes that down every
few minutes, `accounts.py` compares its fall with the attempts of the same time, and `doubts.py`
lists every payment of which a person should know.
"""

from service.steps.reconcile.accounts import Reckoning
from service.steps.reconcile.balances import READ_EVERY_SECONDS, Balances
from service.steps.reconcile.doubts import Doubt, Kind
from service.steps.reconcile.reconcile import Reconcile

__all__ = ["READ_EVERY_SECONDS", "Balances", "Doubt", "Kind", "Reckoning", "Reconcile"]
