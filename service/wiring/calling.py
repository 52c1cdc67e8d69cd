"""The steps that call callers, or let them ask for it."""

from collections.abc import Mapping
from functools import cached_property

from service.callbacks import Callbacks
from service.clients.outbound import Answer, Outbound
from service.legacy import Legacy
from service.steps.deliver import MAX_ANSWER_BYTES, TRY_TIMEOUT_SECONDS, Deliver, Told
from service.steps.follow import Follow
from service.steps.redeliver import Redeliver
from service.steps.rehearse import Rehearse
from service.wiring.upkeep import Upkeep

CONNECT_TIMEOUT_SECONDS = 5.0


class Calling(Upkeep):
    """Everything about callbacks."""

    @cached_property
    def callbacks(self) -> Callbacks:
        """Where each project wants to be called, and the secrets that sign."""
        return Callbacks(self.database, self.guard)

    @cached_property
    def deliver(self) -> Deliver:
        """Step: deliver."""
        return Deliver(
            self.database,
            self._post_callback,
            self.settings.lease_seconds,
            self.settings.callback_schedule_seconds,
            Told(Legacy(self.settings.spool_dir / "told")),
        )

    @cached_property
    def redeliver(self) -> Redeliver:
        """Step: redeliver."""
        return Redeliver(self.database)

    @cached_property
    def follow(self) -> Follow:
        """Step: follow."""
        return Follow(self.database)

    @cached_property
    def rehearse(self) -> Rehearse:
        """Step: rehearse."""
        return Rehearse(self.guard.check, self._post_callback)

    @cached_property
    def _to_callers(self) -> Outbound:
        """Looks names up apart: callers' dead names must not hold up the download of a result."""
        return Outbound(self.guard.apart())

    def _post_callback(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        return self._to_callers.post(
            url,
            body=body,
            headers={"User-Agent": "darkroom/1", **headers},
            total_seconds=TRY_TIMEOUT_SECONDS,
            connect_seconds=CONNECT_TIMEOUT_SECONDS,
            max_body_bytes=MAX_ANSWER_BYTES,
        )
