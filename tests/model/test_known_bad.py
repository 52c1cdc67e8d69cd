"""The checker is able to fail: each known-bad design is flagged, for the rule that it breaks."""

from dataclasses import replace

from model.explore import HANGS
from model.promises import (
    CANCELED_BUT_SENT,
    END_LEFT,
    GIVEN_UP_UNANSWERED,
    IGNORED,
    NOT_DELIVERED,
    PAID_TWICE,
    SENT_AFTER_THE_END,
    SENT_AGAIN,
    WENT_BACK,
)
from model.submit import check
from model.world import Rules, Tables

from service.states import FAILED_FROM, MAYBE_CHARGED, PROMOTABLE, ErrorCode, Status

RESUBMITTING = Rules(resubmits=True, max_calls=1, max_at_once=1)


def with_edge(source: Status, to: Status) -> Tables:
    """Return the product's tables and one move more."""
    tables = Tables()
    more = {**tables.entered_from, to: tables.entered_from[to] | {source}}
    return replace(tables, entered_from=more)


def without_edge(source: Status, to: Status) -> Tables:
    """Return the product's tables without one move."""
    tables = Tables()
    fewer = {**tables.entered_from, to: tables.entered_from[to] - {source}}
    return replace(tables, entered_from=fewer)


def with_promotable(to: Status, codes: frozenset[ErrorCode]) -> Tables:
    """Return the product's tables with other failures that may be left for a state."""
    return replace(Tables(), promotable={**PROMOTABLE, to: codes})


def is_flagged(rules: Rules, promise: str) -> bool:
    """Say whether the checker finds a way to break a promise; the product must keep it."""
    return promise in check(rules, only=[promise], until_broken=True).broken


def test_sending_again_after_a_time_out() -> None:
    assert is_flagged(Rules(resends_lost=True), PAID_TWICE)


def test_sending_again_after_a_5xx() -> None:
    assert is_flagged(Rules(resends_server_errors=True), PAID_TWICE)


def test_no_compare_and_set_on_the_attempt_number() -> None:
    assert is_flagged(Rules(compares_attempt=False, max_attempts=3), PAID_TWICE)


def test_a_sweep_that_sends_a_silent_submission_again() -> None:
    assert is_flagged(Rules(sweep_resends_silent=True), PAID_TWICE)


def test_the_end_of_the_grace_sends_again_though_nobody_asked_for_it() -> None:
    assert is_flagged(Rules(resubmits_for_ever=True), PAID_TWICE)


def test_the_end_of_the_grace_wants_to_send_again_and_the_tables_refuse() -> None:
    tables = without_edge(Status.UNCONFIRMED, Status.QUEUED)
    assert is_flagged(Rules(resubmits_for_ever=True, tables=tables), HANGS)


def test_the_end_of_the_grace_sends_again_more_than_once() -> None:
    thrice = replace(RESUBMITTING, max_attempts=3, max_calls=0, max_refusals=0)
    assert not is_flagged(thrice, SENT_AGAIN)
    assert is_flagged(replace(thrice, resubmits_for_ever=True), SENT_AGAIN)
    assert is_flagged(replace(thrice, resubmits_for_ever=True), PAID_TWICE)


def test_a_job_that_waits_to_be_sent_once_more_is_withdrawn() -> None:
    assert is_flagged(replace(RESUBMITTING, cancels_resubmitted=True), CANCELED_BUT_SENT)


def test_a_result_of_an_attempt_that_was_given_up_is_not_heard() -> None:
    deaf = replace(RESUBMITTING, hears_every_attempt=False)
    assert is_flagged(deaf, NOT_DELIVERED)
    assert is_flagged(deaf, IGNORED)


def test_a_late_word_does_not_correct_what_expired_before_it_was_sent_once_more() -> None:
    for to in PROMOTABLE:
        fewer = with_promotable(to, PROMOTABLE[to] - {ErrorCode.EXPIRED})
        assert is_flagged(replace(RESUBMITTING, tables=fewer), IGNORED), to


def test_a_worker_without_a_send_deadline_wakes_up_after_the_job_was_given_up() -> None:
    assert is_flagged(Rules(fences_the_send=False), SENT_AFTER_THE_END)


def test_a_worker_without_a_send_deadline_wakes_up_after_the_job_went_back() -> None:
    """Sending again after a grace is safe if no webhook is ever lost, but for the fence."""
    patient = Rules(resubmits_for_ever=True, is_patient=True)
    assert not is_flagged(patient, PAID_TWICE)
    assert is_flagged(replace(patient, fences_the_send=False), PAID_TWICE)


