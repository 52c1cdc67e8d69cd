"""One job, its image and its callback: what the examples are made of."""

from typing import Any

Example = dict[str, Any]

BASE = "https://darkroom.example"
JOB_ID = "job_019aae2f4c5b7d3e8f1a2b3c4d5e6f70"
IMAGE_ID = "img_019aae2f9d0177aa9c3e5d7f90a1b2c3"
UPLOAD_ID = "upl_019aae2e10b37c55a1d2e3f405162738"
DELIVERY_ID = "dlv_019aae2fa3c47e21b4c5d6e7f8091a2b"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
HOOK = "https://shop.example/hooks/darkroom"
PROMPT = "a lighthouse at dusk, long exposure"
INPUT = {"prompt": PROMPT, "width": 1024, "height": 768, "seed": 42}
ENDED = ["job.canceled", "job.failed", "job.succeeded"]

QUEUED: Example = {
    "id": JOB_ID,
    "object": "job",
    "status": "queued",
    "model": "flux-2-pro",
    "input": INPUT,
    "metadata": {"order": "17"},
    "priority": "normal",
    "on_unconfirmed": "fail",
    "batch_id": None,
    "retry_of": None,
    "parent_image_ids": [],
    "created_at": "2026-11-22T12:00:00.000Z",
    "start_at": None,
    "expires_at": None,
    "submitted_at": None,
    "generated_at": None,
    "completed_at": None,
    "upstream": {"provider": "bfl", "task_id": None, "attempts": 0},
    "cost": {"estimated": "3", "actual": None, "maybe_charged": False},
    "images": [],
    "error": None,
    "callback": {"url": HOOK, "events": ENDED, "status": None},
    "urls": {
        "self": f"{BASE}/v1/jobs/{JOB_ID}",
        "events": f"{BASE}/v1/jobs/{JOB_ID}/events",
        "cancel": f"{BASE}/v1/jobs/{JOB_ID}/cancel",
        "web": f"{BASE}/jobs/{JOB_ID}",
    },
}
JOB_IMAGE: Example = {
    "id": IMAGE_ID,
    "content_type": "image/jpeg",
    "width": 1024,
    "height": 768,
    "bytes": 183204,
    "sha256": SHA256,
    "bucket": "images",
    "key": f"default/2026/11/22/{JOB_ID}.jpeg",
    "seed": 42,
    "url": f"https://s3.example/images/default/2026/11/22/{JOB_ID}.jpeg?X-Amz-Signature=…",
    "url_expires_at": "2026-11-22T13:00:09.000Z",
}
SUCCEEDED: Example = {
    **QUEUED,
    "status": "succeeded",
    "submitted_at": "2026-11-22T12:00:00.120Z",
    "generated_at": "2026-11-22T12:00:08.400Z",
    "completed_at": "2026-11-22T12:00:09.010Z",
    "upstream": {"provider": "bfl", "task_id": "b3f1c0de-7a2e", "attempts": 1},
    "cost": {"estimated": "3", "actual": "3", "maybe_charged": False},
    "images": [JOB_IMAGE],
    "callback": {"url": HOOK, "events": ENDED, "status": "delivered"},
}
FAILED: Example = {
    **QUEUED,
    "status": "failed",
    "submitted_at": "2026-11-22T12:00:00.120Z",
    "completed_at": "2026-11-22T12:00:04.700Z",
    "upstream": {"provider": "bfl", "task_id": "b3f1c0de-7a2e", "attempts": 1},
    "error": {
        "code": "content_moderated",
        "message": "Flux judged the picture that it had made.",
        "upstream_status": None,
    },
}
IMAGE: Example = {
    **JOB_IMAGE,
    "object": "image",
    "job_id": JOB_ID,
    "created_at": "2026-11-22T12:00:09.010Z",
    "model": "flux-2-pro",
    "prompt": PROMPT,
    "revised_prompt": None,
    "favourite": True,
    "tags": ["cover", "lighthouse"],
    "parent_image_ids": [],
    "urls": {
        "self": f"{BASE}/v1/images/{IMAGE_ID}",
        "content": f"{BASE}/v1/images/{IMAGE_ID}/content",
        "thumbnail": f"{BASE}/v1/images/{IMAGE_ID}/thumbnail",
        "web": f"{BASE}/images/{IMAGE_ID}",
    },
}
CALLBACK: Example = {
    "type": "job.succeeded",
    "timestamp": "2026-11-22T12:00:09.100Z",
    "sequence": 5,
    "data": SUCCEEDED,
}
EVENT: Example = {"id": f"{JOB_ID}_5", "object": "event", **CALLBACK}
