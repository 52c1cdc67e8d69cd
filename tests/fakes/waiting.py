"""Waiting for what no event tells of, with a deadline instead of a guess."""

import time
from collections.abc import Callable
from typing import TypeVar

_Found = TypeVar("_Found")


def wait_until(
    look: Callable[[], _Found], enough: Callable[[_Found], bool], timeout_seconds: float = 10
) -> _Found:
    """Look again and again until it is enough and return what was seen last."""
    deadline = time.monotonic() + timeout_seconds
    while not enough(found := look()):
        assert time.monotonic() < deadline, f"saw only {found!r}"
        time.sleep(0.01)
    return found
