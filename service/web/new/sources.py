"""What a form begins with: nothing, another job, or an image to be changed."""

from dataclasses import dataclass
from typing import Any

from service.errors import InvalidRequest
from service.generation import CATALOGUE, Model, unknown_model
from service.ids import Kind, public_id, read_id
from service.keys import Caller
from service.web.images import known_image
from service.web.new.draft import DEFAULT_MODEL, Draft
from service.web.queries import only_one, wrong_query
from service.wiring import Wiring

#: Of the models that change a picture.
_EDITED = "input_image"


@dataclass(frozen=True)
class Start:
    """A form before anybody has typed."""

    draft: Draft
    title: str = "New picture"
    #: A sentence or two below the title.
    lead: str = ""
    #: Whether all is filled in, so that what is wrong with it is worth saying at once.
    is_whole: bool = False


def start(wiring: Wiring, caller: Caller) -> Start:
    """Return what the query asks for.

    Raises:
        InvalidRequest: it does not go together, or names no model.
        NotFound, Gone: there is no such image or job.
    """
    like, edit, model = only_one("like"), only_one("edit"), _model(only_one("model"))
    if like and edit:
        raise wrong_query("edit", "either this or like; both stand there")
    if edit:
        return _editing(wiring, caller, edit, model)
    if like:
        return _like(wiring, caller, like, model)
    return Start(Draft(model.name if model else DEFAULT_MODEL))


def _model(name: str | None) -> Model | None:
    if not name:
        return None
    model = CATALOGUE.get(name)
    if model is None:
        raise InvalidRequest("There is no such model.", [unknown_model(name)])
    return model


def _like(wiring: Wiring, caller: Caller, like: str, model: Model | None) -> Start:
    job_id, seed = read_id(Kind.JOB, like), None
    if job_id is None:
        image = wiring.browse.image(caller.project_id, known_image(like))
        job_id, seed = image.job_id, image.seed
    row, _ = wiring.browse.job(caller.project_id, job_id)
    before = Draft.like(wiring.documents.job(row), None if seed is None else int(seed))
    lead = "All is filled in as it was. The same seed draws nearly the same picture again."
    if before.model not in CATALOGUE.names():
        lead = f"It was made with {before.model}, which is no longer to be had. {lead}"
    return Start(before.to(model or before.facts), "Another like this", lead, is_whole=True)


def _editing(wiring: Wiring, caller: Caller, edit: str, model: Model | None) -> Start:
    image: Any = wiring.browse.image(caller.project_id, known_image(edit))
    own = CATALOGUE.get(image.model)
    if model is None and own is not None and _EDITED in own.images:
        model = own
    model = model or CATALOGUE[DEFAULT_MODEL]
    given = {name: public_id(Kind.IMAGE, image.id) for name in model.image_parameters[:1]}
    return Start(
        Draft(model.name, given), "Edit this picture", "Say in the prompt what shall change."
    )
