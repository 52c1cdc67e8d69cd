"""The OpenAPI 3.1 document: made of the routes that there are, as they describe themselves."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from service.generation import CATALOGUE
from service.ids import Kind
from service.web.flux_problems import speaks_flux
from service.web.openapi.answers_beside import FluxProblem, Problem
from service.web.openapi.examples import EXAMPLES
from service.web.openapi.headers import ANSWER, RATE, REQUEST, header, parameter
from service.web.openapi.problems import error_answers, errors_of, problem_examples
from service.web.openapi.security import SCHEMES
from service.web.operation import Answer, Operation
from service.web.queries import id_schema
from service.web.streams import MEDIA_TYPE

Document = dict[str, Any]

#: Of the contract, not of the program: what callers rely on changes with its first number.
VERSION = "1.0.0"
_DESCRIPTION = """\
Takes paid Flux image generation off your hands and never loses a picture.

Times are RFC 3339 in UTC, money is in credits (1 credit is 0.01 USD) as decimal strings, ids are
opaque. Errors are `application/problem+json` (RFC 9457) with a `code`, and all that is wrong with a
request is said at once. Another project's id answers exactly as an unknown one. Answers may get
further fields: ignore what you do not know.
"""
_PLACE = re.compile(r"<(?:[^>]*:)?_?(\w+)>")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: No document but lines, as long as there are any.
_STREAM: Document = {
    "schema": {"type": "string", "description": "Events whose `data` is a `TimelineEvent`."},
    "example": "retry: 2417\n\nid: 1\nevent: job.queued\n"
    'data: {"seq":1,"type":"job.queued","at":"2026-11-22T12:00:00.000Z",'
    '"message":"Accepted","detail":{}}\n\n: still here\n\n',
}
#: What stands in paths, besides ids.
_PLACES: Mapping[str, Document] = {
    **{f"{kind.name.lower()}_id": id_schema(kind) for kind in Kind},
    "name": {"type": "string", "enum": list(CATALOGUE.names())},
    "rest": {
        "type": "string",
        "enum": [name.removeprefix("flux-") for name in CATALOGUE.names()],
        "description": "What follows `flux-` in the model's name.",
    },
    "token": {"type": "string", "minLength": 1},
    "extension": {"type": "string", "enum": ["jpeg", "png", "webp"]},
}


def operations(app: Flask) -> Iterator[tuple[str, str, Rule, Operation]]:
    """Yield path, method, rule and description of every route that describes itself."""
    for rule in app.url_map.iter_rules():
        operation = getattr(app.view_functions[rule.endpoint], "operation", None)
        if isinstance(operation, Operation):
            for method in _METHODS:
                if method in (rule.methods or ()):
                    yield _PLACE.sub(r"{\1}", rule.rule), method.lower(), rule, operation


def openapi(app: Flask) -> Document:
    """Return the document of an app's routes."""
    paths: dict[str, Document] = {}
    found = list(operations(app))
    for path, method, rule, operation in found:
        paths.setdefault(path, {})[method] = _operation(path, rule, operation)
    errors = [error for *_, operation in found for error in errors_of(operation)]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Darkroom", "version": VERSION, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _schemas([operation for *_, operation in found]),
            "parameters": {name: parameter(name) for name in REQUEST},
            "headers": {name: header(name) for name in ANSWER},
            "examples": problem_examples(errors),
            "securitySchemes": {name: dict(scheme) for name, scheme in SCHEMES.items()},
        },
    }


def _operation(path: str, rule: Rule, operation: Operation) -> Document:
    blueprint, _, view = rule.endpoint.partition(".")
    described: Document = {
        "operationId": re.sub(r"\W", "_", f"{blueprint}_{view}"),
        # a blueprint may have a second form
        "tags": [blueprint.partition("-")[0]],
        "summary": operation.summary,
        "description": _says(operation),
        "parameters": [*_places(path), *_query(operation), *_headers(operation)],
        "responses": _answers(path, operation),
        "security": [{name: []} for name in operation.schemes] if operation.scope else [],
    }
    if operation.scope is not None:
        described["x-scope"] = operation.scope.value
    if operation.body or operation.raw_body:
        described["requestBody"] = {"required": True, "content": _content(operation)}
    if operation.callback is not None:
        described["callbacks"] = _callbacks(operation)
    return described


