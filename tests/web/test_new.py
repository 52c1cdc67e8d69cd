"""The form of a new job: what it shows, what it sends, and that it is paid for once."""

from typing import Any

from factories import enqueue, job, project_id, upload
from fakes.pictures import drawn
from flask.testing import FlaskClient
from sqlalchemy import func, select
from web.browser import AS_BROWSER, Page, assert_inert, form_token, shown_image, words
from web.written_form import WrittenForm, sent

from service.generation import CATALOGUE, Model, validate_input
from service.generation.parameters import Parameter
from service.ids import Kind, new_id, public_id, read_id
from service.keys import NewKey
from service.models import Scope, jobs
from service.wiring import Wiring

PROMPT = "two lines\n\n  of a \N{FOX FACE} prompt\n"


def filled(model: Model, picture: str) -> dict[str, Any]:
    """Return an input that says everything a model can be told, its defaults where it has them."""

    def value(name: str, parameter: Parameter) -> Any:  # noqa: ANN401 - JSON
        if name in model.images:
            return picture
        odd = {"prompt": PROMPT, "seed": 2**63 - 1, "top": 64, "finetune_id": "a/b", "user": " me "}
        usual = {"width": 512, "height": 512, "finetune_strength": 0.5, "guidance": 60.0 / 16}
        ratio = {"aspect_ratio": "3:4", "reference_offset_x": -5, "reference_offset_y": 0}
        return {**usual, **ratio, **odd}.get(name, parameter.default)

    given = {name: value(name, parameter) for name, parameter in model.parameters.items()}
    return {name: one for name, one in given.items() if one is not None}


def needed(model: Model, picture: str) -> dict[str, Any]:
    """Return the least that a model has to be told."""
    whole = filled(model, picture)
    joined = {name for rule in model.rules for name in rule.concerns[:1]}
    least = {name for name, one in model.parameters.items() if one.required} | joined
    return {name: whole[name] for name in least if name != "mode"}


def typed(given: dict[str, Any]) -> dict[str, str]:
    """Return an input as somebody types it."""
    return {
        f"input.{name}": {True: "true", False: "false"}[value]
        if isinstance(value, bool)
        else str(value)
        for name, value in given.items()
    }


def checked(browser: FlaskClient, query: str = "", **said: str) -> WrittenForm:
    """Fill in a form, have it checked, and return the second step's."""
    form = WrittenForm(browser.get(f"/new{query}"))
    answer = sent(browser, "/new/check", {**form.said, **said})
    assert answer.status_code == 200, words(answer)
    return WrittenForm(answer, "/new")


def made(browser: FlaskClient, wiring: Wiring, second: WrittenForm) -> Any:  # noqa: ANN401 - a Row
    """Send the second step and return the job."""
    answer = sent(browser, "/new", second.said)
    assert answer.status_code == 303, words(answer)
    found = read_id(Kind.JOB, answer.location.removeprefix("/jobs/"))
    assert found is not None
    return job(wiring, found)


def count(wiring: Wiring) -> int:
    with wiring.database.transaction() as tx:
        found: int = tx.scalar(select(func.count()).select_from(jobs))
    return found


