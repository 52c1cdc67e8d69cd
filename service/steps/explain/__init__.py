"""Explain: the facts that answer why a job is where it is."""

from service.steps.explain.explain import Explain, Told
from service.steps.explain.line import MAX_COUNTED, Line, Slots

__all__ = ["MAX_COUNTED", "Explain", "Line", "Slots", "Told"]
