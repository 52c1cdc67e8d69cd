"""What is new of many jobs is read at once, and only where there is something to say."""

from uuid import UUID, uuid4

import pytest
from factories import enqueue, project_id, put
from sqlalchemy import event, insert

from service.errors import NotFound
from service.keys import NewKey
from service.models import JobEvent
from service.states import Status
from service.wiring import Wiring

#: Behind every line.
LAST = 2**31


def cancel(wiring: Wiring, key: NewKey, job_id: UUID) -> None:
    wiring.enqueue.cancel(project_id(wiring, key), job_id)


def told(wiring: Wiring, known: dict[UUID, int]) -> dict[UUID, tuple[bool, list[int]]]:
    found = wiring.tail.news(known)
    return {
        job_id: (news.is_over, [line.seq for line in news.lines]) for job_id, news in found.items()
    }


def test_only_jobs_with_news_are_told_of_each_after_its_own_line(
    wiring: Wiring, key: NewKey
) -> None:
    quiet, fresh, ended, known_ended = (enqueue(wiring, key) for _ in range(4))
    for job_id in (ended, known_ended):
        cancel(wiring, key, job_id)
    asked = {quiet: 1, fresh: 0, ended: 0, known_ended: LAST}
    assert told(wiring, asked) == {
        fresh: (False, [1]),
        ended: (True, [1, 2]),
        known_ended: (True, []),
    }


def test_a_job_that_is_gone_is_over(wiring: Wiring, key: NewKey) -> None:
    unknown, there = uuid4(), enqueue(wiring, key)
    assert told(wiring, {unknown: 0, there: 1}) == {unknown: (True, [])}


def test_a_line_that_came_after_the_status_was_read_waits_for_the_next_look(
    wiring: Wiring, key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    with wiring.database.transaction() as tx:
        line = {"job_id": job_id, "seq": 2, "type": "job.queued", "message": "x", "detail": {}}
        tx.execute(insert(JobEvent).values(**line))
    assert told(wiring, {job_id: 0}) == {job_id: (False, [1])}
    put(wiring, job_id, event_seq=2)
    assert told(wiring, {job_id: 1}) == {job_id: (False, [2])}


def test_where_a_job_is_is_told_to_its_own_project_alone(
    wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    assert wiring.tail.at(project_id(wiring, key), job_id) == (Status.QUEUED, 1)
    for project, unknown in ((other_key, job_id), (key, uuid4())):
        with pytest.raises(NotFound):
            wiring.tail.at(project_id(wiring, project), unknown)


def test_many_jobs_cost_two_statements(wiring: Wiring, key: NewKey) -> None:
    engine = wiring.database._engine  # noqa: SLF001 - counts what goes over the wire
    counted: list[str] = []
    ids = [enqueue(wiring, key) for _ in range(5)]

    def count(*arguments: object) -> None:
        counted.append(str(arguments[2]))

    event.listen(engine, "before_cursor_execute", count)
    assert len(wiring.tail.news(dict.fromkeys(ids, 0))) == 5
    assert len(counted) == 2
    event.remove(engine, "before_cursor_execute", count)
