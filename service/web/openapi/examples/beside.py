"""What callers are answered: callbacks and deliveries, Flux's own words, health."""

import json
from collections.abc import Mapping

from pydantic import BaseModel

from service.web.openapi import answers_beside
from service.web.openapi.examples.parts import (
    BASE,
    CALLBACK,
    DELIVERY_ID,
    ENDED,
    HOOK,
    JOB_ID,
    PROMPT,
    Example,
)

_CALLBACKS: Example = {
    "object": "callbacks",
    "url": HOOK,
    "events": ENDED,
    "live_secrets": 1,
}
_DELIVERY: Example = {
    "id": DELIVERY_ID,
    "object": "delivery",
    "job_id": JOB_ID,
    "batch_id": None,
    "type": "job.succeeded",
    "sequence": 5,
    "url": HOOK,
    "status": "pending",
    "tries": 1,
    "created_at": "2026-11-22T12:00:09.010Z",
    "next_try_at": "2026-11-22T12:00:14.300Z",
    "completed_at": None,
    "host": {
        "failing_since": "2026-11-22T12:00:09.300Z",
        "failures": 1,
        "reason": "answered 503",
        "next_probe_at": "2026-11-22T12:00:14.300Z",
    },
    "urls": {
        "self": f"{BASE}/v1/deliveries/{DELIVERY_ID}",
        "redeliver": f"{BASE}/v1/deliveries/{DELIVERY_ID}/redeliver",
    },
}
_TRY: Example = {
    "number": 1,
    "at": "2026-11-22T12:00:09.300Z",
    "duration_ms": 84,
    "http_status": 503,
    "error": None,
    "location": None,
    "answer": "down for maintenance",
}
_READY: Example = {
    "id": JOB_ID,
    "status": "Ready",
    "result": {
        "sample": f"{BASE}/flux/samples/GZquL0xbfT6PGis8TV5vcA.c2lnbmF0dXJl/sample.jpeg",
        "prompt": PROMPT,
        "seed": 42,
    },
    "progress": None,
    "details": None,
    "preview": None,
    "cost": 3.0,
}

BESIDE: Mapping[type[BaseModel], Mapping[str, Example]] = {
    answers_beside.Callbacks: {"callbacks": _CALLBACKS},
    answers_beside.RotatedCallbacks: {
        "rotated": {
            **_CALLBACKS,
            "live_secrets": 2,
            "callback_secret": "whsec_TWFkZSB1cCBmb3IgdGhlIGRvY3VtZW50YXRpb24h",
        }
    },
    answers_beside.CallbackTest: {
        "taken": {
            "object": "callback_test",
            "url": HOOK,
            "delivered": True,
            "said": "answered 200: delivered",
            "http_status": 200,
            "answer": "ok",
            "duration_ms": 84,
        }
    },
    answers_beside.CallbackEvent: {"succeeded": CALLBACK},
    answers_beside.DeliveryPage: {"page": {"data": [_DELIVERY], "next": None}},
    answers_beside.DeliveryWithTries: {
        "delivery": {
            **_DELIVERY,
            "body": json.dumps(CALLBACK, ensure_ascii=False, separators=(",", ":")),
            "attempts": [_TRY],
        }
    },
    answers_beside.Redelivered: {"three": {"redelivered": 3}},
    answers_beside.Problem: {
        "range": {
            "type": "urn:darkroom:problem:requested_range_not_satisfiable",
            "title": "Requested Range Not Satisfiable",
            "status": 416,
            "detail": "The server cannot provide the requested range.",
            "code": "requested_range_not_satisfiable",
        }
    },
    answers_beside.FluxAccepted: {
        "accepted": {
            "id": JOB_ID,
            "polling_url": f"{BASE}/v1/get_result?id={JOB_ID}&token=AZquL0xbfT6PGis8.c2ln",
            "cost": 3.0,
            "input_mp": 0.0,
            "output_mp": 0.75,
        }
    },
    answers_beside.FluxResult: {
        "ready": _READY,
        "pending": {
            "id": JOB_ID,
            "status": "Pending",
            "result": None,
            "progress": None,
            "details": None,
            "preview": None,
        },
    },
    answers_beside.FluxProblem: {"refused": {"detail": "This link has ended."}},
    answers_beside.FluxReport: {"ready": _READY},
    answers_beside.OpenApi: {
        "begin": {"openapi": "3.1.0", "info": {"title": "Darkroom", "version": "1.0.0"}}
    },
    answers_beside.Health: {"alive": {"status": "ok"}},
    answers_beside.Readiness: {
        "ready": {
            "status": "ready",
            "checks": {"database": "ok", "bucket": "ok"},
            "alarms": [],
            "next_url_dies_in_seconds": None,
        }
    },
}
