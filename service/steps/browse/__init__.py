"""Browse: what callers and people read, in pages and by name."""

from service.steps.browse.browse import MAX_TRIES_SHOWN, Browse
from service.steps.browse.facets import COUNTED, Facets, Found
from service.steps.browse.filters import DeliveryFilter, ImageFilter, JobFilter
from service.steps.browse.matching import MAX_LOOKED_AT, Matched, Matching, Span
from service.steps.browse.pages import Page
from service.steps.browse.wall import News, Wall

__all__ = [
    "COUNTED",
    "MAX_LOOKED_AT",
    "MAX_TRIES_SHOWN",
    "Browse",
    "DeliveryFilter",
    "Facets",
    "Found",
    "ImageFilter",
    "JobFilter",
    "Matched",
    "Matching",
    "News",
    "Page",
    "Span",
    "Wall",
]
