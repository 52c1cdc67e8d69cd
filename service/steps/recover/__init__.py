"""Recover: a database that came out of a backup pays for nothing until a person has looked."""

from service.steps.recover.doubts import Doubt, Doubts
from service.steps.recover.guard import LOOK_AT_MARK_SECONDS, Recover, Situation
from service.steps.recover.mark import Mark, Marks
from service.steps.recover.standing import Standings

__all__ = [
    "LOOK_AT_MARK_SECONDS",
    "Doubt",
    "Doubts",
    "Mark",
    "Marks",
    "Recover",
    "Situation",
    "Standings",
]
