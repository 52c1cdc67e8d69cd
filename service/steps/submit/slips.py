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
_UNSENT_KIND = NotSent.__name__.lower()
_UNSENT = TypeAdapter(NotSent).dump_json(NotSent("its worker ended before it began to send"))


@dataclass
class Slips:
    """The slips of this process, and of those before it."""

    legacy: Legacy
    _held: set[UUID] = field(default_factory=set)

    def hold(self, attempt_ids: Iterable[UUID]) -> None:
        """Note that these, just committed, will not be sent before `begin`."""
        for attempt_id in attempt_ids:
            name = _name(attempt_id, _HELD)
            self._held.add(attempt_id)
            try:
                self.legacy.put(name, _UNSENT)
            except OSError as error:
                # it is sent all the same; only a killed worker will leave it in doubt
                log.warning("slip_not_written", reason=str(error))
                self._give_up(attempt_id, name)

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
            except (OSError, ValueError) as error:
                log.warning("slip_not_written", reason=str(error))

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
                try:
                    attempt_id, outcome = _read(file)
                except ValueError:
                    # killed while it wrote, or no file of ours: as if it had not come to it
                    log.warning("slip_unreadable", slip=file.name)
                    continue
                if outcome is not None:
                    known[attempt_id] = outcome
            yield known

    def _give_up(self, attempt_id: UUID, name: str) -> None:
        try:
            self.legacy.take_back(name)
        except FileNotFoundError:
            self._held.discard(attempt_id)
        except OSError as error:
            # it may lie there: `begin` will try once more, or have it not sent
            log.warning("slip_not_removed", reason=str(error))
        else:
            self._held.discard(attempt_id)


def _name(attempt_id: UUID, kind: str) -> str:
    return f"{attempt_id.hex}.{kind}"


def _read(file: Left) -> tuple[UUID, SubmitOutcome | None]:
    """Return what a slip says, if it proves it; raise ValueError for one that is none."""
    stem, _, kind = file.name.partition(".")
    attempt_id = UUID(hex=stem)
    if kind == _HELD:
        # after a boot the disk may show a slip that was taken back
        if not (file.is_certain and file.seize(_name(attempt_id, _UNSENT_KIND))):
            return attempt_id, None
        kind = _UNSENT_KIND
    adapter = _DEFINITE.get(kind)
    if adapter is None:
        raise ValueError(kind)
    return attempt_id, adapter.validate_json(file.content)
