"""What stands behind the pictures of an input: looked up, looked into, kept, put into words."""

import base64
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
import urllib3
from factories import Rewire, project_id, upload
from fakes.pictures import as_base64, drawn
from fakes.simulator import Simulator
from sqlalchemy import delete, func, select, update
from web.stored_image import succeeded

from service.errors import FieldError, InputGone, StorageUnavailable
from service.generation import CATALOGUE, PictureSize
from service.ids import Kind, new_id, public_id
from service.inputs import INPUT_URL_LIFETIME_SECONDS, Examined, Inputs
from service.keys import NewKey
from service.models import images, uploads
from service.wiring import Wiring

PNG = drawn("PNG", (256, 320))
#: Takes URLs.
BY_URL = "flux-2-pro"
#: Takes only base64: `image` and `mask`.
BY_BASE64 = "flux-pro-1.0-fill"


def examined(wiring: Wiring, key: NewKey, model: str, **pictures: str) -> Examined:
    cleaned = {"prompt": "a fox", **pictures}
    return wiring.inputs.examine(project_id(wiring, key), CATALOGUE[model], cleaned)


def stored_image(wiring: Wiring, key: NewKey, simulator: Simulator) -> str:
    """Return the id of an image that one of our jobs has made, 256 x 256."""
    job_id = succeeded(wiring, key, simulator)
    with wiring.database.transaction() as tx:
        image_id: UUID = tx.scalar(select(images.c.id).where(images.c.job_id == job_id))
    return public_id(Kind.IMAGE, image_id)


def opened(url: str) -> bytes:
    http = urllib3.PoolManager(retries=False)
    answer = http.request("GET", url)
    http.clear()
    assert answer.status == 200
    return answer.data


