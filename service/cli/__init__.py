"""`darkroom`: the command line.

Its modules import what is light; what takes long is imported inside the command that needs it, so
that `--help` is quick.
"""

import sys
from typing import Any

import click

from service.cli.batches import batches
from service.cli.bucket import reindex, verify
from service.cli.images import images
from service.cli.jobs import jobs
from service.cli.keys import keys
from service.cli.listen import listen
from service.cli.models import models, price
from service.cli.projects import projects
from service.cli.reconcile import reconcile
from service.cli.recover import recover
from service.cli.show import plain
from service.errors import ServiceError

__all__ = ["main"]


class _InWords(click.Group):
    """Ends what went wrong in one line and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        try:
            return super().invoke(ctx)
        except ServiceError as error:
            raise click.ClickException(plain(error)) from None


@click.group(cls=_InWords, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Darkroom takes paid Flux image generation off your hands and never loses a picture."""


@main.command()
def up() -> None:
    """Run everything on this machine: servers, web, workers, beat; until Ctrl-C."""
    from service.embedded.up import up as run  # noqa: PLC0415 - production has no embedded servers

    sys.exit(run())


@main.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def simulator(arguments: tuple[str, ...]) -> None:
    """Simulate the Flux API, image files and webhooks included."""
    from service.simulator.command import simulator as run  # noqa: PLC0415 - it draws with Pillow

    run.main(args=list(arguments), prog_name="darkroom simulator")


for command in (jobs, batches, images, listen, models, price):
    main.add_command(command)
for command in (keys, projects, reindex, verify, recover, reconcile):
    main.add_command(command)
