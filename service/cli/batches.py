"""`darkroom batches`: hand in many jobs at once, look them up, follow and withdraw them."""

import hashlib
import itertools
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

import click

from service.cli.connection import connect, url_option
from service.cli.job_lines import JobLine, read_job_lines
from service.cli.options import pairs
from service.cli.progress import Progress, bar
from service.cli.show import json_option, plain, show_json, show_pairs, show_table

if TYPE_CHECKING:
    from service.client import ApiRefused, Batch, Client, Counts

LOOK_EVERY_SECONDS = 1.0
_INTERRUPTED = 130


@click.group()
def batches() -> None:
    """Hand in many jobs at once; look them up, list, follow and withdraw them."""


@batches.command()
@click.argument("file", metavar="FILE.jsonl", type=click.File("rb"))
@click.option(
    "--key",
    metavar="TEXT",
    help="Idempotency key; made of the file's SHA-256 by default. Another one for the same file"
    " has all of it made, and paid, once more.",
)
@click.option("--callback-url", metavar="URL", help="Where to tell of the batch's end.")
@click.option(
    "--metadata",
    metavar="NAME=VALUE",
    multiple=True,
    callback=pairs,
    help="A note of your own on the batch, such as order=17; again for more.",
)
@click.option("--wait", is_flag=True, help="Wait for the end of all jobs, and show how far it is.")
@url_option
@json_option
def submit(
    *,
    file: BinaryIO,
    key: str | None,
    callback_url: str | None,
    metadata: dict[str, str],
    wait: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Hand in the jobs of a file, one JSON object a line; - reads standard input.

    Each line is a body of POST /v1/jobs. More than 1,000 lines become several batches, each of them
    accepted whole or not at all.

    The same file finds the batches that it made before, so that this may be repeated after a break
    without paying twice; a file that was changed, be it by one line, is a new one. To have the same
    file made anew, give another --key.

    With --wait the exit code is 0 if all jobs succeeded, else 1; Ctrl-C leaves them running.
    """
    content = file.read()
    lines = read_job_lines(content)
    key = key or f"file-{hashlib.sha256(content).hexdigest()}"
    with connect(url) as client:
        made = _submit_all(client, lines, key, callback_url, metadata, say=not as_json)
        if wait:
            made = _wait(client, made, as_json=as_json)
    _tell(made, as_json=as_json)
    if wait and not _have_succeeded(made):
        sys.exit(1)


@batches.command()
@click.argument("batch_id", metavar="ID")
@url_option
@json_option
def get(batch_id: str, url: str | None, *, as_json: bool) -> None:
    """Print a batch."""
    with connect(url) as client:
        _tell([client.batch(batch_id)], as_json=as_json)


@batches.command("list")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@url_option
@json_option
def list_batches(limit: int, url: str | None, *, as_json: bool) -> None:
    """Print batches, newest first."""
    with connect(url) as client:
        found = list(itertools.islice(client.batches(page_size=limit), limit))
    if as_json:
        _tell(found, as_json=True)
        return
    rows = [
        (batch["id"], batch["status"], batch["created_at"], _in_words(batch["counts"]))
        for batch in found
    ]
    show_table(("ID", "STATUS", "CREATED", "JOBS"), rows)


@batches.command()
@click.argument("batch_id", metavar="ID")
@url_option
@json_option
def watch(batch_id: str, url: str | None, *, as_json: bool) -> None:
    """Show how far a batch is until its end, then print it; exit code 0 if all jobs succeeded."""
    with connect(url) as client:
        ended = _wait(client, [client.batch(batch_id)], as_json=as_json)
    _tell(ended, as_json=as_json)
    if not _have_succeeded(ended):
        sys.exit(1)


@batches.command()
@click.argument("batch_id", metavar="ID")
@url_option
@json_option
def cancel(batch_id: str, url: str | None, *, as_json: bool) -> None:
    """Withdraw those of a batch's jobs that are still queued."""
    with connect(url) as client:
        _tell([client.cancel_batch(batch_id)], as_json=as_json)


def _submit_all(
    client: "Client",
    lines: Sequence[JobLine],
    key: str,
    callback_url: str | None,
    metadata: dict[str, str],
    *,
    say: bool,
) -> "list[Batch]":
    """Hand in lines, 1,000 at a time; the second batch's key is that of the first and -2."""
    from service.client import MAX_BATCH_JOBS, ApiRefused  # noqa: PLC0415 - as in connection.py

    made: list[Batch] = []
    for start in range(0, len(lines), MAX_BATCH_JOBS):
        some = lines[start : start + MAX_BATCH_JOBS]
        number = start // MAX_BATCH_JOBS + 1
        try:
            batch, is_replayed = client.submit_batch(
                [line.body for line in some],
                key if number == 1 else f"{key}-{number}",
                callback_url=callback_url,
                metadata=metadata,
            )
        except ApiRefused as refused:
            raise click.ClickException(_refusal(refused, some, made)) from None
        made.append(batch)
        if is_replayed and say:
            again = "it was handed in before; another --key makes it anew"
            click.echo(f"{batch['id']}: {again}", err=True)
    return made


def _refusal(refused: "ApiRefused", lines: Sequence[JobLine], made: "Sequence[Batch]") -> str:
    """Return what the API says, with lines of the file in the place of its pointers."""
    words = [plain(refused.detail)]
    for pointer, fault in refused.fields:
        _, _, rest = pointer.partition("/jobs/")
        index, _, below = rest.partition("/")
        is_of_line = index.isdecimal() and int(index) < len(lines)
        place = f"line {lines[int(index)].number}: /{below}" if is_of_line else pointer
        words.append(plain(f"{place}: {fault}"))
    if made:
        accepted = ", ".join(batch["id"] for batch in made)
        words.append(f"Accepted before it: {accepted}. The same command finds them again.")
    return "\n".join(words)


def _wait(client: "Client", running: "Sequence[Batch]", *, as_json: bool) -> "list[Batch]":
    """Look until all have ended, and show how far they are."""
    latest = list(running)
    began = time.monotonic()
    with Progress(quiet=as_json) as progress:
        try:
            while True:
                progress.show(_how_far(latest, time.monotonic() - began))
                if all(batch["status"] == "completed" for batch in latest):
                    return latest
                time.sleep(LOOK_EVERY_SECONDS)
                latest = [
                    batch if batch["status"] == "completed" else client.batch(batch["id"])
                    for batch in latest
                ]
        except KeyboardInterrupt:
            progress.clear()
            click.echo("The jobs go on; look again with:", err=True)
            for batch in latest:
                click.echo(f"darkroom batches watch {batch['id']}", err=True)
            sys.exit(_INTERRUPTED)


def _how_far(found: "Sequence[Batch]", seconds: float) -> str:
    counts = [batch["counts"] for batch in found]
    total = sum(each["total"] for each in counts)
    queued = sum(each["queued"] for each in counts)
    failed = sum(each["failed"] for each in counts)
    ended = sum(each["succeeded"] + each["failed"] + each["canceled"] for each in counts)
    minutes, rest = divmod(int(seconds), 60)
    under_way = total - ended - queued
    words = f"{queued} queued, {under_way} under way, {failed} failed"
    return f"{bar(ended, total)}  {words}  {minutes}:{rest:02}"


def _have_succeeded(found: "Sequence[Batch]") -> bool:
    return all(batch["counts"]["succeeded"] == batch["counts"]["total"] for batch in found)


def _tell(found: "Sequence[Batch]", *, as_json: bool) -> None:
    for batch in found:
        if as_json:
            show_json(batch)
            continue
        cost = batch["cost"]
        show_pairs(
            [
                ("id", batch["id"]),
                ("status", batch["status"]),
                ("jobs", _in_words(batch["counts"])),
                ("created", batch["created_at"]),
                ("completed", batch["completed_at"]),
                ("cost", f"{cost['actual'] or '-'} credits, {cost['estimated'] or '-'} estimated"),
                *(("note", f"{name}={text}") for name, text in batch["metadata"].items()),
                ("jobs at", batch["urls"]["jobs"]),
            ]
        )


def _in_words(counts: "Counts") -> str:
    statuses = (f"{count} {name}" for name, count in counts.items() if count and name != "total")
    return f"{counts['total']}: {', '.join(statuses)}"
