"""`darkroom reconcile`: what upstream charged, held against what we recorded."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from service.cli.inside import wired
from service.cli.show import json_option, show_json, show_table

if TYPE_CHECKING:
    from service.steps.reconcile import Doubt, Reckoning


@click.command()
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]),
    metavar="MOMENT",
    help="2026-11-22 or 2026-11-22T10:00, UTC: what was sent since; a day ago by default.",
)
@json_option
def reconcile(since: datetime | None, *, as_json: bool) -> None:
    """Compare what upstream charged with what was recorded, and list doubtful payments.

    The exit code is 1 if a balance fell further than our records explain: something was paid twice,
    or by somebody else who uses the account. Balances are read every ten minutes and kept for 30
    days; amounts are in credits.
    """
    start = datetime.now(UTC) - timedelta(days=1) if since is None else since.replace(tzinfo=UTC)
    with wired() as wiring:
        reckonings = wiring.reconcile.accounts(start)
        doubts = list(map(_doubt, wiring.reconcile.doubts(start)))
    accounts = list(map(_account, reckonings))
    if as_json:
        show_json({"accounts": accounts, "doubts": doubts})
    else:
        for account in accounts:
            _show(account)
        _list(doubts)
    if any(reckoning.is_alarming for reckoning in reckonings):
        sys.exit(1)


def _account(found: "Reckoning") -> dict[str, Any]:
    from service.documents import credits_text, when  # noqa: PLC0415 - takes long

    amounts = ("charged", "recorded", "assumed", "uncertain", "surplus", "shortfall")
    return {
        "provider": found.provider,
        "first_at": when(found.first_at),
        "last_at": when(found.last_at),
        **{name: credits_text(getattr(found, name)) for name in amounts},
        "rises": [{"at": when(at), "credits": credits_text(amount)} for at, amount in found.rises],
        "alarm": found.is_alarming,
    }


def _doubt(found: "Doubt") -> dict[str, Any]:
    from service.documents import credits_text, when  # noqa: PLC0415
    from service.ids import Kind, public_id  # noqa: PLC0415

    return {
        "kind": found.kind.value,
        "at": when(found.at),
        "provider": found.provider,
        "job": None if found.job_id is None else public_id(Kind.JOB, found.job_id),
        "attempt": found.attempt_number,
        "attempt_id": str(found.attempt_id),
        "task_id": found.task_id,
        "credits": credits_text(found.credits),
        "reason": found.reason,
    }


def _show(account: dict[str, Any]) -> None:
    if account["first_at"] == account["last_at"]:
        click.echo(f"{account['provider']}: nothing to compare, two balances are needed")
        return
    click.echo(f"{account['provider']}: {account['first_at']} to {account['last_at']}, credits")
    lines = [
        ("charged", "by the fall of the balance"),
        ("recorded", f"of it assumed by the price list: {account['assumed']}"),
        ("uncertain", "under way at a reading or not answered yet: may be part of the charge"),
        ("surplus", "charged and not recorded" + (": ALARM" if account["alarm"] else "")),
        ("shortfall", "recorded and not charged: refunds, or assumed too much"),
    ]
    for name, meaning in lines:
        click.echo(f"  {name:10} {account[name]:>12}  {meaning}")
    for rise in account["rises"]:
        click.echo(f"  {'rise':10} {rise['credits']:>12}  {rise['at']}: a top-up, not compared")


def _list(doubts: Sequence[dict[str, Any]]) -> None:
    titles = ("kind", "at", "job", "attempt_id", "credits", "reason")
    if doubts:
        rows = [[doubt[title] for title in titles] for doubt in doubts]
        show_table([title.upper() for title in titles], rows)
    click.echo(f"{len(doubts)} doubtful payments")
