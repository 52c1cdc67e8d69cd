"""`darkroom keys`: API keys, made and revoked beside the service by whoever has its environment."""

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from service.cli.connection import dev_json
from service.cli.inside import base_url, keys_alone
from service.cli.show import json_option, show_json, show_table
from service.errors import UnknownCaller

if TYPE_CHECKING:
    from uuid import UUID

    from service.keys import Keys


#: As in `service.models`, which takes long to load.
SCOPES = ("submit", "read", "manage")


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command()
@click.option("--project", default="default", show_default=True, help="Made if it is new.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    default=SCOPES,
    show_default=True,
    help="What the key is for; again for more.",
)
@click.option("--days", type=click.IntRange(1, 36500), help="It ends after so many days.")
@json_option
def create(project: str, scopes: tuple[str, ...], days: int | None, *, as_json: bool) -> None:
    """Print a new API key and the project's callback secret; the key is not shown again."""
    from service.models import Scope  # noqa: PLC0415 - only this command needs it

    ends_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    with keys_alone() as inside:
        try:
            new = inside.create(project, scopes=[Scope(one) for one in scopes], expires_at=ends_at)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--project") from None
    found = {
        "project": new.project,
        "id": new.key_id,
        "api_key": new.api_key,
        "callback_secret": new.callback_secret,
    }
    if as_json:
        show_json(found)
    else:
        for name, value in found.items():
            click.echo(f"{name:16} {value}")


@keys.command("list")
@json_option
def list_keys(*, as_json: bool) -> None:
    """Print every key without its secret part."""
    from service.documents import api_key  # noqa: PLC0415 - only this command needs it

    with keys_alone() as inside:
        found = [api_key(row) for row in inside.listing()]
    if as_json:
        for key in found:
            show_json(key)
        return
    titles = ("id", "project", "prefix", "scopes", "created_at", "last_used_at", "status")
    rows = [
        [{**key, "scopes": ",".join(key["scopes"])}[title] for title in titles] for key in found
    ]
    show_table([title.upper() for title in titles], rows)


@keys.command()
@click.argument("key_id", metavar="ID")
def revoke(key_id: str) -> None:
    """Make a key useless at once; its jobs go on."""
    with keys_alone() as inside:
        if not inside.revoke(key_id):
            raise click.ClickException("there is no such active key")
    click.echo("revoked")


@keys.command()
@click.argument("key_id", metavar="[ID]", required=False)
@json_option
def link(key_id: str | None, *, as_json: bool) -> None:
    """Print a link that logs one browser in, once, within ten minutes.

    Without an ID it is for DARKROOM_API_KEY, else for the key that `darkroom up` left.
    """
    with keys_alone() as inside:
        token = inside.links.create(key_id or _own_key(inside))
        if token is None:
            raise click.ClickException("there is no such active key")
        found = f"{base_url()}/login/{token}"
    if as_json:
        show_json({"url": found})
    else:
        click.echo(found)


@keys.command("rotate-callback-secret")
@click.option("--project", default="default", show_default=True)
@json_option
def rotate_callback_secret(project: str, *, as_json: bool) -> None:
    """Print a new secret that signs callbacks from now on; the one before it signs as well."""
    with keys_alone() as inside:
        newest = inside.rotate_callback_secret(_project(inside, project))
    found = {"project": project, "callback_secret": newest}
    if as_json:
        show_json(found)
    else:
        for name, value in found.items():
            click.echo(f"{name:16} {value}")


@keys.command("retire-callback-secret")
@click.option("--project", default="default", show_default=True)
def retire_callback_secret(project: str) -> None:
    """Have only the newest callback secret sign; the end of a rotation."""
    with keys_alone() as inside:
        retired = inside.retire_callback_secret(_project(inside, project))
    click.echo("only the newest signs" if retired else "there is only one")


def _own_key(inside: "Keys") -> str:
    from service.ids import Kind, public_id  # noqa: PLC0415 - only this command needs it

    api_key = os.environ.get("DARKROOM_API_KEY", "").strip() or dev_json().get("api_key", "")
    if not api_key:
        raise click.UsageError("name a key: its ID is in `darkroom keys list`")
    try:
        return public_id(Kind.KEY, inside.caller(api_key).key_id)
    except UnknownCaller:
        raise click.ClickException("there is no such active key") from None


def _project(inside: "Keys", name: str) -> "UUID":
    # what cannot be a name may not even be text that PostgreSQL takes
    found = inside.project(name) if name.isascii() and name.isprintable() else None
    if found is None:
        raise click.BadParameter("there is no such project", param_hint="--project")
    return found
