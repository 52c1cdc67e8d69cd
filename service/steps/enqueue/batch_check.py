"""Everything that can be wrong with a batch, found before any of its jobs is accepted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from service.errors import FieldError, InvalidRequest
from service.steps.enqueue.accept import Enqueue
from service.steps.enqueue.body import (
    MAX_ERRORS_NAMED,
    Asking,
    BatchBody,
    JobBody,
    field_errors,
    sha256_of,
)
from service.steps.enqueue.check import Checked, Findings
from service.steps.enqueue.request import BatchRequest, JobRequest

REFUSED_BATCH = "The batch was not accepted, none of its jobs; nothing was spent."


@dataclass(frozen=True)
class BatchCheck:
    """Reads and checks batches; stores and sends nothing."""

    enqueue: Enqueue

    def read(self, asking: Asking, raw: Mapping[str, Any], key: str | None) -> BatchRequest:
        """Return what a caller asks for; a job calls back by itself only if it says so.

        Raises:
            InvalidRequest: it has the wrong shape; with every error, those in the fields of the
                right shape included.
        """
        try:
            body = BatchBody.model_validate(raw)
        except ValidationError as error:
            found = field_errors(error, BatchBody, JobBody)
            found += self._errors_of_others(error, raw, asking)
            url = raw.get("callback_url")
            if isinstance(url, str) and not any(one.pointer == "/callback_url" for one in found):
                found += self.enqueue.address_errors(url)
            raise InvalidRequest(REFUSED_BATCH, _few(found)) from None
        is_named = "callback_url" in body.model_fields_set
        silent = Asking(asking.project_id)
        return BatchRequest(
            jobs=[
                job.request(said, asking if job.callback_events else silent, None)
                for job, said in zip(body.jobs, raw["jobs"], strict=True)
            ],
            sha256=sha256_of(raw),
            callback_url=body.callback_url if is_named else asking.callback_url,
            callback_is_named=is_named,
            metadata=body.metadata,
            idempotency_key=key,
        )

    def check(self, project_id: UUID, request: BatchRequest) -> list[Checked]:
        """Return what each job means.

        Raises:
            InvalidRequest: with every field that is wrong.
            DatabaseUnavailable: what an input's ids name could not be looked up.
        """
        errors: list[FieldError] = []
        if request.callback_is_named and request.callback_url is not None:
            errors += self.enqueue.address_errors(request.callback_url)
        said: dict[str, list[FieldError]] = {}
        checked: list[Checked] = []
        for index, job in enumerate(request.jobs):
            found = self._examined(project_id, job, said)
            errors += _at(index, found.errors)
            if not errors:
                checked.append(found.whole(REFUSED_BATCH))
        if errors:
            raise InvalidRequest(REFUSED_BATCH, _few(errors))
        return checked

    def _errors_of_others(
        self, error: ValidationError, raw: Mapping[str, Any], asking: Asking
    ) -> list[FieldError]:
        """Return what is wrong in those jobs whose shape is right."""
        places = [problem["loc"] for problem in error.errors()]
        if ("jobs",) in places:
            # then none of them was looked at
            return []
        misshapen = {place[1] for place in places if place[0] == "jobs"}
        found: list[FieldError] = []
        addresses: dict[str, list[FieldError]] = {}
        for index, said in enumerate(raw["jobs"]):
            if index not in misshapen and len(found) < MAX_ERRORS_NAMED:
                job = JobBody.model_validate(said).request(said, asking, None)
                found += _at(index, self._examined(asking.project_id, job, addresses).errors)
        return found

    def _examined(
        self, project_id: UUID, job: JobRequest, addresses: dict[str, list[FieldError]]
    ) -> Findings:
        """Return what a job means; `addresses` is what was said of those of jobs before."""
        found = self.enqueue.examine(project_id, job.model, job.input, provider=job.provider)
        url = job.callback_url if job.callback_is_named else None
        if url is not None:
            # most name the same address, and to look a name up takes its time
            if url not in addresses:
                addresses[url] = self.enqueue.address_errors(url)
            found.errors += addresses[url]
        return found


def _at(index: int, errors: Sequence[FieldError]) -> list[FieldError]:
    return [replace(error, pointer=f"/jobs/{index}{error.pointer}") for error in errors]


def _few(errors: list[FieldError]) -> list[FieldError]:
    more = len(errors) - MAX_ERRORS_NAMED
    return errors if more <= 0 else [*errors[:MAX_ERRORS_NAMED], FieldError("", f"and {more} more")]
