"""`darkroom projects`: what an operator sets holds for callers, and `none` ends it."""

import pytest
from cli.command_line import CommandLine

from service.keys import NewKey

SET = ("projects", "set", "default")


@pytest.mark.usefixtures("key")
def test_limits_are_set_listed_and_taken_away(operator: CommandLine) -> None:
    done = operator(*SET, "--max-queued", "7", "--credits-per-day", "2.50", "--json")
    assert done.code == 0
    expected = {
        "name": "default", "requests_per_minute": 60000, "max_active": None, "max_queued": 7,
        "credits_per_day": "2.5", "retention_days": None,
    }  # fmt: skip
    assert done.json == expected
    assert expected in operator("projects", "list", "--json").lines
    table = [line.split() for line in operator("projects", "list").out.splitlines()]
    assert table[0][:2] == ["NAME", "REQUESTS_PER_MINUTE"]
    assert ["default", "60000", "7", "2.5"] in table
    freed = operator(*SET, "--max-queued", "none", "--credits-per-day", "none", "--json").json
    assert (freed["max_queued"], freed["credits_per_day"]) == (None, None)


def test_what_an_operator_sets_holds_for_callers(
    operator: CommandLine, darkroom: CommandLine, key: NewKey
) -> None:
    operator("projects", "set", key.project, "--max-queued", "1")
    submit = ("jobs", "submit", "flux-2-pro", "-p", "a fox")
    assert darkroom(*submit).code == 0
    refused = darkroom(*submit)
    assert refused.code == 1
    assert "At most 1 jobs" in refused.err


@pytest.mark.parametrize(
    "wrong",
    [
        (),
        ("--max-active", "0"),
        ("--max-queued", "-1"),
        ("--max-queued", "many"),
        ("--credits-per-day", "1e9"),
        ("--credits-per-day", "NaN"),
        ("--retention-days", "3651"),
        ("--requests-per-minute", "0"),
    ],
)
@pytest.mark.usefixtures("key")
def test_what_is_no_limit_is_refused_in_words(
    operator: CommandLine, wrong: tuple[str, ...]
) -> None:
    done = operator(*SET, *wrong)
    assert done.code == 2
    assert "Traceback" not in done.err


@pytest.mark.parametrize("name", ["nobody", "ä", "a\x01b", ""])
def test_a_project_that_is_not_there_is_refused(operator: CommandLine, name: str) -> None:
    done = operator("projects", "set", name, "--max-queued", "1")
    assert (done.code, "there is no such project" in done.err) == (2, True)
