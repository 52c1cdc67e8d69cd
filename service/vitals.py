"""Whether what we buy could be kept: nothing is submitted while this process knows of a trouble.

Nothing is said here of the database: a claim that cannot be committed buys nothing.
"""

import threading
from collections.abc import Callable

from service.logs import get_log

#: One failed PUT may be a hiccup, and is tried again within a second.
FAILED_PUTS = 2

#: When a web process last answered one of our workers at PUBLIC_URL, by the database's clock.
RECEIVER_PULSE = "receiver"
#: After so long without an answer PUBLIC_URL is taken for an address that our network does not let
#: us reach: it proves nothing any more, and nothing waits for it.
RECEIVER_FORGOTTEN_SECONDS = 3600.0

_BUCKET = "bucket"

log = get_log(__name__)


class Vitals:
    """What one process knows; every method may be called from any thread."""

    def __init__(
        self, spool_has_room: Callable[[], bool], ring_store: Callable[[], object]
    ) -> None:
        """Know of no trouble yet; `ring_store` is called when the bucket takes results again."""
        self._spool_has_room = spool_has_room
        self._ring_store = ring_store
        self._lock = threading.Lock()
        self._held: dict[str, str] = {}
        self._failed_puts = 0
        self._said: str | None = None

    def hold(self, what: str, trouble: str) -> None:
        """Have nothing bought because of `trouble`, a clause for people, until `release(what)`."""
        with self._lock:
            self._held[what] = trouble

    def release(self, what: str) -> None:
        """Take a hold back; one that is not there is no error."""
        with self._lock:
            self._held.pop(what, None)

    def trouble(self) -> str | None:
        """Return why nothing may be bought now, in words for people; None if all is well."""
        full = [] if self._spool_has_room() else ["the spool of results is nearly full"]
        with self._lock:
            found = "; ".join([*(self._held[what] for what in sorted(self._held)), *full]) or None
            if found != self._said:
                self._said = found
                if found is None:
                    log.info("submit_resumed")
                else:
                    log.warning("submit_held", reason=found)
        return found

    def bucket_failed(self, reason: str) -> None:
        """Note that S3, not a file's content, was at fault for a failed PUT."""
        with self._lock:
            self._failed_puts += 1
            is_unwell = self._failed_puts >= FAILED_PUTS
        if is_unwell:
            self.bucket_is_away(reason)

    def bucket_is_away(self, reason: str) -> None:
        """Hold at once: it takes no bytes, and `reason` says why."""
        if self.bucket_is_well:
            log.error("bucket_unwell", reason=reason)
        # S3's own code alone: which request met it is for the log
        self.hold(_BUCKET, f"S3 does not take results: {reason.rpartition(': ')[2]}")

    def bucket_answered(self) -> None:
        """Note that S3 has taken bytes."""
        with self._lock:
            self._failed_puts = 0
            was_away = self._held.pop(_BUCKET, None) is not None
        if was_away:
            log.info("bucket_well")
            self._ring_store()

    @property
    def bucket_is_well(self) -> bool:
        """Whether a PUT is worth trying."""
        return _BUCKET not in self._held
