"""Pictures that a page shows small: those an image was made from and into, and a job's input."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import url_for
from sqlalchemy import Row

from service.documents import Document
from service.generation import CATALOGUE
from service.ids import Kind, public_id, read_id
from service.steps.browse import ImageFilter
from service.wiring import Wiring

#: Of the images made from another; a link leads to the others.
CHILDREN_SHOWN = 12


def lineage(wiring: Wiring, row: Row[Any]) -> Document:
    """Return what an image was made from, and the newest of what was made from it."""
    parents = wiring.browse.images_named(row.project_id, row.parent_image_ids)
    children = wiring.browse.images(
        row.project_id, None, CHILDREN_SHOWN, ImageFilter(parent_id=row.id)
    )
    return {
        "parents": [_tile(one, parents) for one in row.parent_image_ids],
        "children": [_tile(child.id, {child.id: child}) for child in children.rows],
        "has_more": children.next_id is not None,
    }


def input_pictures(wiring: Wiring, row: Row[Any]) -> list[Document]:
    """Return the pictures in a job's input, in the order of its model's parameters.

    There are none to tell apart if the model has left the catalogue.
    """
    model = CATALOGUE.get(row.model)
    given = {
        name: row.input[name]
        for name in (model.image_parameters if model else ())
        if isinstance(row.input.get(name), str)
    }
    image_ids = _ids(Kind.IMAGE, given)
    upload_ids = _ids(Kind.UPLOAD, given)
    images = wiring.browse.images_named(row.project_id, image_ids.values())
    uploads = wiring.browse.uploads_named(row.project_id, upload_ids.values())
    shown: list[Document] = []
    for name, value in given.items():
        if name in image_ids:
            shown.append({"name": name, "tile": _tile(image_ids[name], images)})
        elif name in upload_ids:
            shown.append({"name": name, "text": value, "upload": uploads.get(upload_ids[name])})
        else:
            shown.append({"name": name, "text": value})
    return shown


def _ids(kind: Kind, given: Mapping[str, str]) -> dict[str, UUID]:
    return {name: one for name, value in given.items() if (one := read_id(kind, value))}


def _tile(image_id: UUID, found: Mapping[UUID, Row[Any]]) -> Document:
    """Return a thumbnail and where it leads; nowhere if the image is gone."""
    name = public_id(Kind.IMAGE, image_id)
    if image_id not in found:
        return {"id": name, "page": None}
    return {
        "id": name,
        "page": url_for("gallery.image", image_id=name),
        "thumbnail": url_for("gallery.small", image_id=name),
        "prompt": found[image_id].prompt,
    }
