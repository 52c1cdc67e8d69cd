"""What a server may make us wait."""

from datetime import UTC, datetime

import pytest

from service.clients.outbound import parse_retry_after

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
BASE, CAP = 7.0, 3600.0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["0"], BASE),
        (["5"], BASE),
        (["8"], 8.0),
        ([" 10 "], 10.0),
        (["3600"], 3600.0),
        (["86400"], CAP),
        (["99999999999999999999"], CAP),
        (["9" * 5000], CAP),
        (["inf"], BASE),
        (["-inf"], BASE),
        (["nan"], BASE),
        (["abc"], BASE),
        ([""], BASE),
        ([], BASE),
        (["+5"], BASE),
        (["-5"], BASE),
        (["1e3"], BASE),
        (["1_000"], BASE),
        (["10.5"], BASE),
        (["\u0661\u0660"], BASE),
        (["5, 10"], BASE),
        (["5", "10"], BASE),
        (["Wed, 21 Oct 2015 07:28:00 GMT"], BASE),
        (["Fri, 31 Dec 9999 23:59:59 GMT"], CAP),
        (["Sun, 22 Nov 2026 12:01:00 GMT"], 60.0),
        (["Wed, 99 Foo 2030 99:99:99 GMT"], BASE),
        (["Wed, 31 Feb 2030 10:00:00 GMT"], BASE),
        (["Wednesday, 21-Oct-26 07:28:00 GMT"], BASE),
        (["2026-12-21T07:28:00Z"], BASE),
    ],
)
def test_the_delay_stays_between_our_own_and_the_cap(values: list[str], expected: float) -> None:
    assert parse_retry_after(values, base_seconds=BASE, cap_seconds=CAP, now=NOW) == expected


def test_the_cap_wins_over_our_own_delay() -> None:
    assert parse_retry_after(["abc"], base_seconds=90, cap_seconds=60, now=NOW) == 60
