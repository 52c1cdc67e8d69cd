"""What callers see, in our words and in Flux's; one rendering for answers, callbacks and pages."""

from service.documents.api import (
    IMAGE_URL_LIFETIME_SECONDS,
    MAX_CALLBACK_BYTES,
    MAX_CALLBACK_INPUT_CHARS,
    PRIORITIES,
    PRIORITY_NAMES,
    Document,
    Documents,
    ImageRow,
    Presign,
    credits_text,
    event,
    when,
)
from service.documents.batches import BATCH_COMPLETED, batch, batch_callback
from service.documents.deliveries import delivery, delivery_with_tries
from service.documents.flux import FluxDocuments, task_not_found
from service.documents.keys import api_key, project
from service.documents.shares import share
from service.documents.uploads import upload

__all__ = [
    "BATCH_COMPLETED",
    "IMAGE_URL_LIFETIME_SECONDS",
    "MAX_CALLBACK_BYTES",
    "MAX_CALLBACK_INPUT_CHARS",
    "PRIORITIES",
    "PRIORITY_NAMES",
    "Document",
    "Documents",
    "FluxDocuments",
    "ImageRow",
    "Presign",
    "api_key",
    "batch",
    "batch_callback",
    "credits_text",
    "delivery",
    "delivery_with_tries",
    "event",
    "project",
    "share",
    "task_not_found",
    "upload",
    "when",
]
