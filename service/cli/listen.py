"""`darkroom listen`: what ends is printed as it ends, and handed to a program on this machine."""

import json
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from service.cli.connection import connect, url_option
from service.cli.show import json_option, plain, show_json

if TYPE_CHECKING:
    from service.client import Ending

LOOK_EVERY_SECONDS = 1.0
FORWARD_TIMEOUT_SECONDS = 15.0
#: Signs what is forwarded, as the project's callbacks are signed.
SECRET_VARIABLE = "DARKROOM_CALLBACK_SECRET"  # noqa: S105 - its name


@click.command()
@url_option
@click.option(
    "--forward-to",
    metavar="URL",
    help=f"Post each event there as a callback, signed if {SECRET_VARIABLE} is set.",
)
@click.option("--all", "from_beginning", is_flag=True, help="Begin with the first that ever ended.")
@json_option
def listen(url: str | None, forward_to: str | None, *, from_beginning: bool, as_json: bool) -> None:
    """Print jobs as they end, until Ctrl-C; for callers that cannot be called."""
    client = connect(url)
    place = client.ended(None if from_beginning else "now")
    while True:
        for event in place["data"]:
            came = None if forward_to is None else _forward(event, forward_to)
            if as_json:
                show_json(event)
            else:
                click.echo(_line(event, came))
        if not place["has_more"]:
            time.sleep(LOOK_EVERY_SECONDS)
        place = client.ended(place["next"])


def _line(event: "Ending", came: str | None) -> str:
    words = [event["timestamp"], event["type"], event["data"]["id"], came or ""]
    return plain("  ".join(words)).rstrip()


def _forward(event: "Ending", forward_to: str) -> str:
    """Hand an event over; return what came of it."""
    import urllib3  # noqa: PLC0415 - an HTTP library takes a tenth of a second

    told = {name: event[name] for name in ("type", "timestamp", "sequence", "data")}
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    headers = {"Content-Type": "application/json", **_proofs(event["id"], body)}
    try:
        answer = urllib3.request(
            "POST",
            forward_to,
            body=body.encode(),
            headers=headers,
            redirect=False,
            retries=False,
            timeout=FORWARD_TIMEOUT_SECONDS,
        )
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        return f"{forward_to} not reached ({type(error).__name__})"
    return f"{forward_to} answered {answer.status}"


def _proofs(event_id: str, body: str) -> dict[str, str]:
    secret = os.environ.get(SECRET_VARIABLE)
    if not secret:
        return {"webhook-id": event_id}
    from service.signing.callback import callback_headers  # noqa: PLC0415 - as above

    return callback_headers(event_id, body, [secret], datetime.now(UTC))
