"""Shared links open one image without a key, until they end, are taken back, or the image goes."""

import hashlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from conftest import Api
from fakes.simulator import Simulator
from flask.testing import FlaskClient
from sqlalchemy import func, update
from web.browser import AS_BROWSER, CSP, Page, assert_inert, words
from web.stored_image import succeeded

from service.clock import seconds
from service.ids import Kind, new_id, public_id
from service.keys import NewKey
from service.models import Scope, Share
from service.wiring import Wiring

PROMPT = 'a <b>lighthouse</b> & "fog"'


@pytest.fixture
def image(api: Api, wiring: Wiring, key: NewKey, simulator: Simulator) -> dict[str, Any]:
    succeeded(wiring, key, simulator, input={"prompt": PROMPT, "width": 256, "height": 256})
    found: dict[str, Any] = api.get("/v1/images").json["data"][0]
    return found


def shared(api: Api, image: dict[str, Any], **body: object) -> dict[str, Any]:
    answer = api.post(f"/v1/images/{image['id']}/share", body)
    assert answer.status_code == 201, answer.json
    document: dict[str, Any] = answer.json
    return document


def place(link: dict[str, Any], wiring: Wiring) -> str:
    url: str = link["url"]
    assert url.startswith(f"{wiring.settings.base_url}/share/")
    return url.removeprefix(wiring.settings.base_url)


def content(link: dict[str, Any], image: dict[str, Any], wiring: Wiring) -> str:
    return f"{place(link, wiring)}/image.{image['content_type'].removeprefix('image/')}"


def test_a_link_shows_the_image_to_whoever_has_it(
    api: Api, client: FlaskClient, wiring: Wiring, image: dict[str, Any]
) -> None:
    # no body at all
    answer = api.client.post(f"/v1/images/{image['id']}/share", headers=api.headers())
    assert answer.status_code == 201
    link: dict[str, Any] = answer.json or {}
    assert link == {
        "id": link["id"], "object": "share", "image_id": image["id"], "url": link["url"],
        "created_at": link["created_at"], "expires_at": link["expires_at"],
        "shows_prompt": False, "revoked_at": None,
    }  # fmt: skip
    assert link["id"].startswith("shr_")
    page = client.get(place(link, wiring), headers=AS_BROWSER)
    assert page.status_code == 200
    assert_inert(page)
    assert "img-src 'self';" in page.headers[CSP]
    assert "lighthouse" not in page.text
    told = {a.get("property"): a.get("content") for tag, a in Page(page).tags if tag == "meta"}
    assert told["og:image"] == wiring.settings.base_url + content(link, image, wiring)
    assert told["og:title"] == "Shared image"
    (shown,) = [a["src"] for tag, a in Page(page).tags if tag == "img" and a["alt"]]
    bytes_of = client.get(shown)
    assert hashlib.sha256(bytes_of.data).hexdigest() == image["sha256"]
    assert bytes_of.headers["Cache-Control"] == "private, max-age=60"
    assert bytes_of.headers[CSP] == "default-src 'none'; sandbox"
    assert bytes_of.content_type == image["content_type"]


def test_the_prompt_is_shown_where_its_owner_says_so(
    api: Api, client: FlaskClient, wiring: Wiring, image: dict[str, Any]
) -> None:
    link = shared(api, image, shows_prompt=True, expires_in_seconds=60)
    page = client.get(place(link, wiring), headers=AS_BROWSER)
    assert_inert(page)
    assert PROMPT in words(page)
    told = {a.get("property"): a.get("content") for tag, a in Page(page).tags if tag == "meta"}
    assert told["og:title"] == PROMPT


def test_a_link_that_was_taken_back_opens_nothing(
    api: Api, client: FlaskClient, wiring: Wiring, image: dict[str, Any]
) -> None:
    link, other = shared(api, image), shared(api, image)
    etag = client.get(content(link, image, wiring)).headers["ETag"]
    path = f"/v1/images/{image['id']}/shares"
    for _ in range(2):
        answer = api.client.delete(f"{path}/{link['id']}", headers=api.headers())
        assert answer.status_code == 204
    for asked in (place(link, wiring), content(link, image, wiring)):
        assert client.get(asked, headers={"If-None-Match": etag}).status_code == 410
    assert "taken back" in words(client.get(place(link, wiring), headers=AS_BROWSER))
    assert client.get(place(other, wiring)).status_code == 200
    listed = {one["id"]: one["revoked_at"] for one in api.get(path).json["data"]}
    assert list(listed) == [other["id"], link["id"]]
    assert (listed[link["id"]] is None, listed[other["id"]]) == (False, None)