def test_every_models_form_sends_what_the_api_accepts_and_like_fills_it_in_again(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    picture = upload(wiring, key, drawn("PNG", (320, 320)))
    for model in CATALOGUE.models.values():
        query = f"?model={model.name}"
        answer = browser.get(f"/new{query}", headers=AS_BROWSER)
        assert_inert(answer)
        form = WrittenForm(answer)
        assert {f"input.{name}" for name in model.parameters} <= set(form.fields)
        assert {f"file.{name}" for name in model.images} <= set(form.fields)
        least = sent(browser, "/new/check", form.said | typed(needed(model, picture)))
        assert least.status_code == 200, model.name
        given = filled(model, picture)
        cleaned, errors = validate_input(model, given)
        assert errors == [], model.name
        second = checked(browser, query, **typed(given))
        row = made(browser, wiring, second)
        assert (row.model, row.input) == (model.name, cleaned)
        again = checked(browser, f"?like={public_id(Kind.JOB, row.id)}")
        assert again.said == second.said | {"key": again.said["key"]}


def test_a_job_like_another_takes_over_all_that_it_was_given(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    metadata = {"order": "17", "note": "two\nlines = one"}
    job_id = enqueue(
        wiring, key, model="flux-kontext-pro", priority="high", metadata=metadata,
        input={"prompt": PROMPT, "seed": 7, "output_format": "png"},
    )  # fmt: skip
    row = made(browser, wiring, checked(browser, f"?like={public_id(Kind.JOB, job_id)}"))
    before = job(wiring, job_id)
    for column in ("model", "input", "metadata", "priority"):
        assert getattr(row, column) == getattr(before, column)
    assert row.callback_url is None


def test_an_image_like_another_has_its_seed_or_a_new_one(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    image_id = public_id(Kind.IMAGE, shown_image(wiring, key, seed=2**63 - 1))
    same = made(browser, wiring, checked(browser, f"?like={image_id}"))
    assert same.input["seed"] == 2**63 - 1
    other = made(browser, wiring, checked(browser, f"?like={image_id}", new_seed="on"))
    assert other.input == {name: same.input[name] for name in same.input if name != "seed"}


def test_edit_puts_the_image_where_its_model_takes_one(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    image_id = public_id(Kind.IMAGE, shown_image(wiring, key, "a lighthouse"))
    answer = browser.get(f"/new?edit={image_id}", headers=AS_BROWSER)
    form = WrittenForm(answer)
    assert form.said["input.input_image"] == image_id
    assert form.said["input.prompt"] == ""
    shown = [a["src"] for tag, a in Page(answer).tags if tag == "img" and "thumbnail" in a["src"]]
    assert shown == [f"/images/{image_id}/thumbnail"]
    row = made(
        browser, wiring, checked(browser, f"?edit={image_id}", **{"input.prompt": "at night"})
    )
    assert row.input == {"prompt": "at night", "input_image": image_id}
    assert [public_id(Kind.IMAGE, one) for one in row.parent_image_ids] == [image_id]
    ultra = WrittenForm(browser.get(f"/new?edit={image_id}&model=flux-pro-1.1-ultra"))
    assert ultra.said["input.image_prompt"] == image_id


def test_another_model_keeps_what_both_know_and_finds_a_place_for_the_picture(
    browser: FlaskClient,
) -> None:
    form = WrittenForm(browser.get("/new"))
    picture = public_id(Kind.IMAGE, new_id())
    said = {
        **form.said, "model": "flux-pro-1.0-fill", "input.prompt": PROMPT, "input.seed": "5",
        "input.width": "640", "input.output_format": "webp", "input.input_image": picture,
        "metadata.1.name": "order", "metadata.1.value": "17",
    }  # fmt: skip
    for path in ("/new/form", "/new/check"):
        answer = sent(browser, path, said)
        assert answer.status_code == 200
        other = WrittenForm(answer)
        kept = {
            "model": "flux-pro-1.0-fill", "drawn": "flux-pro-1.0-fill", "input.prompt": PROMPT,
            "input.seed": "5", "input.output_format": "webp", "input.image": picture,
            "metadata.1.name": "order", "metadata.1.value": "17",
        }  # fmt: skip
        assert kept.items() <= other.said.items()
        assert "input.width" not in other.said
    # a choice that the next model lacks is none
    older = WrittenForm(sent(browser, "/new/form", {**said, "model": "flux-pro-1.0-canny"}))
    assert older.said["input.output_format"] == ""
    assert older.said["input.control_image"] == picture


def test_the_price_is_shown_before_anything_is_sent(browser: FlaskClient, wiring: Wiring) -> None:
    said = {**WrittenForm(browser.get("/new")).said, "input.prompt": "a fox"}
    assert "From 3 credits" in words(sent(browser, "/new/price", {**said, "input.prompt": ""}))
    assert "Costs about 3 credits ($0.03)" in words(sent(browser, "/new/price", said))
    said |= {"input.width": "2048", "input.height": "1024"}
    assert words(sent(browser, "/new/price", said)) == "Costs 4.5 credits ($0.045)"
    page = sent(browser, "/new/check", said)
    assert_inert(page)
    assert "Costs 4.5 credits ($0.045) Send: costs 4.5 credits" in words(page)
    assert count(wiring) == 0


def test_a_price_that_nobody_publishes_is_said_to_be_so(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    picture = upload(wiring, key, drawn("PNG"))
    second = checked(browser, "?model=flux-tools/deblur-v1", **{"input.image": picture})
    assert second.said["agreed"] == ""
    assert made(browser, wiring, second).cost_estimated is None


def test_a_form_that_is_sent_twice_is_one_job(browser: FlaskClient, wiring: Wiring) -> None:
    second = checked(browser, **{"input.prompt": PROMPT})
    first = made(browser, wiring, second)
    assert made(browser, wiring, second).id == first.id
    assert count(wiring) == 1
    assert made(browser, wiring, checked(browser, **{"input.prompt": PROMPT})).id != first.id


def test_a_price_above_the_agreed_one_is_asked_about_again(
    browser: FlaskClient, wiring: Wiring
) -> None:
    second = checked(browser, **{"input.prompt": "a fox"})
    for agreed in ("2.9", "", "three", "0" * 5000, "-3", "NaN", "1e9"):
        answer = sent(browser, "/new", {**second.said, "agreed": agreed})
        assert answer.status_code == 409
        assert "The price has risen since you saw it." in words(answer)
        assert WrittenForm(answer, "/new").said["agreed"] == "3"
    assert count(wiring) == 0
    # less than what was agreed to is taken without a word
    assert sent(browser, "/new", {**second.said, "agreed": "99"}).status_code == 303


def test_no_key_but_a_forms_own_is_taken(browser: FlaskClient, wiring: Wiring) -> None:
    second = checked(browser, **{"input.prompt": "a fox"})
    for stale in ("", "k", "form-" + "a" * 21, "form-" + "a" * 23, "a" * 9000):
        answer = sent(browser, "/new", {**second.said, "key": stale})
        assert answer.status_code == 409
        assert "This page was out of date." in words(answer)
    assert count(wiring) == 0


def test_a_forms_key_with_something_else_in_the_form_sends_nothing(
    browser: FlaskClient, wiring: Wiring
) -> None:
    second = checked(browser, **{"input.prompt": "a fox"})
    made(browser, wiring, second)
    answer = sent(browser, "/new", {**second.said, "input.prompt": "a bear"})
    assert answer.status_code == 409
    assert WrittenForm(answer, "/new").said["key"] != second.said["key"]
    assert count(wiring) == 1


def test_only_who_may_submit_sees_the_form_and_its_link(
    browser: FlaskClient, wiring: Wiring, key: NewKey
) -> None:
    assert "/new" in Page(browser.get("/")).links()
    _, reading = wiring.keys.add(project_id(wiring, key), [Scope.READ, Scope.MANAGE], None)
    reader = browser.application.test_client()
    reader.post("/login", data={"api_key": reading})
    assert "/new" not in Page(reader.get("/")).links()
    said = WrittenForm(browser.get("/new")).said | form_token(reader)
    answers = [reader.get("/new", headers=AS_BROWSER)]
    answers += [sent(reader, f"/new{step}", said) for step in ("", "/form", "/check", "/price")]
    assert {answer.status_code for answer in answers} == {403}
    assert "takes a key with the scope `submit`" in words(answers[0])
