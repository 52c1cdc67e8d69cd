"""`/v1/images`: the bytes come back as they were stored, and only to their project."""

import hashlib
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
import urllib3
from conftest import Api
from factories import run
from fakes.simulator import Simulator
from web.stored_image import succeeded

from service.ids import Kind, public_id
from service.keys import NewKey
from service.wiring import Wiring


@dataclass(frozen=True)
class Stored:
    """An image in the bucket."""

    job: dict[str, Any]
    id: str
    sha256: str
    bytes: int

    @property
    def content(self) -> str:
        return f"/v1/images/{self.id}/content"


@pytest.fixture
def stored(api: Api, wiring: Wiring, key: NewKey, simulator: Simulator) -> Stored:
    job_id = public_id(Kind.JOB, succeeded(wiring, key, simulator))
    document = api.get(f"/v1/jobs/{job_id}").json
    image = document["images"][0]
    return Stored(document, image["id"], image["sha256"], image["bytes"])


def delete_object(stored: Stored) -> None:
    image = stored.job["images"][0]
    boto3.client("s3").delete_object(Bucket=image["bucket"], Key=image["key"])


def test_a_presigned_url_opens_the_image_without_a_key(stored: Stored) -> None:
    image = stored.job["images"][0]
    with urllib3.PoolManager(retries=False) as http:
        fetched = http.request("GET", image["url"])
        assert http.request("GET", image["url"] + "0").status == 403
    assert fetched.status == 200
    assert hashlib.sha256(fetched.data).hexdigest() == image["sha256"]
    assert len(fetched.data) == image["bytes"]
    assert fetched.headers["Content-Type"] == image["content_type"]


def test_content_leads_to_a_fresh_url_that_nobody_keeps(api: Api, stored: Stored) -> None:
    answer = api.get(stored.content)
    assert answer.status_code == 302
    assert answer.headers["Cache-Control"] == "no-store"
    with urllib3.PoolManager(retries=False) as http:
        fetched = http.request("GET", answer.headers["Location"])
    assert hashlib.sha256(fetched.data).hexdigest() == stored.sha256


def test_proxied_bytes_are_the_stored_ones_and_inert(api: Api, stored: Stored) -> None:
    answer = api.get(f"{stored.content}?proxy=1")
    assert answer.status_code == 200
    assert hashlib.sha256(answer.data).hexdigest() == stored.sha256
    assert answer.headers["ETag"] == f'"{stored.sha256}"'
    assert answer.headers["Content-Type"] == stored.job["images"][0]["content_type"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert "private" in answer.headers["Cache-Control"]


def test_only_proxy_1_is_proxied(api: Api, stored: Stored) -> None:
    assert api.get(f"{stored.content}?proxy=0").status_code == 302


def test_known_bytes_are_not_sent_again(api: Api, stored: Stored) -> None:
    tag = f'"{stored.sha256}"'
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = api.get(f"{stored.content}?proxy=1", If_None_Match=known)
        assert (answer.status_code, answer.data) == (304, b""), known
        assert answer.headers["ETag"] == tag
        assert "immutable" in answer.headers["Cache-Control"]
    assert api.get(f"{stored.content}?proxy=1", If_None_Match='"other"').status_code == 200
    delete_object(stored)
    # nobody asked the bucket
    assert api.get(f"{stored.content}?proxy=1", If_None_Match=tag).status_code == 304


def test_a_range_is_that_part_of_the_bytes(api: Api, stored: Stored) -> None:
    whole = api.get(f"{stored.content}?proxy=1").data
    part = api.get(f"{stored.content}?proxy=1", Range="bytes=10-19")
    assert (part.status_code, part.data) == (206, whole[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{stored.bytes}"
    tail = api.get(f"{stored.content}?proxy=1", Range="bytes=-5")
    assert (tail.status_code, tail.data) == (206, whole[-5:])


def test_a_range_that_cannot_be_given_harms_nothing(api: Api, stored: Stored) -> None:
    beyond = api.get(f"{stored.content}?proxy=1", Range="bytes=99999999-")
    assert (beyond.status_code, beyond.content_type) == (416, "application/problem+json")
    # RFC 9110, 14.2: what is not understood is ignored; several ranges may be
    for odd in (
        "bytes=5-4", "bytes=0-1,5-6", "lines=1-2", "bytes=", "bytes=-0", "bytes", "x", "bytes=a-b",
        f"bytes=-{stored.bytes + 1}",
    ):  # fmt: skip
        answer = api.get(f"{stored.content}?proxy=1", Range=odd)
        assert (answer.status_code, len(answer.data)) == (200, stored.bytes), odd
        assert "Content-Range" not in answer.headers


def test_head_tells_of_the_bytes_without_sending_them(api: Api, stored: Stored) -> None:
    answer = api.client.head(f"{stored.content}?proxy=1", headers=api.headers())
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == str(stored.bytes)


def test_a_thumbnail_is_the_image_until_it_is_drawn(
    api: Api, stored: Stored, wiring: Wiring
) -> None:
    path = f"/v1/images/{stored.id}/thumbnail"
    assert api.get(path).status_code == 302
    run(wiring.derive)
    drawn = api.get(path)
    assert (drawn.status_code, drawn.content_type) == (200, "image/webp")
    assert drawn.data[8:12] == b"WEBP"
    assert drawn.headers["ETag"] != f'"{stored.sha256}"'
    assert api.get(path, If_None_Match=drawn.headers["ETag"]).status_code == 304


def test_an_image_shows_its_job_and_its_places(api: Api, stored: Stored) -> None:
    image = api.get(f"/v1/images/{stored.id}").json
    assert image["object"] == "image"
    assert image["job_id"] == stored.job["id"]
    assert image["prompt"] == stored.job["input"]["prompt"]
    assert image["urls"]["self"].endswith(f"/v1/images/{stored.id}")
    assert api.get("/v1/images").json["data"][0]["id"] == stored.id


def test_images_are_found_by_words_of_their_prompt(
    api: Api, wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    for prompt in ("a red fox", "100% wool_en hat"):
        succeeded(wiring, key, simulator, input={"prompt": prompt, "width": 256, "height": 256})

    def found(query: str) -> list[str]:
        return [image["prompt"] for image in api.get(f"/v1/images?{query}").json["data"]]

    assert found("q=FOX") == ["a red fox"]
    assert found("q=100%25") == ["100% wool_en hat"]
    assert found("q=%25") == ["100% wool_en hat"]
    assert found("q=_") == ["100% wool_en hat"]
    assert found("q=zebra") == []
    assert found("model=flux-2-max") == []
    assert found("limit=1") == ["100% wool_en hat"]
    long_ago, far_ahead = "1970-01-02T00:00:00Z", "9998-12-30T00:00:00Z"
    both = f"created_after={long_ago}&created_before={far_ahead}&model=flux-2-pro"
    assert found(f"{both}&q=fox") == ["a red fox"]
    assert found(f"created_after={far_ahead}") == []
    assert found(f"created_before={long_ago}") == []
    for query in (f"q={'a' * 501}", "q=a&q=b", "parent=img_1", "created_after=now"):
        assert api.get(f"/v1/images?{query}").status_code == 422, query


def test_a_lost_object_is_said_to_be_lost(api: Api, stored: Stored) -> None:
    delete_object(stored)
    answer = api.get(f"{stored.content}?proxy=1")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
