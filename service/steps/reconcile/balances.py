"""Readings of what is left of the accounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from sqlalchemy import Row, delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert

from service.clock import seconds
from service.database import Database
from service.errors import FluxUnavailable
from service.logs import get_log
from service.models import Balance

log = get_log(__name__)

#: How often each worker sees to it that there is a reading.
READ_EVERY_SECONDS = 600.0
KEPT_SECONDS = 30 * 86_400.0


class Flux(Protocol):
    """Asking costs nothing and may be repeated."""

    def balance(self, provider: str) -> Decimal | None:
        """Return what is left, in credits; None if the provider never tells."""
        ...


@dataclass(frozen=True)
class Balances:
    """The table of readings."""

    database: Database
    flux: Flux
    providers: Sequence[str]

    def read_now_and_then(self) -> None:
        """Read accounts that no worker has read lately, and forget what is a month old."""
        recent = func.now() - seconds(READ_EVERY_SECONDS / 2)
        for provider in self.providers:
            read = exists().where(Balance.provider == provider, Balance.at > recent)
            with self.database.transaction() as tx:
                is_fresh = tx.scalar(select(read))
            if not is_fresh:
                self._read(provider)
        with self.database.transaction() as tx:
            tx.execute(delete(Balance).where(Balance.at < func.now() - seconds(KEPT_SECONDS)))

    def read(self) -> None:
        """Read every account."""
        for provider in self.providers:
            self._read(provider)

    def since(self, provider: str, moment: datetime) -> list[Row[Any]]:
        """Return the readings of an account since a moment, oldest first."""
        readings = select(*Balance.__table__.c).where(
            Balance.provider == provider, Balance.at >= moment
        )
        with self.database.transaction() as tx:
            return tx.rows(readings.order_by(Balance.at))

    def _read(self, provider: str) -> None:
        with self.database.transaction() as tx:
            asked_at = tx.scalar(select(func.now()))
        try:
            left = self.flux.balance(provider)
        except FluxUnavailable as error:
            log.info("balance_unknown", provider=provider, reason=str(error))
            return
        if left is None:
            return
        reading = insert(Balance).values(provider=provider, asked_at=asked_at, credits=left)
        with self.database.transaction() as tx:
            tx.execute(reading.on_conflict_do_nothing())
