"""A turn at objects that S3 has to delete: claim, delete, record, until it is over."""

import time
from collections.abc import Sequence
from typing import Protocol, TypeVar

#: How long one call goes on with further ones: it keeps a worker's child from all other tasks.
TURN_SECONDS = 10.0
#: Claimed at a time.
BATCH = 100
#: An object that S3 did not delete is tried again after so long.
LEASE_SECONDS = 600.0

Claim = TypeVar("Claim")


class Part(Protocol[Claim]):
    """A kind of objects to delete."""

    def claim(self, limit: int) -> Sequence[Claim]:
        """Take some that are due, for LEASE_SECONDS."""
        ...

    def act(self, claim: Claim) -> bool:
        """Delete the bytes; False if S3 did not."""
        ...

    def record(self, done: list[Claim]) -> None:
        """Note that the bytes are gone."""


def take_turn(part: Part[Claim], turn_seconds: float) -> None:
    """Work off what is due, as long as S3 deletes it and the turn lasts.

    What is left is due for another call, at the latest when its lease has passed.
    """
    turn_ends_at = time.monotonic() + turn_seconds
    while due := part.claim(BATCH):
        done = []
        for one in due:
            if not part.act(one):
                break
            done.append(one)
            if time.monotonic() >= turn_ends_at:
                break
        part.record(done)
        if len(done) < len(due) or time.monotonic() >= turn_ends_at:
            return
