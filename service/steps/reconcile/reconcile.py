"""The step: readings, and the report over them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from service.database import Database
from service.steps.reconcile.accounts import Reckoning, reckon
from service.steps.reconcile.balances import Balances
from service.steps.reconcile.doubts import Doubt, doubts


@dataclass(frozen=True)
class Reconcile:
    """Holds upstream's accounts against our records; changes neither."""

    database: Database
    balances: Balances

    def read_balances(self) -> None:
        """Write down what is left of each account, unless somebody did so lately."""
        self.balances.read_now_and_then()

    def accounts(self, since: datetime) -> list[Reckoning]:
        """Read each account now, and compare its fall since a moment with what we recorded."""
        self.balances.read()
        return [self.reckon(provider, since) for provider in self.balances.providers]

    def reckon(self, provider: str, since: datetime) -> Reckoning:
        """Compare the readings of one account that are there already."""
        readings = self.balances.since(provider, since)
        with self.database.transaction() as tx:
            return reckon(tx, provider, readings)

    def doubts(self, since: datetime) -> Iterator[Doubt]:
        """Yield every payment since a moment of which a person should know."""
        return doubts(self.database, since)
