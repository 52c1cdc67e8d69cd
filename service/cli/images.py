"""`darkroom images`: stored images as files."""

import itertools
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from service.cli.connection import connect, url_option
from service.cli.options import MOMENT, utc
from service.cli.progress import Progress
from service.cli.show import json_option, plain, show_json
from service.errors import ServiceError
from service.ids import Kind, read_id
from service.states import Status

if TYPE_CHECKING:
    from service.client import Client, JobImage

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
@click.option("--batch", metavar="ID", help="The images of this batch's jobs.")
@click.option(
    "--since",
    type=MOMENT,
    callback=utc,
    metavar="MOMENT",
    help="2026-11-22 or 2026-11-22T10:00, UTC: the images of jobs handed in since.",
)
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
    *,
    image_ids: tuple[str, ...],
    batch: str | None,
    since: datetime | None,
    folder: Path,
    url: str | None,
    every: bool,
    as_json: bool,
) -> None:
    """Save images as files, each proved by its SHA-256.

    What is already there and right is not fetched again, and an image that was cut goes on from its
    .part file, so an interrupted download is taken up by the same command.
    """
    if [every, bool(image_ids), bool(batch or since)].count(True) != 1:
        raise click.UsageError("name images, or say --all, or --batch and --since")
    with connect(url, connections=AT_ONCE) as client:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise click.ClickException(f"{folder}: {error.strerror}") from None
        wanted: Iterator[JobImage] | Iterator[str]
        if image_ids:
            wanted = iter(dict.fromkeys(image_ids))
        else:
            wanted = client.images() if every else _of_jobs(client, batch, since)
        if not _save(client, wanted, folder, as_json=as_json):
            sys.exit(1)


def _of_jobs(client: "Client", batch: str | None, since: datetime | None) -> "Iterator[JobImage]":
    for job in client.jobs(status=Status.SUCCEEDED, batch=batch, created_after=since):
        yield from job["images"]


def _save(
    client: "Client",
    wanted: "Iterator[JobImage] | Iterator[str]",
    folder: Path,
    *,
    as_json: bool,
) -> bool:
    """Fetch what is wanted and tell of each; return whether all of it is there."""
    done = failed = 0
    with Progress(quiet=as_json, plain_every_seconds=None) as progress:
        for fetched in _parallel(wanted, lambda one: _fetch(client, one, folder)):
            done += 1
            failed += fetched.error is not None
            progress.clear()
            _show(fetched, as_json=as_json)
            progress.show(f"{done} images, {failed} failed")
    return not failed


def _parallel(
    wanted: "Iterator[JobImage] | Iterator[str]", fetch: "Callable[[JobImage | str], _Fetched]"
) -> Iterator[_Fetched]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        while chunk := list(itertools.islice(wanted, CHUNK)):
            yield from threads.map(fetch, chunk)


def _fetch(client: "Client", wanted: "JobImage | str", folder: Path) -> _Fetched:
    """Bring one image; no fault of its own stops the others."""
    from service.client import is_proved  # noqa: PLC0415 - an HTTP library takes a tenth of a second

    image_id = wanted if isinstance(wanted, str) else wanted["id"]
    try:
        image = client.image(wanted) if isinstance(wanted, str) else wanted
        path = folder / _name(image)
        if is_proved(path, image):
            return _Fetched(image_id, "present", path)
        client.fetch(image, path)
    except OSError as error:
        return _Fetched(image_id, "failed", error=f"{error.filename}: {error.strerror}")
    except ServiceError as error:
        return _Fetched(image_id, "failed", error=str(error))
    return _Fetched(image_id, "saved", path)


def _name(image: "JobImage") -> str:
    """Return the file's name; nothing that a server says leads out of the directory."""
    if read_id(Kind.IMAGE, image["id"]) is None or image["content_type"] not in _EXTENSIONS:
        raise ServiceError("the API speaks of an image that we do not know how to name")
    return f"{image['id']}.{_EXTENSIONS[image['content_type']]}"


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
