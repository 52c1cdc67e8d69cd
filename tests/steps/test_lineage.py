"""Lineage: an image that was edited knows from what, in its row, its sidecar and after a loss."""

import json
from typing import Any

from cli.working import finish
from conftest import Api
from factories import enqueue, project_id, upload
from fakes.pictures import drawn
from fakes.simulator import Simulator
from sqlalchemy import Row, text

from service.ids import Kind, public_id
from service.keys import NewKey
from service.steps.browse import ImageFilter
from service.wiring import Wiring

#: What sidecars did not hold at first.
ADDED = {"parent_image_ids", "revised_prompt"}


def edited(wiring: Wiring, key: NewKey, **given: Any) -> Row[Any]:  # noqa: ANN401 - JSON
    """Return the image of a new job that has gone its whole way."""
    small = {"prompt": "a fox", "width": 256, "height": 256, **given}
    job_id = enqueue(wiring, key, model="flux-2-flex", input=small)
    finish(wiring, job_id)
    _, (image,) = wiring.browse.job(project_id(wiring, key), job_id)
    return image


def name(image: Row[Any]) -> str:
    return public_id(Kind.IMAGE, image.id)


def lost_and_found(wiring: Wiring, key: NewKey) -> NewKey:
    """Lose the database, rebuild it from the bucket, and return a new key of the project."""
    with wiring.database.transaction() as tx:
        tx.execute(text("TRUNCATE projects, jobs CASCADE"))
    assert {found.outcome for found in wiring.reindex.run(4)} == {"added"}
    return wiring.keys.create(key.project)


def sidecar_of(wiring: Wiring, image: Row[Any]) -> tuple[str, dict[str, Any]]:
    sidecar_key = image.key.rpartition(".")[0] + ".json"
    return sidecar_key, json.loads(wiring.object_store.get(image.bucket, sidecar_key))


def documents(api: Api, api_key: str) -> list[dict[str, Any]]:
    asker = Api(api.client, api_key)
    found: list[dict[str, Any]] = [
        {field: image[field] for field in ("id", "prompt", "revised_prompt", "parent_image_ids")}
        for image in asker.get("/v1/images").json["data"]
    ]
    listed = asker.get("/v1/jobs").json["data"]
    return found + [
        {field: one[field] for field in ("id", "input", "upstream", "parent_image_ids")}
        for one in listed
    ]


def test_the_parents_of_an_edited_image_are_those_its_job_named(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    one, two = edited(wiring, key), edited(wiring, key)
    mask = upload(wiring, key, drawn("PNG", (256, 256)))
    child = edited(wiring, key, input_image=name(two), input_image_2=mask, input_image_3=name(one))
    assert (one.parent_image_ids, child.parent_image_ids) == ([], [two.id, one.id])


def test_parents_provider_and_rewritten_prompt_survive_the_loss_of_the_database(
    wiring: Wiring, key: NewKey, api: Api, simulator: Simulator
) -> None:
    parent = edited(wiring, key, prompt_upsampling=False)
    child = edited(wiring, key, input_image=name(parent), prompt_upsampling=True)
    assert parent.revised_prompt is None
    assert child.revised_prompt not in {None, "a fox"}
    _, told = sidecar_of(wiring, child)
    assert told["parent_image_ids"] == [name(parent)]
    assert (told["revised_prompt"], told["provider"]) == (child.revised_prompt, "simulator")

    before = documents(api, key.api_key)
    new_key = lost_and_found(wiring, key)
    assert documents(api, new_key.api_key) == before
    children = wiring.browse.images(
        project_id(wiring, new_key), None, 9, ImageFilter(parent_id=parent.id)
    )
    assert [row.id for row in children.rows] == [child.id]


def test_a_sidecar_of_before_lineage_is_still_read(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    image = edited(wiring, key)
    sidecar_key, told = sidecar_of(wiring, image)
    older = {field: told[field] for field in told if field not in ADDED}
    assert len(older) == len(told) - len(ADDED)
    wiring.object_store.put_bytes(sidecar_key, json.dumps(older).encode(), "application/json")
    owner = project_id(wiring, lost_and_found(wiring, key))
    restored = wiring.browse.image(owner, image.id)
    assert (restored.parent_image_ids, restored.revised_prompt) == ([], None)