def test_a_link_ends_by_itself_and_with_its_image(
    api: Api, client: FlaskClient, wiring: Wiring, image: dict[str, Any]
) -> None:
    link, other = shared(api, image), shared(api, image)
    with wiring.database.transaction() as tx:
        over = update(Share).where(Share.id == UUID(link["id"].removeprefix("shr_")))
        tx.execute(over.values(expires_at=func.now() - seconds(1)))
    assert client.get(place(link, wiring)).status_code == 410
    assert client.get(content(link, image, wiring)).status_code == 410
    api.client.delete(f"/v1/images/{image['id']}", headers=api.headers())
    for asked in (place(other, wiring), content(other, image, wiring)):
        answer = client.get(asked)
        assert answer.status_code == 410
        assert "was deleted" in answer.text


def test_an_altered_or_foreign_token_opens_nothing(
    api: Api, client: FlaskClient, wiring: Wiring, image: dict[str, Any]
) -> None:
    link = shared(api, image)
    path = place(link, wiring)
    token = path.removeprefix("/share/")
    named, _, proof = token.partition(".")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # the next letter stands for the same bytes: base64 has bits to spare at the end
    alias = proof[:-1] + letters[letters.index(proof[-1]) ^ 1]
    swapped = wiring.links.share_token(new_id()).partition(".")[0]
    for wrong in (
        token[:-1], f"{named}.{alias}", f"{swapped}.{proof}", f"{named}.", named, f"{token}A",
        f"{named}.{proof[:9]}!{proof[9:]}", wiring.links.share_token(new_id()), "x",
        wiring.links.sample_token(new_id(), new_id(), datetime.now(UTC)), "%F0%9F%96%BC",
    ):  # fmt: skip
        assert client.get(f"/share/{wrong}").status_code == 404, wrong
        assert client.get(f"/share/{wrong}/image.jpeg").status_code == 404, wrong
    for ending in ("svg", "html", "gif", "../image.jpeg", "%2e%2e%2f"):
        assert client.get(f"{path}/image.{ending}").status_code == 404, ending


def test_only_who_manages_the_project_shares(
    api: Api, client: FlaskClient, wiring: Wiring, other_key: NewKey, image: dict[str, Any]
) -> None:
    link = shared(api, image)
    reader = Api(client, wiring.keys.create("default", scopes=[Scope.READ]).api_key)
    assert reader.post(f"/v1/images/{image['id']}/share").status_code == 403
    assert reader.get(f"/v1/images/{image['id']}/shares").status_code == 200
    stranger = Api(client, other_key.api_key)
    made_up = public_id(Kind.IMAGE, new_id())
    for image_id in (image["id"], made_up):
        assert stranger.post(f"/v1/images/{image_id}/share").status_code == 404
        gone = client.delete(
            f"/v1/images/{image_id}/shares/{link['id']}", headers=stranger.headers()
        )
        assert gone.status_code == 404
    assert client.get(place(link, wiring)).status_code == 200


def test_a_wrong_wish_is_refused_by_name(api: Api, image: dict[str, Any]) -> None:
    path = f"/v1/images/{image['id']}/share"
    for body, pointer in (
        ({"expires_in_seconds": 59}, "/expires_in_seconds"),
        ({"expires_in_seconds": 31_536_001}, "/expires_in_seconds"),
        ({"expires_in_seconds": "60"}, "/expires_in_seconds"),
        ({"shows_prompt": "yes"}, "/shows_prompt"),
        ({"show_prompt": True}, "/show_prompt"),
    ):
        refused = api.post(path, body)
        assert refused.status_code == 422, body
        assert [error["pointer"] for error in refused.json["errors"]] == [pointer]
    assert api.get(f"{path}s").json == {"data": [], "next": None}
