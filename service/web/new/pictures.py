"""The pictures of a form: those that come with it are kept, those that it names are shown."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from flask import url_for
from werkzeug.datastructures import FileStorage

from service.documents import IMAGE_URL_LIFETIME_SECONDS, Document
from service.errors import CallerError, FieldError, StorageUnavailable
from service.ids import Kind, public_id, read_id
from service.keys import Caller
from service.web.new.draft import Draft
from service.web.new.reading import Form
from service.web.operation import Api
from service.web.uploads import picture_of
from service.wiring import Wiring

_PIECE_BYTES = 64 * 1024


def keep(wiring: Wiring, caller: Caller, form: Form) -> Form:
    """Take a form's pictures in as uploads; return it with their ids, and why some were not."""
    kept: dict[str, str] = {}
    errors: list[FieldError] = []
    for name, file in form.files.items():
        try:
            Api(wiring).count(caller)
            row = wiring.upload.take(caller.project_id, picture_of(_pieces(file)))
            kept[name] = public_id(Kind.UPLOAD, row.id)
        except CallerError as error:
            details = [one.detail for one in error.errors] or [error.detail]
            errors += [FieldError(f"/input/{name}", detail) for detail in details]
        except StorageUnavailable:
            detail = "could not be stored just now; choose the file again in a moment"
            errors.append(FieldError(f"/input/{name}", detail))
    draft = replace(form.draft, given={**form.draft.given, **kept})
    return replace(form, draft=draft, files={}, errors=[*form.errors, *errors])


def shown(wiring: Wiring, project_id: UUID, draft: Draft) -> dict[str, Document]:
    """Return what is known of the pictures that a draft names, by parameter.

    One of another address is not: a page loads nothing from elsewhere.
    """
    named = {name: draft.given[name] for name in draft.facts.images if draft.given.get(name)}
    images = {name: one for name, text in named.items() if (one := read_id(Kind.IMAGE, text))}
    uploads = {name: one for name, text in named.items() if (one := read_id(Kind.UPLOAD, text))}
    there = wiring.browse.images_named(project_id, images.values())
    handed = wiring.browse.uploads_named(project_id, uploads.values())
    return {
        name: {
            "source": url_for("gallery.small", image_id=named[name]),
            "alt": there[one].prompt,
            "width": there[one].width,
            "height": there[one].height,
        }
        for name, one in images.items()
        if one in there
    } | {
        name: {
            "source": wiring.object_store.presign(
                handed[one].bucket, handed[one].key, IMAGE_URL_LIFETIME_SECONDS
            ),
            "alt": "",
            "width": handed[one].width,
            "height": handed[one].height,
        }
        for name, one in uploads.items()
        if one in handed and handed[one].discarded_at is None
    }


def _pieces(file: FileStorage) -> Iterator[bytes]:
    while piece := file.stream.read(_PIECE_BYTES):
        yield piece
