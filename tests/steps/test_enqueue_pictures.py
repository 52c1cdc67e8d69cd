"""Enqueue: pictures in a job are kept once, as long as the job, and priced by their size."""

import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from factories import Rewire, enqueue, job, project_id, run, upload
from fakes.pictures import as_base64, drawn
from fakes.simulator import Simulator
from sqlalchemy import Row, func, select, update
from web.stored_image import succeeded

from service.clock import seconds
from service.errors import FieldError, InvalidRequest, StorageUnavailable
from service.generation import CATALOGUE
from service.ids import Kind, public_id, read_id
from service.keys import NewKey
from service.models import CallbackForm, jobs, uploads
from service.settings import Provider
from service.steps.enqueue import JobRequest
from service.wiring import Wiring

PNG = drawn("PNG", (256, 256))
BODY = hashlib.sha256(b"body").digest()


def request(**overrides: Any) -> JobRequest:  # noqa: ANN401
    given = {"prompt": "a fox", "input_image": as_base64(PNG)}
    wanted: dict[str, Any] = {"model": "flux-2-pro", "input": given, "sha256": BODY}
    return JobRequest(**(wanted | overrides))


def kept(wiring: Wiring) -> list[Row[Any]]:
    with wiring.database.transaction() as tx:
        return tx.rows(select(*uploads.c).order_by(uploads.c.id))


def count(wiring: Wiring) -> int:
    with wiring.database.transaction() as tx:
        found: int = tx.scalar(select(func.count()).select_from(jobs))
    return found


@pytest.fixture
def without_s3(wiring: Wiring, rewire: Rewire, monkeypatch: pytest.MonkeyPatch) -> Wiring:
    """A wiring whose S3 is away, while `wiring` has its own."""
    there, away = wiring.object_store, rewire()
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        assert away.object_store is not there
    return away


def test_base64_becomes_an_upload_that_lives_as_long_as_its_job(
    wiring: Wiring, key: NewKey
) -> None:
    given = {"prompt": "a fox", "image": f"data:image/png;base64,{as_base64(PNG)}", "steps": 20}
    job_id = enqueue(wiring, key, model="flux-pro-1.0-fill", input=given)
    (row,) = kept(wiring)
    shown = job(wiring, job_id).input
    assert shown == {"image": public_id(Kind.UPLOAD, row.id), "prompt": "a fox", "steps": 20}
    assert (row.expires_at, row.sha256) == (None, hashlib.sha256(PNG).hexdigest())
    assert wiring.object_store.get(row.bucket, row.key) == PNG
    wiring.discard()
    assert kept(wiring) == [row]


def test_an_upload_lives_on_once_a_job_refers_to_it(wiring: Wiring, key: NewKey) -> None:
    used, unused = upload(wiring, key, PNG), upload(wiring, key, PNG)
    for _ in range(2):
        enqueue(wiring, key, input={"prompt": "a fox", "input_image": used, "input_image_2": used})
    with wiring.database.transaction() as tx:
        mortal = update(uploads).where(uploads.c.expires_at.is_not(None))
        tx.execute(mortal.values(expires_at=func.now() - seconds(1)))
    wiring.discard()
    (row,) = kept(wiring)
    assert public_id(Kind.UPLOAD, row.id) == used != unused


def test_a_prompt_that_reads_like_an_id_refers_to_nothing(wiring: Wiring, key: NewKey) -> None:
    text = upload(wiring, key, PNG)
    enqueue(wiring, key, input={"prompt": text})
    assert kept(wiring)[0].expires_at is not None


def test_a_repeat_stores_no_picture_again_and_needs_no_s3(
    wiring: Wiring, key: NewKey, without_s3: Wiring
) -> None:
    owner = project_id(wiring, key)
    first = wiring.enqueue.accept(owner, request(idempotency_key="k"))
    again = without_s3.enqueue.accept(owner, request(idempotency_key="k"))
    assert (again.row.id, again.replayed) == (first.row.id, True)
    assert len(kept(wiring)) == 1


def test_a_repeat_finds_its_job_though_its_upload_is_gone(wiring: Wiring, key: NewKey) -> None:
    owner, given = project_id(wiring, key), upload(wiring, key, PNG)
    wanted = request(idempotency_key="k", input={"prompt": "a fox", "input_image": given})
    first = wiring.enqueue.accept(owner, wanted)
    with wiring.database.transaction() as tx:
        tx.execute(update(uploads).values(discarded_at=func.now()))
    assert wiring.enqueue.accept(owner, wanted).row.id == first.row.id


def test_with_s3_away_only_jobs_with_pictures_to_keep_are_refused(
    wiring: Wiring, key: NewKey, without_s3: Wiring
) -> None:
    owner, given = project_id(wiring, key), upload(wiring, key, PNG)
    with pytest.raises(StorageUnavailable):
        without_s3.enqueue.accept(owner, request())
    assert count(wiring) == 0
    for picture in (given, "https://example.com/a.png"):
        wanted = request(input={"prompt": "a fox", "input_image": picture})
        without_s3.enqueue.accept(owner, wanted)
    assert count(wiring) == 2


def test_every_error_of_pictures_comes_with_the_others_and_nothing_is_kept(
    wiring: Wiring, key: NewKey
) -> None:
    wrong = {"width": 1, "input_image": "AAAA", "input_image_2": as_base64(PNG)}
    with pytest.raises(InvalidRequest) as failure:
        wiring.enqueue.accept(project_id(wiring, key), request(input=wrong))
    assert {error.pointer for error in failure.value.errors} == {
        "/input/prompt",
        "/input/width",
        "/input/input_image",
    }
    assert kept(wiring) == []


