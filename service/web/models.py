"""`/v1/models` and `/v1/price`: what can be asked for, and what it would cost."""

from collections.abc import Sequence
from typing import Annotated, Any

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.documents import Document, credits_text
from service.errors import InvalidRequest, NotFound
from service.generation import (
    CATALOGUE,
    FlatPrice,
    ImageSource,
    MegapixelPrice,
    Model,
    input_schema,
    suggest,
)
from service.keys import Caller
from service.models import Scope
from service.web.openapi import answers
from service.web.operation import Answer, Api
from service.web.parsing import read_image_object
from service.wiring import Wiring

CREDITS_PER_USD = 100


class PriceBody(BaseModel):
    """Body of `POST /v1/price`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: Annotated[str, Field(min_length=1, max_length=100)]
    input: dict[str, Any]
    provider: Annotated[str, Field(min_length=1, max_length=100)] | None = None


def models_blueprint(wiring: Wiring) -> Blueprint:
    """Return the routes of models and prices."""
    routes = Blueprint("models", __name__, url_prefix="/v1")
    api = Api(wiring)

    @routes.get("/models")
    @api.operation(
        Scope.READ,
        "List models",
        answers={200: Answer("Every model.", answers.ModelList)},
    )
    def listing(_caller: Caller) -> Response:
        configured = wiring.enqueue.providers
        documents = [_summary(model, configured) for model in CATALOGUE.models.values()]
        return jsonify({"data": documents, "next": None})

    @routes.get("/models/<path:name>")
    @api.operation(
        Scope.READ,
        "Look up a model",
        answers={200: Answer("What it takes and where we know it from.", answers.Model)},
        errors=(NotFound,),
    )
    def one(_caller: Caller, name: str) -> Response:
        model = CATALOGUE.get(name)
        if model is None:
            nearest = suggest(name, CATALOGUE.names())
            raise NotFound("There is no such model" + (f"; {nearest} is." if nearest else "."))
        details = {
            "input_schema": input_schema(model),
            "notes": list(model.notes),
            "sources": _sources(model),
        }
        return jsonify(_summary(model, wiring.enqueue.providers) | details)

    @routes.post("/price")
    @api.operation(
        Scope.SUBMIT,
        "Ask what a job would cost",
        description="With every error that the job would get; nothing is stored or sent.",
        body=PriceBody,
        answers={200: Answer("Its price.", answers.Price)},
    )
    def price(caller: Caller) -> Response:
        project_id = caller.project_id
        raw = read_image_object(request)
        try:
            body = PriceBody.model_validate(raw)
        except ValidationError as error:
            errors = wiring.enqueue.all_errors(error, PriceBody, raw, project_id)
            raise InvalidRequest("The price cannot be told.", errors) from None
        quote = wiring.enqueue.price(project_id, body.model, body.input, body.provider)
        usd = None if quote.credits is None else quote.credits / CREDITS_PER_USD
        return jsonify(
            {
                "object": "price",
                "model": body.model,
                "credits": credits_text(quote.credits),
                "usd": credits_text(usd),
                "input_megapixels": quote.input_megapixels,
                "output_megapixels": quote.output_megapixels,
                "exact": quote.exact,
            }
        )

    return routes


def _summary(model: Model, configured: Sequence[str]) -> Document:
    return {
        "name": model.name,
        "object": "model",
        "family": model.family,
        "available": any(provider in model.providers for provider in configured),
        "providers": list(model.providers),
        "deprecated": model.deprecated,
        "accepts_webhook": model.accepts_webhook,
        "max_active": model.max_active,
        "price": _price(model.price),
        "images": [
            {
                "parameter": name,
                "required": parameter.required,
                "accepts": [
                    source
                    for source in ImageSource
                    if source is not ImageSource.URL or model.takes_url(name)
                ],
                "max_bytes": parameter.max_bytes,
                "max_pixels": parameter.max_pixels,
                "min_side_pixels": parameter.min_side_pixels,
            }
            for name, parameter in model.images.items()
        ],
    }


def _price(price: FlatPrice | MegapixelPrice | None) -> Document | None:
    if price is None:
        return None
    amounts = price.model_dump(exclude={"type", "source"})
    return {"type": price.type, **{name: credits_text(each) for name, each in amounts.items()}}


def _sources(model: Model) -> Document:
    """Return each fact's source in words, as the catalogue keeps it."""
    told = CATALOGUE.sources
    facts: Document = {fact: told[key] for fact, key in model.sources.items()}
    if model.price:
        facts["price"] = told[model.price.source]
    facts["parameters"] = {name: told[each.source] for name, each in model.parameters.items()}
    facts["images"] = {name: told[each.limits_source] for name, each in model.images.items()}
    facts["rules"] = {rule.description: told[rule.source] for rule in model.all_rules}
    return facts
