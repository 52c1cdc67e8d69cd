"""How numbers read on pages."""

import pytest

from service.web.wording import file_size, span


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0001, "under 1 ms"),
        (0.035, "35 ms"),
        (1.0, "1 s"),
        (4.204, "4.2 s"),
        (59.7, "1 min"),
        (125, "2 min 5 s"),
        (10_800, "3 h"),
        (90_061, "1 d 1 h"),
    ],
)
def test_durations_read_in_two_units_at_most(seconds: float, said: str) -> None:
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("size_bytes", "said"),
    [(312, "312 bytes"), (1_000, "1 kB"), (214_321, "214 kB"), (1_430_000, "1.4 MB")],
)
def test_sizes_read_in_the_unit_that_fits(size_bytes: int, said: str) -> None:
    assert file_size(size_bytes) == said
