"""Browse: a project sees its own rows, each once, and nobody else's."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from factories import deliveries, enqueue, job, project_id, put
from sqlalchemy import event, insert

from service.errors import NotFound
from service.ids import new_id
from service.keys import NewKey
from service.models import Image
from service.states import Status
from service.steps.browse import ImageFilter, JobFilter
from service.wiring import Wiring

ALL = JobFilter()


def draw(wiring: Wiring, job_id: UUID, prompt: str = "a fox") -> UUID:
    """Give a job an image's row."""
    image_id = new_id()
    with wiring.database.transaction() as tx:
        row = insert(Image).values(
            id=image_id, project_id=job(wiring, job_id).project_id, job_id=job_id,
            bucket="images", key="k", content_type="image/png", width=1, height=1, bytes=1,
            sha256="0", model="flux-2-pro", prompt=prompt,
        )  # fmt: skip
        tx.execute(row)
    return image_id


def pages(wiring: Wiring, owner: UUID, limit: int, only: JobFilter = ALL) -> list[list[UUID]]:
    """Walk through all pages."""
    found: list[list[UUID]] = []
    before: UUID | None = None
    while True:
        page, _ = wiring.browse.jobs(owner, only, before, limit)
        found.append([row.id for row in page.rows])
        if page.next_id is None:
            return found
        before = page.next_id


def test_pages_show_every_row_once_newest_first(wiring: Wiring, key: NewKey) -> None:
    owner = project_id(wiring, key)
    assert pages(wiring, owner, 3) == [[]]
    ids = [enqueue(wiring, key) for _ in range(7)]
    newest_first = ids[::-1]
    for limit in (1, 3, 7, 8):
        found = pages(wiring, owner, limit)
        assert [one for page in found for one in page] == newest_first
        assert max(map(len, found)) <= limit
    assert len(pages(wiring, owner, 7)) == 1


def test_rows_added_while_paging_neither_repeat_nor_hide_others(
    wiring: Wiring, key: NewKey
) -> None:
    owner = project_id(wiring, key)
    ids = [enqueue(wiring, key) for _ in range(9)]
    seen: list[UUID] = []
    before: UUID | None = None
    for _ in range(20):
        page, _ = wiring.browse.jobs(owner, ALL, before, 2)
        seen += [row.id for row in page.rows]
        before = page.next_id
        if before is None:
            break
        enqueue(wiring, key)
    assert seen == ids[::-1]


def test_images_are_paged_the_same_way(wiring: Wiring, key: NewKey) -> None:
    owner = project_id(wiring, key)
    ids = [draw(wiring, enqueue(wiring, key)) for _ in range(5)]
    seen: list[UUID] = []
    before: UUID | None = None
    for _ in range(10):
        page = wiring.browse.images(owner, before, 2, ImageFilter())
        seen += [row.id for row in page.rows]
        before = page.next_id
        if before is None:
            break
        draw(wiring, enqueue(wiring, key))
    assert seen == ids[::-1]


def test_filters_choose(wiring: Wiring, key: NewKey) -> None:
    owner = project_id(wiring, key)
    models = ("flux-2-pro", "flux-2-flex", "flux-2-pro")
    one, two, three = (enqueue(wiring, key, model=model) for model in models)
    put(wiring, two, status=Status.FAILED)
    at = job(wiring, two).created_at
    for only, expected in (
        (JobFilter(status=Status.FAILED), [two]),
        (JobFilter(model="flux-2-pro"), [three, one]),
        (JobFilter(model="flux-2-pro", status=Status.FAILED), []),
        (JobFilter(created_after=at), [three]),
        (JobFilter(created_before=at), [one]),
        (JobFilter(created_after=at - timedelta(days=1), created_before=at), [one]),
    ):
        assert pages(wiring, owner, 10, only) == [expected]


def test_prompts_are_searched_as_text_not_as_patterns(wiring: Wiring, key: NewKey) -> None:
    owner = project_id(wiring, key)
    percent = draw(wiring, enqueue(wiring, key), "100% Fox_1")
    draw(wiring, enqueue(wiring, key), "1000 foxes")
    for text in ("100%", "fox_1", "FOX_", "% fox"):
        page = wiring.browse.images(owner, None, 10, ImageFilter(prompt_contains=text))
        assert [row.id for row in page.rows] == [percent], text


def test_another_projects_rows_are_as_unknown_as_none(
    wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    job_id = enqueue(wiring, key, callback_url="http://127.0.0.1:9/hook")
    image_id = draw(wiring, job_id)
    wiring.enqueue.cancel(project_id(wiring, key), job_id)
    assert len(deliveries(wiring, job_id)) == 1
    foreign = project_id(wiring, other_key)
    browse = wiring.browse
    for act, real in ((browse.job, job_id), (browse.events, job_id), (browse.image, image_id)):
        said = set()
        for unknown in (real, uuid4()):
            with pytest.raises(NotFound) as failure:
                act(foreign, unknown)
            said.add(str(failure.value))
        assert len(said) == 1
    assert browse.deliveries(foreign, job_id) == ([], [])
    assert browse.jobs(foreign, ALL, None, 10)[0].rows == []
    assert browse.images(foreign, None, 10, ImageFilter()).rows == []
    assert browse.images(foreign, None, 10, ImageFilter(prompt_contains="fox")).rows == []

    mine = project_id(wiring, key)
    assert browse.job(mine, job_id)[0].id == job_id
    assert browse.image(mine, image_id).id == image_id
    assert len(browse.deliveries(mine, job_id)[0]) == 1


def test_a_page_costs_the_same_number_of_statements_however_long_it_is(
    wiring: Wiring, key: NewKey
) -> None:
    owner = project_id(wiring, key)
    for _ in range(8):
        draw(wiring, enqueue(wiring, key, callback_url="http://127.0.0.1:9/hook"))
    counted: list[str] = []
    engine = wiring.database._engine  # noqa: SLF001 - counts what goes over the wire

    def count(*arguments: object) -> None:
        counted.append(str(arguments[2]))

    event.listen(engine, "before_cursor_execute", count)
    for limit in (1, 8):
        counted.clear()
        page, images = wiring.browse.jobs(owner, ALL, None, limit)
        assert len(page.rows) == len(images) == limit
        assert len(counted) == 2
    event.remove(engine, "before_cursor_execute", count)
