"""What a killed worker had delivered and not noted: another of its host notes it (F37)."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from pydantic import TypeAdapter

from service.legacy import Left, Legacy
from service.logs import get_log
from service.steps.deliver.tries import Owed, Run, Try

log = get_log(__name__)

_TRY = TypeAdapter(Try)


class Page:
    """The tries of one run that succeeded, a line each."""

    def __init__(self, legacy: Legacy, name: str) -> None:
        """Prepare it; there is a file from the first success on."""
        self._legacy = legacy
        self._name = name

    def keep(self, owed: Owed, one: Try) -> None:
        """Have others know that nobody needs to be called again, if this process is killed now."""
        line = f"{owed.id.hex} {owed.tries + 1} ".encode() + _TRY.dump_json(one) + b"\n"
        try:
            self._legacy.add(self._name, line)
        except OSError as error:
            log.warning("try_not_kept", reason=str(error))


@dataclass(frozen=True)
class Told:
    """Tries that succeeded, as long as they are not noted."""

    legacy: Legacy

    def page(self, run: Run) -> Page:
        """Return where the tries of a run are kept."""
        return Page(self.legacy, _name(run))

    def forget(self, run: Run) -> None:
        """Forget a run: its tries are noted."""
        self.legacy.forget(_name(run))

    @contextlib.contextmanager
    def left(self) -> Iterator[list[tuple[UUID, int, Try]]]:
        """Yield the tries of processes that have ended, by delivery and number, in that order.

        They are forgotten unless the block raises.
        """
        with self.legacy.left() as files:
            yield sorted(_read(files), key=lambda one: one[:2])


def _name(run: Run) -> str:
    return f"{run.owed[0].id.hex}.{run.owed[0].tries + 1}"


def _read(files: Iterable[Left]) -> Iterator[tuple[UUID, int, Try]]:
    for file in files:
        for line in file.content.splitlines():
            try:
                delivery, number, one = line.split(b" ", 2)
                yield UUID(hex=delivery.decode()), int(number), _TRY.validate_json(one)
            except ValueError:
                # killed while it wrote: as if it had not come to it
                log.warning("try_unreadable", name=file.name)
