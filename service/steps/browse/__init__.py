"""Browse: what callers and people read, in pages and by name."""

from service.steps.browse.browse import MAX_TRIES_SHOWN, Browse
from service.steps.browse.filters import DeliveryFilter, ImageFilter, JobFilter
from service.steps.browse.pages import Page

__all__ = ["MAX_TRIES_SHOWN", "Browse", "DeliveryFilter", "ImageFilter", "JobFilter", "Page"]
