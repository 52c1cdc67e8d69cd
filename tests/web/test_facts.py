"""What is told beside a picture: a part of a page, for its project alone."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import pytest
from factories import project_id
from flask.testing import FlaskClient
from web.browser import AS_BROWSER, Page, assert_inert, image_page, job_page, shown_image, words
from web.test_pages import HOSTILE_PROMPTS

from service.keys import NewKey
from service.web.facts import PROMPT_CHARS_SHOWN
from service.wiring import Wiring

Store = Callable[..., UUID]


@pytest.fixture
def store(wiring: Wiring, key: NewKey) -> Store:
    """Return what makes an image of the project `default` and returns its id."""
    return partial(shown_image, wiring, key)


def facts(image_id: UUID) -> str:
    return f"{image_page(image_id)}/facts"


def test_the_facts_say_what_a_picture_was_made_with_and_lead_on(
    browser: FlaskClient, wiring: Wiring, store: Store, key: NewKey
) -> None:
    image_id = store(
        "a lighthouse", revised_prompt="a tall lighthouse", seed=42, safety_tolerance=3
    )
    job_id = wiring.browse.image(project_id(wiring, key), image_id).job_id
    answer = browser.get(facts(image_id))
    said = words(answer)
    assert "Prompt a lighthouse What Flux made of the prompt a tall lighthouse" in said
    assert "Modelflux-2-pro" in said
    assert "Cost3 credits ($0.03), estimated" in said
    assert "256 \u00d7 128 pixels, PNG, 214 kB" in said
    assert "seed42 width256 height128 safety_tolerance3" in said
    links = Page(answer).links()
    assert {image_page(image_id), job_page(job_id)} <= set(links)
    assert not {tag for tag, _ in Page(answer).tags} & {"html", "head", "body", "h1"}


@pytest.mark.parametrize("prompt", HOSTILE_PROMPTS)
def test_hostile_prompts_are_inert_and_cut_in_the_facts(
    browser: FlaskClient, store: Store, prompt: str
) -> None:
    answer = browser.get(facts(store(prompt, revised_prompt=prompt)))
    assert_inert(answer)
    page = Page(answer)
    assert page.text.count(prompt[:PROMPT_CHARS_SHOWN]) == 2
    assert len(answer.data) < 4 * PROMPT_CHARS_SHOWN + 4_000
    if len(prompt) > PROMPT_CHARS_SHOWN:
        assert "All 30,000 characters" in page.text


def test_a_deleted_picture_is_told_in_words_that_fit_beside_it(
    browser: FlaskClient, wiring: Wiring, store: Store, key: NewKey
) -> None:
    image_id = store()
    wiring.remove(project_id(wiring, key), image_id)
    answer = browser.get(facts(image_id), headers=AS_BROWSER)
    assert answer.status_code == 410
    assert "was deleted" in words(answer)
    assert "html" not in {tag for tag, _ in Page(answer).tags}


def test_strangers_are_told_to_log_in(client: FlaskClient, store: Store) -> None:
    answer = client.get(facts(store("a secret")), headers=AS_BROWSER)
    assert answer.status_code == 401
    assert "secret" not in answer.text
    assert Page(answer).links() == ["/login"]
