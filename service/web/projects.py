"""`/v1/project` and `/v1/keys`: what a project may do, and the keys that speak for it."""

from datetime import UTC, datetime
from typing import Annotated

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator

from service.documents import api_key, project
from service.errors import NotFound
from service.keys import Caller
from service.models import Scope
from service.steps.enqueue import Moment, whole
from service.web.bodies import read_as
from service.web.openapi.answers_many import KeyList, NewKey, Project
from service.web.operation import Answer, Api
from service.wiring import Wiring

MAX_RETENTION_DAYS = 3650

ScopeName = Annotated[str, WithJsonSchema({"type": "string", "enum": list(Scope)})]


class ProjectBody(BaseModel):
    """Body of `PATCH /v1/project`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    #: How long what has ended is kept; null: for ever.
    retention_days: (
        Annotated[int, Field(ge=1, le=MAX_RETENTION_DAYS), BeforeValidator(whole)] | None
    )


class KeyBody(BaseModel):
    """Body of `POST /v1/keys`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    scopes: Annotated[list[ScopeName], Field(min_length=1, max_length=len(Scope))]
    expires_at: Moment | None = None

    @field_validator("expires_at")
    @classmethod
    def _to_come(cls, value: datetime | None) -> datetime | None:
        if value is not None and value <= datetime.now(UTC):
            raise ValueError("must lie in the future")
        return value

    @field_validator("scopes")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        if any(scope not in set(Scope) for scope in value):
            raise ValueError(f"takes only: {', '.join(Scope)}")
        return value


def projects_blueprint(wiring: Wiring) -> Blueprint:
    """Return the routes of a project and its keys."""
    routes = Blueprint("projects", __name__, url_prefix="/v1")
    api = Api(wiring)

    @routes.get("/project")
    @api.operation(
        Scope.READ,
        "Look up the project, its limits and what is used of them",
        answers={200: Answer("The key's project.", Project)},
    )
    def look(caller: Caller) -> Response:
        return jsonify(project(*wiring.projects.of(caller.project_id)))

    @routes.patch("/project")
    @api.operation(
        Scope.MANAGE,
        "Choose how long the project keeps what has ended",
        body=ProjectBody,
        answers={200: Answer("The project as it is now.", Project)},
    )
    def change(caller: Caller) -> Response:
        wanted = read_as(request, ProjectBody)
        wiring.projects.change(caller.project, {"retention_days": wanted.retention_days})
        return jsonify(project(*wiring.projects.of(caller.project_id)))

    @routes.get("/keys")
    @api.operation(
        Scope.MANAGE,
        "List the project's keys",
        answers={200: Answer("All of them, without their secrets.", KeyList)},
    )
    def listing(caller: Caller) -> Response:
        rows = wiring.keys.of(caller.project_id)
        return jsonify({"data": [api_key(row) for row in rows], "next": None})

    @routes.post("/keys")
    @api.operation(
        Scope.MANAGE,
        "Make a further key",
        description="With no more scopes than the key that asks has.",
        body=KeyBody,
        answers={201: Answer("The key, shown once.", NewKey)},
    )
    def create(caller: Caller) -> Response:
        wanted = read_as(request, KeyBody)
        scopes = [Scope(scope) for scope in wanted.scopes]
        for scope in scopes:
            # nobody gives more than they have
            caller.require(scope)
        row, secret = wiring.keys.add(caller.project_id, scopes, wanted.expires_at)
        answer = jsonify({**api_key(row), "api_key": secret})
        answer.status_code = 201
        return answer

    @routes.delete("/keys/<key_id>")
    @api.operation(
        Scope.MANAGE,
        "Revoke a key at once; its jobs go on",
        answers={204: Answer("It is no key any more.", media_types=())},
        errors=(NotFound,),
    )
    def revoke(caller: Caller, key_id: str) -> Response:
        if not wiring.keys.revoke(key_id, caller.project_id):
            raise NotFound("There is no such active key.")
        return Response(status=204)

    return routes
