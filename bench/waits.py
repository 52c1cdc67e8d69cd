"""How long answers took, and how late the bench itself was."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

_TICK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Waits:
    """Milliseconds."""

    p50: float
    p99: float
    most: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Waits":
        """Return those of so many answers."""
        cuts = statistics.quantiles(seconds, n=100, method="inclusive")
        return cls(cuts[49] * 1000, cuts[98] * 1000, max(seconds) * 1000)

    def cells(self) -> tuple[str, str, str]:
        """Return them as a table shows them."""
        return f"{self.p50:.1f}", f"{self.p99:.1f}", f"{self.most:.1f}"


async def lateness(into: list[float]) -> None:
    """Note again and again how late this event loop wakes; it is in all that the bench measures."""
    while True:
        at = time.monotonic() + _TICK_SECONDS
        await asyncio.sleep(_TICK_SECONDS)
        into.append(max(0.0, time.monotonic() - at))
