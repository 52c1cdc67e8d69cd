"""The one module that knows what stands behind the pictures in a job's input.

A caller gives a URL, base64, or the id of an image or upload of ours. Base64 is stored as an upload
and its id kept in its place, so that jobs stay small. At submit time every id becomes a presigned
URL where the model takes one and upstream can reach the bucket, and base64 elsewhere.
"""

import base64
import binascii
import math
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Row, literal, select, union_all, update

from service.database import Database, Transaction
from service.errors import FieldError, InputGone, InvalidRequest, ResultInvalid, StorageUnavailable
from service.generation import (
    Catalogue,
    ImageSource,
    Model,
    PictureSize,
    check_pictures,
    image_source,
)
from service.ids import Kind, public_id, read_id
from service.inputs.uploads import Handed, Uploads, is_usable, not_an_image
from service.models import images, uploads

#: How long upstream may fetch an input image after the submission, seconds.
INPUT_URL_LIFETIME_SECONDS = 300

_KINDS = {ImageSource.IMAGE: Kind.IMAGE, ImageSource.UPLOAD: Kind.UPLOAD}
_UNKNOWN = "there is no such image or upload"


class Bucket(Protocol):
    """Where images and uploads live."""

    def get(self, bucket: str, key: str) -> bytes:
        """Return an object, or raise FileNotFoundError or StorageUnavailable."""
        ...

    def presign(self, bucket: str, key: str, lifetime_seconds: int) -> str:
        """Return a URL that opens an object without a key."""
        ...


@dataclass(frozen=True)
class Examined:
    """What is known of the pictures in an input; by parameter, URLs left out."""

    sizes: Mapping[str, PictureSize]
    #: Images of ours among them, in the order of the model's parameters, each once.
    parent_image_ids: list[UUID]
    #: Those given as base64, not stored yet.
    handed: Mapping[str, Handed]
    errors: list[FieldError]


