"""What a request's body and headers ask for."""

import re
from typing import TypeVar

from flask import Request
from pydantic import BaseModel, ValidationError

from service.errors import FieldError, InvalidRequest
from service.keys import Caller
from service.steps.enqueue import Asking, Enqueue, JobRequest, field_errors
from service.web.parsing import read_image_object, read_json_object

Body = TypeVar("Body", bound=BaseModel)

#: Of an Idempotency-Key: printable ASCII, short enough for an index.
_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?", re.ASCII)
#: As it is described: a quote at its begin may be one of the two around it.
IDEMPOTENCY_KEY_PATTERN = r"^[!#-~](?:[ -~]{0,253}[!-~])?$"


def read_as(request: Request, model: type[Body], refusal: str = "Nothing was changed.") -> Body:
    """Return the request's JSON body as a model.

    Raises:
        CallerError: it has the wrong shape; every error is named at once.
    """
    try:
        return model.model_validate(read_json_object(request))
    except ValidationError as error:
        raise InvalidRequest(refusal, field_errors(error, model)) from None


def read_form(request: Request, model: type[Body]) -> Body:
    """Return the fields of a page's form as a model; others that it has are not looked at.

    Raises:
        InvalidRequest: a field is there twice or has the wrong shape; every error is named.
    """
    refusal, said = "Nothing was changed.", request.form
    twice = [name for name in model.model_fields if len(said.getlist(name)) > 1]
    if twice:
        raise InvalidRequest(refusal, [FieldError(f"/{name}", "once only") for name in twice])
    try:
        return model.model_validate(said.to_dict())
    except ValidationError as error:
        raise InvalidRequest(refusal, field_errors(error, model)) from None


def asking(caller: Caller) -> Asking:
    """Return on whose behalf a job is handed in."""
    return Asking(caller.project_id, caller.callback_url, caller.callback_events)


def read_job_request(request: Request, caller: Caller, enqueue: Enqueue) -> JobRequest:
    """Return what a caller asks for.

    Raises:
        CallerError: the body or the Idempotency-Key has the wrong shape; every error is named at
            once, those that `enqueue` finds in the fields of the right shape included.
    """
    raw = read_image_object(request)
    key = read_idempotency_key(request)
    return enqueue.read(asking(caller), raw, key)


def read_idempotency_key(request: Request) -> str | None:
    """Return the request's Idempotency-Key, quoted or bare.

    Raises:
        InvalidRequest: it has one that is not usable.
    """
    said = request.headers.get("Idempotency-Key")
    if said is None:
        return None
    # the draft standard quotes the key, most clients send it bare
    key = said.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    return usable_key(key, "/headers/Idempotency-Key")


def usable_key(key: str, pointer: str) -> str:
    """Return an idempotency key that stood at `pointer`.

    Raises:
        InvalidRequest: it is not usable.
    """
    if not _KEY.fullmatch(key):
        raise InvalidRequest(
            "The Idempotency-Key is not usable.",
            [FieldError(pointer, "1 to 255 printable ASCII characters")],
        )
    return key
