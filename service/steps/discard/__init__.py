"""Discard: what nobody needs any more goes; killed anywhere, the next run goes on."""

from service.steps.discard.discard import Discard
from service.steps.discard.logins import OldLogins
from service.steps.discard.removals import Removals
from service.steps.discard.retention import Retention
from service.steps.discard.uploads import ExpiredUploads

__all__ = ["Discard", "ExpiredUploads", "OldLogins", "Removals", "Retention"]
