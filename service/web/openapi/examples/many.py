"""Batches, projects, keys and shared links."""

from collections.abc import Mapping

from pydantic import BaseModel

from service.states import Status
from service.steps.enqueue import BatchBody
from service.web.openapi import answers_many
from service.web.openapi.examples.parts import (
    BASE,
    EVENT,
    HOOK,
    IMAGE_ID,
    INPUT,
    JOB_ID,
    PROMPT,
    Example,
)
from service.web.projects import KeyBody, ProjectBody
from service.web.shares import ShareBody

_BATCH_ID = "bat_019aae2f4c5a7f10b2c3d4e5f6071829"
_AT = "2026-11-22T12:00:00.000Z"
_BATCH: Example = {
    "id": _BATCH_ID,
    "object": "batch",
    "status": "completed",
    "created_at": _AT,
    "completed_at": "2026-11-22T12:00:09.000Z",
    "metadata": {"catalogue": "8"},
    "counts": {"total": 2, **dict.fromkeys(Status, 0), "succeeded": 2},
    "cost": {"estimated": "6", "actual": "6"},
    "callback": {"url": HOOK, "status": "delivered"},
    "urls": {
        "self": f"{BASE}/v1/batches/{_BATCH_ID}",
        "jobs": f"{BASE}/v1/jobs?batch={_BATCH_ID}",
        "cancel": f"{BASE}/v1/batches/{_BATCH_ID}/cancel",
    },
}
_CALLED: Example = {
    "type": "batch.completed",
    "timestamp": "2026-11-22T12:00:10.000Z",
    "sequence": 1,
    "data": {**_BATCH, "callback": {"url": HOOK, "status": None}},
}
_KEY: Example = {
    "id": "key_019aae2e0a1b7c2d8e3f405162738495",
    "object": "key",
    "project": "default",
    "prefix": "dk_2gvw-MF",
    "scopes": ["submit", "read"],
    "status": "active",
    "created_at": _AT,
    "expires_at": "2036-11-22T12:00:00.000Z",
    "last_used_at": None,
    "revoked_at": None,
}
_SHARE: Example = {
    "id": "shr_019aae2fb1c27d3e9f405162738495a6",
    "object": "share",
    "image_id": IMAGE_ID,
    "url": f"{BASE}/share/AZquL7HCfT6fQFFic4SVpg.c2lnbmF0dXJl",
    "created_at": _AT,
    "expires_at": "2026-11-29T12:00:00.000Z",
    "shows_prompt": False,
    "revoked_at": None,
}

MANY: Mapping[type[BaseModel], Mapping[str, Example]] = {
    BatchBody: {
        "two": {
            "jobs": [
                {"model": "flux-2-pro", "input": INPUT},
                {"model": "flux-2-pro", "input": {"prompt": PROMPT}, "callback_url": HOOK},
            ],
            "callback_url": HOOK,
            "metadata": {"catalogue": "8"},
        }
    },
    ProjectBody: {"month": {"retention_days": 30}, "forever": {"retention_days": None}},
    KeyBody: {"reader": {"scopes": ["read"], "expires_at": "2036-11-22T12:00:00Z"}},
    ShareBody: {"week": {}, "hour": {"expires_in_seconds": 3600, "shows_prompt": True}},
    answers_many.Batch: {"completed": _BATCH},
    answers_many.NewBatch: {
        "accepted": {
            **_BATCH,
            "status": "running",
            "completed_at": None,
            "counts": {"total": 1, **dict.fromkeys(Status, 0), "queued": 1},
            "callback": {"url": HOOK, "status": None},
            "job_ids": [JOB_ID],
        }
    },
    answers_many.BatchPage: {"page": {"data": [_BATCH], "next": None}},
    answers_many.BatchCallbackEvent: {"completed": _CALLED},
    answers_many.EventPage: {
        "events": {
            "data": [EVENT, {"id": f"{_BATCH_ID}_1", "object": "event", **_CALLED}],
            "next": "WzE3XQ.c2ln",
            "has_more": False,
        }
    },
    answers_many.Project: {
        "limited": {
            "object": "project",
            "name": "default",
            "created_at": _AT,
            "limits": {
                "requests_per_minute": 6000,
                "max_active": 12,
                "max_queued": None,
                "credits_per_day": "2500",
            },
            "usage": {"active": 3, "queued": 120, "credits_today": "369"},
            "retention_days": 30,
        }
    },
    answers_many.Key: {"key": _KEY},
    answers_many.NewKey: {
        "shown_once": {**_KEY, "api_key": "dk_2gvw-MFMadeUpForTheDocumentation0123456789ab"}
    },
    answers_many.KeyList: {"all": {"data": [_KEY], "next": None}},
    answers_many.Share: {"link": _SHARE},
    answers_many.ShareList: {"all": {"data": [_SHARE], "next": None}},
}
