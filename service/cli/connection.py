"""Which Darkroom a command speaks to, and with which key: environment first, then dev.json.

A key is never taken from the command line, which every user of the machine can read, and the key of
dev.json goes to the address of dev.json only.
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from service.client import Client

url_option = click.option(
    "--url",
    envvar="DARKROOM_URL",
    show_envvar=True,
    help="Where the service is; else the one that `darkroom up` runs here.",
)
_HINT = "set DARKROOM_URL and DARKROOM_API_KEY, or run a service here with `darkroom up`"


def connect(url: str | None, *, connections: int = 1) -> "Client":
    """Return a client; nothing is sent yet.

    Raises:
        click.ClickException: no service or no key is named, or one of them cannot be one.
    """
    from service.client import Client  # noqa: PLC0415 - an HTTP library takes a tenth of a second

    own = dev_json()
    url = url or own.get("url")
    if url is None:
        raise click.ClickException(f"no service is named: {_HINT}")
    key = os.environ.get("DARKROOM_API_KEY", "").strip()
    if not key and url.rstrip("/") == own.get("url", "").rstrip("/"):
        key = own.get("api_key", "")
    if not key:
        raise click.ClickException(f"no API key for {url}: {_HINT}")
    try:
        return Client(url, key, connections=connections)
    except ValueError as error:
        raise click.ClickException(f"DARKROOM_URL or DARKROOM_API_KEY: {error}") from None


def dev_json() -> dict[str, Any]:
    """Return what `darkroom up` left, or nothing while it is not running."""
    path = Path(os.environ.get("DARKROOM_HOME") or ".darkroom") / "dev.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{path} cannot be read ({type(error).__name__})") from None
    return found if isinstance(found, dict) else {}
