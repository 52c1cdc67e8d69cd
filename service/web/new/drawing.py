"""The two pages of a job that is being written."""

from collections.abc import Iterable, Mapping, Sequence

from flask import Response, make_response, render_template

from service.errors import FieldError
from service.generation import Quote
from service.keys import Caller
from service.steps.enqueue.body import MAX_METADATA_PAIRS
from service.strict_json import pointer_part
from service.web.new.draft import Draft
from service.web.new.form import fields, models, price_from
from service.web.new.judging import amount
from service.web.new.pictures import shown
from service.web.new.reading import INPUT
from service.web.new.sources import Start
from service.wiring import Wiring

#: Rows for metadata that nobody has filled in yet.
_EMPTY_ROWS = 2


def form_page(
    wiring: Wiring,
    caller: Caller,
    start: Start,
    errors: Sequence[FieldError] = (),
    quote: Quote | None = None,
) -> Response:
    """Return the form, filled in as far as it was, with what is wrong beside each field."""
    draft = start.draft
    by_pointer: dict[str, list[str]] = {}
    for error in errors:
        by_pointer.setdefault(error.pointer, []).append(error.detail)
    page = render_template(
        "new.html",
        caller=caller,
        start=start,
        draft=draft,
        model=draft.facts,
        fields=fields(draft, by_pointer, shown(wiring, caller.project_id, draft)),
        models=models(wiring.enqueue.providers),
        metadata=_rows(draft, by_pointer),
        errors=by_pointer,
        problems=[_problem(draft, error) for error in errors],
        quote=quote,
        amount=amount(quote),
        price_from=price_from(draft.facts),
    )
    return make_response(page)


def check_page(
    wiring: Wiring,
    caller: Caller,
    draft: Draft,
    quote: Quote,
    key: str,
    *,
    refusal: str = "",
) -> Response:
    """Return what would be sent and what it costs, and the button that sends it."""
    body = draft.body()
    page = render_template(
        "new_check.html",
        caller=caller,
        body=body,
        pictures=shown(wiring, caller.project_id, draft),
        carried=[*_carried(draft, body), ("key", key), ("agreed", amount(quote))],
        quote=quote,
        amount=amount(quote),
        refusal=refusal,
    )
    return make_response(page)


def price_part(draft: Draft, quote: Quote | None) -> str:
    """Return the part of the form that says the price."""
    return render_template(
        "new_price.html", quote=quote, amount=amount(quote), price_from=price_from(draft.facts)
    )


def _carried(draft: Draft, body: Mapping[str, Mapping[str, object]]) -> Iterable[tuple[str, str]]:
    """Yield what was typed and is part of the body, as the form's own fields."""
    yield from (("model", draft.model), ("drawn", draft.model), ("priority", draft.priority))
    for name in body["input"]:
        yield f"{INPUT}{name}", draft.given[name]
    for number, (name, value) in enumerate(draft.metadata, 1):
        yield f"metadata.{number}.name", name
        yield f"metadata.{number}.value", value


def _rows(draft: Draft, errors: Mapping[str, Sequence[str]]) -> list[dict[str, object]]:
    """Return the rows of metadata, some of them empty."""
    filled: list[dict[str, object]] = [
        {"name": name, "value": value, "errors": errors.get(f"/metadata/{pointer_part(name)}", ())}
        for name, value in draft.metadata
    ]
    room = min(_EMPTY_ROWS, MAX_METADATA_PAIRS - len(filled))
    return filled + [{"name": "", "value": "", "errors": ()}] * room


def _problem(draft: Draft, error: FieldError) -> dict[str, str]:
    """Return an error with the place on the page that it is about, if there is one."""
    _, part, *rest = [*error.pointer.split("/", 2), ""]
    if part == "input" and rest[0] in draft.facts.parameters:
        return {"about": rest[0], "place": f"{INPUT}{rest[0]}", "detail": error.detail}
    place = part if part in {"model", "priority", "metadata"} else ""
    return {"about": error.pointer.strip("/"), "place": place, "detail": error.detail}