def _says(operation: Operation) -> str:
    scope = f"Takes a key with the scope `{operation.scope}`." if operation.scope else ""
    return " ".join(filter(None, [operation.description, scope])) or "Takes no key."


def _places(path: str) -> list[Document]:
    found = []
    for name in re.findall(r"{(\w+)}", path):
        schema = dict(_PLACES[name])
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    return found


def _query(operation: Operation) -> list[Document]:
    """Return the query's parameters, each as the model's schema has it."""
    if operation.query is None:
        return []
    schema = operation.query.model_json_schema(ref_template="#/components/schemas/{model}")
    found = []
    for name, described in schema["properties"].items():
        if name in operation.schemes:
            continue
        is_needed, given = name in schema.get("required", []), _given(described)
        one = {"name": name, "in": "query", "required": is_needed, "schema": given}
        found.append({**one, "description": given.pop("description", "")})
    return found


def _given(schema: Document) -> Document:
    """Return the schema of a value that is there: null stands for one that is not."""
    schema = {name: value for name, value in schema.items() if name != "title"}
    if schema.get("default", 0) is None:
        del schema["default"]
    forms = [form for form in schema.pop("anyOf", []) if form != {"type": "null"}]
    return {**schema, **(forms[0] if len(forms) == 1 else {"anyOf": forms} if forms else {})}


def _headers(operation: Operation) -> list[Document]:
    names = (*operation.headers, "X-Request-Id")
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _content(operation: Operation) -> Document:
    content: Document = {name: {"schema": form} for name, form in operation.raw_body.items()}
    return content | (_json(operation.body) if operation.body else {})


def _json(model: type[BaseModel], media_types: tuple[str, ...] = ("application/json",)) -> Document:
    examples = {name: {"value": value} for name, value in EXAMPLES[model].items()}
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {
        name: _STREAM if name == MEDIA_TYPE else {"schema": schema, "examples": examples}
        for name in media_types
    }


def _answers(path: str, operation: Operation) -> Document:
    found: dict[int, Document] = {}
    errors = error_answers(operation, is_flux=speaks_flux(path))
    for status, answer in operation.answers.items():
        found[status] = _answer(answer, has_key=operation.scope is not None)
    for status, error in errors.items():
        if status in found:
            found[status]["content"] = {**found[status].get("content", {}), **error["content"]}
        else:
            found[status] = error
    return {str(status): found[status] for status in sorted(found)}


def _answer(answer: Answer, *, has_key: bool) -> Document:
    names = (*answer.headers, "X-Request-Id", *(RATE if has_key else ()))
    described: Document = {
        "description": answer.says,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
    }
    if answer.document is not None:
        described["content"] = _json(answer.document, answer.media_types)
    elif answer.media_types:
        described["content"] = {name: {} for name in answer.media_types}
    return described


def _callbacks(operation: Operation) -> Document:
    made = operation.callback
    if made is None:
        return {}
    request = {
        "summary": made.says,
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in made.headers],
        "requestBody": {"required": True, "content": _json(made.document)},
        "responses": {"2XX": {"description": "Taken."}, "410": {"description": "Never again."}},
    }
    return {"called": {f"{{$request.body#/{made.field}}}": {"post": request}}}


def _schemas(found: list[Operation]) -> Document:
    """Return the schemas of all models, by name: of what is read, as it is validated."""
    models: dict[type[BaseModel], None] = dict.fromkeys([Problem, FluxProblem])
    for operation in found:
        named = [operation.query, operation.body]
        named += [answer.document for answer in operation.answers.values()]
        named += [operation.callback.document] if operation.callback else []
        models |= dict.fromkeys(model for model in named if model is not None)
    _, schema = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    # a query's own model is spelt out as parameters
    queries = {operation.query.__name__ for operation in found if operation.query}
    return {name: one for name, one in sorted(schema["$defs"].items()) if name not in queries}
