"""What a task costs, and how large its image is."""

import io

import pytest
from fakes.flux_caller import FluxCaller
from fakes.simulator import Simulator
from PIL import Image
from simulator.images import encoded

ONE, OVER_ONE, TWO = encoded(1024, 1024), encoded(1024, 1025), encoded(2048, 1024)
FIVE = encoded(2560, 2048)


@pytest.mark.parametrize(
    ("model", "body", "cost"),
    [
        ("flux-2-pro", {"width": 64, "height": 64}, 3.0),
        ("flux-2-pro", {"width": 1024, "height": 1024}, 3.0),
        ("flux-2-pro", {"width": 1024, "height": 1025}, 4.5),
        ("flux-2-pro", {"width": 1025}, 4.5),
        ("flux-2-pro", {"input_image": ONE}, 4.5),
        ("flux-2-pro", {"input_image": OVER_ONE}, 7.5),
        ("flux-2-pro", {"input_image": OVER_ONE, "height": 1024}, 6.0),
        ("flux-2-pro", {"input_image": encoded(), "input_image_8": encoded()}, 6.0),
        ("flux-2-pro", {"input_image_2": TWO, "input_image_3": ONE}, 9.0),
        ("flux-2-pro", {"input_image": FIVE, "prompt": "as large as the output gets"}, 15.0),
        ("flux-2-max", {"width": 2048, "height": 2048}, 16.0),
        ("flux-2-max", {"input_image": ONE, "input_image_2": ONE}, 13.0),
        ("flux-2-flex", {}, 5.0),
        ("flux-2-flex", {"input_image": TWO}, 20.0),
        ("flux-2-klein-4b", {"input_image": TWO}, 1.7),
        ("flux-2-klein-4b", {"input_image": TWO, "width": 64}, 1.6),
        ("flux-2-klein-9b", {"width": 2048, "height": 2048}, 2.1),
        ("flux-2-klein-9b-kv-finetuned", {"finetune_id": "mine"}, None),
        ("flux-pro-1.1", {"width": 1440, "height": 1440, "image_prompt": ONE}, 4.0),
        ("flux-pro-1.1-ultra", {"raw": True}, 6.0),
        ("flux-kontext-max", {"input_image": FIVE}, 8.0),
        ("flux-tools/deblur-v1", {"image": ONE}, None),
    ],
)
def test_the_price_counts_each_pictures_megapixels_rounded_up(
    simulator: Simulator,
    caller: FluxCaller,
    *,
    model: str,
    body: dict[str, object],
    cost: float | None,
) -> None:
    simulator.change(max_drawn_pixels=4096)
    assert caller.submit(model, **body).json()["cost"] == cost
    assert simulator.ledger("accepted")[-1]["cost"] == cost


def test_megapixels_in_the_answer_are_measured_not_rounded_up(caller: FluxCaller) -> None:
    answer = caller.submit(input_image=encoded(1024, 512), width=256, height=256).json()
    assert (answer["input_mp"], answer["output_mp"]) == (0.5, 0.06)


def test_flux_dev_tells_no_cost_but_is_charged(simulator: Simulator, caller: FluxCaller) -> None:
    answer = caller.submit("flux-dev").json()
    assert (answer["cost"], answer["input_mp"], answer["output_mp"]) == (None, None, None)
    assert simulator.ledger("accepted")[-1]["cost"] == 2.5


@pytest.mark.parametrize(
    ("model", "body", "size"),
    [
        ("flux-2-pro", {"width": 100}, (100, 1024)),
        ("flux-2-pro", {"input_image": encoded(300, 200)}, (300, 200)),
        ("flux-2-max", {"input_image": FIVE}, (2289, 1831)),
        ("flux-2-pro", {"input_image": ONE, "height": 64}, (1024, 64)),
        ("flux-dev", {"width": 512}, (512, 768)),
        ("flux-kontext-pro", {}, (1024, 1024)),
        ("flux-kontext-pro", {"input_image": encoded(400, 100)}, (2048, 512)),
        ("flux-kontext-pro", {"input_image": ONE, "aspect_ratio": "16:9"}, (1376, 768)),
        ("flux-pro-1.1-ultra", {}, (2720, 1536)),
        ("flux-pro-1.0-fill", {"image": encoded(300, 200)}, (300, 200)),
        ("flux-pro-1.0-depth", {"preprocessed_image": encoded(96, 64)}, (96, 64)),
        ("flux-pro-1.0-expand", {"image": encoded(96, 64), "top": 10, "left": 4}, (100, 74)),
        (
            "flux-tools/outpainting-v1",
            {"input_image": encoded(), "width": 320, "height": 200},
            (320, 200),
        ),
        ("flux-tools/vto-v2", {"garment": ONE, "person": encoded(96, 64)}, (96, 64)),
    ],
)
def test_the_image_has_the_size_that_the_model_draws(
    caller: FluxCaller, model: str, body: dict[str, object], size: tuple[int, int]
) -> None:
    with Image.open(io.BytesIO(caller.download(caller.submitted(model, **body)).data)) as image:
        assert image.size == size


def test_images_can_be_drawn_smaller_at_the_same_price(
    simulator: Simulator, caller: FluxCaller
) -> None:
    simulator.change(max_drawn_pixels=20_000)
    task_id = caller.submitted(width=2048, height=1024)
    with Image.open(io.BytesIO(caller.download(task_id).data)) as image:
        assert image.size == (200, 100)
    assert simulator.ledger("accepted")[-1]["cost"] == 4.5
