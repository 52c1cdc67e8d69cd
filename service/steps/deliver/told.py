"""What a killed worker had delivered and not noted: another of its host notes it (F37)."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from pydantic import TypeAdapter

from service.legacy import Left, Legacy
from service.logs import get_log
from service.steps.deliver.tries import Owed, Try

log = get_log(__name__)

_TRY = TypeAdapter(Try)


@dataclass(frozen=True)
class Told:
    """Tries that succeeded, as long as they are not noted."""

    legacy: Legacy

    def keep(self, owed: Owed, one: Try) -> None:
        """Have others know that nobody needs to be called again, if this process is killed now."""
        try:
            self.legacy.put(_name(owed), _TRY.dump_json(one))
        except OSError as error:
            log.warning("try_not_kept", reason=str(error))

    def forget(self, owed: Owed) -> None:
        """Forget it: it is noted."""
        self.legacy.forget(_name(owed))

    @contextmanager
    def left(self) -> Iterator[list[tuple[UUID, int, Try]]]:
        """Yield the tries of processes that have ended, by delivery and number, in that order.

        They are forgotten unless the block raises.
        """
        with self.legacy.left() as files:
            yield sorted(_read(files), key=lambda one: one[:2])


def _name(owed: Owed) -> str:
    return f"{owed.id.hex}.{owed.tries + 1}"


def _read(files: Iterable[Left]) -> Iterator[tuple[UUID, int, Try]]:
    for file in files:
        delivery, _, number = file.name.partition(".")
        try:
            yield UUID(hex=delivery), int(number), _TRY.validate_json(file.content)
        except ValueError:
            # killed while it wrote: as if it had not come to it
            log.warning("try_unreadable", name=file.name)