def test_every_kind_of_picture_is_measured_but_a_url(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    image_id = stored_image(wiring, key, simulator)
    found = examined(
        wiring,
        key,
        BY_URL,
        input_image="https://example.com/a.png",
        input_image_2=as_base64(PNG),
        input_image_3=upload(wiring, key, PNG),
        input_image_4=image_id,
    )
    assert found.errors == []
    measured = PictureSize(256, 320, len(PNG))
    assert found.sizes["input_image_2"] == found.sizes["input_image_3"] == measured
    assert found.sizes["input_image_4"][:2] == (256, 256)
    assert "input_image" not in found.sizes
    assert [public_id(Kind.IMAGE, one) for one in found.parent_image_ids] == [image_id]


def test_lineage_is_in_the_order_of_the_parameters_each_image_once(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    one, two = (stored_image(wiring, key, simulator) for _ in range(2))
    found = examined(wiring, key, BY_URL, input_image_3=one, input_image_2=one, input_image=two)
    assert [public_id(Kind.IMAGE, image_id) for image_id in found.parent_image_ids] == [two, one]


def test_another_projects_picture_is_as_unknown_as_none(
    wiring: Wiring, key: NewKey, other_key: NewKey, simulator: Simulator
) -> None:
    gone, expired = upload(wiring, key, PNG), upload(wiring, key, PNG)
    with wiring.database.transaction() as tx:
        one = uploads.c.id == UUID(gone.removeprefix("upl_"))
        tx.execute(update(uploads).where(one).values(discarded_at=func.now()))
        one = uploads.c.id == UUID(expired.removeprefix("upl_"))
        tx.execute(update(uploads).where(one).values(expires_at=func.now()))
    unknown = FieldError("/input/input_image", "there is no such image or upload")
    for value in (
        gone,
        expired,
        upload(wiring, other_key, PNG),
        stored_image(wiring, other_key, simulator),
        public_id(Kind.IMAGE, new_id()),
        public_id(Kind.UPLOAD, new_id()),
    ):
        assert examined(wiring, key, BY_URL, input_image=value).errors == [unknown], value


def test_every_picture_that_is_wrong_is_named_at_once(wiring: Wiring, key: NewKey) -> None:
    found = examined(
        wiring,
        key,
        BY_URL,
        input_image="AAAA",
        input_image_2=as_base64(PNG[:-20]),
        input_image_3=as_base64(drawn("GIF")),
        input_image_4="AAAAA===",
        input_image_5=public_id(Kind.UPLOAD, new_id()),
        input_image_6=as_base64(PNG),
    )
    assert {error.pointer for error in found.errors} == {
        "/input/input_image",
        *(f"/input/input_image_{number}" for number in range(2, 6)),
    }
    assert list(found.sizes) == list(found.handed) == ["input_image_6"]


def test_a_models_limits_hold_for_every_kind_of_picture(wiring: Wiring, key: NewKey) -> None:
    mask = drawn("PNG", (256, 256))
    for image in (as_base64(PNG), upload(wiring, key, PNG)):
        for other in (as_base64(mask), upload(wiring, key, mask)):
            (error,) = examined(wiring, key, BY_BASE64, image=image, mask=other).errors
            assert error.pointer == "/input/mask"
            assert "256 x 320" in error.detail
    small = drawn("PNG", (255, 256))
    for image in (as_base64(small), upload(wiring, key, small)):
        (error,) = examined(wiring, key, "flux-pro-1.0-canny", control_image=image).errors
        assert error.pointer == "/input/control_image"
        assert "255 x 256" in error.detail
    large = drawn("JPEG", (5200, 4100), "L")
    (error,) = examined(wiring, key, "flux-kontext-pro", input_image=as_base64(large)).errors
    assert error.pointer == "/input/input_image"


def test_upstream_is_given_a_url_where_it_takes_one(
    wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    image_id, upload_id = stored_image(wiring, key, simulator), upload(wiring, key, PNG)
    given = {
        "prompt": upload_id,
        "input_image": "https://example.com/a.png",
        "input_image_2": upload_id,
        "input_image_3": image_id,
    }
    body = wiring.inputs.body(project_id(wiring, key), BY_URL, given)
    assert list(body) == list(given)
    assert (body["prompt"], body["input_image"]) == (upload_id, given["input_image"])
    assert opened(body["input_image_2"]) == PNG
    assert opened(body["input_image_3"]).startswith(b"\xff\xd8")
    for name in ("input_image_2", "input_image_3"):
        lifetime = parse_qs(urlsplit(body[name]).query)["X-Amz-Expires"]
        assert lifetime == [str(INPUT_URL_LIFETIME_SECONDS)] == ["300"]


def test_upstream_is_given_base64_where_it_takes_nothing_else(wiring: Wiring, key: NewKey) -> None:
    given = {"image": upload(wiring, key, PNG), "mask": as_base64(PNG), "steps": 20}
    body = wiring.inputs.body(project_id(wiring, key), BY_BASE64, given)
    assert base64.b64decode(body["image"]) == PNG
    # a job from before base64 became uploads
    assert (body["mask"], body["steps"]) == (given["mask"], 20)


def test_an_upstream_that_cannot_reach_the_bucket_is_given_base64(
    rewire: Rewire, key: NewKey
) -> None:
    afar = rewire(flux_api_url=["https://api.bfl.ai/v1"])
    given = upload(afar, key, PNG)
    body = afar.inputs.body(project_id(afar, key), BY_URL, {"input_image": given})
    assert base64.b64decode(body["input_image"]) == PNG


def test_a_picture_that_is_gone_is_named(wiring: Wiring, key: NewKey, other_key: NewKey) -> None:
    owner, without_bytes = project_id(wiring, key), upload(wiring, key, PNG)
    with wiring.database.transaction() as tx:
        row = tx.first(select(*uploads.c))
    wiring.object_store.delete(row.bucket, row.key)
    with pytest.raises(InputGone, match=without_bytes):
        wiring.inputs.body(owner, BY_BASE64, {"image": without_bytes})
    foreign = upload(wiring, other_key, PNG)
    with pytest.raises(InputGone, match=foreign):
        wiring.inputs.body(owner, BY_URL, {"input_image": foreign})
    with wiring.database.transaction() as tx:
        tx.execute(delete(uploads))
    with pytest.raises(InputGone, match=without_bytes):
        wiring.inputs.body(owner, BY_URL, {"input_image": without_bytes})


def test_only_who_has_to_read_the_bytes_waits_for_s3(
    wiring: Wiring, key: NewKey, rewire: Rewire, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, given = project_id(wiring, key), upload(wiring, key, PNG)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    away = rewire()
    assert away.inputs.body(owner, BY_URL, {"input_image": given})["input_image"].startswith("http")
    with pytest.raises(StorageUnavailable):
        away.inputs.body(owner, BY_BASE64, {"image": given})


def test_no_connection_to_the_database_is_held_while_s3_is_asked(
    wiring: Wiring, key: NewKey
) -> None:
    given = upload(wiring, key, PNG)
    alone = Wiring(wiring.settings, pool_size=1, ring=wiring.ring)

    class Bucket:
        """Needs the only connection there is."""

        def get(self, bucket: str, key: str) -> bytes:
            with alone.database.transaction():
                return alone.object_store.get(bucket, key)

        def presign(self, bucket: str, key: str, lifetime_seconds: int) -> str:
            return alone.object_store.presign(bucket, key, lifetime_seconds)

    inputs = Inputs(
        alone.database, Bucket(), CATALOGUE, alone.uploads, upstream_reaches_bucket=True
    )
    body = inputs.body(project_id(wiring, key), BY_BASE64, {"image": given})
    alone.close()
    assert base64.b64decode(body["image"]) == PNG
