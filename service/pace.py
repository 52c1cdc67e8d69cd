"""Pace: a few at once after a rest, and no more than so many a second for long."""

import time


class Pace:
    """Counts what happens; for one thread, or under its owner's lock."""

    def __init__(self, *, per_second: float, at_once: int) -> None:
        """Let `at_once` happen after a rest, and `per_second` for long."""
        self._apart_seconds = 1 / per_second
        self._ahead_seconds = (at_once - 1) / per_second
        #: When the next one would be due if all had come evenly.
        self._even_at = 0.0

    @property
    def wait_seconds(self) -> float:
        """How long the next one has to wait; 0 if it may happen now."""
        return max(0.0, self._even_at - self._ahead_seconds - time.monotonic())

    def count(self) -> None:
        """Note that one happens."""
        self._even_at = max(self._even_at, time.monotonic()) + self._apart_seconds
