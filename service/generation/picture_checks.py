"""Checks the pictures behind an input, once they are measured, before anything is paid for."""

from collections.abc import Mapping

from service.errors import FieldError
from service.generation.catalogue import Model
from service.generation.image_parameter import PictureSize
from service.generation.pricing import output_pixels


def check_pictures(
    model: Model, cleaned: Mapping[str, object], sizes: Mapping[str, PictureSize]
) -> list[FieldError]:
    """Return what is wrong with the pictures of this validated input.

    `sizes` is by parameter. Pictures that are not in it, those given as URLs, are not judged:
    only upstream sees them.
    """
    errors = [
        FieldError(f"/input/{name}", detail)
        for name, parameter in model.images.items()
        if name in sizes
        for detail in parameter.picture_problems(sizes[name])
    ]
    pixels = output_pixels(model, cleaned, sizes)
    for rule in model.picture_rules:
        errors.extend(rule.errors(sizes, pixels))
    return errors
