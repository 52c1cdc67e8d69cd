"""Slips: what this host knows of its intents when the process that has them is killed.

`held` names those of one claim, from before their commit until all of them are recorded; `begun`
lies there from right before a send, upstream's answer (`accepted`, `refused`) from its arrival.
Whoever finds the slips of a process that has ended knows what that one knew.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from pydantic import TypeAdapter

from service.ids import new_id
from service.legacy import Left, Legacy
from service.logs import get_log
from service.upstream import Accepted, NotSent, Refused, SubmitOutcome, Unusable

log = get_log(__name__)

_HELD = "held"
_BEGUN = "begun"
#: Outcomes that are worth as much from another process, by the slip's suffix.
_DEFINITE: Mapping[str, TypeAdapter[SubmitOutcome]] = {
    kind.__name__.lower(): TypeAdapter(kind) for kind in (Accepted, NotSent, Refused, Unusable)
}
_NOT_SENT = NotSent.__name__.lower()
_UNSENT = NotSent("its worker ended before it began to send")


@dataclass
class Slips:
    """The slips of this process, and of those before it."""

    legacy: Legacy
    #: The name of the slip that holds an attempt.
    _held: dict[UUID, str] = field(default_factory=dict)
    #: Attempts that are over, of slips that hold others still.
    _over: dict[str, list[UUID]] = field(default_factory=dict)
    #: The name of the slip that says what became of an attempt.
    _said: dict[UUID, str] = field(default_factory=dict)

    def hold(self, attempt_ids: Sequence[UUID]) -> None:
        """Note that none of these is sent before `begin`; to be called before their commit."""
        name = _name(new_id(), _HELD)
        try:
            self.legacy.put(name, b"\n".join(one.hex.encode() for one in attempt_ids))
        except OSError as error:
            # they are sent all the same; only a killed worker will leave them in doubt
            log.warning("slip_not_written", reason=str(error))
            if not self._may_lie_there(name):
                return
        self._held |= dict.fromkeys(attempt_ids, name)

    def begin(self, attempt_id: UUID) -> None:
        """Note that this may have been sent from now on.

        Raises:
            OSError: it must not be sent, because another process may have taken it for unsent.
        """
        if attempt_id in self._held:
            self.legacy.make(_name(attempt_id, _BEGUN))

    def say(self, attempt_id: UUID, outcome: SubmitOutcome) -> None:
        """Keep what became of it until it is recorded."""
        kind = type(outcome).__name__.lower()
        if kind in _DEFINITE:
            name = self._said[attempt_id] = _name(attempt_id, kind)
            try:
                self.legacy.put(name, _DEFINITE[kind].dump_json(outcome))
            except (OSError, ValueError) as error:
                log.warning("slip_not_written", reason=str(error))

    def drop(self, attempt_ids: Iterable[UUID]) -> None:
        """Forget these: all that is known of them is recorded."""
        for attempt_id in attempt_ids:
            self.release([attempt_id])
            if name := self._said.pop(attempt_id, None):
                self.legacy.forget(name)

    def release(self, attempt_ids: Iterable[UUID]) -> None:
        """Forget these: they were never committed."""
        for attempt_id in attempt_ids:
            held = self._held.pop(attempt_id, None)
            if held is None:
                continue
            self._over.setdefault(held, []).append(attempt_id)
            # as long as the slip that holds it lies there, what was begun must be known as begun
            if held not in self._held.values() and not self._may_lie_there(held):
                for one in self._over.pop(held):
                    self.legacy.forget(_name(one, _BEGUN))

    @contextmanager
    def left(self) -> Iterator[Mapping[UUID, SubmitOutcome]]:
        """Yield what processes knew that have ended; it is forgotten unless the block raises."""
        with self.legacy.left() as files:
            known: dict[UUID, SubmitOutcome] = {}
            # an answer says more than that nothing was sent
            for file in sorted(files, key=lambda file: not file.name.endswith(_HELD)):
                try:
                    known |= _read(file)
                except ValueError:
                    # killed while it wrote, or no file of ours: as if it had not come to it
                    log.warning("slip_unreadable", slip=file.name)
            yield known

    def _may_lie_there(self, name: str) -> bool:
        try:
            self.legacy.take_back(name)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False


def _name(slip_id: UUID, kind: str) -> str:
    return f"{slip_id.hex}.{kind}"


def _read(file: Left) -> Mapping[UUID, SubmitOutcome]:
    """Return what a slip proves; raise ValueError for one that is none."""
    stem, _, kind = file.name.partition(".")
    if kind == _BEGUN:
        return {}
    if kind == _HELD:
        # after a boot the disk may not show any more what was begun
        held = [UUID(hex=line.decode()) for line in file.content.split()]
        unsent = [one for one in held if file.is_certain and file.seize(_name(one, _BEGUN))]
        for one in unsent:
            # for whoever comes next, should this not be recorded now
            file.leave(_name(one, _NOT_SENT), _DEFINITE[_NOT_SENT].dump_json(_UNSENT))
        return dict.fromkeys(unsent, _UNSENT)
    adapter = _DEFINITE.get(kind)
    if adapter is None:
        raise ValueError(kind)
    return {UUID(hex=stem): adapter.validate_json(file.content)}
