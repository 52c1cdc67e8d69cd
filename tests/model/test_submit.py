"""The submit protocol keeps its promises in every interleaving, with the product's own tables."""

import pytest
from model.explore import Explored
from model.promises import (
    CANCELED_BUT_SENT,
    FALSE_NO,
    NO_SLOT,
    NOT_DELIVERED,
    PAID_TWICE,
    SENT_AFTER_THE_END,
    SILENT_CHARGE,
    UNTOLD,
)
from model.protocol import Action
from model.submit import check
from model.world import Heard, Rules, World

from service.states import ErrorCode, Status


@pytest.fixture(scope="module")
def explored() -> Explored[World, Action]:
    """Every state of the product's protocol."""
    return check(Rules())


def test_every_promise_holds_in_every_interleaving(explored: Explored[World, Action]) -> None:
    assert explored.broken == {}
    assert len(explored.came_from) > 5_000


def test_every_end_is_reached_and_a_paid_job_fails_only_for_the_reasons_told(
    explored: Explored[World, Action],
) -> None:
    reached = [(world.job, world.tasks) for world in explored.came_from]
    assert {job.status for job, _ in reached} == set(Status)
    assert {job.code for job, tasks in reached if job.status is Status.FAILED and tasks} == {
        ErrorCode.CONTENT_MODERATED,
        ErrorCode.RESULT_EXPIRED,
        ErrorCode.SUBMISSION_UNCONFIRMED,
        ErrorCode.UPSTREAM_TIMEOUT,
    }


def test_every_promise_holds_where_callers_let_us_send_once_more() -> None:
    """Which may be paid twice, is told then, and the first result wins whoever brings it."""
    found = check(Rules(resubmits=True, max_calls=1, max_at_once=1))
    assert found.broken == {}
    paid_twice = {world.job.status for world in found.came_from if len(world.tasks) > 1}
    assert {Status.SUCCEEDED, Status.FAILED} < paid_twice
    assert any(world.job.back_to for world in found.came_from)


def test_without_lost_webhooks_every_image_is_stored_or_its_promotion_is_on_the_way() -> None:
    for world in check(Rules(is_patient=True), only=[NOT_DELIVERED]).came_from:
        if world.job.code is ErrorCode.SUBMISSION_UNCONFIRMED:
            assert world.tasks == ()
        if world.job.code is ErrorCode.UPSTREAM_TIMEOUT:
            assert all(task.calls or task.stands is not Heard.READY for task in world.tasks)


def test_a_process_stopped_between_its_last_look_and_the_first_byte_breaks_only_the_fence() -> None:
    """The instant that no check closes: it may then buy for a job that was given up; only once."""
    rules = Rules(stops_before_the_first_byte=True)
    assert set(check(rules).broken) == {SENT_AFTER_THE_END}
    assert check(rules, only=[PAID_TWICE, NOT_DELIVERED, CANCELED_BUT_SENT]).broken == {}


def test_a_false_refusal_breaks_only_what_rests_on_refusals() -> None:
    """Upstream says no for now and takes the task: its webhook counts until the next claim.

    What happens before the webhook cannot be helped: the job is sent again, or withdrawn, or ends.
    """
    rest_on_refusals = {
        PAID_TWICE,
        FALSE_NO,
        NO_SLOT,
        CANCELED_BUT_SENT,
        SILENT_CHARGE,
        UNTOLD,
        NOT_DELIVERED,
    }
    rules = Rules(refusals_may_be_false=True, max_calls=1)
    assert check(rules, but_not=rest_on_refusals).broken == {}
    assert PAID_TWICE in check(rules, only=[PAID_TWICE], until_broken=True).broken
