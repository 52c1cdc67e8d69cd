"""What a person may do to one job: withdraw it, or try it again, which is paid for anew."""

import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy import Row
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

    def begin(caller: Caller, job_id: str) -> Row[Any]:
        """Return the job that a person wants to change, who may."""
        caller.require(Scope.SUBMIT)
        row, _ = wiring.browse.job(caller.project_id, known_job(job_id))
        # not sooner: an unknown job is no place to go back to
        lead_back(url_for("timeline.job", job_id=job_id), "Back to the job")
        return row

    @routes.post("/jobs/<job_id>/cancel")
    @page
    def cancel(caller: Caller, job_id: str) -> BaseResponse:
        wiring.enqueue.cancel(caller.project_id, begin(caller, job_id).id)
        return _to(job_id)

    @routes.get("/jobs/<job_id>/retry")
    @page
    def ask_retry(caller: Caller, job_id: str) -> str:
        row = begin(caller, job_id)
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
        row = begin(caller, job_id)
        key = usable_key(request.form.get(KEY_FIELD, ""), f"/{KEY_FIELD}")
        again = wiring.enqueue.retry(caller.project_id, row.id, key)
        return _to(public_id(Kind.JOB, again.row.id))


def _to(job_id: str) -> BaseResponse:
    return redirect(url_for("timeline.job", job_id=job_id), HTTPStatus.SEE_OTHER)
