"""The names of what is rung: one doorbell per lane, and the clock's sweep and discard.

A message carries nothing. It says "this lane has work"; which work, PostgreSQL knows. Only
`enqueue` is no doorbell: it is a job that a caller hands in over the broker.
"""

from enum import StrEnum


class Message(StrEnum):
    """A Celery task name; sender and worker share nothing but this string."""

    ENQUEUE = "darkroom.enqueue"
    SUBMIT = "darkroom.submit"
    POLL = "darkroom.poll"
    STORE = "darkroom.store"
    DELIVER = "darkroom.deliver"
    DERIVE = "darkroom.derive"
    SWEEP = "darkroom.sweep"
    DISCARD = "darkroom.discard"

    @property
    def stage(self) -> str:
        """Return the word this stage is known by in logs, metrics and tests."""
        return self.value.removeprefix("darkroom.")
