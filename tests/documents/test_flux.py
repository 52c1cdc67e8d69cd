"""A job in upstream's words, beyond what the ways through the product lead to."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from service.documents import FluxDocuments
from service.generation import CATALOGUE, PictureSize
from service.ids import new_id
from service.signing.links import LinkSigner
from service.states import ErrorCode, Status

DOCUMENTS = FluxDocuments(
    "https://darkroom.example", LinkSigner(["a-key-that-is-long-enough-to-be-one"])
)
MODEL = CATALOGUE["flux-2-pro"]


def row(**more: Any) -> Any:  # noqa: ANN401 - a job's columns
    columns = {
        **dict.fromkeys(
            [
                "error_code",
                "error_message",
                "result",
                "cost_estimated",
                "cost_actual",
                "callback_url",
            ]
        ),
        "id": new_id(),
        "project_id": new_id(),
        "status": Status.SUCCEEDED,
        "input": {"prompt": "x"},
    }
    return SimpleNamespace(**{**columns, **more})


def image(content_type: str = "image/webp") -> Any:  # noqa: ANN401 - an image's columns
    return SimpleNamespace(id=new_id(), content_type=content_type, prompt="the caller's own")


@pytest.mark.parametrize("code", ErrorCode)
def test_every_failure_has_a_word_of_upstreams(code: ErrorCode) -> None:
    said = DOCUMENTS.result(row(status=Status.FAILED, error_code=code, error_message="why"), [])
    word = code.value.replace("_", " ").title()
    if "Moderated" in word:
        assert (said["status"], said["details"]) == (word, None)
    else:
        assert said["status"] == "Error"
        assert said["details"] == {"code": code.value, "message": "why"}
    assert said["result"] is None


def test_a_result_has_a_prompt_whatever_upstream_left_out() -> None:
    assert DOCUMENTS.result(row(), [image()])["result"]["prompt"] == "the caller's own"
    rewritten = row(result={"prompt": "upstream's", "seed": 7})
    result = DOCUMENTS.result(rewritten, [image()])["result"]
    assert (result["prompt"], result["seed"]) == ("upstream's", 7)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_a_sample_ends_like_what_it_is(kind: str) -> None:
    sample = DOCUMENTS.result(row(), [image(f"image/{kind}")])["result"]["sample"]
    assert sample.endswith(f"/sample.{kind}")


def test_the_cost_of_a_result_is_a_number_where_it_is_known() -> None:
    assert DOCUMENTS.result(row(cost_actual=Decimal("4.5000")), [image()])["cost"] == 4.5
    assert "cost" not in DOCUMENTS.result(row(), [image()])


def test_sizes_are_megapixels_as_upstream_rounds_them() -> None:
    pictures = {"input_image": "upl_1", "input_image_2": "img_2"}
    asked = row(input={"prompt": "x", "width": 1920, "height": 1080, **pictures})
    sizes = {"input_image": PictureSize(512, 512, 9), "input_image_2": PictureSize(1024, 1024, 9)}
    said = DOCUMENTS.accepted(asked, MODEL, sizes, "")
    # 1.98 for 1920x1080: seen with a reseller in Nov 2025
    assert (said["input_mp"], said["output_mp"], said["cost"]) == (1.25, 1.98, None)
    edited = row(input={"prompt": "x", "input_image": "upl_1"})
    kontext = CATALOGUE["flux-kontext-pro"]
    said = DOCUMENTS.accepted(edited, kontext, {"input_image": PictureSize(512, 512, 9)}, "")
    assert (said["input_mp"], said["output_mp"]) == (0.25, None)
    del sizes["input_image_2"]
    assert DOCUMENTS.accepted(asked, MODEL, sizes, "")["input_mp"] is None
