"""What Flux models there are, what they take, and what a job costs."""

from service.generation.catalogue import (
    CATALOGUE,
    Catalogue,
    FlatPrice,
    MegapixelPrice,
    Model,
    Provider,
    load_catalogue,
)
from service.generation.image_parameter import ImageSource, PictureSize, image_source
from service.generation.picture_checks import check_pictures
from service.generation.pricing import Quote, quote
from service.generation.schema import input_schema
from service.generation.suggestion import suggest
from service.generation.validation import unknown_model, validate_input

__all__ = [
    "CATALOGUE",
    "Catalogue",
    "FlatPrice",
    "ImageSource",
    "MegapixelPrice",
    "Model",
    "PictureSize",
    "Provider",
    "Quote",
    "check_pictures",
    "image_source",
    "input_schema",
    "load_catalogue",
    "quote",
    "suggest",
    "unknown_model",
    "validate_input",
]