def test_a_worker_prolongs_its_time_for_a_job_that_was_given_up() -> None:
    assert is_flagged(Rules(renews_blindly=True), SENT_AFTER_THE_END)


def test_a_sweep_that_parks_what_it_saw_due_a_while_ago_overtakes_a_worker_that_prolongs() -> None:
    rules = Rules(sweep_holds_the_row=False, max_calls=1, max_at_once=1)
    assert is_flagged(rules, SENT_AFTER_THE_END)
    assert not is_flagged(replace(rules, renews=False), SENT_AFTER_THE_END)


def test_a_webhook_is_not_accepted_while_submitting() -> None:
    tables = without_edge(Status.SUBMITTING, Status.STORING)
    assert is_flagged(Rules(tables=tables), NOT_DELIVERED)


def test_a_result_is_refused_after_the_submission_was_given_up() -> None:
    tables = without_edge(Status.FAILED, Status.STORING)
    assert is_flagged(Rules(tables=tables), NOT_DELIVERED)
    for code in MAYBE_CHARGED:
        fewer = with_promotable(Status.STORING, PROMOTABLE[Status.STORING] - {code})
        assert is_flagged(Rules(tables=fewer), NOT_DELIVERED), code


def test_a_yes_that_is_written_down_after_the_grace_moves_nothing() -> None:
    tables = without_edge(Status.FAILED, Status.GENERATING)
    assert is_flagged(Rules(tables=tables), NOT_DELIVERED)


def test_a_yes_that_is_written_down_twice_brings_back_what_has_timed_out() -> None:
    tables = with_promotable(Status.GENERATING, PROMOTABLE[Status.STORING])
    assert is_flagged(Rules(tables=tables), END_LEFT)


def test_a_webhook_that_tells_of_progress_moves_nothing() -> None:
    assert is_flagged(Rules(hears_progress=False), NOT_DELIVERED)


def test_a_late_end_does_not_correct_a_failure_that_was_in_doubt() -> None:
    tables = without_edge(Status.FAILED, Status.FAILED)
    assert is_flagged(Rules(tables=tables), IGNORED)
    for code in MAYBE_CHARGED:
        fewer = with_promotable(Status.FAILED, PROMOTABLE[Status.FAILED] - {code})
        assert is_flagged(Rules(tables=fewer), IGNORED), code


def test_a_job_times_out_because_upstream_did_not_answer_at_the_deadline() -> None:
    assert is_flagged(Rules(gives_up_unanswered=True), GIVEN_UP_UNANSWERED)


def test_a_webhook_that_belies_a_refusal_is_refused_itself() -> None:
    rules = Rules(refusals_may_be_false=True, max_calls=1)
    assert not is_flagged(rules, IGNORED)
    for to in (Status.GENERATING, Status.STORING):
        tables = without_edge(Status.QUEUED, to)
        assert is_flagged(replace(rules, tables=tables), IGNORED), to
    for code in (
        ErrorCode.CONTENT_MODERATED,
        ErrorCode.REQUEST_MODERATED,
        ErrorCode.UPSTREAM_ERROR,
    ):
        fewer = {**FAILED_FROM, code: FAILED_FROM[code] - {Status.QUEUED}}
        tables = replace(Tables(), failed_from=fewer)
        assert is_flagged(replace(rules, tables=tables, ended_as=code), IGNORED), code


def test_a_late_but_definite_no_is_not_heard_while_the_job_is_parked() -> None:
    tables = without_edge(Status.UNCONFIRMED, Status.QUEUED)
    assert is_flagged(Rules(tables=tables), IGNORED)


def test_an_answer_that_was_lost_sends_a_parked_job_back() -> None:
    """The edge that a definite no takes is open to nobody else."""
    assert is_flagged(Rules(resends_lost=True), WENT_BACK)
    assert is_flagged(Rules(sweep_resends_silent=True), WENT_BACK)


def test_the_intent_is_written_after_the_post() -> None:
    assert is_flagged(Rules(commits_intent_first=False), PAID_TWICE)


def test_the_http_library_sends_again() -> None:
    assert is_flagged(Rules(library_sends_again=True), PAID_TWICE)


def test_a_job_is_withdrawn_while_it_is_submitted() -> None:
    tables = with_edge(Status.SUBMITTING, Status.CANCELED)
    assert is_flagged(Rules(tables=tables), CANCELED_BUT_SENT)


def test_nobody_sweeps() -> None:
    assert is_flagged(Rules(sweeps=False), HANGS)


def test_a_charge_that_is_in_doubt_is_not_told() -> None:
    silent = replace(Tables(), maybe_charged=MAYBE_CHARGED - {ErrorCode.UPSTREAM_TIMEOUT})
    assert check(Rules(tables=silent), until_broken=True).broken
