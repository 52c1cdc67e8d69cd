"""`darkroom reindex` and `darkroom verify`: the bucket and the tables, held against each other."""

import sys

import click

from service.cli.inside import wired
from service.cli.show import json_option, plain, show_json

#: Objects that are read at a time, and database connections to match.
AT_ONCE = 8


@click.command()
@json_option
def reindex(*, as_json: bool) -> None:
    """Rebuild jobs and images from the bucket, after the database was lost or restored.

    Run it before the workers start, or have `darkroom recover --confirm` do it: a job that an old
    backup holds as queued would be paid for again. Running it twice changes nothing.
    """
    present, added, unreadable = 0, 0, []
    with wired(pool_size=AT_ONCE) as wiring:
        for found in wiring.reindex.run(AT_ONCE):
            present += found.outcome == "present"
            added += found.outcome == "added"
            if found.reason is not None:
                unreadable.append({"key": found.key, "reason": found.reason})
                if not as_json:
                    click.echo(f"unreadable {plain(found.key)}: {plain(found.reason)}", err=True)
    if as_json:
        show_json({"present": present, "added": added, "unreadable": unreadable})
    else:
        click.echo(f"{present} were there, {added} added, {len(unreadable)} unreadable")
    if unreadable:
        sys.exit(1)


@click.command()
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Only N images, at random.")
@json_option
def verify(sample: int | None, *, as_json: bool) -> None:
    """Read stored images back and compare their size and SHA-256 with the tables."""
    checked, wrong = 0, []
    with wired() as wiring:
        for one in wiring.verify.run(sample, AT_ONCE):
            checked += 1
            if one.fault is None:
                continue
            wrong.append(
                {"id": one.image_id, "bucket": one.bucket, "key": one.key, "fault": one.fault}
            )
            if not as_json:
                click.echo(f"{one.image_id}  s3://{one.bucket}/{one.key}  {one.fault}")
    if as_json:
        show_json({"checked": checked, "wrong": wrong})
    else:
        click.echo(f"{checked} read, {len(wrong)} missing or altered")
    if wrong:
        sys.exit(1)
