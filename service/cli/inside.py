"""The service's own parts, for commands that work beside it instead of over its API."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from service.cli.connection import dev_json
from service.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from service.database import Database
    from service.keys import Keys
    from service.projects import Projects
    from service.wiring import Wiring


@contextmanager
def keys_alone() -> Iterator["Keys"]:
    """Reach the keys; nothing but the database is needed.

    Raises:
        click.ClickException: as `database_alone`.
    """
    from service.keys import Keys  # noqa: PLC0415 - seconds, as below

    with database_alone() as database:
        yield Keys(database)


def base_url() -> str:
    """Return where browsers find the service whose keys `keys_alone` reaches.

    Raises:
        click.ClickException: PUBLIC_URL or PORT cannot be one.
    """
    from service.settings import PlaceSettings  # noqa: PLC0415 - as below

    own: str | None = None if os.environ.get("DATABASE_URL") else dev_json().get("url")
    try:
        return own or PlaceSettings().base_url
    except ValueError:
        raise click.ClickException("PUBLIC_URL or PORT cannot be an address") from None


@contextmanager
def projects_alone() -> Iterator["Projects"]:
    """Reach the projects; nothing but the database is needed.

    Raises:
        click.ClickException: as `database_alone`.
    """
    from service.projects import Projects  # noqa: PLC0415 - seconds, as below

    with database_alone() as database:
        yield Projects(database)


@contextmanager
def database_alone() -> Iterator["Database"]:
    """Reach the database of DATABASE_URL, else the one of dev.json.

    Raises:
        click.ClickException: neither names one, or it does not answer.
    """
    from pydantic import SecretStr  # noqa: PLC0415 - seconds, as below
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    from service.database import Database  # noqa: PLC0415
    from service.settings import DatabaseSettings  # noqa: PLC0415

    url = os.environ.get("DATABASE_URL") or dev_json().get("database_url")
    if not url:
        raise click.ClickException("set DATABASE_URL, or run it beside `make run`")
    try:
        address = DatabaseSettings(database_url=SecretStr(url)).database_url.get_secret_value()
        database = Database(address, lambda _message: None, pool_size=1)
    except (ArgumentError, ValueError):
        raise click.ClickException("DATABASE_URL cannot be an address") from None
    with _told(database):
        yield database


@contextmanager
def wired(*, pool_size: int = 1) -> Iterator["Wiring"]:
    """Wire the parts by the environment.

    Raises:
        click.ClickException: a variable is missing or wrong, or the database does not answer or
            is not migrated.
    """
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 - seconds, as below

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
    with _told(database):
        yield wiring


@contextmanager
def _told(database: "Database") -> Iterator[None]:
    """Say in words what a database does not do, and let go of it.

    Raises:
        click.ClickException: it does not answer, or is not migrated.
    """
    from sqlalchemy.exc import ProgrammingError  # noqa: PLC0415

    try:
        yield
    except DatabaseUnavailable as error:
        raise click.ClickException(f"the database does not answer ({error})") from None
    except ProgrammingError:
        raise click.ClickException(
            "the database does not have our tables; migrate it with: alembic upgrade head"
        ) from None
    finally:
        database.dispose()
