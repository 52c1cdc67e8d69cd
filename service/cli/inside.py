"""The service's own parts, for commands that work beside it instead of over its API."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from service.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from service.wiring import Wiring


@contextmanager
def wired(*, pool_size: int = 1) -> Iterator["Wiring"]:
    """Wire the parts by the environment.

    Raises:
        click.ClickException: a variable is missing or wrong, or the database does not answer or
            is not migrated.
    """
    from sqlalchemy.exc import ArgumentError, ProgrammingError  # noqa: PLC0415 - seconds, as below

    from service.logs import configure_logs  # noqa: PLC0415
    from service.settings import SettingsError, load_settings  # noqa: PLC0415
    from service.wiring import Wiring  # noqa: PLC0415

    try:
        settings = load_settings()
    except SettingsError as error:
        raise click.ClickException(f"the environment is not complete:\n{error}") from None
    # standard output belongs to the commands
    configure_logs(settings.log_level)
    wiring = Wiring(settings, pool_size=pool_size)
    try:
        database = wiring.database
    except (ArgumentError, ValueError):
        raise click.ClickException("DATABASE_URL cannot be an address") from None
    try:
        yield wiring
    except DatabaseUnavailable as error:
        raise click.ClickException(f"the database does not answer ({error})") from None
    except ProgrammingError:
        raise click.ClickException(
            "the database does not have our tables; migrate it with: alembic upgrade head"
        ) from None
    finally:
        database.dispose()
