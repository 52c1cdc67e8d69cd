"""The four things that go, one after the other."""

from dataclasses import dataclass

from service.steps.discard.logins import OldLogins
from service.steps.discard.removals import Removals
from service.steps.discard.retention import Retention
from service.steps.discard.uploads import ExpiredUploads


@dataclass(frozen=True)
class Discard:
    """Takes a turn at each."""

    retention: Retention
    removals: Removals
    uploads: ExpiredUploads
    logins: OldLogins

    def __call__(self) -> None:
        """Discard what is due, as long as S3 deletes it and the turns last.

        Raises:
            DatabaseUnavailable: what is left is due for another call.
        """
        self.logins()
        # what this takes out is there for the next to delete
        self.retention()
        self.removals()
        self.uploads()