def test_a_job_that_meets_the_discarding_half_way_is_refused(wiring: Wiring, key: NewKey) -> None:
    owner, given = project_id(wiring, key), upload(wiring, key, PNG)
    with wiring.database.transaction() as tx:
        tx.execute(update(uploads).values(expires_at=func.now()))
    wiring.discard.uploads.claim(1)
    inputs, model = wiring.inputs, CATALOGUE["flux-2-pro"]
    with wiring.database.transaction() as tx, pytest.raises(InvalidRequest) as failure:
        inputs.refer(tx, owner, {"/input": (model, {"prompt": "a fox", "input_image": given})})
    unknown = FieldError("/input/input_image", "there is no such image or upload")
    assert failure.value.errors == [unknown]


def test_a_discarding_that_meets_a_job_half_way_passes_on(wiring: Wiring, key: NewKey) -> None:
    owner, given = project_id(wiring, key), upload(wiring, key, PNG)
    inputs, model = wiring.inputs, CATALOGUE["flux-2-pro"]
    with wiring.database.transaction() as accepting:
        began = accepting.scalar(select(func.now()))
        with wiring.database.transaction() as tx:
            # over for everybody who looks from now on
            tx.execute(update(uploads).values(expires_at=began + timedelta(microseconds=1)))
        named = {"/input": (model, {"prompt": "a fox", "input_image": given})}
        inputs.refer(accepting, owner, named)
        assert wiring.discard.uploads.claim(1) == []
    assert wiring.discard.uploads.claim(1) == []
    assert kept(wiring)[0].expires_at is None


def test_lineage_slots_price_and_callback_are_noted(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    parent = wiring.browse.job(project_id(wiring, key), succeeded(wiring, key, simulator))[1][0]
    job_id = enqueue(
        wiring,
        key,
        model="flux-kontext-max",
        input={"prompt": "a fox", "input_image": public_id(Kind.IMAGE, parent.id)},
        callback_form=CallbackForm.FLUX,
        callback_secret="theirs",
    )
    row = job(wiring, job_id)
    assert row.parent_image_ids == [parent.id]
    assert (row.provider, row.pool) == ("simulator", "flux-kontext-max")
    assert (row.callback_form, row.callback_secret) == (CallbackForm.FLUX, "theirs")
    assert row.cost_estimated == 8
    assert "theirs" not in repr(request(callback_secret="theirs"))


def test_a_price_is_what_the_job_is_then_estimated_at(wiring: Wiring, key: NewKey) -> None:
    owner = project_id(wiring, key)
    large = as_base64(drawn("JPEG", (1024, 1025), "L"))
    for given in (
        {"prompt": "a fox", "width": 1024, "height": 1024},
        {"prompt": "a fox", "width": 1024, "height": 1040, "input_image": large},
        {"prompt": "a fox", "input_image": upload(wiring, key, PNG)},
    ):
        quoted = wiring.enqueue.price(owner, "flux-2-pro", given)
        before = len(kept(wiring))
        row = wiring.enqueue.accept(owner, request(input=given)).row
        assert quoted.credits == row.cost_estimated
        assert len(kept(wiring)) == before + (
            "input_image" in given and given["input_image"] is large
        )
    with pytest.raises(InvalidRequest):
        wiring.enqueue.price(owner, "flux-2-pro", {"prompt": ""})


@pytest.mark.parametrize(
    ("model", "wanted", "chosen"),
    [
        ("flux-2-pro", None, "cometapi"),
        ("flux-2-pro", "bfl", "bfl"),
        ("flux-2-klein-4b", None, "bfl"),
        ("flux-2-klein-4b", "cometapi", "/provider: cometapi does not serve flux-2-klein-4b; bfl"),
        ("flux-2-pro", "simulator", "/provider: is not configured here; cometapi, bfl is"),
    ],
)
def test_a_model_goes_to_the_first_that_serves_it_or_to_the_one_named(
    rewire: Rewire, key: NewKey, model: str, wanted: str | None, chosen: str
) -> None:
    wiring = rewire(flux_provider=[Provider.COMETAPI, Provider.BFL])
    asked = request(model=model, input={"prompt": "a fox"}, provider=wanted)
    try:
        said = wiring.enqueue.accept(project_id(wiring, key), asked).row.provider
    except InvalidRequest as error:
        said = "; ".join(f"{one.pointer}: {one.detail}" for one in error.errors)
    assert said.startswith(chosen)


def test_a_model_that_nobody_configured_serves_is_refused(rewire: Rewire, key: NewKey) -> None:
    wiring = rewire(flux_provider=[Provider.COMETAPI])
    asked = request(model="flux-2-klein-4b", input={"prompt": "a fox"})
    with pytest.raises(InvalidRequest) as failure:
        wiring.enqueue.accept(project_id(wiring, key), asked)
    (error,) = failure.value.errors
    assert error.pointer == "/model"
    assert "bfl" in error.detail


def test_a_job_with_pictures_is_sent_with_them(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    job_id = enqueue(
        wiring,
        key,
        model="flux-pro-1.0-fill",
        input={"prompt": "a fox in base64", "image": as_base64(PNG), "mask": as_base64(PNG)},
    )
    mask = read_id(Kind.UPLOAD, job(wiring, job_id).input["mask"])
    assert isinstance(mask, UUID)
    run(wiring.submit)
    (sent,) = [
        line["request"]
        for line in simulator.ledger("accepted")
        if line["request"].get("prompt") == "a fox in base64"
    ]
    # the ledger keeps digests of what is long
    digest = hashlib.sha256(as_base64(PNG).encode()).hexdigest()
    assert sent["image"]["sha256"] == sent["mask"]["sha256"] == digest
