"""What a person may do to one job: withdraw it, or try it again, which is paid for anew."""

import secrets
from collections.abc import Callable
from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from service.documents import credits_text
from service.errors import NotRetryable
from service.ids import Kind, public_id
from service.keys import Caller
from service.models import Scope
from service.states import TERMINAL
from service.web.bodies import usable_key
from service.web.jobs import known_job
from service.web.login import Page, View
from service.web.problem_pages import lead_back
from service.web.wording import price
from service.wiring import Wiring

#: The field by which a form that is sent twice makes one job.
KEY_FIELD = "idempotency_key"


def add_job_actions(routes: Blueprint, page: Callable[[View], Page], wiring: Wiring) -> None:
    """Add the routes that change one job."""

    @routes.post("/jobs/<job_id>/cancel")
    @page
    def cancel(caller: Caller, job_id: str) -> BaseResponse:
        wiring.enqueue.cancel(caller.project_id, _begin(caller, job_id))
        return _to(job_id)

    @routes.get("/jobs/<job_id>/retry")
    @page
    def ask_retry(caller: Caller, job_id: str) -> str:
        row, _ = wiring.browse.job(caller.project_id, _begin(caller, job_id))
        if row.status not in TERMINAL:
            raise NotRetryable(f"The job is {row.status.value}; it may still bring an image.")
        provider = row.provider if row.provider in wiring.enqueue.providers else None
        quote = wiring.enqueue.price(caller.project_id, row.model, row.input, provider)
        return render_template(
            "job_retry.html",
            caller=caller,
            job=wiring.documents.job(row),
            price=price(credits_text(quote.credits)),
            is_exact=quote.exact,
            retried_as=[public_id(Kind.JOB, one) for one in wiring.explain.read(row).retried_as],
            key=f"page-{secrets.token_urlsafe(16)}",
        )

    @routes.post("/jobs/<job_id>/retry")
    @page
    def retry(caller: Caller, job_id: str) -> BaseResponse:
        found = _begin(caller, job_id)
        key = usable_key(request.form.get(KEY_FIELD, ""), f"/{KEY_FIELD}")
        again = wiring.enqueue.retry(caller.project_id, found, key)
        return _to(public_id(Kind.JOB, again.row.id))


def _to(job_id: str) -> BaseResponse:
    return redirect(url_for("timeline.job", job_id=job_id), HTTPStatus.SEE_OTHER)


def _begin(caller: Caller, job_id: str) -> UUID:
    """Return the job that a person wants to change, who may.

    Raises:
        OutOfScope: the key is not for this.
        NotFound: it is no id of a job.
    """
    lead_back(url_for("timeline.job", job_id=job_id), "Back to the job")
    caller.require(Scope.SUBMIT)
    return known_job(job_id)
