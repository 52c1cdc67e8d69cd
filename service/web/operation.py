"""What every route of the API shares: who may call it, how often, and what the description says.

A route is described where it is written; `openapi.json` is made of these descriptions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar

from flask import Response, g, request
from pydantic import BaseModel

from service.errors import CallerError
from service.keys import Caller
from service.models import Scope
from service.rates import WINDOW_SECONDS
from service.web.auth import bearer
from service.wiring import Wiring

View = Callable[..., Response]
AnyView = TypeVar("AnyView", bound=Callable[..., Any])


#: A JSON Schema.
Schema = Mapping[str, Any]

#: The way in of our own API: `Authorization: Bearer`.
BEARER = "bearer"


@dataclass(frozen=True)
class Answer:
    """An answer that is no error."""

    #: One sentence.
    says: str
    document: type[BaseModel] | None = None
    #: Names of `service.web.openapi.headers`, besides those that every answer carries.
    headers: tuple[str, ...] = ()
    #: What the body is if it is no document of ours; with several, any of them.
    media_types: tuple[str, ...] = ("application/json",)


@dataclass(frozen=True)
class Callback:
    """A request that we make because of an operation."""

    #: Of the body: the address that is called.
    field: str
    says: str
    document: type[BaseModel]
    headers: tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    """A route as callers know it.

    What follows from the rest need not be said: every route may answer 400, 500 and 503; with a
    scope 401, 403 and 429 besides; with a query 422; with a body of JSON what its reader refuses.
    """

    #: One line in the imperative.
    summary: str
    #: None where no key is asked for.
    scope: Scope | None = None
    #: What the summary leaves open, CommonMark.
    description: str = ""
    #: The model that the route reads its query with.
    query: type[BaseModel] | None = None
    #: The model that the route reads its JSON body with.
    body: type[BaseModel] | None = None
    #: By media type, for a body that is no JSON.
    raw_body: Mapping[str, Schema] = field(default_factory=dict)
    #: Names of `service.web.openapi.headers` that the request may carry.
    headers: tuple[str, ...] = ()
    answers: Mapping[int, Answer] = field(default_factory=dict)
    #: What it may refuse, besides what follows from the rest.
    errors: tuple[type[CallerError], ...] = ()
    callback: Callback | None = None
    #: Names of `service.web.openapi.security`, any of which opens it.
    schemes: tuple[str, ...] = (BEARER,)


def described(summary: str, **fields: Any) -> Callable[[AnyView], AnyView]:  # noqa: ANN401 - the fields of Operation
    """Return a decorator that only describes: the route asks for no key, or does so by itself."""

    def decorate(view: AnyView) -> AnyView:
        view.operation = Operation(summary, **fields)  # type: ignore[attr-defined] # functions take attributes
        return view

    return decorate


class Api:
    """Puts what all routes share around the views of a blueprint."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def operation(self, scope: Scope, summary: str, **fields: Any) -> Callable[[View], View]:  # noqa: ANN401 - the fields of Operation
        """Return a decorator: the view gets the caller first, who has the scope and is in time."""

        def decorate(view: View) -> View:
            @wraps(view)
            def admitted(**place: str) -> Response:
                return view(self._admit(scope), **place)

            return described(summary, scope=scope, **fields)(admitted)

        return decorate

    def _admit(self, scope: Scope) -> Caller:
        caller = bearer(request, self._wiring.keys)
        self.count(caller)
        caller.require(scope)
        return caller

    def count(self, caller: Caller) -> None:
        """Count a request of the caller's project.

        Raises:
            RateLimited: it has sent too many in this minute.
        """
        try:
            g.allowance = self._wiring.rates.take(caller.project_id, caller.requests_per_minute)
        except CallerError:
            g.allowance = self._wiring.rates.of(caller.project_id)
            raise


def add_rate_headers(answer: Response) -> Response:
    """Say what is left of the minute (draft-ietf-httpapi-ratelimit-headers)."""
    allowance = g.get("allowance")
    # another project's id answers as an unknown one, byte for byte, however often it is asked
    if allowance is not None and answer.status_code != HTTPStatus.NOT_FOUND:
        answer.headers["RateLimit-Policy"] = f'"requests";q={allowance.limit};w={WINDOW_SECONDS}'
        answer.headers["RateLimit"] = (
            f'"requests";r={allowance.remaining};t={allowance.reset_seconds}'
        )
    return answer
