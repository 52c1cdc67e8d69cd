"""The routes of `/new`: the form, its check with the price, and the sending of what was checked."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from service.errors import (
    BodyTooLarge,
    CallerError,
    DatabaseUnavailable,
    FieldError,
    IdempotencyConflict,
    InvalidRequest,
    StorageUnavailable,
)
from service.ids import Kind, public_id
from service.keys import Caller
from service.models import Scope
from service.steps.enqueue import JobRequest
from service.web.big_bodies import take_place
from service.web.login import Page, View, guard_pages, page_for
from service.web.new.draft import Draft
from service.web.new.drawing import check_page, form_page, price_part
from service.web.new.judging import Verdict, is_agreed, judged
from service.web.new.pictures import keep
from service.web.new.reading import read_form
from service.web.new.sources import Start, start
from service.web.operation import Api
from service.web.parsing import MAX_BODY_BYTES, MAX_IMAGE_BODY_BYTES
from service.web.problems import RETRY_AFTER_SECONDS
from service.web.uploads import FORM_TYPE
from service.wiring import Wiring

#: An Idempotency-Key that a check of ours gave.
_KEY = re.compile(r"form-[A-Za-z0-9_-]{22}", re.ASCII)
_STALE = "This page was out of date. Look it over again before you send it."
_RISEN = "The price has risen since you saw it. This is what it costs now; nothing was sent."
_NOT_NOW = "It could not be sent just now. Send it again in a moment; it is paid for once at most."


def new_blueprint(wiring: Wiring) -> Blueprint:
    """Return the routes of the form."""
    routes = Blueprint("new", __name__, url_prefix="/new")
    routes.before_request(_make_room)
    guard_pages(routes, wiring.object_store.origin)
    page, desk = page_for(wiring.keys), Desk(wiring)

    def for_submitters(view: View) -> Page:
        @wraps(view)
        def admitted(caller: Caller) -> str | BaseResponse:
            caller.require(Scope.SUBMIT)
            return view(caller)

        return page(admitted)

    routes.get("")(for_submitters(desk.blank))
    routes.post("")(for_submitters(desk.send))
    for step in (desk.form, desk.check):
        routes.post(f"/{step.__name__}")(for_submitters(step))
        # whoever had to log in first comes back by GET
        routes.get(f"/{step.__name__}", endpoint=f"{step.__name__}_by_get")(
            for_submitters(desk.anew)
        )
    routes.post("/price")(for_submitters(desk.price))
    return routes


def _make_room() -> None:
    """Let a form with pictures be as long as a body of the API that holds some."""
    if request.mimetype != FORM_TYPE:
        return
    take_place(request)
    request.max_content_length = MAX_IMAGE_BODY_BYTES
    request.max_form_memory_size = MAX_BODY_BYTES
    if (request.content_length or 0) > MAX_IMAGE_BODY_BYTES:
        raise BodyTooLarge(
            f"A form with its pictures may be {MAX_IMAGE_BODY_BYTES:,} bytes long at most. "
            "Hand them in one at a time: each is kept when the form is checked."
        )


@dataclass(frozen=True)
class Desk:
    """Where people write jobs."""

    wiring: Wiring

    def blank(self, caller: Caller) -> Response:
        """Show the form as the query wants it to begin."""
        begun = start(self.wiring, caller)
        verdict = judged(self.wiring, caller, begun.draft)
        errors = verdict.errors if begun.is_whole else ()
        return form_page(self.wiring, caller, begun, errors, verdict.quote)

    def anew(self, _caller: Caller) -> BaseResponse:
        """Lead to the empty form."""
        return redirect(url_for("new.blank"), HTTPStatus.SEE_OTHER)

    def form(self, caller: Caller) -> Response:
        """Show the form again, with the fields of another model if it names one."""
        form = keep(self.wiring, caller, read_form(request))
        quote = judged(self.wiring, caller, form.rewritten).quote
        return form_page(self.wiring, caller, Start(form.rewritten), form.errors, quote)

    def price(self, caller: Caller) -> str:
        """Say what the form would cost, for a page that shows it already."""
        draft = read_form(request).draft
        return price_part(draft, judged(self.wiring, caller, draft).quote)

    def check(self, caller: Caller) -> Response:
        """Say all that is wrong with the form, or what it costs, and ask whether to send it."""
        form = keep(self.wiring, caller, read_form(request))
        if form.rewritten is not form.draft:
            return form_page(self.wiring, caller, Start(form.rewritten), form.errors)
        verdict = judged(self.wiring, caller, form.draft, known=form.errors)
        if verdict.quote is None:
            return self._refused(caller, form.draft, verdict.errors)
        return check_page(self.wiring, caller, form.draft, verdict.quote, _new_key())

    def send(self, caller: Caller) -> BaseResponse:
        """Hand in what was checked, at the price that was agreed to; sent twice, it is one job."""
        form = read_form(request).without_files
        key = form.key if _KEY.fullmatch(form.key) else None
        verdict = judged(self.wiring, caller, form.draft, key, form.errors)
        if verdict.wanted is None or form.errors:
            return self._refused(caller, form.draft, verdict.errors)
        if key is None or not is_agreed(verdict.quote, form.agreed):
            return self._ask_again(caller, form.draft, verdict, _RISEN if key else _STALE)
        return self._hand_in(caller, form.draft, verdict, verdict.wanted)

    def _hand_in(
        self, caller: Caller, draft: Draft, verdict: Verdict, wanted: JobRequest
    ) -> BaseResponse:
        try:
            Api(self.wiring).count(caller)
            # even if it has no price any more: it may have been sent before, and the job be there
            job = self.wiring.enqueue.accept(caller.project_id, wanted).row
        except InvalidRequest as error:
            return self._refused(caller, draft, error.errors)
        except IdempotencyConflict:
            return self._ask_again(caller, draft, verdict, _STALE)
        except (CallerError, DatabaseUnavailable, StorageUnavailable) as error:
            answer = self._ask_again(caller, draft, verdict, _why(error), wanted.idempotency_key)
            answer.status_code = getattr(error, "status", HTTPStatus.SERVICE_UNAVAILABLE)
            seconds = getattr(error, "retry_after_seconds", None) or RETRY_AFTER_SECONDS
            answer.headers["Retry-After"] = str(seconds)
            return answer
        place = url_for("timeline.job", job_id=public_id(Kind.JOB, job.id))
        return redirect(place, HTTPStatus.SEE_OTHER)

    def _refused(self, caller: Caller, draft: Draft, errors: Sequence[FieldError]) -> Response:
        answer = form_page(self.wiring, caller, Start(draft), errors)
        answer.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
        return answer

    def _ask_again(
        self, caller: Caller, draft: Draft, verdict: Verdict, why: str, key: str | None = None
    ) -> Response:
        """Show the second step again; the same key where it may have been accepted already."""
        if verdict.quote is None:
            return self._refused(caller, draft, verdict.errors)
        answer = check_page(
            self.wiring, caller, draft, verdict.quote, key or _new_key(), refusal=why
        )
        answer.status_code = HTTPStatus.CONFLICT
        return answer


def _why(error: Exception) -> str:
    return error.detail if isinstance(error, CallerError) else _NOT_NOW


def _new_key() -> str:
    return f"form-{secrets.token_urlsafe(16)}"
