"""`darkroom listen`: what ends is printed as it ends, and handed to a program on this machine."""

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from ipaddress import ip_network
from typing import TYPE_CHECKING

import click

from service.cli.connection import connect, url_option
from service.cli.show import json_option, plain

if TYPE_CHECKING:
    from service.client import Client, Ending, Endings

LOOK_EVERY_SECONDS = 1.0
FORWARD_TIMEOUT_SECONDS = 15.0
MAX_ANSWER_BYTES = 64 * 1024
TAKEN = ", taken"
#: Whoever runs the command may reach what they can reach.
EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
#: Signs what is forwarded, as the project's callbacks are signed.
SECRET_VARIABLE = "DARKROOM_CALLBACK_SECRET"  # noqa: S105 - its name


@click.command()
@url_option
@click.option(
    "--forward-to",
    metavar="URL",
    help=f"Post each event there as a callback, signed if {SECRET_VARIABLE} is set.",
)
@click.option("--all", "from_beginning", is_flag=True, help="Begin with the first that is known.")
@click.option("--after", metavar="CURSOR", help="Go on where an earlier one ended.")
@json_option
def listen(
    url: str | None,
    forward_to: str | None,
    after: str | None,
    *,
    from_beginning: bool,
    as_json: bool,
) -> None:
    """Print jobs as they end, until Ctrl-C; for callers that cannot be called."""
    client = connect(url)
    forward = None if forward_to is None else Forward(forward_to)
    beginning = None if from_beginning else "now"
    for place in _places(client, after or beginning):
        for event in place["data"]:
            came = None if forward is None else forward(event)
            if as_json:
                # escaped: a prompt must not speak to the terminal
                click.echo(json.dumps(event))
            else:
                click.echo(_line(event, came))
            if came is not None and not came.endswith(TAKEN):
                click.echo(plain(f"{event['id']}: {came}"), err=True)


def _places(client: "Client", after: str | None) -> "Iterator[Endings]":
    """Yield what ends, whether the service is there or not; say at the end how to go on."""
    from service.client import ApiRefused, ApiUnreachable  # noqa: PLC0415 - as below

    try:
        while True:
            try:
                place = client.ended(after)
            except (ApiRefused, ApiUnreachable) as error:
                if getattr(error, "status", 500) < HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise
                click.echo(f"{plain(str(error))}; asking again", err=True)
                time.sleep(LOOK_EVERY_SECONDS)
                continue
            yield place
            after = place["next"]
            if not place["has_more"]:
                time.sleep(LOOK_EVERY_SECONDS)
    finally:
        if after not in {None, "now"}:
            click.echo(f"Go on with: darkroom listen --after {after}", err=True)


def _line(event: "Ending", came: str | None) -> str:
    words = [event["timestamp"], event["type"], event["data"]["id"], came or ""]
    return plain("  ".join(words)).rstrip()


class Forward:
    """Hands events to an address of whoever runs the command: no redirects, no proxies."""

    def __init__(self, url: str) -> None:
        """Prepare; raises ClickException if the address or the secret cannot be one."""
        from service.clients.outbound import AddressGuard, Outbound  # noqa: PLC0415 - takes time
        from service.errors import AddressForbidden  # noqa: PLC0415 - as above
        from service.signing.callback import is_callback_secret  # noqa: PLC0415 - as above

        self._url = url
        self._secret = os.environ.get(SECRET_VARIABLE)
        guard = AddressGuard(EVERYWHERE)
        try:
            guard.parse(url)
        except AddressForbidden as error:
            raise click.BadParameter(str(error), param_hint="--forward-to") from None
        self._outbound: Outbound = Outbound(guard)
        if self._secret and not is_callback_secret(self._secret):
            raise click.ClickException(f"{SECRET_VARIABLE} is no whsec_… secret")

    def __call__(self, event: "Ending") -> str:
        """Hand an event over; return what came of it."""
        from service.errors import AddressForbidden, TransientError  # noqa: PLC0415 - as above

        told = {name: event[name] for name in ("type", "timestamp", "sequence", "data")}
        body = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
        try:
            answer = self._outbound.post(
                self._url,
                body=body.encode(),
                headers={"Content-Type": "application/json", **self._proofs(event["id"], body)},
                total_seconds=FORWARD_TIMEOUT_SECONDS,
                connect_seconds=FORWARD_TIMEOUT_SECONDS,
                max_body_bytes=MAX_ANSWER_BYTES,
            )
        except (AddressForbidden, TransientError) as error:
            return f"{self._url} not reached: {error}"
        taken = HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES
        return f"{self._url} answered {answer.status}{TAKEN if taken else ''}"

    def _proofs(self, event_id: str, body: str) -> dict[str, str]:
        if not self._secret:
            return {"webhook-id": event_id}
        from service.signing.callback import callback_headers  # noqa: PLC0415 - as above

        return callback_headers(event_id, body, [self._secret], datetime.now(UTC))
