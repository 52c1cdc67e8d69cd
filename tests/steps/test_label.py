"""Labels change for all images that are named or for none, and go and stay with their image."""

import threading
from uuid import UUID

import pytest
from cli.working import stored_images
from factories import job, project_id
from fakes.waiting import wait_until
from sqlalchemy import delete, func, insert, select, text
from steps.test_derive import image
from web.browser import shown_image

from service.errors import Gone, InvalidRequest, NotFound
from service.ids import new_id
from service.keys import NewKey
from service.models import MAX_TAGS_PER_IMAGE, ImageTag, images, read_tag
from service.steps.label import MAX_IMAGES, Change
from service.wiring import Wiring

STARRED = Change(is_favourite=True, add=["cover"])


def labels(wiring: Wiring, key: NewKey, image_id: UUID) -> tuple[bool, list[str]]:
    row = wiring.browse.image(project_id(wiring, key), image_id)
    return row.is_favourite, row.tags


def tags_left(wiring: Wiring) -> int:
    with wiring.database.transaction() as tx:
        count: int = tx.scalar(select(func.count()).select_from(ImageTag))
    return count


def someone_waits(wiring: Wiring) -> bool:
    """Tell whether somebody waits for a lock in this test's database."""
    waits = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with wiring.database.transaction() as tx:
        return bool(tx.scalar(text(waits)))


def test_labels_are_added_taken_and_replaced_and_the_rest_stays(
    wiring: Wiring, key: NewKey
) -> None:
    owner = project_id(wiring, key)
    first, second, untouched = (shown_image(wiring, key) for _ in range(3))
    assert labels(wiring, key, first) == (False, [])
    for _ in range(2):
        wiring.label(owner, [first, second], Change(is_favourite=True, add=["sea", "fog"]))
    assert labels(wiring, key, first) == labels(wiring, key, second) == (True, ["fog", "sea"])
    wiring.label(owner, [first], Change(add=["cliff"], remove=["sea", "never there"]))
    assert labels(wiring, key, first) == (True, ["cliff", "fog"])
    wiring.label(owner, [first], Change(is_favourite=False, add=["night"], is_whole=True))
    assert labels(wiring, key, first) == (False, ["night"])
    wiring.label(owner, [first], Change(is_whole=True))
    assert labels(wiring, key, first) == (False, [])
    assert labels(wiring, key, second) == (True, ["fog", "sea"])
    assert labels(wiring, key, untouched) == (False, [])


def test_one_image_that_is_not_ones_own_or_gone_leaves_all_as_they_are(
    wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    owner, mine = project_id(wiring, key), shown_image(wiring, key)
    gone = shown_image(wiring, key)
    wiring.remove(owner, gone)
    theirs = shown_image(wiring, other_key)
    said = []
    for stranger in (theirs, new_id()):
        with pytest.raises(NotFound) as refused:
            wiring.label(owner, [mine, stranger], STARRED)
        said.append(str(refused.value))
    assert said[0] == said[1]
    with pytest.raises(Gone):
        wiring.label(owner, [mine, gone], STARRED)
    assert labels(wiring, key, mine) == (False, [])
    assert labels(wiring, other_key, theirs) == (False, [])


def test_no_image_gets_more_tags_than_it_may_have(wiring: Wiring, key: NewKey) -> None:
    owner, full, empty = project_id(wiring, key), shown_image(wiring, key), shown_image(wiring, key)
    many = [f"tag {number}" for number in range(MAX_TAGS_PER_IMAGE)]
    wiring.label(owner, [full], Change(add=many))
    for ids, added in (([full, empty], ["one more"]), ([empty], [*many, "one more"])):
        with pytest.raises(InvalidRequest):
            wiring.label(owner, ids, Change(is_favourite=True, add=added))
    assert labels(wiring, key, empty) == (False, [])
    # in the place of another, and the same again
    wiring.label(owner, [full], Change(add=["one more", "tag 1"], remove=["tag 0"]))
    assert len(labels(wiring, key, full)[1]) == MAX_TAGS_PER_IMAGE
    with pytest.raises(InvalidRequest):
        wiring.label(owner, [new_id() for _ in range(MAX_IMAGES + 1)], STARRED)


def test_two_who_each_add_the_last_tag_do_not_both_get_it(wiring: Wiring, key: NewKey) -> None:
    owner, one = project_id(wiring, key), shown_image(wiring, key)
    wiring.label(owner, [one], Change(add=[f"{n}" for n in range(MAX_TAGS_PER_IMAGE - 1)]))
    refused: list[InvalidRequest] = []

    def add() -> None:
        try:
            wiring.label(owner, [one], Change(add=["later"]))
        except InvalidRequest as error:
            refused.append(error)

    other = threading.Thread(target=add)
    mine = select(images.c.id).where(images.c.id == one).with_for_update(key_share=True)
    with wiring.database.transaction() as tx:
        tx.rows(mine)
        tx.execute(insert(ImageTag).values(image_id=one, project_id=owner, tag="sooner"))
        other.start()
        wait_until(lambda: someone_waits(wiring), bool)
    other.join(10)
    assert len(refused) == 1
    tags = labels(wiring, key, one)[1]
    assert "sooner" in tags
    assert "later" not in tags


def test_tags_go_with_their_image_and_reindex_brings_it_back_without(
    wiring: Wiring, key: NewKey
) -> None:
    owner = project_id(wiring, key)
    deleted, lost = (image(wiring, one).id for one in stored_images(wiring, key, 2))
    wiring.label(owner, [deleted, lost], STARRED)
    wiring.remove(owner, deleted)
    assert tags_left(wiring) == 1
    with wiring.database.transaction() as tx:
        tx.execute(delete(images).where(images.c.id == lost))
    assert tags_left(wiring) == 0
    assert [found.outcome for found in wiring.reindex.run(2)] == ["added"]
    assert labels(wiring, key, lost) == (False, [])
    assert job(wiring, wiring.browse.image(owner, lost).job_id).status == "succeeded"


def test_a_tag_is_kept_trimmed_in_lower_case_and_composed() -> None:
    assert read_tag("  Black and WHITE ") == "black and white"
    assert read_tag("Cafe\N{COMBINING ACUTE ACCENT}") == "café"
    assert read_tag("夜景") == "夜景"
    assert read_tag("x" * 40) == "x" * 40
    for wrong in ("", "   ", "x" * 41, "a\nb", "a\x00b", "\ud800", "a\N{RIGHT-TO-LEFT OVERRIDE}b"):
        with pytest.raises(ValueError, match="1 to 40 printable"):
            read_tag(wrong)