@dataclass(frozen=True)
class Inputs:
    """Looks behind the pictures of an input, keeps them, and puts them into upstream's words."""

    database: Database
    bucket: Bucket
    catalogue: Catalogue
    uploads: Uploads
    #: Whether upstream can fetch what the bucket serves; if not, everything goes as base64.
    upstream_reaches_bucket: bool

    def examine(self, project_id: UUID, model: Model, cleaned: Mapping[str, Any]) -> Examined:
        """Look into or up every picture of an input that `validate_input` has cleaned.

        Raises:
            DatabaseUnavailable: what the ids name could not be looked up.
        """
        given = _pictures(model, cleaned)
        ids = {name: value for name, value in given.items() if image_source(value) in _KINDS}
        found = self._find(project_id, ids.values())
        sizes = {
            name: PictureSize(found[value].width, found[value].height, found[value].bytes)
            for name, value in ids.items()
            if value in found
        }
        errors = [FieldError(f"/input/{name}", _UNKNOWN) for name in ids if name not in sizes]
        handed = {}
        for name, value in given.items():
            if image_source(value) is ImageSource.BASE64:
                try:
                    handed[name] = Handed.in_memory(base64.b64decode(value, validate=True))
                    sizes[name] = handed[name].size
                except (binascii.Error, ResultInvalid) as error:
                    errors.append(FieldError(f"/input/{name}", not_an_image(error)))
        errors += check_pictures(model, cleaned, sizes)
        parents = [
            found[value].id
            for value in ids.values()
            if value in found and image_source(value) is ImageSource.IMAGE
        ]
        return Examined(sizes, list(dict.fromkeys(parents)), handed, errors)

    def keep(
        self, project_id: UUID, cleaned: Mapping[str, Any], examined: Examined
    ) -> dict[str, Any]:
        """Store the pictures given as base64; return the input with their ids in their place.

        Raises:
            StorageUnavailable: S3 did not confirm one of them.
            DatabaseUnavailable: nothing was stored.
        """
        ids = self.uploads.add(project_id, list(examined.handed.values()))
        kept = zip(examined.handed, ids, strict=True)
        return {**cleaned, **{name: public_id(Kind.UPLOAD, one) for name, one in kept}}

    def refer(
        self,
        tx: Transaction,
        project_id: UUID,
        inputs: Mapping[str, tuple[Model, Mapping[str, Any]]],
    ) -> None:
        """Let the uploads that inputs name live as long as the jobs of this transaction.

        The inputs come by the pointers to them, all of a transaction's at once.

        Raises:
            InvalidRequest: one of them has expired meanwhile; roll back.
        """
        named = {
            f"{pointer}/{name}": upload_id
            for pointer, (model, kept) in inputs.items()
            for name, value in _pictures(model, kept).items()
            if (upload_id := read_id(Kind.UPLOAD, value)) is not None
        }
        if not named:
            return
        mine = (uploads.c.project_id == project_id, uploads.c.id.in_(set(named.values())))
        # only those that could expire are locked, in one order: an upload that many jobs share
        # holds nobody up, and nobody waits in a circle
        mortal = (
            select(uploads.c.id)
            .where(*mine, uploads.c.expires_at.is_not(None), is_usable())
            .order_by(uploads.c.id)
            .with_for_update()
            .cte()
        )
        tx.execute(
            update(uploads).where(uploads.c.id.in_(select(mortal.c.id))).values(expires_at=None)
        )
        lasting = select(uploads.c.id).where(*mine, uploads.c.expires_at.is_(None), is_usable())
        there = {row.id for row in tx.rows(lasting)}
        if gone := [place for place, upload_id in named.items() if upload_id not in there]:
            raise InvalidRequest(
                "Nothing was accepted; nothing was spent.",
                [FieldError(place, _UNKNOWN) for place in gone],
            )

    def reads_bytes(self, model: str, given: Mapping[str, Any]) -> bool:
        """Say whether `body` will read pictures, for it to hold them as base64."""
        facts = self.catalogue.get(model)
        return facts is not None and any(
            image_source(value) in _KINDS and not self._as_url(facts, name, given)
            for name, value in _pictures(facts, given).items()
        )

    def body(
        self,
        project_id: UUID,
        model: str,
        given: Mapping[str, Any],
        read_by: float = math.inf,
    ) -> dict[str, Any]:
        """Return upstream's request body, without its webhook fields, for a job's input.

        No further picture is read after `read_by` on the monotonic clock.

        Raises:
            StorageUnavailable: S3 does not answer, or not in time.
            DatabaseUnavailable: what the ids name could not be looked up.
            InputGone: an image or upload is no longer there.
        """
        facts = self.catalogue[model]
        ids = {
            name: value
            for name, value in _pictures(facts, given).items()
            if image_source(value) in _KINDS
        }
        found = self._find(project_id, ids.values())
        sent = dict(given)
        for name, value in ids.items():
            if value not in found:
                raise InputGone(f"{name}: {value} is no longer there")
            place = found[value]
            if self._as_url(facts, name, given):
                lifetime = INPUT_URL_LIFETIME_SECONDS
                sent[name] = self.bucket.presign(place.bucket, place.key, lifetime)
            elif time.monotonic() > read_by:
                raise StorageUnavailable("S3 did not give all pictures of the input in time")
            else:
                sent[name] = self._base64(name, value, place)
        return sent

    def _as_url(self, model: Model, name: str, given: Mapping[str, Any]) -> bool:
        return self.upstream_reaches_bucket and model.takes_url(name, given)

    def _base64(self, name: str, value: str, place: Row[Any]) -> str:
        try:
            return base64.b64encode(self.bucket.get(place.bucket, place.key)).decode()
        except FileNotFoundError as error:
            raise InputGone(f"{name}: the bucket does not hold {value} any more") from error

    def _find(self, project_id: UUID, ids: Collection[str]) -> dict[str, Row[Any]]:
        """Look up images and uploads of a project by their public ids; what is not there is not."""
        if not ids:
            return {}
        asked = [
            select(literal(kind.value).label("kind"), *_columns(table)).where(
                table.c.project_id == project_id,
                table.c.id.in_([uuid for one in ids if (uuid := read_id(kind, one))]),
                *conditions,
            )
            for kind, table, conditions in (
                (Kind.IMAGE, images, ()),
                (Kind.UPLOAD, uploads, (is_usable(),)),
            )
        ]
        with self.database.transaction() as tx:
            rows = tx.rows(union_all(*asked))
        return {public_id(Kind(row.kind), row.id): row for row in rows}


def _pictures(model: Model, given: Mapping[str, Any]) -> dict[str, str]:
    """Return the pictures in an input, in the order of the model's parameters."""
    return {
        name: given[name] for name in model.image_parameters if isinstance(given.get(name), str)
    }


def _columns(table: Any) -> list[Any]:  # noqa: ANN401 - SQLAlchemy's Table
    return [table.c[name] for name in ("id", "bucket", "key", "width", "height", "bytes")]
