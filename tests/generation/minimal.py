"""The least input that a model takes, as a place to put one value under test."""

from service.generation import Model
from service.generation.image_parameter import Image
from service.generation.parameters import Integer, Parameter
from service.generation.rules import NoUrlWhen


def minimal_input(model: Model) -> dict[str, object]:
    """Return every required parameter, and all of which a rule wants some or the least.

    One of them can be left out or changed, and no rule between parameters is broken.
    """
    ruled = {
        name for rule in model.rules if not isinstance(rule, NoUrlWhen) for name in rule.concerns
    }
    return {
        name: _least(parameter)
        for name, parameter in model.parameters.items()
        if parameter.required or name in ruled
    }


def _least(parameter: Parameter) -> object:
    if isinstance(parameter, Integer):
        return max(1, parameter.minimum)
    return "aGk=" if isinstance(parameter, Image) else "a cat"
