"""What Flux models there are, what they take, and what a job costs."""

from service.generation.catalogue import CATALOGUE, Catalogue, Model, load_catalogue
from service.generation.pricing import estimate_cost
from service.generation.schema import input_schema
from service.generation.suggestion import suggest
from service.generation.validation import unknown_model, validate_input

__all__ = [
    "CATALOGUE",
    "Catalogue",
    "Model",
    "estimate_cost",
    "input_schema",
    "load_catalogue",
    "suggest",
    "unknown_model",
    "validate_input",
]
