"""`darkroom recover`: a person decides what a restored database may pay for."""

import sys
from typing import TYPE_CHECKING

import click

from service.cli.inside import wired
from service.cli.show import json_option, plain, show_json, show_pairs

if TYPE_CHECKING:
    from service.steps.recover import Doubt, Situation
    from service.wiring import Wiring

#: Objects that are read at a time, and database connections to match.
AT_ONCE = 8


@click.command()
@click.option("--confirm", is_flag=True, help="Submit again, after what the bucket proves.")
@click.option(
    "--fail-queued",
    is_flag=True,
    help="With --confirm: fail what was queued before the break instead of sending it again.",
)
@json_option
def recover(*, confirm: bool, fail_queued: bool, as_json: bool) -> None:
    """Show what a restored database does not know, and let it submit again.

    A database that lost rows since its last mark in the bucket is held: nothing is submitted until
    --confirm. That ends the jobs whose images are in the bucket (as `darkroom reindex` does), fails
    those of which the bucket says too little, and has the rest of the queue sent. Ends with exit
    code 1 while the deployment is held.
    """
    if fail_queued and not confirm:
        raise click.UsageError("--fail-queued goes with --confirm")
    with wired(pool_size=AT_ONCE) as wiring:
        situation = wiring.recover.look()
        if situation.reason is None:
            _show(as_json, {"held": False}, "nothing is held")
        elif confirm:
            _confirm(wiring, situation, fail_queued=fail_queued, as_json=as_json)
        else:
            _report(wiring, situation, as_json=as_json)
            sys.exit(1)


def _report(wiring: "Wiring", situation: "Situation", *, as_json: bool) -> None:
    found = [_document(doubt) for doubt in wiring.doubts.find(situation.break_at)]
    unmatched = wiring.doubts.unmatched_webhooks()
    told = {
        "held": True,
        "reason": situation.reason,
        "held_at": situation.held_at and situation.held_at.isoformat(),
        "break_at": situation.break_at.isoformat(),
    }
    if as_json:
        show_json({**told, "in_doubt": found, "unmatched_webhooks": unmatched})
        return
    show_pairs(told.items())
    for one in found:
        click.echo(f"{one['job']}  {one['finding']}  {plain(one['objects'])}".rstrip())
    click.echo(
        f"{len(found)} jobs may have been paid for, {unmatched} webhooks are of attempts lost here;"
        " go on with: darkroom recover --confirm"
    )


def _confirm(wiring: "Wiring", situation: "Situation", *, fail_queued: bool, as_json: bool) -> None:
    outcomes = [found.outcome for found in wiring.reindex.run(AT_ONCE)]
    added, unreadable = outcomes.count("added"), outcomes.count("unreadable")
    failed = wiring.doubts.settle(situation.break_at, all_queued=fail_queued)
    wiring.recover.release()
    _show(
        as_json,
        {"held": False, "added": added, "unreadable": unreadable, "failed": failed},
        f"{added} came back from the bucket, {unreadable} unreadable there, {failed} failed;"
        " submitting again",
    )


def _document(doubt: "Doubt") -> dict[str, str | None]:
    from service.ids import Kind, public_id  # noqa: PLC0415 - as in inside.py

    if doubt.stem is None:
        finding = "queued before the break"
    elif doubt.status is None:
        finding = "unknown here, and in the bucket"
    else:
        finding = f"{doubt.status.value} here, and in the bucket"
    return {
        "job": public_id(Kind.JOB, doubt.job_id),
        "status": None if doubt.status is None else doubt.status.value,
        "finding": finding,
        "objects": doubt.stem,
    }


def _show(as_json: bool, document: dict[str, object], sentence: str) -> None:  # noqa: FBT001
    if as_json:
        show_json(document)
    else:
        click.echo(sentence)
