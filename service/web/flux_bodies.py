"""The body of a submission to Flux's own API: a model's parameters, and a webhook beside them."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from flask import Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from service.documents import FluxDocuments
from service.errors import InvalidRequest
from service.generation import Model
from service.ids import Kind, public_id
from service.models import CallbackForm
from service.signing.flux_callback import MAX_SECRET_CHARS, can_be_sent
from service.steps.enqueue import MAX_CALLBACK_URL_CHARS, JobRequest, field_errors
from service.web.bodies import read_idempotency_key
from service.wiring import Wiring


def _sendable(secret: str) -> str:
    if not can_be_sent(secret):
        raise ValueError(
            f"takes at most {MAX_SECRET_CHARS} printable ASCII characters, no space at either "
            "end: it is sent back as a header"
        )
    return secret


class FluxWebhook(BaseModel):
    """Where a Flux client wants to be called, and what proves the call to it.

    The parameters of the model lie beside it: `input_schema` of `GET /v1/models/{name}`.
    """

    model_config = ConfigDict(strict=True, json_schema_extra={"additionalProperties": True})

    webhook_url: Annotated[str, Field(max_length=MAX_CALLBACK_URL_CHARS)] | None = None
    webhook_secret: Annotated[str, AfterValidator(_sendable)] | None = None


def read_flux_request(
    request: Request, body: dict[str, Any], project_id: UUID, model: Model, wiring: Wiring
) -> JobRequest:
    """Return what a Flux client asks for.

    Raises:
        InvalidRequest: the Idempotency-Key or the webhook has the wrong shape; every error is named
            at once, those in the other fields included.
    """
    names = FluxWebhook.model_fields
    given = {name: value for name, value in body.items() if name not in names}
    given |= _our_own(given, project_id, model, wiring.flux_documents)
    # upstream's own example says with an empty string that there is none
    said = {name: body[name] for name in names if body.get(name, "") != ""}
    try:
        webhook = FluxWebhook.model_validate(said)
    except ValidationError as error:
        misshapen = {problem["loc"][0] for problem in error.errors()}
        url = None if "webhook_url" in misshapen else said.get("webhook_url")
        found = wiring.enqueue.examine(project_id, model.name, given, callback_url=url)
        errors = field_errors(error, FluxWebhook) + found.errors
        raise InvalidRequest("Not accepted; nothing was spent.", errors) from None
    canonical = json.dumps([model.name, body], sort_keys=True, separators=(",", ":")).encode()
    return JobRequest(
        model=model.name,
        input=given,
        sha256=hashlib.sha256(canonical).digest(),
        callback_url=webhook.webhook_url,
        callback_form=CallbackForm.FLUX,
        callback_secret=webhook.webhook_secret if webhook.webhook_url else None,
        idempotency_key=read_idempotency_key(request),
    )


def _our_own(
    given: Mapping[str, Any], project_id: UUID, model: Model, documents: FluxDocuments
) -> dict[str, str]:
    """Return the ids of those images that are given by the `result.sample` of an earlier answer.

    As ids they are known as parents, and go to models that take no URL, too.
    """
    urls = {name: given[name] for name in model.images if isinstance(given.get(name), str)}
    return {
        name: public_id(Kind.IMAGE, image_id)
        for name, url in urls.items()
        if (image_id := documents.image_of_sample(project_id, url)) is not None
    }
