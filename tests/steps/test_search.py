"""Search: whatever images are narrowed to, all of them are found, in pages that cost little."""

from collections.abc import Iterator
from itertools import product
from uuid import UUID

import pytest
from factories import project_id
from fakes.many_images import many_images
from sqlalchemy import Row, insert, text, update

from service.keys import NewKey
from service.models import ImageTag, Size, images
from service.steps.browse import COUNTED, ImageFilter
from service.steps.browse.search import FIRST_STEPS, LOOK, LOOK_BY_ID, MORE_STEPS
from service.wiring import Wiring

#: More than a page looks at.
MANY = FIRST_STEPS + MORE_STEPS + 500


@pytest.fixture
def owner(wiring: Wiring, key: NewKey) -> UUID:
    """The project `default`, with many images; the ids are their numbers."""
    owner = project_id(wiring, key)
    many_images(wiring, owner, MANY)
    return owner


def change(wiring: Wiring, number: int, **columns: object) -> UUID:
    with wiring.database.transaction() as tx:
        tx.execute(update(images).where(images.c.id == UUID(int=number)).values(columns))
    return UUID(int=number)


def walked(
    wiring: Wiring, owner: UUID, only: ImageFilter, limit: int = 48
) -> Iterator[tuple[list[Row[UUID]], bool]]:
    """Walk through the pages of what is asked for: their images, and whether they were cut."""
    before: UUID | None = None
    for _ in range(MANY):
        page = wiring.browse.images(owner, before, limit, only)
        yield list(page.rows), page.is_cut
        before = page.next_id
        if before is None:
            return


def test_a_rare_text_is_found_at_once_however_old(wiring: Wiring, owner: UUID) -> None:
    old, new = change(wiring, 3, prompt="an OLD gold coin"), change(wiring, MANY, prompt="gold c")
    ((rows, is_cut),) = walked(wiring, owner, ImageFilter(prompt_contains="old gold C"))
    assert ([row.id for row in rows], is_cut) == ([old], False)
    ((rows, is_cut),) = walked(wiring, owner, ImageFilter(prompt_contains="gold c"))
    assert ([row.id for row in rows], is_cut) == ([new, old], False)
    gold = ImageFilter(prompt_contains="gold c")
    assert [[row.id for row in rows] for rows, _ in walked(wiring, owner, gold, 1)] == [
        [new],
        [old],
    ]
    assert list(walked(wiring, owner, ImageFilter(prompt_contains="no such coin"))) == [([], False)]


@pytest.mark.parametrize(
    ("columns", "only"),
    [
        ({"prompt": "猫と灯台"}, ImageFilter(prompt_contains="猫")),
        ({"prompt": "50% off"}, ImageFilter(prompt_contains="0%")),
        (
            {"model": "flux-2-max", "height": 9000},
            ImageFilter(model="flux-2-pro", size=Size.LARGE),
        ),
    ],
)
def test_what_no_index_finds_is_found_page_by_page(
    wiring: Wiring, owner: UUID, columns: dict[str, object], only: ImageFilter
) -> None:
    # all are large, so that the index of sizes leads through all of them
    with wiring.database.transaction() as tx:
        if only.size is not None:
            tx.execute(update(images).values(width=2000, height=1000, model="flux-2-max"))
    wanted = change(wiring, 3, **({"model": "flux-2-pro"} if only.size else columns))
    first, second = walked(wiring, owner, only)
    assert first == ([], True)
    assert ([row.id for row in second[0]], second[1]) == ([wanted], False)


@pytest.mark.parametrize(
    ("only", "look"),
    [
        (ImageFilter(is_favourite=False, model="flux-2-max"), LOOK),
        (ImageFilter(tag="one", model="flux-2-max"), LOOK_BY_ID),
    ],
)
def test_nothing_is_lost_or_shown_twice_where_one_look_ends_and_the_next_begins(
    wiring: Wiring, owner: UUID, only: ImageFilter, look: int
) -> None:
    with wiring.database.transaction() as tx:
        tagged = "INSERT INTO image_tags SELECT id, project_id, 'one' FROM images"
        tx.execute(text(tagged))
    # the last that the first look sees, the first of the second, and the last of that
    places = (look, look + 1, 2 * look)
    wanted = [change(wiring, MANY + 1 - place, model="flux-2-max") for place in places]
    found = [row.id for rows, _ in walked(wiring, owner, only) for row in rows]
    assert found == wanted
    assert [[row.id for row in rows] for rows, _ in walked(wiring, owner, only, 1)][:3] == [
        [one] for one in wanted
    ]


def test_all_that_hold_a_rare_text_are_looked_at(wiring: Wiring, owner: UUID) -> None:
    with wiring.database.transaction() as tx:
        rare = "UPDATE images SET prompt = 'a gold coin', is_favourite = true WHERE id <= :id"
        tx.execute(text(rare), {"id": UUID(int=LOOK_BY_ID + 10)})
    # no index finds what is no favourite
    wanted = [change(wiring, number, is_favourite=False) for number in (300, 11, 10, 1)]
    only = ImageFilter(prompt_contains="gold coin", is_favourite=False)
    ((rows, is_cut),) = walked(wiring, owner, only)
    assert ([row.id for row in rows], is_cut) == (wanted, False)


def test_filters_together_leave_what_each_of_them_would(wiring: Wiring, key: NewKey) -> None:
    owner = project_id(wiring, key)
    kinds = list(product(("a fox", "a gull"), ("one", "two"), (256, 2000), (True, False)))
    many_images(wiring, owner, len(kinds))
    for number, (prompt, model, width, is_loved) in enumerate(kinds, 1):
        image_id = change(
            wiring, number, prompt=prompt, model=model, width=width, height=width,
            is_favourite=is_loved,
        )  # fmt: skip
        if is_loved:
            with wiring.database.transaction() as tx:
                named = {"image_id": image_id, "project_id": owner, "tag": model}
                tx.execute(insert(ImageTag).values(named))
    for holds, of, size, loved, tag in product(
        (None, "gull"), (None, "two"), (None, Size.LARGE), (None, True, False), (None, "two")
    ):
        expected = [
            UUID(int=number)
            for number, (prompt, model, width, is_loved) in enumerate(kinds, 1)
            if (holds is None or holds in prompt)
            and (of is None or of == model)
            and (size is None or width == 2000)
            and (loved is None or loved == is_loved)
            and (tag is None or (is_loved and tag == model))
        ]
        only = ImageFilter(prompt_contains=holds, model=of, size=size, is_favourite=loved, tag=tag)
        found = [row.id for rows, _ in walked(wiring, owner, only, 3) for row in rows]
        assert found == expected[::-1], only


def test_counts_end_where_counting_would_begin_to_cost(wiring: Wiring, owner: UUID) -> None:
    change(wiring, 1, model="flux-2-max", is_favourite=True, width=3000, height=3000)
    found = wiring.facets.of(owner, [])
    assert found.models == {"flux-2-max": 1, "flux-2-pro": COUNTED + 1}
    assert found.sizes == {Size.SMALL: COUNTED + 1, Size.MEDIUM: 0, Size.LARGE: 1}
    assert (found.favourites, found.tags) == (1, {})
