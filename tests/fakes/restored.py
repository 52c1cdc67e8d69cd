"""A backup of a test's database, restored beside it."""

import contextlib
from collections.abc import Callable, Iterator

from conftest import named, new_database
from pydantic import SecretStr
from sqlalchemy import make_url

from service.wiring import Wiring


@contextlib.contextmanager
def restored_copy(wiring: Wiring, rewire: Callable[..., Wiring]) -> Iterator[Wiring]:
    """Copy the database as it is now and yield a wiring over the copy.

    The copy is made from the files, as a base backup is: it has the original's rows and its id.
    """
    url = wiring.settings.database_url.get_secret_value()
    # nobody may be connected to what is copied
    wiring.close()
    with new_database(named(url, "postgres"), str(make_url(url).database)) as name:
        restored = rewire(database_url=SecretStr(named(url, name)))
        yield restored
        restored.close()
