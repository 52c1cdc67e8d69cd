"""The models that the simulator offers, as data.

Sources: BFL's openapi.json of 2026-04-23 and, for the tools, of mid-2026; BFL's last client and
documentation for flux-pro, canny and depth; BFL's page on LoRA inference for the finetuned klein.
Prices: BFL's price page; resellers' for flux-dev, flux-pro, canny and depth, which it no longer
lists; expand is taken for the price of fill. Where sources disagree, the wider limit holds.
"""

from collections.abc import Mapping

from service.simulator.model import Field, Model, Price
from service.simulator.sizes import MEGAPIXEL, expanded, first_input, ratio, sides, sides_or_input


def _whole(
    minimum: int, maximum: int | None = None, *, nullable: bool = True, multiple_of: int = 0
) -> Field:
    return Field(
        "integer",
        nullable=nullable,
        minimum=minimum,
        maximum=maximum,
        multiple_of=multiple_of or None,
    )


def _number(minimum: float, maximum: float, *, nullable: bool = True) -> Field:
    return Field("number", nullable=nullable, minimum=minimum, maximum=maximum)


#: What BFL's documentation (kontext) and its client of 2025 (canny, depth, expand) say of inputs.
_DOCUMENTED_PIXELS = 20 * MEGAPIXEL


def _options(max_tolerance: int, *formats: str) -> dict[str, Field]:
    """What almost every model takes, webhooks apart."""
    return {
        "safety_tolerance": _whole(0, max_tolerance, nullable=False),
        "output_format": Field("string", choices=formats or ("jpeg", "png", "webp")),
    }


def _common(max_tolerance: int, *formats: str) -> dict[str, Field]:
    return {
        **_options(max_tolerance, *formats),
        "seed": Field("integer"),
        "webhook_url": Field("string", max_chars=2083, is_url=True),
        "webhook_secret": Field("string"),
    }


_FLAG = Field("boolean", nullable=False)
_TEXT = Field("string")
_PROMPT = Field("string", required=True, nullable=False)
_BASE64 = Field("string", is_image=True)
_NEEDED_BASE64 = Field("string", required=True, nullable=False, is_image=True)
_URL = Field("string", is_image=True, takes_url=True)
_NEEDED_URL = Field("string", required=True, nullable=False, is_image=True, takes_url=True)


def _inputs(count: int) -> dict[str, Field]:
    return {"input_image": _URL, **{f"input_image_{n}": _URL for n in range(2, count + 1)}}


_FINETUNE = {
    "finetune_id": Field("string", required=True, nullable=False),
    "finetune_strength": _number(0, 2, nullable=False),
}

# FLUX.1

