"""A second tenant, for all that must not be seen across."""

import pytest
from conftest import Api
from flask.testing import FlaskClient

from service.keys import NewKey


@pytest.fixture
def other(client: FlaskClient, other_key: NewKey) -> Api:
    """A caller of another project."""
    return Api(client, other_key.api_key)
