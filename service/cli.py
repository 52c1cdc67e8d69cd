"""`darkroom`: the command line."""

import json
import sys

import click

from service.settings import SettingsError, load_settings
from service.simulator.command import simulator
from service.wiring import Wiring


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Darkroom takes paid Flux image generation off your hands and never loses a picture."""


def _wiring() -> Wiring:
    try:
        return Wiring(load_settings(), pool_size=1)
    except SettingsError as error:
        raise click.ClickException(f"the environment is not complete:\n{error}") from None


@main.command()
def up() -> None:
    """Run everything on this machine: servers, web, workers, beat; until Ctrl-C."""
    from service.embedded.up import up as run  # noqa: PLC0415 - production has no embedded servers

    sys.exit(run())


@main.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command("create")
@click.option("--project", default="default", show_default=True, help="Made if it is new.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create_key(project: str, *, as_json: bool) -> None:
    """Print a new API key and the project's callback secret; the key is not shown again."""
    try:
        new = _wiring().keys.create(project)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--project") from None
    found = {
        "project": new.project,
        "id": new.key_id,
        "api_key": new.api_key,
        "callback_secret": new.callback_secret,
    }
    if as_json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:16} {value}")


@keys.command("list")
def list_keys() -> None:
    """Print every key without its secret part."""
    for key in _wiring().keys.listing():
        print("  ".join(key.values()))


@keys.command("revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """Make a key useless at once; its jobs go on."""
    if not _wiring().keys.revoke(key_id):
        raise click.ClickException("there is no such active key")
    print("revoked")


main.add_command(simulator)