_SIDE = _whole(256, 1440, nullable=False, multiple_of=32)
_PRO_1_1 = {
    "prompt": _TEXT,
    "image_prompt": _BASE64,
    "width": _SIDE,
    "height": _SIDE,
    "prompt_upsampling": _FLAG,
    **_common(6),
}
_STEPS_AND_GUIDANCE = {"steps": _whole(1, 50), "guidance": _number(1.5, 5)}
_PRO = {
    **_PRO_1_1,
    **_STEPS_AND_GUIDANCE,
    "interval": _number(1, 4),
    **_common(6, "jpeg", "png"),
}
_DEV = {**_PRO_1_1, **_STEPS_AND_GUIDANCE, "prompt": Field("string", nullable=False)}
_ULTRA_FINETUNED = {
    "prompt": _TEXT,
    "prompt_upsampling": _FLAG,
    "aspect_ratio": Field("string", nullable=False, widest_ratio=21 / 9),
    "image_prompt": _BASE64,
    "image_prompt_strength": _number(0, 1, nullable=False),
    **_FINETUNE,
    **_common(6),
}
_ULTRA = {
    **{n: f for n, f in _ULTRA_FINETUNED.items() if not n.startswith("finetune_")},
    "raw": _FLAG,
}
_EDITING = {
    "prompt": _TEXT,
    "steps": _whole(15, 50),
    "guidance": _number(1.5, 100),
    "prompt_upsampling": Field("boolean"),
    **_common(6),
}
_FILL = {"image": _NEEDED_BASE64, "mask": _BASE64, **_EDITING}
_FILL_FINETUNED = {
    **_FILL,
    "prompt": Field("string", nullable=False),
    "steps": _whole(15, 50, nullable=False),
    "guidance": _number(1.5, 100, nullable=False),
    "prompt_upsampling": _FLAG,
    **_FINETUNE,
}
_EXPAND = {
    "image": _NEEDED_BASE64,
    **dict.fromkeys(("top", "bottom", "left", "right"), _whole(0, 2048)),
    **_EDITING,
}
_DEPTH = {
    "control_image": _BASE64,
    "preprocessed_image": _BASE64,
    **_EDITING,
    "prompt": _PROMPT,
    "guidance": _number(1, 100),
    **_common(6, "jpeg", "png"),
}
_CANNY = {
    **_DEPTH,
    "canny_low_threshold": _whole(0, 500),
    "canny_high_threshold": _whole(0, 500),
}
_CONTROL = ("control_image", "preprocessed_image")
_KONTEXT = {
    "prompt": _PROMPT,
    **_inputs(4),
    "aspect_ratio": Field("string", widest_ratio=4),
    "prompt_upsampling": _FLAG,
    **_common(6),
}
_LANDSCAPE = sides(1024, 768)

# FLUX.2

_FLUX_2 = {
    "prompt": _PROMPT,
    "width": _whole(64),
    "height": _whole(64),
    "user": Field("string", min_chars=1, max_chars=256),
    **_common(5),
}
_FLUX_2_PRO = {**_FLUX_2, **_inputs(8), "disable_pup": _FLAG}
_FLUX_2_FLEX = {
    **_FLUX_2,
    **_inputs(8),
    "input_image_blob_path": _TEXT,
    "prompt_upsampling": Field("boolean"),
    "guidance": _number(1.5, 10),
    "steps": _whole(1, 50),
}
_KLEIN = {**_FLUX_2, **_inputs(4)}


def _pro(price: Price, max_total_pixels: int | None = None) -> Model:
    return Model(
        _FLUX_2_PRO,
        price,
        sides_or_input,
        max_output_pixels=4 * MEGAPIXEL,
        max_total_pixels=max_total_pixels,
        rewrites_unless=("disable_pup", True),
        tells_times=False,
    )


def _klein(price: Price | None, fields: Mapping[str, Field] = _KLEIN) -> Model:
    return Model(fields, price, sides_or_input, max_output_pixels=4 * MEGAPIXEL)


# For klein no source names limits of the strength.
_KLEIN_FINETUNED = {**_KLEIN, **_FINETUNE, "finetune_strength": Field("number")}
_KLEIN_BASES = ("4b", "9b", "9b-kv", "9b-kv-bf16", "base-4b", "base-9b")

# Tools

_TOOL = {**_common(5), "user": _FLUX_2["user"]}
_ERASE = {
    "image": _NEEDED_URL,
    "mask": _NEEDED_URL,
    "dilate_pixels": _whole(0, 25, nullable=False),
    **_TOOL,
}
_TRY_ON = {"prompt": _PROMPT, "person": _NEEDED_URL, "garment": _NEEDED_URL, **_TOOL}
_NEEDED_SIDE = Field("integer", required=True, nullable=False, minimum=64)
_OUTPAINTING = {
    "input_image": _NEEDED_URL,
    **dict.fromkeys(("width", "height"), _NEEDED_SIDE),
    "auto_crop": _FLAG,
    "prompt": _TEXT,
    "reference_offset_x": Field("integer"),
    "reference_offset_y": Field("integer"),
    "mode": Field("string", nullable=False, choices=("high", "fast")),
    **_options(5),
}

