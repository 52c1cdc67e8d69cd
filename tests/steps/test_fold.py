"""Fold: hours hold each end once, whoever counts, and stay when the jobs go."""

import threading
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from ending import canceled, failed, fold_all, succeeded, was_hours_ago
from factories import enqueue, job, project_id, put
from fakes.waiting import wait_until
from sqlalchemy import func, select, text, update
from steps.test_retention import grow_old, keep_for, left

from service.errors import DatabaseUnavailable
from service.keys import NewKey
from service.models import Ending, Fold, HeardBy, Hour, jobs
from service.states import ErrorCode, Status
from service.steps.enqueue import Asking
from service.steps.fold import FoldHours
from service.wiring import Wiring


def hours(wiring: Wiring, key: NewKey) -> list[Any]:
    """Return the hours of a key's project, oldest first."""
    mine = select(*Hour.__table__.c).where(Hour.project_id == project_id(wiring, key))
    with wiring.database.transaction() as tx:
        return tx.rows(mine.order_by(Hour.hour))


def ends(wiring: Wiring, key: NewKey) -> int:
    """Return how many ends of a project are in its hours."""
    return sum(one.succeeded + one.failed + one.canceled for one in hours(wiring, key))


def test_hours_agree_with_a_plain_count(wiring: Wiring, key: NewKey, other_key: NewKey) -> None:
    made: list[UUID] = []
    for number in range(40):
        heard_by = HeardBy.POLL if number % 4 == 0 else HeardBy.WEBHOOK
        made += [
            succeeded(wiring, key, margin_seconds=590 - 20 * number, heard_by=heard_by),
            failed(wiring, key, cost_actual=Decimal(2), task_id="task"),
            *([canceled(wiring, key)] if number % 3 == 0 else []),
        ]
    for number, job_id in enumerate(made):
        was_hours_ago(wiring, job_id, number % 7)
    theirs = succeeded(wiring, other_key)
    fold_all(FoldHours(wiring.database, batch=10))

    plain: dict[datetime, Counter[str]] = {}
    with wiring.database.transaction() as tx:
        told = tx.rows(select(*Ending.__table__.c).where(Ending.job_id != theirs))
    least: dict[datetime, float] = {}
    for one in told:
        row = job(wiring, one.job_id)
        hour = one.at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        counted = plain.setdefault(hour, Counter())
        counted[row.status.value] += 1
        if row.status is Status.SUCCEEDED:
            margin = (row.result_expires_at - row.completed_at).total_seconds()
            counted["margin"] += round(margin)
            counted["polled"] += row.heard_by is HeardBy.POLL
            least[hour] = min(margin, least.get(hour, margin))
        elif row.status is Status.FAILED:
            counted["doubtful"] += 2
    assert len(plain) >= 7
    found = hours(wiring, key)
    assert [one.hour for one in found] == sorted(plain)
    for one in found:
        wanted = plain[one.hour]
        assert (one.succeeded, one.failed, one.canceled) == tuple(
            wanted[word] for word in ("succeeded", "failed", "canceled")
        )
        assert one.polled == wanted["polled"]
        assert one.total_margin_seconds == pytest.approx(wanted["margin"])
        assert one.least_margin_seconds == (
            None if one.hour not in least else pytest.approx(least[one.hour])
        )
        assert one.credits == one.succeeded * Decimal("4.5")
        assert one.doubtful_credits == wanted["doubtful"]
    assert ends(wiring, other_key) == 1


def test_who_counts_again_counts_only_what_is_new(wiring: Wiring, key: NewKey) -> None:
    succeeded(wiring, key)
    for _ in range(3):
        fold_all(wiring.fold)
    assert ends(wiring, key) == 1
    canceled(wiring, key)
    fold_all(wiring.fold)
    assert ends(wiring, key) == 2


def test_many_who_count_at_once_count_each_end_once(wiring: Wiring, key: NewKey) -> None:
    for _ in range(60):
        canceled(wiring, key)
    folds = [threading.Thread(target=FoldHours(wiring.database, batch=2)) for _ in range(4)]
    for fold in folds:
        fold.start()
    for fold in folds:
        fold.join(30)
    # whoever was busy beside the last may have left something
    fold_all(wiring.fold)
    assert ends(wiring, key) == 60


def test_ends_of_the_same_moment_are_counted_together(wiring: Wiring, key: NewKey) -> None:
    for _ in range(5):
        canceled(wiring, key)
    with wiring.database.transaction() as tx:
        tx.execute(update(Ending).values(at=func.now()))
    fold_all(FoldHours(wiring.database, batch=2))
    assert ends(wiring, key) == 5


