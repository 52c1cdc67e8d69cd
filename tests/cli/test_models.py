from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cli.command_line import CommandLine
from fakes.pictures import drawn
from sqlalchemy import func, select

from service.generation import CATALOGUE
from service.models import uploads
from service.wiring import Wiring

SMALL = ("--prompt", "a red fox", "--set", "width=1024", "--set", "height=1024")


def uploads_kept(wiring: Wiring) -> int:
    with wiring.database.transaction() as tx:
        found: int = tx.scalar(select(func.count()).select_from(uploads))
    return found


def file_of(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


def test_every_model_is_listed_with_its_price_and_providers(darkroom: CommandLine) -> None:
    table = darkroom("models").out.splitlines()
    assert table[0].split() == ["NAME", "CREDITS", "PROVIDERS", "NOTE"]
    assert [line.split()[0] for line in table[1:]] == list(CATALOGUE.names())
    shown = {line.split()[0]: " ".join(line.split()[1:]) for line in table}
    assert shown["flux-kontext-max"].startswith("8 cometapi, bfl, simulator")
    assert shown["flux-2-pro"].startswith("3, then 1.5/MP, input 1.5/MP cometapi, bfl")
    assert shown["flux-tools/erase-v1"].startswith("not published bfl, simulator")
    listed = darkroom("models", "--json").lines
    assert [model["name"] for model in listed] == list(CATALOGUE.names())


@pytest.mark.parametrize("name", ["flux-pro-1.1-ultra", "flux-2-flex", "flux-tools/vto-v1"])
def test_a_model_is_shown_with_every_parameter(darkroom: CommandLine, name: str) -> None:
    done = darkroom("models", name)
    assert (done.code, done.err) == (0, "")
    parameters = done.out.partition("\n\n")[2].splitlines()
    assert parameters[0].split() == ["PARAMETER", "TAKES", "DEFAULT"]
    assert [line.split()[0] for line in parameters[1:]] == list(CATALOGUE[name].parameters)


def test_a_models_limits_read_in_words(darkroom: CommandLine) -> None:
    shown = " ".join(darkroom("models", "flux-pro-1.1").out.split())
    assert "width integer, 256 to 1440, a multiple of 32 1024" in shown
    assert "output_format jpeg, png" in shown
    assert "id of an image or upload, base64" in shown
    schema = darkroom("models", "flux-pro-1.1", "--json").json["input_schema"]
    assert schema["properties"]["width"]["multipleOf"] == 32


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("flux-2-por", "There is no such model; flux-2-pro is."),
        ("../jobs", "'../jobs' is no model's name"),
        ("flux?x=1", "'flux?x=1' is no model's name"),
    ],
)
def test_an_unknown_model_is_told(darkroom: CommandLine, name: str, words: str) -> None:
    done = darkroom("models", name)
    assert (done.code, done.out, done.err) == (1, "", f"Error: {words}\n")


def test_a_price_is_what_the_job_is_estimated_to_cost(darkroom: CommandLine) -> None:
    asked = ("flux-2-pro", *SMALL, "--set", "width=2048")
    price = darkroom("price", *asked, "--json").json
    assert (price["object"], price["output_megapixels"], price["exact"]) == ("price", 2, True)
    assert darkroom("jobs", "submit", *asked, "--json").json["cost"]["estimated"] == "4.5"
    assert price["credits"] == "4.5"
    kontext = darkroom("price", "flux-kontext-pro", "-p", "a cat").out
    assert "up to the model" in kontext
    lines = [line.split(None, 1) for line in darkroom("price", *asked).out.splitlines()]
    assert dict(lines) == {
        "credits": "4.5",
        "usd": "0.045",
        "input": "0 MP",
        "output": "2 MP",
        "exact": "yes",
    }


def test_a_price_that_nobody_knows_and_an_input_that_is_wrong_are_told(
    darkroom: CommandLine,
) -> None:
    url = "image=https://pictures.example/a.png"
    vague = darkroom("price", "flux-2-pro", *SMALL, "--set", f"input_{url}")
    assert vague.out.splitlines()[-1] == "exact      no: what is not known counts least"
    wrong = darkroom("price", "flux-2-pro", "--set", "width=1")
    assert (wrong.code, wrong.out) == (1, "")
    assert wrong.err.startswith("Error: Such a job would not be accepted")
    assert wrong.err.count("/input/") == 2


def test_pictures_are_uploaded_and_their_ids_stand_in_the_input(
    darkroom: CommandLine, wiring: Wiring, tmp_path: Path
) -> None:
    contents = {"input_image": drawn("PNG"), "input_image_2": drawn("JPEG")}
    done = darkroom(
        *("jobs", "submit", "flux-2-pro", *SMALL, "--set", "input_image=overridden", "--json"),
        *_images(tmp_path, contents),
    )
    assert (done.code, done.err) == (0, "")
    with wiring.database.transaction() as tx:
        rows = {f"upl_{row.id.hex}": row for row in tx.rows(select(*uploads.c))}
    for name, content in contents.items():
        row = rows[done.json["input"][name]]
        assert wiring.object_store.get(row.bucket, row.key) == content
        assert row.expires_at is None


def _images(folder: Path, contents: Mapping[str, bytes]) -> list[str]:
    named = {name: file_of(folder, name, content) for name, content in contents.items()}
    return [part for name, path in named.items() for part in ("--image", f"{name}={path}")]


def test_a_file_that_is_no_picture_is_named_and_no_job_is_made(
    darkroom: CommandLine, tmp_path: Path
) -> None:
    path = file_of(tmp_path, "page.png", b"<html>")
    done = darkroom("jobs", "submit", "flux-2-pro", *SMALL, "--image", f"input_image={path}")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"Error: {path}: ")
    assert "image" in done.err
    assert darkroom("jobs", "list", "--json").out == ""


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("input_image=/no/such.png", "'/no/such.png' does not exist"),
        ("input_image=/", "'/' is a directory"),
        ("/etc/hostname", "is not name=value"),
    ],
)
def test_a_file_that_cannot_be_one_is_wrong_usage_and_nothing_is_uploaded(
    darkroom: CommandLine, wiring: Wiring, tmp_path: Path, option: str, words: str
) -> None:
    good = file_of(tmp_path, "good.png", drawn("PNG"))
    before = uploads_kept(wiring)
    arguments: Any = ("--image", f"input_image={good}", "--image", option)
    done = darkroom("jobs", "submit", "flux-2-pro", *SMALL, *arguments)
    assert done.code == 2
    assert words in done.err
    assert uploads_kept(wiring) == before
