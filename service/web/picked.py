"""The images that a person has picked: `image` in a form or query, once for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from service.errors import FieldError, Gone, InvalidRequest
from service.ids import Kind, read_id
from service.keys import Caller
from service.wiring import Wiring

MAX_PICKED = 200


@dataclass(frozen=True, slots=True)
class Picked:
    """One image at least, in the order in which they were said, and the ids of those deleted."""

    rows: Sequence[Row[Any]]
    gone: set[UUID]

    @property
    def ids(self) -> list[UUID]:
        """Those that are there."""
        return [row.id for row in self.rows]


def picked_ids(said: Sequence[str]) -> list[UUID]:
    """Return the images that were picked, each once, in the order in which they were said.

    Raises:
        InvalidRequest: none, more than MAX_PICKED, or what is no id.
    """
    found = [read_id(Kind.IMAGE, text) for text in dict.fromkeys(said)]
    known = [one for one in found if one is not None]
    if len(known) < len(found):
        raise _refused("an id: img_ and 32 hexadecimal digits")
    if not known:
        raise _refused("one at least; nothing was picked")
    if len(known) > MAX_PICKED:
        raise _refused(f"{MAX_PICKED} at most; these are {len(known)}")
    return known


def picked(wiring: Wiring, caller: Caller, said: Sequence[str]) -> Picked:
    """Return the images that were picked.

    Raises:
        InvalidRequest: as `picked_ids`.
        NotFound: some are no images of the caller's project.
        Gone: none is left.
    """
    rows, gone = wiring.browse.picked(caller.project_id, picked_ids(said))
    if not rows:
        raise Gone("All images that were picked have been deleted.")
    return Picked(rows, gone)


def _refused(detail: str) -> InvalidRequest:
    return InvalidRequest("Nothing was done.", [FieldError("/image", detail)])
