"""`darkroom jobs`: hand in, look up, list, follow, withdraw, try again."""

import itertools
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from service.cli.connection import connect, url_option
from service.cli.options import MOMENT, files, input_of, input_options, pairs, utc
from service.cli.show import json_option, plain, show_json, show_pairs, show_table
from service.errors import ServiceError
from service.states import TERMINAL, Status

if TYPE_CHECKING:
    from service.client import Client, Job, JobImage

LOOK_EVERY_SECONDS = 0.5
_ENDED = frozenset(status.value for status in TERMINAL)


@click.group()
def jobs() -> None:
    """Hand in, look up, list, follow, withdraw and try again jobs."""


@jobs.command()
@click.argument("model")
@input_options
@click.option(
    "--image",
    "images",
    metavar="NAME=PATH",
    multiple=True,
    callback=files,
    help="A picture to upload as a parameter, such as input_image=cat.png; again for more.",
)
@click.option("--callback-url", metavar="URL", help="Where to tell of the job's end.")
@click.option(
    "--metadata",
    metavar="NAME=VALUE",
    multiple=True,
    callback=pairs,
    help="A note of your own, such as order=17; again for more.",
)
@click.option(
    "--on-unconfirmed",
    type=click.Choice(["fail", "resubmit"]),
    help="If nobody knows whether Flux took it: let it fail, or send it once more (README).",
)
@click.option("--priority", type=click.Choice(["low", "normal", "high"]))
@click.option(
    "--start-at", type=MOMENT, callback=utc, metavar="MOMENT", help="Not sent before; UTC."
)
@click.option(
    "--expires-at",
    type=MOMENT,
    callback=utc,
    metavar="MOMENT",
    help="Failed unpaid if it was not sent by then; UTC.",
)
@click.option(
    "--key",
    help="Idempotency key: the same command with the same key is one job. Made up by default.",
)
@click.option("--wait", type=click.IntRange(1), metavar="SECONDS", help="Wait for the job's end.")
@url_option
@json_option
def submit(
    *,
    model: str,
    given: dict[str, Any],
    prompt: str | None,
    parameters: dict[str, str],
    images: dict[str, Path],
    callback_url: str | None,
    metadata: dict[str, str],
    on_unconfirmed: str | None,
    priority: str | None,
    start_at: datetime | None,
    expires_at: datetime | None,
    key: str | None,
    wait: int | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Hand in a job and print it.

    With --wait the exit code says whether it has succeeded by then.
    """
    began = time.monotonic()
    with connect(url) as client:
        uploaded = {name: _uploaded(client, path) for name, path in images.items()}
        body = {
            "model": model,
            "input": input_of(given, prompt, parameters) | uploaded,
            **({"callback_url": callback_url} if callback_url else {}),
            **({"metadata": metadata} if metadata else {}),
            **({"on_unconfirmed": on_unconfirmed} if on_unconfirmed else {}),
            **({"priority": priority} if priority else {}),
            **({"start_at": start_at.isoformat()} if start_at else {}),
            **({"expires_at": expires_at.isoformat()} if expires_at else {}),
        }
        # one key for all tries of this command: it makes one job, however often it is sent
        job = client.submit(body, key or str(uuid4()), wait_seconds=wait or 0)
        if wait:
            job = _ended(client, job, began + wait)
    _show(job, as_json=as_json)
    if wait and job["status"] not in _ENDED:
        raise click.ClickException(
            f"not ended in {wait} s; follow it with: darkroom jobs watch {job['id']}"
        )
    if wait and job["status"] != Status.SUCCEEDED:
        sys.exit(1)


@jobs.command()
@click.argument("job_id", metavar="ID")
@url_option
@json_option
def get(job_id: str, url: str | None, *, as_json: bool) -> None:
    """Print a job."""
    with connect(url) as client:
        _show(client.job(job_id), as_json=as_json)


@jobs.command("list")
@click.option("--status", type=click.Choice([status.value for status in Status]))
@click.option("--model")
@click.option("--batch", metavar="ID", help="Those that were handed in with this batch.")
@click.option("--created-after", type=MOMENT, callback=utc, metavar="MOMENT", help="UTC.")
@click.option("--created-before", type=MOMENT, callback=utc, metavar="MOMENT", help="UTC.")
@click.option(
    "--metadata",
    metavar="NAME=VALUE",
    multiple=True,
    callback=pairs,
    help="Those that bear this note; again for more.",
)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@url_option
@json_option
def list_jobs(
    *,
    status: str | None,
    model: str | None,
    batch: str | None,
    created_after: datetime | None,
    created_before: datetime | None,
    metadata: dict[str, str],
    limit: int,
    url: str | None,
    as_json: bool,
) -> None:
    """Print jobs, newest first."""
    with connect(url) as client:
        newest = client.jobs(
            status=status,
            model=model,
            batch=batch,
            created_after=created_after,
            created_before=created_before,
            metadata=metadata,
            page_size=limit,
        )
        found = itertools.islice(newest, limit)
        if as_json:
            for job in found:
                show_json(job)
            return
        rows = [
            (job["id"], job["status"], job["model"], job["created_at"], job["input"].get("prompt"))
            for job in found
        ]
    show_table(("ID", "STATUS", "MODEL", "CREATED", "PROMPT"), rows)


@jobs.command()
@click.argument("job_id", metavar="ID")
@url_option
@json_option
def watch(job_id: str, url: str | None, *, as_json: bool) -> None:
    """Print a job's timeline as it grows; exit code 0 if the job succeeded, else 1."""
    with connect(url) as client:
        for event in client.follow(job_id):
            if as_json:
                show_json(event)
            else:
                click.echo(f"{event['at']}  {event['type']:16}  {plain(event['message'])}")
        sys.exit(0 if client.job(job_id)["status"] == Status.SUCCEEDED else 1)


@jobs.command()
@click.argument("job_id", metavar="ID")
@url_option
@json_option
def cancel(job_id: str, url: str | None, *, as_json: bool) -> None:
    """Withdraw a job that is still queued."""
    with connect(url) as client:
        _show(client.cancel(job_id), as_json=as_json)


@jobs.command()
@click.argument("job_id", metavar="ID")
@url_option
@json_option
def retry(job_id: str, url: str | None, *, as_json: bool) -> None:
    """Hand in once more what a job that has ended was to do; prints the new job.

    It is paid for like any other.
    """
    with connect(url) as client:
        _show(client.retry(job_id, str(uuid4())), as_json=as_json)


def _uploaded(client: "Client", path: Path) -> str:
    try:
        return client.upload(path)["id"]
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None
    except ServiceError as error:
        raise click.ClickException(f"{path}: {plain(error)}") from None


def _ended(client: "Client", job: "Job", deadline: float) -> "Job":
    """Look until the job has ended or the time is up: the API may hold an answer for less."""
    while job["status"] not in _ENDED and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_SECONDS)
        job = client.job(job["id"])
    return job


def _show(job: "Job", *, as_json: bool) -> None:
    if as_json:
        show_json(job)
        return
    error, cost = job["error"], job["cost"]
    show_pairs(
        [
            ("id", job["id"]),
            ("status", job["status"]),
            ("error", error and f"{error['code']}: {error['message']}"),
            ("model", job["model"]),
            ("prompt", job["input"].get("prompt")),
            ("created", job["created_at"]),
            ("completed", job["completed_at"]),
            ("batch", job["batch_id"]),
            ("retry of", job["retry_of"]),
            ("cost", f"{cost['actual'] or '-'} credits, {cost['estimated'] or '-'} estimated"),
            *(("parent", image_id) for image_id in job["parent_image_ids"]),
            *(("note", f"{name}={text}") for name, text in job["metadata"].items()),
            *(("image", _line(image)) for image in job["images"]),
            ("page", job["urls"]["web"]),
        ]
    )


def _line(image: "JobImage") -> str:
    size = f"{image['width']} x {image['height']}  {image['bytes']} bytes"
    return f"{image['id']}  {size}  s3://{image['bucket']}/{image['key']}"
