"""Jobs that come over the broker instead of HTTP: the same checks, and the answer by callback.

A message is taken again until its outcome is in the database, and its key makes it one job however
often that is. Whoever may write to the broker speaks for every project, so no key is asked for.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Row, func, insert, select

from service.documents import when
from service.errors import (
    AddressForbidden,
    BodyTooLarge,
    CallerError,
    InvalidRequest,
    MalformedRequest,
    NotFound,
    ObjectRefused,
)
from service.ids import new_id
from service.logs import get_log
from service.messages import Message
from service.models import Delivery, DeliveryStatus, Project
from service.moves import origin_of
from service.steps.enqueue.accept import Enqueue
from service.steps.enqueue.body import Asking, field_errors
from service.strict_json import parse_object

#: The event that tells of a job that was not accepted.
JOB_REJECTED = "job.rejected"
#: As much as the API takes, pictures as base64 included, bytes.
MAX_LETTER_BYTES = 30_000_000
#: Of a key that a rejection repeats.
MAX_KEY_CHARS = 255

log = get_log(__name__)


class Letter(BaseModel):
    """The keyword arguments of `darkroom.enqueue`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    project: Annotated[str, Field(min_length=1, max_length=40)]
    #: As the body of `POST /v1/jobs`.
    job: dict[str, Any]
    #: Its message's id where the sender named none.
    idempotency_key: Annotated[str, Field(pattern=r"^[\x21-\x7e][\x20-\x7e]{0,254}$")]


@dataclass(frozen=True)
class Letters:
    """Takes jobs from the broker."""

    enqueue: Enqueue

    def take(self, said: Mapping[str, Any], message_id: object) -> UUID | None:
        """Accept a job, or owe the answer why not; None if it was not accepted.

        Without a key of its own a letter is known by its message's id, which anybody may have
        chosen.

        Raises:
            TransientError: nothing was decided; the same letter may be taken again.
        """
        try:
            is_named = said.get("idempotency_key") is not None
            document = self._document(said if is_named else {**said, "idempotency_key": message_id})
            project = self._project(document.get("project"))
        except CallerError as error:
            # nobody is known who could be told
            log.warning("letter_unreadable", message_id=str(message_id)[:255], reason=str(error))
            return None
        asking = Asking(project.id, project.callback_url, project.callback_events)
        try:
            letter = _letter(document)
            wanted = self.enqueue.read(asking, letter.job, letter.idempotency_key)
            job_id: UUID = self.enqueue.accept(project.id, wanted).row.id
        except CallerError as error:
            self._reject(project, document, error)
            return None
        except ObjectRefused as error:
            # it will be, however often it is offered
            self._reject(project, document, InvalidRequest(f"A picture is not taken: {error}"))
            return None
        return job_id

    def _document(self, said: Mapping[str, Any]) -> dict[str, Any]:
        # Celery's own reader takes what ours does not, and makes times of some of it
        try:
            text = json.dumps(said, default=str)
        except RecursionError:
            raise MalformedRequest("The letter is nested too deep.") from None
        if len(text) > MAX_LETTER_BYTES:
            raise BodyTooLarge(f"A letter may be {MAX_LETTER_BYTES:,} bytes long at most.")
        return parse_object(text.encode())

    def _project(self, name: object) -> Row[Any]:
        if not (isinstance(name, str) and name.isascii() and name.isprintable()):
            raise NotFound("No project is named.")
        wanted = select(Project.id, Project.callback_url, Project.callback_events)
        with self.enqueue.database.transaction() as tx:
            row: Row[Any] | None = tx.first(wanted.where(Project.name == name))
        if row is None:
            raise NotFound("There is no such project.")
        return row

    def _reject(self, project: Row[Any], document: Mapping[str, Any], error: CallerError) -> None:
        log.warning("letter_rejected", code=error.code)
        # as its sender wrote it, which need not be one that we take
        job, key = document.get("job"), str(document["idempotency_key"])[:MAX_KEY_CHARS]
        named = job.get("callback_url") if isinstance(job, dict) else None
        url = self._address(named) or project.callback_url
        if url is None:
            return
        with self.enqueue.database.transaction() as tx:
            tx.execute(
                insert(Delivery).values(
                    id=new_id(),
                    project_id=project.id,
                    seq=1,
                    type=JOB_REJECTED,
                    url=url,
                    origin=origin_of(url),
                    body=_rejection(key, error),
                    status=DeliveryStatus.PENDING,
                    due_at=func.now(),
                )
            )
            tx.ring_after_commit(Message.DELIVER)

    def _address(self, said: object) -> str | None:
        try:
            if isinstance(said, str):
                self.enqueue.addresses.check(said)
                return said
        except AddressForbidden:
            log.info("letter_address_refused")
        return None


def _letter(document: Mapping[str, Any]) -> Letter:
    try:
        return Letter.model_validate(document)
    except ValidationError as error:
        raise InvalidRequest("The letter is not valid.", field_errors(error, Letter)) from None


def _rejection(key: str, error: CallerError) -> str:
    """Return the exact text of the callback: what the API would have answered."""
    problem = {
        "type": f"urn:darkroom:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "errors": [{"pointer": one.pointer, "detail": one.detail} for one in error.errors],
    }
    body = {
        "type": JOB_REJECTED,
        "timestamp": when(datetime.now(UTC)),
        "sequence": 1,
        "data": {"object": "rejection", "idempotency_key": key, "error": problem},
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