MODELS: Mapping[str, Model] = {
    "flux-pro-1.1-ultra": Model(_ULTRA, Price(6), ratio(4, "16:9")),
    "flux-pro-1.1": Model(_PRO_1_1, Price(4), _LANDSCAPE),
    "flux-pro": Model(_PRO, Price(5), _LANDSCAPE),
    "flux-dev": Model(_DEV, Price(2.5), _LANDSCAPE, tells_charge=False),
    "flux-pro-1.0-fill": Model(_FILL, Price(5), first_input),
    "flux-pro-1.0-canny": Model(
        _CANNY, Price(5), first_input, one_of=_CONTROL, max_input_pixels=_DOCUMENTED_PIXELS
    ),
    "flux-pro-1.0-depth": Model(
        _DEPTH, Price(5), first_input, one_of=_CONTROL, max_input_pixels=_DOCUMENTED_PIXELS
    ),
    "flux-kontext-pro": Model(
        _KONTEXT, Price(4), ratio(1, "1:1"), "png", max_input_pixels=_DOCUMENTED_PIXELS
    ),
    "flux-kontext-max": Model(
        _KONTEXT,
        Price(8),
        ratio(1, "1:1"),
        "png",
        max_active=6,
        max_input_pixels=_DOCUMENTED_PIXELS,
    ),
    "flux-2-pro": _pro(Price(3, 1.5, 1.5), max_total_pixels=9 * MEGAPIXEL),
    "flux-2-max": _pro(Price(7, 3, 3)),
    "flux-2-flex": Model(
        _FLUX_2_FLEX,
        Price(5, 5, 5),
        sides_or_input,
        max_output_pixels=4 * MEGAPIXEL,
        rewrites_unless=("prompt_upsampling", False),
    ),
    "flux-2-pro-preview": _pro(Price(3, 1.5, 1.5)),
    "flux-2-klein-4b": _klein(Price(1.4, 0.1, 0.1)),
    "flux-2-klein-9b": _klein(Price(1.5, 0.2, 0.2)),
    "flux-2-klein-9b-preview": _klein(Price(1.5, 0.2, 0.2)),
    **{f"flux-2-klein-{base}-finetuned": _klein(None, _KLEIN_FINETUNED) for base in _KLEIN_BASES},
    "flux-pro-1.0-expand": Model(_EXPAND, Price(5), expanded, max_input_pixels=_DOCUMENTED_PIXELS),
    "flux-pro-1.1-ultra-finetuned": Model(_ULTRA_FINETUNED, Price(7), ratio(4, "16:9")),
    "flux-pro-1.0-fill-finetuned": Model(_FILL_FINETUNED, Price(6), first_input),
    "flux-tools/outpainting-v1": Model(
        _OUTPAINTING,
        None,
        sides(0, 0),
        "png",
        strict=True,
        max_output_pixels=4 * MEGAPIXEL,
    ),
    "flux-tools/erase-v1": Model(_ERASE, None, first_input, "png"),
    "flux-tools/deblur-v1": Model(
        {"image": _NEEDED_URL, **_common(5)},
        None,
        first_input,
        "png",
        max_input_pixels=4 * MEGAPIXEL,
    ),
    "flux-tools/vto-v1": Model(_TRY_ON, None, first_input),
    "flux-tools/vto-v2": Model(_TRY_ON, None, first_input),
}

#: Listed on CometAPI's page for `POST /flux/v1/{model}`.
COMETAPI_MODELS = frozenset(
    {
        "flux-pro-1.1-ultra",
        "flux-pro-1.1",
        "flux-pro",
        "flux-dev",
        "flux-pro-1.0-fill",
        "flux-pro-1.0-canny",
        "flux-pro-1.0-depth",
        "flux-kontext-pro",
        "flux-kontext-max",
        "flux-2-pro",
        "flux-2-flex",
        "flux-2-max",
    }
)
