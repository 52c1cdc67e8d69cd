"""`darkroom models` and `darkroom price`: what can be asked for, and what it would cost."""

from typing import TYPE_CHECKING, Any

import click

from service.cli.connection import connect, url_option
from service.cli.options import input_of, input_options
from service.cli.show import json_option, show_json, show_pairs, show_table

if TYPE_CHECKING:
    from service.client import Model

_UNPUBLISHED = "not published"


@click.command()
@click.argument("name", required=False)
@url_option
@json_option
def models(name: str | None, url: str | None, *, as_json: bool) -> None:
    """Print the models, or one with its parameters."""
    with connect(url) as client:
        found = client.models() if name is None else [client.model(name)]
    if as_json:
        for model in found:
            show_json(model)
    elif name is None:
        rows = [(m["name"], _price(m), ", ".join(m["providers"]), _note(m)) for m in found]
        show_table(("NAME", "CREDITS", "PROVIDERS", "NOTE"), rows)
    else:
        _show(found[0])


@click.command()
@click.argument("model")
@input_options
@url_option
@json_option
def price(
    *,
    model: str,
    given: dict[str, Any],
    prompt: str | None,
    parameters: dict[str, str],
    url: str | None,
    as_json: bool,
) -> None:
    """Print what a job would cost; it is checked as one, and nothing is spent."""
    with connect(url) as client:
        found = client.price(model, input_of(given, prompt, parameters))
    if as_json:
        show_json(found)
        return
    output = found["output_megapixels"]
    show_pairs(
        [
            ("credits", found["credits"] or _UNPUBLISHED),
            ("usd", found["usd"]),
            ("input", f"{found['input_megapixels']} MP"),
            ("output", "up to the model" if output is None else f"{output} MP"),
            ("exact", "yes" if found["exact"] else "no: what is not known counts least"),
        ]
    )


def _show(model: "Model") -> None:
    schema = model["input_schema"]
    show_pairs(
        [
            ("name", model["name"]),
            ("credits", _price(model)),
            ("providers", ", ".join(model["providers"])),
            ("note", _note(model)),
            ("rules", schema.get("description")),
        ]
    )
    click.echo()
    rows = [
        (name, _takes(each), "needed" if name in schema["required"] else each.get("default"))
        for name, each in schema["properties"].items()
    ]
    show_table(("PARAMETER", "TAKES", "DEFAULT"), rows)


def _price(model: "Model") -> str:
    """Return credits of a picture, or of its first megapixel and of what comes on top."""
    match model["price"]:
        case {"image_credits": flat}:
            return flat
        case {
            "first_output_credits": first,
            "further_output_credits": further,
            "input_credits": of_input,
        }:
            return f"{first}, then {further}/MP, input {of_input}/MP"
    return _UNPUBLISHED


def _note(model: "Model") -> str:
    notes = {"deprecated": model["deprecated"], "no provider configured": not model["available"]}
    return ", ".join(note for note, is_so in notes.items() if is_so)


def _takes(schema: dict[str, Any]) -> str:
    """Return a parameter's JSON Schema in a few words."""
    if "anyOf" in schema:
        return ", ".join(form["title"] for form in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(str(word) for word in schema["enum"] if word is not None)
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    parts = [kind for kind in kinds if kind != "null"]
    if "minimum" in schema and "maximum" in schema:
        parts.append(f"{schema['minimum']} to {schema['maximum']}")
    if "multipleOf" in schema:
        parts.append(f"a multiple of {schema['multipleOf']}")
    if "maxLength" in schema:
        parts.append(f"up to {schema['maxLength']:,} characters")
    elif "pattern" in schema:
        parts.append(schema["pattern"])
    return ", ".join(parts)
