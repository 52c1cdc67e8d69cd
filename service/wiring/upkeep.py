"""What an io worker does again and again beside its lanes, and the parts that only this needs."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from service.clients.outbound import Answer
from service.rounds import Round
from service.signing.presence import PresenceSigner
from service.steps.discard import Discard, ExpiredUploads, OldLogins, Removals, Retention
from service.steps.examine import Examine
from service.steps.fold import FoldHours
from service.steps.reconcile import READ_EVERY_SECONDS
from service.steps.recover import LOOK_AT_MARK_SECONDS, Marks, Recover, Standings
from service.wiring.parts import Parts

if TYPE_CHECKING:
    from service.wiring import Wiring

#: Each worker by itself: until all have noticed, they go on buying.
LOOK_AT_BUCKET_SECONDS = 1.0
TELL_SECONDS = 5.0
RECEIVER_TIMEOUT_SECONDS = 3.0
LOOK_AT_RECEIVER_SECONDS = 10.0
MAX_HEALTH_BYTES = 4096
#: A worker sweeps by itself as well: without beat, or without a broker, all goes on more slowly.
SWEEP_SECONDS = 3.0
DISCARD_SECONDS = 600.0
TIDY_SECONDS = 30.0
#: How soon callbacks are given up that their host has kept waiting too long.
EXPIRE_SECONDS = 600.0
#: How soon missing webhooks are noticed, and their coming back.
LEARN_SECONDS = 10.0
#: How old the figures of the overview become.
FOLD_SECONDS = 10.0


class Upkeep(Parts):
    """The steps that are set off by time alone, in every io worker."""

    @cached_property
    def presence(self) -> PresenceSigner:
        """Tells our web processes from others'."""
        return PresenceSigner(self.settings.signing_keys)

    @cached_property
    def discard(self) -> Discard:
        """Step: discard."""
        bucket = self.object_store
        return Discard(
            Retention(self.database),
            Removals(self.database, bucket),
            ExpiredUploads(self.database, bucket),
            OldLogins(self.database),
        )

    @cached_property
    def fold(self) -> FoldHours:
        """Step: fold."""
        return FoldHours(self.database)

    @cached_property
    def examine(self) -> Examine:
        """Step: examine."""
        return Examine(
            database=self.database,
            vitals=self.vitals,
            bucket=self.object_store,
            probe_key=f"{self.settings.s3_prefix}.darkroom/probe",
            get=self._get_own,
            presence=self.presence,
        )

    @cached_property
    def recover(self) -> Recover:
        """Step: recover."""
        return Recover(
            database=self.database,
            standings=Standings(self.database),
            marks=Marks(self.object_store, self.settings.s3_prefix),
            vitals=self.vitals,
            ring=self.sender,
        )

    def _get_own(self, path: str) -> Answer:
        # the operator's own address: it may be internal
        return self.outbound.get(
            self.settings.base_url + path,
            headers={"User-Agent": "darkroom/1"},
            total_seconds=RECEIVER_TIMEOUT_SECONDS,
            connect_seconds=RECEIVER_TIMEOUT_SECONDS,
            max_body_bytes=MAX_HEALTH_BYTES,
            guarded=False,
        )


def rounds_of(wiring: "Wiring") -> Mapping[str, Round]:
    """Return the rounds of one process, by name."""
    sweep_seconds = max(SWEEP_SECONDS, wiring.settings.sweep_interval_seconds)
    rounds: dict[str, Round] = {
        "mark": (LOOK_AT_MARK_SECONDS, wiring.recover.mark),
        "bucket": (LOOK_AT_BUCKET_SECONDS, wiring.examine.look_at_bucket),
        "tell": (TELL_SECONDS, wiring.examine.tell),
        "sweep": (sweep_seconds, wiring.sweep),
        "discard": (DISCARD_SECONDS, wiring.discard),
        "tidy": (TIDY_SECONDS, wiring.store.tidy),
        "expire": (EXPIRE_SECONDS, wiring.deliver.expire),
        "rhythm": (LEARN_SECONDS, wiring.rhythm.learn),
        "fold": (FOLD_SECONDS, wiring.fold),
        "balances": (READ_EVERY_SECONDS, wiring.reconcile.read_balances),
    }
    if wiring.settings.webhooks_wanted:
        rounds["receiver"] = (LOOK_AT_RECEIVER_SECONDS, wiring.examine.look_at_receiver)
    return rounds
