"""Scenarios measure, and say when a bound is broken."""

import json
import math
from pathlib import Path

import pytest
from chaos.scenarios.__main__ import SCENARIOS
from chaos.scenarios.figures import Figure, percentile
from chaos.scenarios.scenario import Size, run


def test_a_small_one_is_played_and_kept(tmp_path: Path) -> None:
    report = run("no-webhooks", SCENARIOS["no-webhooks"], Size(8), seed=1, home=tmp_path)
    said = json.loads(str(report))
    assert (said["findings"], said["figures"]["succeeded"]) == ([], 8)


@pytest.mark.parametrize(
    ("figure", "kept"),
    [
        (Figure("a", 2, most=2), True),
        (Figure("a", 2.1, most=2), False),
        (Figure("a", 2, least=2), True),
        (Figure("a", 1.9, least=2), False),
        (Figure("a", math.nan, most=2), False),
        (Figure("a", 7), True),
    ],
)
def test_a_figure_knows_its_bounds(figure: Figure, *, kept: bool) -> None:
    assert figure.kept == kept


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([5, 1, 4, 2, 3], 0.8) == 4
    assert percentile([5], 0.99) == 5
    assert math.isnan(percentile([], 0.99))
