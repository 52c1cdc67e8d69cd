"""Two images side by side: what differs between how they were made, and what does not."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, url_for
from sqlalchemy import Row

from service.documents import Document, when
from service.keys import Caller
from service.web.differences import Part, differences
from service.web.images import known_image
from service.web.login import guard_pages, page_for
from service.web.queries import only_one, wrong_query
from service.web.wording import clock, cost, file_size, parameter
from service.wiring import Wiring

#: Told apart from a parameter that is there and has no value.
_NOT_SENT = object()


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that both have, or one of them."""

    name: str
    ours: str
    theirs: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Prompts:
    """Both prompts in parts."""

    name: str
    ours: list[Part]
    theirs: list[Part]

    @property
    def differ(self) -> bool:
        """Whether a word differs; spaces do not count."""
        return any(part.differs for part in (*self.ours, *self.theirs))


def compare_blueprint(wiring: Wiring) -> Blueprint:
    """Return the page of two images."""
    routes = Blueprint("compare", __name__)
    guard_pages(routes, wiring.object_store.origin)
    page = page_for(wiring.keys)

    def side(caller: Caller, name: str) -> Document:
        said = only_one(name)
        if not said:
            raise wrong_query(name, "the id of an image")
        row = wiring.browse.image(caller.project_id, known_image(said))
        job, _ = wiring.browse.job(caller.project_id, row.job_id)
        return {"id": said, "row": row, "job": wiring.documents.job(job, [row])}

    @routes.get("/compare")
    @page
    def images(caller: Caller) -> str:
        ours, theirs = side(caller, "a"), side(caller, "b")
        if ours["id"] == theirs["id"]:
            raise wrong_query("b", "another image than `a`")
        return render_template(
            "compare.html",
            caller=caller,
            sides=[_shown("A", ours), _shown("B", theirs)],
            swapped=url_for("compare.images", a=theirs["id"], b=ours["id"]),
            prompts=_prompts(ours["row"], theirs["row"]),
            lines=_lines(ours, theirs),
        )

    return routes


def _shown(letter: str, side: Document) -> Document:
    row, name = side["row"], side["id"]
    return {
        "letter": letter,
        "page": url_for("gallery.image", image_id=name),
        "content": url_for("gallery.content", image_id=name),
        "width": row.width,
        "height": row.height,
        "prompt": row.prompt,
    }


def _prompts(ours: Row[Any], theirs: Row[Any]) -> list[Prompts]:
    told = (
        ("Prompt", ours.prompt, theirs.prompt),
        ("What Flux made of the prompt", ours.revised_prompt or "", theirs.revised_prompt or ""),
    )
    return [Prompts(name, *differences(one, other)) for name, one, other in told if one or other]


def _lines(ours: Document, theirs: Document) -> list[Line]:
    """Return what is known of both, in the order in which it is read."""
    one, other = _facts(ours), _facts(theirs)
    lines = []
    for name in {**one, **other}:
        ours_said, theirs_said = one.get(name, _NOT_SENT), other.get(name, _NOT_SENT)
        # 1 and true are equal to Python, and not to Flux
        differs = ours_said != theirs_said or type(ours_said) is not type(theirs_said)
        lines.append(Line(name, _shown_value(ours_said), _shown_value(theirs_said), differs))
    return lines


def _shown_value(value: object) -> str:
    return "not sent" if value is _NOT_SENT else parameter(value)


def _facts(side: Document) -> dict[str, object]:
    row, job = side["row"], side["job"]
    sent = {name: value for name, value in job["input"].items() if name not in {"prompt", "seed"}}
    asked_for = job["input"].get("seed", "not told by Flux")
    return {
        "model": row.model,
        "seed": asked_for if row.seed is None else int(row.seed),
        "size": f"{row.width} \N{MULTIPLICATION SIGN} {row.height} pixels",
        **sent,
        "cost": cost(job),
        "type": row.content_type,
        "file size": file_size(row.bytes),
        "stored": clock(str(when(row.created_at))),
    }
