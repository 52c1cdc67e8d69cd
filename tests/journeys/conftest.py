"""A whole service per module; a test that breaks processes puts them back."""

from collections.abc import Iterator

import pytest
from fakes.webhook_sink import WebhookSink
from journeys.running_service import RunningService
from journeys.services import StartService


@pytest.fixture(scope="module")
def service(start_service: StartService) -> Iterator[RunningService]:
    """All processes, for the tests of one module."""
    with start_service() as service:
        yield service


@pytest.fixture
def caller() -> Iterator[WebhookSink]:
    """An address of a caller."""
    with WebhookSink() as caller:
        yield caller
