"""The cells of the gallery's wall: stored pictures, and jobs on their way to one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import render_template, url_for

from service.documents import Document, when
from service.ids import Kind, public_id, read_id
from service.keys import Caller
from service.states import Status
from service.web.queries import only_one, wrong_query
from service.wiring import Wiring

#: More cells of jobs than these no wall shows.
MOST_KNOWN = 60
_MOST_CHARS = MOST_KNOWN * 60
#: Pictures are shown in their own proportions, but for strips that would be lines.
_NARROWEST, _WIDEST = 0.45, 4.0


def image_cell(row: Any) -> Document:  # noqa: ANN401 - a Row
    """Return a stored picture."""
    name = public_id(Kind.IMAGE, row.id)
    return {
        "id": name,
        "job_id": public_id(Kind.JOB, row.job_id),
        "prompt": row.prompt,
        "model": row.model,
        "created_at": when(row.created_at),
        "width": row.width,
        "height": row.height,
        "page": url_for("gallery.image", image_id=name),
        "content": url_for("gallery.content", image_id=name),
        "thumbnail": url_for("gallery.small", image_id=name),
        "is_favourite": row.is_favourite,
        "ratio": _ratio(row.width, row.height),
    }


def job_cell(row: Any) -> Document:  # noqa: ANN401 - a Row
    """Return a job that is under way, or has failed."""
    name = public_id(Kind.JOB, row.id)
    return {
        "id": name,
        "status": row.status.value,
        "model": row.model,
        "prompt": row.prompt or "",
        "page": url_for("timeline.job", job_id=name),
        "created_at": when(row.created_at),
        "error": row.error_message,
        "ratio": _asked_ratio(row),
    }


def news(wiring: Wiring, caller: Caller) -> str:
    """Return the cells that have changed since the wall that the query tells of.

    Raises:
        InvalidRequest: the query tells of no wall of ours.
    """
    found = wiring.wall.news(caller.project_id, datetime.now(UTC), _newest(), _known())
    return render_template(
        "wall_news.html",
        jobs=[job_cell(row) for row in found.jobs],
        images=[image_cell(row) for row in found.images],
        gone=[public_id(Kind.JOB, one) for one in found.gone],
    )


def _newest() -> UUID | None:
    said = only_one("newest") or ""
    found = read_id(Kind.IMAGE, said)
    if said and found is None:
        raise wrong_query("newest", "the id of an image")
    return found


def _known() -> Mapping[UUID, Status]:
    """Return the jobs and states that a page shows: `job_….queued,job_….generating`."""
    said = only_one("jobs", _MOST_CHARS) or ""
    known: dict[UUID, Status] = {}
    for part in said.split(",") if said else ():
        name, _, word = part.partition(".")
        job_id = read_id(Kind.JOB, name)
        if job_id is None or word not in list(Status):
            raise wrong_query("jobs", "ids of jobs, each with a dot and its state, and commas")
        known[job_id] = Status(word)
    return known


def _asked_ratio(row: Any) -> str:  # noqa: ANN401 - a Row
    """Return the proportions that a job asks for, or a square where it leaves them to Flux."""
    sides = row.aspect_ratio.split(":") if row.aspect_ratio else [row.width, row.height]
    try:
        width, height = map(int, sides)
    except (TypeError, ValueError):
        return _ratio(1, 1)
    return _ratio(width, height)


def _ratio(width: int, height: int) -> str:
    return f"{min(max(width / max(height, 1), _NARROWEST), _WIDEST):.3f}"
