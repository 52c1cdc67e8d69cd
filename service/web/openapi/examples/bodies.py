"""What callers send."""

from collections.abc import Mapping

from pydantic import BaseModel

from service.steps.enqueue import JobBody
from service.web.callbacks import CallbacksBody, CallbackTestBody
from service.web.deliveries import RedeliverBody
from service.web.flux_bodies import FluxWebhook
from service.web.images import ImageBody
from service.web.models import PriceBody
from service.web.openapi.examples.parts import ENDED, HOOK, INPUT, PROMPT, UPLOAD_ID, Example

BODIES: Mapping[type[BaseModel], Mapping[str, Example]] = {
    JobBody: {
        "smallest": {"model": "flux-2-pro", "input": {"prompt": PROMPT}},
        "everything": {
            "model": "flux-2-pro",
            "input": INPUT,
            "callback_url": HOOK,
            "callback_events": ["job.succeeded", "job.failed"],
            "metadata": {"order": "17"},
            "priority": "high",
            "on_unconfirmed": "fail",
        },
        "edit": {
            "model": "flux-kontext-pro",
            "input": {"prompt": "make it night", "input_image": UPLOAD_ID},
        },
    },
    PriceBody: {"price": {"model": "flux-2-pro", "input": INPUT}},
    CallbacksBody: {"chosen": {"url": HOOK, "events": ENDED}, "nobody": {"url": None}},
    CallbackTestBody: {"project": {}, "elsewhere": {"url": HOOK}},
    ImageBody: {
        "favourite": {"favourite": True},
        "tags": {"tags": ["cover", "lighthouse"]},
    },
    RedeliverBody: {"since": {"since": "2026-11-22T00:00:00Z"}},
    FluxWebhook: {
        "submission": {"prompt": PROMPT, "width": 1024, "height": 768},
        "webhook": {
            "prompt": PROMPT,
            "webhook_url": HOOK,
            "webhook_secret": "a-secret-of-yours",
        },
    },
}
