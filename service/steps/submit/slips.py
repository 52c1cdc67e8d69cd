"""Slips: what this host knows of its intents when the process that has them is killed.

`held` lies there from before the intent is committed until right before its send, upstream's answer
(`accepted`, `refused`) from its arrival until it is recorded. Whoever finds the slips of a process
that has ended knows what that one knew.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from pydantic import TypeAdapter

from service.legacy import Left, Legacy
from service.logs import get_log
from service.upstream import Accepted, NotSent, Refused, SubmitOutcome, Unusable

log = get_log(__name__)

_HELD = "held"
#: Outcomes that are worth as much from another process, by the slip's suffix.
_DEFINITE: Mapping[str, TypeAdapter[SubmitOutcome]] = {
    kind.__name__.lower(): TypeAdapter(kind) for kind in (Accepted, NotSent, Refused, Unusable)
}


@dataclass
class Slips:
    """The slips of this process, and of those before it."""

    legacy: Legacy
    _held: set[UUID] = field(default_factory=set)

    def hold(self, attempt_ids: Iterable[UUID]) -> None:
        """Note that these will not be sent before `begin`; to be called before their commit."""
        try:
            for attempt_id in attempt_ids:
                self.legacy.put(_name(attempt_id, _HELD))
                self._held.add(attempt_id)
        except OSError as error:
            # they are sent all the same; only a killed worker will leave them in doubt
            log.warning("slips_not_written", reason=str(error))

    def begin(self, attempt_id: UUID) -> None:
        """Note that this may have been sent from now on.

        Raises:
            OSError: it must not be sent, because another process would take it for unsent.
        """
        if attempt_id in self._held:
            self.legacy.take_back(_name(attempt_id, _HELD))
            self._held.discard(attempt_id)

    def say(self, attempt_id: UUID, outcome: SubmitOutcome) -> None:
        """Keep what became of it until it is recorded."""
        kind = type(outcome).__name__.lower()
        if kind in _DEFINITE:
            try:
                self.legacy.put(_name(attempt_id, kind), _DEFINITE[kind].dump_json(outcome))
            except OSError as error:
                log.warning("slips_not_written", reason=str(error))

    def drop(self, attempt_ids: Iterable[UUID]) -> None:
        """Forget these: all that is known of them is recorded."""
        for attempt_id in attempt_ids:
            self._held.discard(attempt_id)
            for kind in (_HELD, *_DEFINITE):
                self.legacy.forget(_name(attempt_id, kind))

    @contextmanager
    def left(self) -> Iterator[Mapping[UUID, SubmitOutcome]]:
        """Yield what processes knew that have ended; it is forgotten unless the block raises."""
        with self.legacy.left() as files:
            known: dict[UUID, SubmitOutcome] = {}
            # an answer says more than that nothing was sent
            for file in sorted(files, key=lambda file: not file.name.endswith(_HELD)):
                outcome = _outcome(file)
                if outcome is not None:
                    known[UUID(hex=file.name.partition(".")[0])] = outcome
            yield known


def _name(attempt_id: UUID, kind: str) -> str:
    return f"{attempt_id.hex}.{kind}"


def _outcome(file: Left) -> SubmitOutcome | None:
    kind = file.name.partition(".")[2]
    if kind == _HELD:
        # after a boot the disk may show a slip that was taken back
        reason = "its worker ended before it began to send"
        return NotSent(reason) if file.is_of_this_boot else None
    try:
        return _DEFINITE[kind].validate_json(file.content)
    except ValueError:
        # killed while it wrote: as if it had not come to it
        log.warning("slip_unreadable", slip=file.name)
        return None
