"""One picture made from another, three steps long, and never from an old address."""

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import urllib3
from fakes.pictures import drawn
from fakes.simulator import Simulator
from journeys.running_service import RunningService

MAX_AGE_SECONDS = 300


def made(service: RunningService, model: str, **given: object) -> dict[str, Any]:
    """Hand in a job, wait for its end and return its image."""
    body = {"model": model, "input": {"prompt": "a harbour in fog", **given}}
    answer = service.request("POST", "/v1/jobs", body)
    assert answer.status == 202, answer.data
    document = service.ended(answer.json()["id"])
    assert document["status"] == "succeeded", document["error"]
    image: dict[str, Any] = service.request(
        "GET", f"/v1/images/{document['images'][0]['id']}"
    ).json()
    assert image["parent_image_ids"] == document["parent_image_ids"]
    return image


def uploaded(service: RunningService, content: bytes) -> str:
    headers = {"Authorization": f"Bearer {service.api_key}", "Content-Type": "image/png"}
    answer = urllib3.request("POST", f"{service.url}/v1/uploads", body=content, headers=headers)
    assert answer.status == 201, answer.data
    return str(answer.json()["id"])


def page(service: RunningService, path: str) -> str:
    """Open a page as a browser that has logged in."""
    fields = urlencode({"api_key": service.api_key})
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    welcome = urllib3.request(
        "POST", f"{service.url}/login", body=fields, headers=form, redirect=False
    )
    cookie = welcome.headers["Set-Cookie"].partition(";")[0]
    shown = urllib3.request("GET", service.url + path, headers={"Cookie": cookie})
    assert shown.status == 200
    return shown.data.decode()


def age_seconds(picture: dict[str, Any]) -> float:
    """Return how old a presigned URL was when it was fetched; it says when it was signed."""
    query = parse_qs(urlsplit(picture["url"]).query)
    signed = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert int(query["X-Amz-Expires"][0]) <= MAX_AGE_SECONDS
    return (datetime.fromisoformat(picture["fetched_at"]) - signed).total_seconds()


def test_a_picture_is_made_edited_and_filled_by_ids_alone(
    service: RunningService, simulator: Simulator
) -> None:
    before = len(simulator.ledger("accepted"))
    first = made(service, "flux-2-pro", width=512, height=384)
    second = made(service, "flux-kontext-pro", input_image=first["id"])
    mask = uploaded(service, drawn("PNG", (second["width"], second["height"]), "L"))
    third = made(service, "flux-pro-1.0-fill", image=second["id"], mask=mask)

    # where each came from, in the API
    lineage = [image["parent_image_ids"] for image in (first, second, third)]
    assert lineage == [[], [first["id"]], [second["id"]]]
    children = service.request("GET", f"/v1/images?parent={second['id']}").json()["data"]
    assert [child["id"] for child in children] == [third["id"]]
    # and on the page of the one in the middle
    links = re.findall(r'href="(/images/img_\w+)"', page(service, f"/images/{second['id']}"))
    assert {f"/images/{first['id']}", f"/images/{third['id']}"} <= set(links)

    # what upstream was given: those very bytes, from a fresh address or, where it takes none, whole
    edit, fill = (line["inputs"] for line in simulator.ledger("accepted")[before:][1:])
    assert edit["input_image"]["sha256"] == first["sha256"]
    assert -1 <= age_seconds(edit["input_image"]) <= MAX_AGE_SECONDS
    assert fill["image"]["sha256"] == second["sha256"]
    assert {picture["source"] for picture in fill.values()} == {"base64"}
    assert set(fill) == {"image", "mask"}
