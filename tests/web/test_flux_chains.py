"""A Flux client draws after an earlier result by its `result.sample`, as with Flux itself."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from conftest import Api
from factories import project_id
from flask.testing import FlaskClient
from web.browser import shown_image
from web.facade import BASE_URL, Facade

from service.ids import Kind, public_id
from service.keys import NewKey
from service.signing.links import SAMPLE_LIFETIME
from service.wiring import Wiring


def sample(wiring: Wiring, key: NewKey, image_id: UUID, age: timedelta = timedelta()) -> str:
    signed_at = datetime.now(UTC) - age
    token = wiring.links.sample_token(project_id(wiring, key), image_id, signed_at)
    return f"{BASE_URL}/flux/samples/{token}/sample.jpeg"


def test_a_sample_of_ours_is_the_image_it_shows(
    api: Api, flux: Facade, wiring: Wiring, key: NewKey
) -> None:
    parent = shown_image(wiring, key)
    name = public_id(Kind.IMAGE, parent)
    # one takes URLs, the other base64 alone
    for model, parameter in (("flux-2-pro", "input_image_2"), ("flux-pro-1.1", "image_prompt")):
        accepted = flux.submit(model, **{parameter: sample(wiring, key, parent)})
        assert accepted["input_mp"] is not None
        job = api.get(f"/v1/jobs/{accepted['id']}").json
        assert (job["input"][parameter], job["parent_image_ids"]) == (name, [name])


def test_any_other_sample_is_a_url_like_all_others(
    api: Api, client: FlaskClient, wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    parent = shown_image(wiring, key)
    mine = sample(wiring, key, parent)
    ended = sample(wiring, key, parent, SAMPLE_LIFETIME + timedelta(seconds=1))
    flux, stranger = (Facade(client, {"x-key": one.api_key}) for one in (key, other_key))
    elsewhere = mine.replace(BASE_URL, "https://example.com")
    for caller, url in (
        (stranger, mine),
        (flux, ended),
        (flux, mine.replace("/sample.jpeg", "x/sample.jpeg")),
        (flux, f"{BASE_URL}/flux/samples/"),
        (flux, elsewhere),
    ):
        accepted = caller.post("flux-2-pro", {"prompt": "x", "input_image": url}).json
        assert accepted["input_mp"] is None, url
        refused = caller.post("flux-pro-1.1", {"image_prompt": url})
        other = caller.post("flux-pro-1.1", {"image_prompt": "https://example.com/a.png"})
        assert refused.status_code == 422
        assert refused.json["detail"][0]["msg"] == other.json["detail"][0]["msg"], url


def test_only_the_facade_takes_a_sample_for_its_image(
    api: Api, wiring: Wiring, key: NewKey
) -> None:
    url = sample(wiring, key, shown_image(wiring, key))
    given = {"prompt": "x", "input_image": url}
    job = api.post("/v1/jobs", {"model": "flux-2-pro", "input": given}).json
    assert (job["input"]["input_image"], job["parent_image_ids"]) == (url, [])
