"""`darkroom images`: stored images as files."""

import hashlib
import itertools
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from service.cli.connection import connect, url_option
from service.cli.show import json_option, plain, show_json
from service.errors import ServiceError
from service.ids import Kind, read_id

if TYPE_CHECKING:
    from service.client import Client, Image

AT_ONCE = 8
#: So many documents are held at a time.
CHUNK = 200
_EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


@click.group()
def images() -> None:
    """Fetch stored images."""


class _Fetched(NamedTuple):
    """What became of one image."""

    image_id: str
    outcome: str
    path: Path | None = None
    error: str | None = None


@images.command()
@click.argument("image_ids", metavar="[ID ...]", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every image of the project.")
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Directory, made if it is new; the current one by default.",
)
@url_option
@json_option
def download(
    image_ids: tuple[str, ...], folder: Path, url: str | None, *, every: bool, as_json: bool
) -> None:
    """Save images as files, each proved by its SHA-256.

    What is already there and right is not fetched again, so an interrupted download is taken up by
    the same command.
    """
    if every == bool(image_ids):
        raise click.UsageError("name images, or say --all")
    failed = 0
    with connect(url, connections=AT_ONCE) as client:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise click.ClickException(f"{folder}: {error.strerror}") from None
        wanted = client.images() if every else iter(dict.fromkeys(image_ids))
        for fetched in _parallel(wanted, lambda one: _fetch(client, one, folder)):
            failed += fetched.error is not None
            _show(fetched, as_json=as_json)
    if failed:
        sys.exit(1)


def _parallel(
    wanted: "Iterator[Image] | Iterator[str]", fetch: "Callable[[Image | str], _Fetched]"
) -> Iterator[_Fetched]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        while chunk := list(itertools.islice(wanted, CHUNK)):
            yield from threads.map(fetch, chunk)


def _fetch(client: "Client", wanted: "Image | str", folder: Path) -> _Fetched:
    """Bring one image; no fault of its own stops the others."""
    image_id = wanted if isinstance(wanted, str) else wanted["id"]
    try:
        image = client.image(wanted) if isinstance(wanted, str) else wanted
        path = folder / _name(image)
        if _is_right(path, image):
            return _Fetched(image_id, "present", path)
        content = client.content(image)
        part = path.with_name(f"{path.name}.part")
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        return _Fetched(image_id, "failed", error=f"{error.filename}: {error.strerror}")
    except ServiceError as error:
        return _Fetched(image_id, "failed", error=str(error))
    return _Fetched(image_id, "saved", path)


def _name(image: "Image") -> str:
    """Return the file's name; nothing that a server says leads out of the directory."""
    if read_id(Kind.IMAGE, image["id"]) is None or image["content_type"] not in _EXTENSIONS:
        raise ServiceError("the API speaks of an image that we do not know how to name")
    return f"{image['id']}.{_EXTENSIONS[image['content_type']]}"


def _is_right(path: Path, image: "Image") -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == image["sha256"]
    except FileNotFoundError:
        return False


def _show(fetched: _Fetched, *, as_json: bool) -> None:
    if as_json:
        show_json(
            {
                "id": fetched.image_id,
                "outcome": fetched.outcome,
                "path": fetched.path and str(fetched.path),
                "error": fetched.error,
            }
        )
    elif fetched.error is None:
        click.echo(f"{fetched.outcome:8} {fetched.path}")
    else:
        click.echo(f"{fetched.outcome:8} {fetched.image_id}: {plain(fetched.error)}", err=True)
