"""A wrong edit of one line of the product's tables is caught, wherever any step could use it.

The tables have to hold by themselves: here the sweep decides on what it saw a while ago, so that no
row lock helps; nor does a worker begin its time anew, which is safe behind that lock alone. What a
step asks of the tables is noted while the true ones are explored; an edit that gives the same
answer to every question leads nowhere else, and is left out.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pytest
from model.submit import check
from model.world import Job, Rules, Tables

from service.states import ErrorCode, Status

Question = tuple[Job, Status, ErrorCode | None, bool]
Key = TypeVar("Key", Status, ErrorCode)

BLIND = Rules(sweep_holds_the_row=False, renews=False, max_calls=1, max_at_once=1)
#: Some questions come up only where jobs are sent once more.
RESUBMITTING = Rules(resubmits=True, max_calls=1, max_at_once=1, max_refusals=0)
#: Ends without an image, besides the usual one.
ENDED = {ErrorCode.REQUEST_MODERATED, ErrorCode.UPSTREAM_ERROR}


@dataclass(frozen=True)
class Noting(Tables):
    """The product's tables, and what was asked of them."""

    asked: set[Question] = field(default_factory=set)

    def allow(
        self, job: Job, to: Status, code: ErrorCode | None, *, takes_over: bool = False
    ) -> bool:
        """Answer as the tables do."""
        self.asked.add((Job(job.status, job.code), to, code, takes_over))
        return super().allow(job, to, code, takes_over=takes_over)


@pytest.fixture(scope="module")
def asked() -> set[Question]:
    """What the steps ask of the true tables, wherever they stand and whatever fails a job."""
    tables = Noting()
    for code in (None, ErrorCode.REQUEST_MODERATED, ErrorCode.UPSTREAM_ERROR):
        assert check(rules_of(BLIND, code, tables)).broken == {}
    return tables.asked


def flipped(
    table: Mapping[Key, frozenset[Status]],
) -> Iterator[tuple[Key, Status, Mapping[Key, frozenset[Status]]]]:
    """Yield every table that has one source more or less."""
    for key, sources in table.items():
        for status in Status:
            yield key, status, {**table, key: sources ^ {status}}


def rules_of(base: Rules, code: ErrorCode | None, tables: Tables) -> Rules:
    """Return rules under which a failure comes about."""
    ended_as = code if code in ENDED else ErrorCode.CONTENT_MODERATED
    # one run can show both: how upstream ends a task, and how a result is lost
    is_other = code in {*ENDED, ErrorCode.RESULT_INVALID}
    gone_as = ErrorCode.RESULT_INVALID if is_other else ErrorCode.RESULT_EXPIRED
    return replace(base, tables=tables, ended_as=ended_as, gone_as=gone_as)


def edits(base: Rules) -> Iterator[tuple[str, Rules]]:
    """Yield each edit of one line by its name."""
    true = Tables()
    for to, source, entered_from in flipped(true.entered_from):
        tables = replace(true, entered_from=entered_from)
        yield f"{source} -> {to}", replace(base, tables=tables)
    for code, source, failed_from in flipped(true.failed_from):
        # a failure that comes from anywhere else must be allowed to enter from there as well
        entering = true.entered_from[Status.FAILED] | failed_from[code]
        entered_from = {**true.entered_from, Status.FAILED: entering}
        tables = replace(true, entered_from=entered_from, failed_from=failed_from)
        yield f"{source} -> failed as {code}", rules_of(base, code, tables)
    for to, code in itertools.product(Status, ErrorCode):
        codes = true.promotable.get(to, frozenset()) ^ {code}
        tables = replace(true, promotable={**true.promotable, to: codes})
        yield f"{code} -> {to}", rules_of(base, code, tables)


def is_inert(tables: Tables, asked: set[Question]) -> bool:
    true = Tables()
    return not any(
        tables.allow(job, to, code, takes_over=over) != true.allow(job, to, code, takes_over=over)
        for job, to, code, over in asked
    )


def missed(edits: Mapping[str, Rules]) -> list[str]:
    return [name for name, rules in edits.items() if not check(rules, until_broken=True).broken]


def test_every_wrong_move_that_a_step_could_make_is_caught(asked: set[Question]) -> None:
    telling = {name: rules for name, rules in edits(BLIND) if not is_inert(rules.tables, asked)}
    assert missed(telling) == []
    assert len(telling) > 80


def test_every_wrong_move_that_only_a_second_submission_could_make_is_caught(
    asked: set[Question],
) -> None:
    tables = Noting()
    assert check(replace(RESUBMITTING, tables=tables)).broken == {}
    telling = {
        name: rules
        for name, rules in edits(RESUBMITTING)
        if is_inert(rules.tables, asked) and not is_inert(rules.tables, tables.asked)
    }
    assert missed(telling) == []
    assert {f"{ErrorCode.EXPIRED} -> {to}" for to in Tables().promotable} <= set(telling)


def test_every_wrong_word_on_charges_and_slots_is_caught() -> None:
    true = Tables()
    for code in ErrorCode:
        tables = replace(true, maybe_charged=true.maybe_charged ^ {code})
        assert check(rules_of(BLIND, code, tables), until_broken=True).broken, code
    for status in Status:
        tables = replace(true, holds_slot=true.holds_slot ^ {status})
        assert check(replace(BLIND, tables=tables), until_broken=True).broken, status
