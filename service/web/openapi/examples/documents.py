"""What callers are answered: jobs, images, uploads, events, models and prices."""

from collections.abc import Mapping

from pydantic import BaseModel

from service.web.openapi import answers
from service.web.openapi.examples.parts import (
    BASE,
    FAILED,
    IMAGE,
    QUEUED,
    SHA256,
    SUCCEEDED,
    UPLOAD_ID,
    Example,
)

_MODEL: Example = {
    "name": "flux-2-pro",
    "object": "model",
    "family": "FLUX.2",
    "available": True,
    "providers": ["cometapi", "bfl"],
    "deprecated": False,
    "accepts_webhook": True,
    "max_active": 24,
    "price": {
        "type": "per_megapixel",
        "first_output_credits": "3",
        "further_output_credits": "1.5",
        "input_credits": "1.5",
    },
    "images": [
        {
            "parameter": "input_image",
            "required": False,
            "accepts": ["url", "base64", "image", "upload"],
            "max_bytes": 20971520,
            "max_pixels": 20971520,
            "min_side_pixels": 64,
        }
    ],
}
DOCUMENTS: Mapping[type[BaseModel], Mapping[str, Example]] = {
    answers.Job: {"queued": QUEUED, "succeeded": SUCCEEDED, "failed": FAILED},
    answers.JobPage: {"page": {"data": [SUCCEEDED], "next": "WyIwMTlhIl0.c2lnbmF0dXJl"}},
    answers.Timeline: {
        "timeline": {
            "data": [
                {
                    "seq": 1,
                    "type": "job.queued",
                    "at": "2026-11-22T12:00:00.000Z",
                    "message": "Accepted",
                    "detail": {},
                }
            ],
            "next": None,
        }
    },
    answers.Image: {"image": IMAGE},
    answers.ImagePage: {"page": {"data": [IMAGE], "next": None}},
    answers.Upload: {
        "upload": {
            "id": UPLOAD_ID,
            "object": "upload",
            "content_type": "image/png",
            "width": 640,
            "height": 480,
            "bytes": 48211,
            "sha256": SHA256,
            "created_at": "2026-11-22T11:58:00.000Z",
            "expires_at": "2026-11-23T11:58:00.000Z",
            "urls": {"self": f"{BASE}/v1/uploads/{UPLOAD_ID}"},
        }
    },
    answers.ModelList: {"models": {"data": [_MODEL], "next": None}},
    answers.Model: {
        "model": {
            **_MODEL,
            "input_schema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "title": "flux-2-pro",
                "type": "object",
                "properties": {"prompt": {"type": "string"}},
                "required": ["prompt"],
                "additionalProperties": False,
            },
            "notes": [],
            "sources": {"price": "bfl.ai/pricing", "parameters": {"prompt": "BFL's OpenAPI"}},
        }
    },
    answers.Price: {
        "price": {
            "object": "price",
            "model": "flux-2-pro",
            "credits": "3",
            "usd": "0.03",
            "input_megapixels": 0,
            "output_megapixels": 1,
            "exact": True,
        }
    },
}
