"""A job's page: what it was given to draw after, who is paid, and why Flux withheld it."""

import json

import pytest
from factories import ACCEPTED, enqueue, hear, put, upload, webhook
from fakes.pictures import drawn
from flask.testing import FlaskClient
from web.browser import AS_BROWSER, Page, assert_inert, image_page, job_page, shown_image, words

from service.ids import Kind, new_id, public_id
from service.keys import NewKey
from service.wiring import Wiring

FOREIGN = "https://pictures.example/a.png?signature=" + "x" * 5000


def test_a_jobs_page_shows_every_kind_of_input_image(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    parent = shown_image(wiring, key, "a lighthouse")
    uploaded = upload(wiring, key, drawn("PNG"))
    job_id = enqueue(
        wiring,
        key,
        input={
            "prompt": "all of them",
            "input_image": public_id(Kind.IMAGE, parent),
            "input_image_2": uploaded,
            "input_image_3": FOREIGN,
            "seed": 5,
        },
    )
    answer = browser.get(job_page(job_id), headers=AS_BROWSER)
    assert_inert(answer)
    page, said = Page(answer), words(answer)
    assert page.links("/images/") == [image_page(parent)]
    assert f"{image_page(parent)}/thumbnail" in [a["src"] for t, a in page.tags if t == "img"]
    assert f"input_image_2 {uploaded} 64 \u00d7 48 pixels, 9 kB input_image_3 https://p" in said
    assert "(5,041 characters)" in said
    # the list of keys ends every page
    assert "Parameters sent seed5 Keyboard" in said
    # nothing on the page leads to the foreign host, nor loads anything from it
    assert not [
        value for _, attributes in page.tags for value in attributes.values() if "pictures" in value
    ]


def test_input_images_that_are_gone_are_said_to_be(
    browser: FlaskClient, wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    gone = public_id(Kind.IMAGE, new_id())
    theirs = upload(wiring, other_key, drawn("PNG"))
    put(wiring, job_id, input={"prompt": "p", "input_image": gone, "input_image_2": theirs})
    said = words(browser.get(job_page(job_id)))
    assert f"Input images input_image gone input_image_2 {theirs} no longer kept" in said


def test_a_job_of_a_model_that_we_no_longer_know_still_has_its_page(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    put(wiring, job_id, model="flux-0", input={"prompt": "p", "image": "A" * 900})
    said = words(browser.get(job_page(job_id)))
    assert "Input images" not in said
    assert "imageAAAA" in said


def test_a_jobs_page_names_model_provider_and_price(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    said = words(browser.get(job_page(enqueue(wiring, key))))
    assert "Modelflux-2-pro Providersimulator Cost3 credits ($0.03), estimated" in said


@pytest.mark.parametrize(
    ("ended", "line"),
    [
        (("Content Moderated", ["Violence"]), "Flux's moderation withheld the image: Violence"),
        (("Request Moderated", ["Hate", "Sexual"]), "moderation refused the request: Hate, Sexual"),
        (("Content Moderated", ["<b>x</b>"]), "Flux's moderation withheld the image: <b>x</b>"),
    ],
)
def test_the_timeline_tells_why_moderation_stepped_in(
    browser: FlaskClient, wiring: Wiring, key: NewKey, ended: tuple[str, list[str]], line: str
) -> None:
    status, reasons = ended
    job_id = enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, ACCEPTED)])
    details = {"Moderation Reasons": reasons}
    hear(wiring, webhook(wiring, job_id, status=status, result=None, details=details))
    answer = browser.get(job_page(job_id), headers=AS_BROWSER)
    assert_inert(answer)
    timeline = words(answer).partition("Timeline")[2]
    assert line in timeline
    assert json.dumps(reasons) not in timeline
