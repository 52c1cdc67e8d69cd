"""Browse: what callers and people read, in pages and by name."""

from service.steps.browse.browse import MAX_TRIES_SHOWN, Browse, Page
from service.steps.browse.filters import DeliveryFilter, ImageFilter, JobFilter
from service.steps.browse.matching import MAX_LOOKED_AT, Found, Matching, Span

__all__ = [
    "MAX_LOOKED_AT",
    "MAX_TRIES_SHOWN",
    "Browse",
    "DeliveryFilter",
    "Found",
    "ImageFilter",
    "JobFilter",
    "Matching",
    "Page",
    "Span",
]
