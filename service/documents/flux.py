"""What Flux clients see of a job, in upstream's words.

Facts: BFL's OpenAPI (2026-04) for the fields and status words, recorded traffic (2025-12) for what
they hold, BFL's release note of 2026-06-15 for `details` of moderated requests.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from service.documents.api import Document, ImageRow
from service.generation import Model, PictureSize, quote
from service.generation.pricing import MEGAPIXEL_PIXELS
from service.ids import Kind, public_id
from service.signing.links import LinkSigner
from service.states import ErrorCode, Status

_MODERATED = {
    ErrorCode.REQUEST_MODERATED: "Request Moderated",
    ErrorCode.CONTENT_MODERATED: "Content Moderated",
}
#: Of an event's detail, what we put there ourselves beside upstream's own details.
_OURS = frozenset({"code", "heard_by"})


@dataclass(frozen=True)
class FluxDocuments:
    """Renders jobs as Flux's API does; knows where we are reached and how links are signed."""

    base_url: str
    links: LinkSigner

    def accepted(
        self, row: Row[Any], model: Model, sizes: Mapping[str, PictureSize], prefix: str
    ) -> Document:
        """Return the answer to a submission.

        `sizes` are those of the input's pictures by parameter, as far as they are known; `prefix`
        stands before `/v1` in the path that the job came by. With a webhook, BFL's OpenAPI has an
        answer without `polling_url`; clients were seen that want it always.
        """
        job_id = public_id(Kind.JOB, row.id)
        token = self.links.result_token(row.project_id, row.id)
        document: Document = {
            "id": job_id,
            "polling_url": f"{self.base_url}{prefix}/v1/get_result?id={job_id}&token={token}",
            "cost": _number(row.cost_estimated),
            "input_mp": _input_megapixels(row, model, sizes),
            "output_mp": _megapixels(quote(model, row.input, sizes).output_pixels),
        }
        if row.callback_url is not None:
            document |= {"status": "Pending", "webhook_url": row.callback_url}
        return document

    def result(
        self,
        row: Row[Any],
        images: Sequence[ImageRow],
        ended: Mapping[str, Any] | None = None,
    ) -> Document:
        """Return what `get_result` says of a job; `ended` is the detail of its last event."""
        document = _document(public_id(Kind.JOB, row.id), "Pending")
        if images:
            cost = _number(row.cost_actual)
            document |= {"status": "Ready", "result": self._result(row, images[0])}
            document |= {} if cost is None else {"cost": cost}
        elif row.error_code in _MODERATED:
            details = {name: value for name, value in (ended or {}).items() if name not in _OURS}
            document |= {"status": _MODERATED[row.error_code], "details": details or None}
        elif row.error_code is not None:
            details = {"code": row.error_code.value, "message": row.error_message}
            document |= {"status": "Error", "details": details}
        elif row.status is Status.SUCCEEDED:
            details = {"code": "gone", "message": "the image was deleted"}
            document |= {"status": "Error", "details": details}
        elif row.status is Status.CANCELED:
            details = {"code": "canceled", "message": "withdrawn before Flux was asked"}
            document |= {"status": "Error", "details": details}
        return document

    def callback(
        self,
        row: Row[Any],
        images: Sequence[ImageRow],
        ended: Mapping[str, Any],
    ) -> str:
        """Return the exact text of a callback's body: what `get_result` says at this moment."""
        document = self.result(row, images, ended)
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"))

    def image_of_sample(self, project_id: UUID, url: str) -> UUID | None:
        """Return the image of this project that a `result.sample` of ours opens, if it is one."""
        if not url.startswith(self._samples):
            return None
        token = url.removeprefix(self._samples).partition("/")[0]
        opened = self.links.sample(token, datetime.now(UTC))
        return opened[1] if opened is not None and opened[0] == project_id else None

    @property
    def _samples(self) -> str:
        return f"{self.base_url}/flux/samples/"

    def _result(self, row: Row[Any], image: ImageRow) -> Document:
        token = self.links.sample_token(row.project_id, image.id, datetime.now(UTC))
        extension = image.content_type.removeprefix("image/")
        return {
            "sample": f"{self._samples}{token}/sample.{extension}",
            # a client that was seen refuses a result without one; Flux's own word comes after it
            "prompt": image.prompt,
            **(row.result or {}),
        }


def task_not_found(job_id: str) -> Document:
    """Return what `get_result` says of an id that is nobody's, or another project's."""
    return _document(job_id, "Task not found")


def _document(job_id: str, status: str) -> Document:
    unknown = dict.fromkeys(("result", "progress", "details", "preview"))
    return {"id": job_id, "status": status, **unknown}


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _input_megapixels(
    row: Row[Any], model: Model, sizes: Mapping[str, PictureSize]
) -> float | None:
    """Return the size of all pictures of the input; None if one of them is not known."""
    pictures = [name for name in model.image_parameters if name in row.input]
    if any(name not in sizes for name in pictures):
        return None
    return _megapixels(sum(sizes[name].pixels for name in pictures))


def _megapixels(pixels: int | None) -> float | None:
    """Return pixels as upstream shows them: 0.06 for 256x256 (recorded 2025-12)."""
    return None if pixels is None else round(pixels / MEGAPIXEL_PIXELS, 2)
