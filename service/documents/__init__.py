"""What callers see, in our words and in Flux's; one rendering for answers, callbacks and pages."""

from service.documents.api import (
    IMAGE_URL_LIFETIME_SECONDS,
    MAX_CALLBACK_BYTES,
    MAX_CALLBACK_INPUT_CHARS,
    PRIORITIES,
    Document,
    Documents,
    ImageRow,
    Presign,
    credits_text,
    event,
    when,
)
from service.documents.deliveries import delivery, delivery_with_tries
from service.documents.flux import FluxDocuments, task_not_found
from service.documents.uploads import upload

__all__ = [
    "IMAGE_URL_LIFETIME_SECONDS",
    "MAX_CALLBACK_BYTES",
    "MAX_CALLBACK_INPUT_CHARS",
    "PRIORITIES",
    "Document",
    "Documents",
    "FluxDocuments",
    "ImageRow",
    "Presign",
    "credits_text",
    "delivery",
    "delivery_with_tries",
    "event",
    "task_not_found",
    "upload",
    "when",
]