def kill_who_waits(wiring: Wiring) -> bool:
    """End the connection that waits for a lock; False if none does yet."""
    killed = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with wiring.database.transaction() as tx:
        return bool(tx.scalar(killed))


def test_who_is_killed_while_it_counts_has_counted_nothing(wiring: Wiring, key: NewKey) -> None:
    for _ in range(3):
        canceled(wiring, key)
    caught: list[BaseException] = []

    def fold() -> None:
        try:
            fold_all(wiring.fold)
        except DatabaseUnavailable as error:
            caught.append(error)

    with wiring.database.transaction() as tx:
        # this lock gives no number to its transaction, which would be one to wait for
        tx.execute(text("LOCK TABLE hours IN EXCLUSIVE MODE"))
        thread = threading.Thread(target=fold)
        thread.start()
        wait_until(lambda: kill_who_waits(wiring), bool)
        thread.join(30)
    assert caught
    assert ends(wiring, key) == 0
    fold_all(wiring.fold)
    assert ends(wiring, key) == 3


def test_an_end_whose_transaction_is_slow_is_counted_when_it_is_there(
    wiring: Wiring, key: NewKey
) -> None:
    slow, quick = enqueue(wiring, key), enqueue(wiring, key)
    with wiring.database.transaction() as tx:
        assert wiring.moves.move(tx, slow, Status.CANCELED, "Withdrawn")
        with wiring.database.transaction() as beside:
            assert wiring.moves.move(beside, quick, Status.CANCELED, "Withdrawn")
        wiring.fold()
        assert ends(wiring, key) == 0
    fold_all(wiring.fold)
    assert ends(wiring, key) == 2


def test_a_mark_of_another_server_holds_nothing_up(wiring: Wiring, key: NewKey) -> None:
    canceled(wiring, key)
    fold_all(wiring.fold)
    restored = {"mark": func.now(), "mark_transaction": 2**60}
    with wiring.database.transaction() as tx:
        tx.execute(update(Fold).values(restored))
    canceled(wiring, key)
    for _ in range(2):
        fold_all(wiring.fold)
    assert ends(wiring, key) == 2


def test_what_failed_in_doubt_and_succeeded_after_all_is_spent_on_its_picture(
    wiring: Wiring, key: NewKey
) -> None:
    code = ErrorCode.SUBMISSION_UNCONFIRMED
    doubtful, late = (failed(wiring, key, code, cost_estimated=Decimal(n)) for n in (7, 20))
    failed(wiring, key, ErrorCode.UPSTREAM_ERROR, cost_estimated=Decimal(90))
    put(wiring, late, status=Status.STORING, task_id="task")
    with wiring.database.transaction() as tx:
        assert wiring.moves.move(tx, late, Status.SUCCEEDED, "It came late")
    fold_all(wiring.fold)
    found = hours(wiring, key)
    assert sum(one.failed for one in found) == 3
    assert sum(one.succeeded for one in found) == 1
    assert sum(one.credits for one in found) == 20
    # upstream refused one for good, and says of the other nothing yet
    assert sum(one.doubtful_credits for one in found) == 7
    assert job(wiring, doubtful).maybe_charged


def test_the_end_of_a_whole_batch_is_no_job(wiring: Wiring, key: NewKey) -> None:
    asking = Asking(project_id(wiring, key))
    one = {"model": "flux-2-pro", "input": {"prompt": "a fox", "width": 256, "height": 256}}
    batch = wiring.batches.accept(
        asking.project_id, wiring.batches.read(asking, {"jobs": [one]}, None)
    )
    with wiring.database.transaction() as tx:
        (row,) = tx.rows(select(jobs.c.id).where(jobs.c.batch_id == batch.row.id))
    wiring.enqueue.cancel(asking.project_id, row.id)
    wiring.sweep()
    with wiring.database.transaction() as tx:
        assert tx.scalar(select(func.count()).select_from(Ending)) == 2
    fold_all(wiring.fold)
    assert ends(wiring, key) == 1


def test_hours_stay_when_retention_removes_their_jobs(wiring: Wiring, key: NewKey) -> None:
    old, new = canceled(wiring, key), canceled(wiring, key)
    fold_all(wiring.fold)
    keep_for(wiring, key, 30)
    grow_old(wiring, old)
    wiring.discard()
    assert left(wiring) == {new}
    fold_all(wiring.fold)
    assert ends(wiring, key) == 2
