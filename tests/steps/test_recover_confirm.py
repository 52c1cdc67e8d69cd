"""`darkroom recover`: what was paid for after the backup is named, and not paid again."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from cli.command_line import CommandLine
from cli.working import finish, job_name
from factories import (
    Rewire,
    deliveries,
    enqueue,
    events,
    hear,
    job,
    put,
    run,
    webhook,
)
from fakes.restored import restored_copy
from fakes.simulator import Simulator
from sqlalchemy import select

from service.keys import NewKey
from service.models import images
from service.states import ErrorCode, Status
from service.steps.recover import Doubt
from service.wiring import Wiring

JOBS = 4


class Past:
    """A restored database, and what was bought between its backup and its loss."""

    def __init__(self, lost: Wiring, restored: Wiring, operator: CommandLine) -> None:
        self.lost = lost
        self.restored = restored
        self.operator = operator
        self.before: list[UUID] = []
        self.after: list[UUID] = []

    def findings(self) -> dict[UUID, Doubt]:
        """Return what is in doubt, by job."""
        break_at = self.restored.recover.look().break_at
        return {doubt.job_id: doubt for doubt in self.restored.doubts.find(break_at)}


@pytest.fixture
def past(
    wiring: Wiring, rewire: Rewire, key: NewKey, environment: dict[str, str]
) -> Iterator[Past]:
    """Half of the jobs were enqueued before the backup, half after it; all have run since."""
    wiring.recover.mark()
    before = [
        enqueue(wiring, key, callback_url="http://127.0.0.1:9/hook") for _ in range(JOBS // 2)
    ]
    with restored_copy(wiring, rewire) as restored:
        url = restored.settings.database_url.get_secret_value()
        operator = CommandLine({**environment, "DATABASE_URL": url}, environment["SECRET_KEY"])
        past = Past(wiring, restored, operator)
        past.before = before
        past.after = [enqueue(wiring, key) for _ in range(JOBS // 2)]
        finish(wiring, *past.before, *past.after)
        wiring.recover.look()
        yield past


def test_all_that_ran_after_the_backup_is_in_the_report(past: Past) -> None:
    told = past.operator("recover", "--json")
    assert (told.code, told.json["held"], told.json["unmatched_webhooks"]) == (1, True, 0)
    findings = {one["job"]: one["finding"] for one in told.json["in_doubt"]}
    assert findings == {
        **{job_name(one): "queued here, and in the bucket" for one in past.before},
        **{job_name(one): "unknown here, and in the bucket" for one in past.after},
    }
    assert run(past.restored.submit) == []
    shown = past.operator("recover")
    assert shown.code == 1
    assert f"{JOBS} jobs may have been paid for" in shown.out


def test_after_confirm_nothing_is_paid_twice_and_what_is_new_goes_on(
    past: Past, key: NewKey, simulator: Simulator
) -> None:
    fresh = enqueue(past.restored, key)
    past.restored.recover.mark()
    assert run(past.restored.submit) == []
    bought = len(simulator.ledger("accepted"))
    done = past.operator("recover", "--confirm", "--json")
    assert (done.code, done.json) == (
        0,
        {"held": False, "added": JOBS, "unreadable": 0, "failed": 0},
    )
    past.restored.recover.mark()
    finish(past.restored, fresh)
    assert len(simulator.ledger("accepted")) == bought + 1
    for one in (*past.before, *past.after, fresh):
        assert job(past.restored, one).status is Status.SUCCEEDED
    assert past.restored.recover.look().reason is None
    past.lost.recover.look()
    assert run(past.lost.submit) == [], "the original, should it still be there, is held now"


def test_a_queued_job_whose_image_has_no_sidecar_fails_with_its_callback(past: Past) -> None:
    one, other = past.before
    with past.lost.database.transaction() as tx:
        sidecar = tx.scalar(select(images.c.sidecar_key).where(images.c.job_id == one))
    store = past.lost.object_store
    store.delete(store.bucket, sidecar)
    done = past.operator("recover", "--confirm", "--json")
    assert done.json == {"held": False, "added": JOBS - 1, "unreadable": 1, "failed": 1}
    failed = job(past.restored, one)
    assert (failed.status, failed.error_code) == (Status.FAILED, ErrorCode.SUBMISSION_UNCONFIRMED)
    assert failed.maybe_charged
    assert [owed.type for owed in deliveries(past.restored, one)] == ["job.failed"]
    assert events(past.restored, other)[-1] == "job.succeeded"


@pytest.mark.parametrize("fail_queued", [False, True])
def test_of_what_the_bucket_does_not_prove_a_person_decides(
    past: Past, key: NewKey, *, fail_queued: bool
) -> None:
    lost = enqueue(past.restored, key)
    put(past.restored, lost, created_at=job(past.restored, past.before[0]).created_at)
    past.restored.recover.look()
    fresh = enqueue(past.restored, key)
    found = past.findings()
    assert found[lost] == Doubt(lost, Status.QUEUED, None)
    assert fresh not in found
    flags = ["--fail-queued"] if fail_queued else []
    assert past.operator("recover", "--confirm", *flags).code == 0
    expected = Status.FAILED if fail_queued else Status.QUEUED
    assert job(past.restored, lost).status is expected
    assert job(past.restored, fresh).status is Status.QUEUED


def test_webhooks_of_attempts_that_were_lost_are_kept_and_counted(past: Past) -> None:
    for one in past.after:
        hear(past.restored, webhook(past.lost, one))
    past.restored.recover.look()
    past.restored.recover.release()
    assert past.restored.doubts.unmatched_webhooks() == len(past.after)


def test_without_s3_it_stays_as_it_is_and_says_so(past: Past) -> None:
    past.restored.recover.look()
    away = past.operator.having(AWS_ENDPOINT_URL_S3="http://127.0.0.1:9")
    done = away("recover", "--confirm")
    assert (done.code, done.err) == (1, "Error: S3 get: NewConnectionError\n")
    assert run(past.restored.submit) == []


def test_where_nothing_is_held_there_is_nothing_to_do(
    wiring: Wiring, environment: dict[str, str]
) -> None:
    operator = CommandLine(environment, environment["SECRET_KEY"])
    assert operator("recover", "--json").json == {"held": False}
    assert operator("recover", "--confirm").out == "nothing is held\n"
    assert operator("recover", "--fail-queued").code == 2
